"""Named games: small readable files in `data/games`, and sequences of similar games made from them."""

import difflib
import os
import pathlib
import tomllib

import numpy as np

from marlpaper import validation
from marlpaper.games import families, potential
from marlpaper.games.tabular import MarkovGame, zero_sum

SIZE_LIMIT = 10_000_000
REWARDS = ("zero_sum_reward", "common_reward", "rewards")


def folder():
    """Where the game files are: `data/games` of the checkout, or the folder that MARLPAPER_GAMES names."""
    return pathlib.Path(os.environ.get("MARLPAPER_GAMES") or pathlib.Path(__file__).parents[2] / "data" / "games")


def names():
    """Names of all games that `load` knows, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def describe(name):
    """The file of a named game as a dictionary: title, source, tables, and `experiment`, the paper's settings.

    Raises
    ------
    KeyError
        If no game has that name.
    ValueError
        If the file is too large or is not TOML.
    """
    path = folder() / f"{name}.toml"
    if name not in names():
        near = difflib.get_close_matches(str(name), names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"no game is named {name!r}, expected one of {', '.join(names())}{hint}")
    if path.stat().st_size > SIZE_LIMIT:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, expected at most {SIZE_LIMIT}.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not a readable TOML file: {error}.") from None


def load(name, **parameters):
    """The named game.

    Parameters
    ----------
    name : str
        One of `names()`.
    **parameters
        Override what the file sets: the parameters of a family, e.g. `load("delayed-reward-chain", horizon=14)`, or
        `horizon`, `discount` and `initial` of a table.

    Returns
    -------
    MarkovGame

    Raises
    ------
    KeyError
        If no game has that name.
    ValueError
        If the file or a parameter does not fit; one sentence that names the entry.
    """
    content = describe(name)
    try:
        return _family(content, parameters) if "family" in content else _table(content, parameters)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{name}.toml does not describe a game: {reason}") from None


def perturb(game, count, scale, rng):
    r"""A sequence of games similar to `game`: independent Gaussian noise on every reward entry.

    Parameters
    ----------
    game : MarkovGame
        A single game.
    count : int or tuple of int
        Number of games $K$, or the shape of the leading axes, e.g. `(K, seeds)`.
    scale : float
        Standard deviation of the noise; at least 0.
    rng : numpy.random.Generator

    Returns
    -------
    MarkovGame
        With leading batch axes `count`. A zero-sum game stays zero-sum and a common reward stays common: the noise
        is drawn once and shared. Noise does not depend on the step when the rewards do not.
    """
    if game.batch:
        raise ValueError(f"game has batch axes {game.batch}, expected a single game to perturb.")
    counts = [validation.whole("count", k, 1) for k in np.atleast_1d(count).tolist()]
    if scale < 0 or not np.isfinite(scale):
        raise ValueError(f"scale is {scale}, expected a standard deviation of at least 0.")
    fixed = game.horizon is not None and np.ptp(game.rewards, axis=1).max() == 0
    base = game.rewards[:, :1] if fixed else game.rewards
    common = np.ptp(base, axis=0).max() == 0
    shape = (1 if game.is_zero_sum or common else game.agents,) + base.shape[1:]
    noise = scale * rng.standard_normal((*counts, *shape))
    signs = np.reshape([1.0, -1.0], (2,) + (1,) * (base.ndim - 1)) if game.is_zero_sum else 1.0
    rewards = np.broadcast_to(base + signs * noise, (*counts, *game.rewards.shape))
    return MarkovGame(rewards, game.transitions, game.initial, game.discount)


def _family(content, overrides):
    parameters = {**content.get("parameters", {}), **overrides}
    name = content["family"]
    family = getattr(families, name, None) or getattr(potential, name, None)
    if family is None:
        raise ValueError(f"family is {name!r}, which is not in marlpaper.games.families or marlpaper.games.potential.")
    return family(**parameters)


def _table(content, overrides):
    unknown = sorted(set(overrides) - {"horizon", "discount", "initial"})
    if unknown:
        raise ValueError(f"it is a table and takes horizon, discount and initial as parameters, got {', '.join(unknown)}.")
    if {"horizon", "discount"} & set(overrides):
        content = {key: value for key, value in content.items() if key not in ("horizon", "discount")}
    content = {**content, **overrides}
    states = content["states"]
    kinds = [kind for kind in REWARDS if kind in content]
    if len(kinds) != 1:
        raise ValueError(f"it has {len(kinds)} reward tables, expected one of {', '.join(REWARDS)}.")
    timing = {"horizon": content.get("horizon"), "discount": content.get("discount")}
    start = (_transition_rows(states, content), content.get("initial", states[0]))
    transitions, initial = start[0], states.index(start[1]) if isinstance(start[1], str) else start[1]
    table = content[kinds[0]]
    if kinds[0] == "rewards":  # one table per agent
        rewards = np.stack([_by_state(states, agent) for agent in table])
        return MarkovGame(rewards, transitions, initial, **timing)
    reward = _by_state(states, table)
    if kinds[0] == "zero_sum_reward":
        return zero_sum(reward, transitions, initial, **timing)
    return MarkovGame(np.stack([reward] * (reward.ndim - 1)), transitions, initial, **timing)


def _by_state(states, table):
    return np.stack([validation.array(f"reward of {state}", table[state]) for state in states])


def _transition_rows(states, content):
    """Nested lists of {next state: probability} to an array (S, A_1, ..., A_N, S')."""

    def rows(entry):
        if isinstance(entry, dict):
            unknown = set(entry) - set(states)
            if unknown:
                raise ValueError(f"transitions lead to {sorted(unknown)[0]!r}, expected one of {', '.join(states)}.")
            return [float(entry.get(state, 0)) for state in states]
        return [rows(item) for item in entry]

    return np.array([rows(content["transitions"][state]) for state in states])
