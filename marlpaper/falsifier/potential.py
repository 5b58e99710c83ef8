r"""Kinds for discounted potential games: runs of Q-ascent and of projected policy gradient, and sequences of games.

Two structures are potential games by construction: a common reward under any kernel, and an action-free kernel $P(s'|s)$ with rewards
$\varphi(s,a)+u_i(s,a_{-i})$. The start distribution has full support where the step size divides by its mass.
"""

import functools

import numpy as np

from marlpaper import evaluate, games, learners, meta
from marlpaper.claims import ascent
from marlpaper.falsifier.arrays import Array
from marlpaper.falsifier.kinds import WORDS, kind, one_of

DISCOUNTS = (0.0, 0.0, 0.3, 0.6, 0.9, 0.97, 0.99, 0.999, 0.9999)
SUPPORT = 0.05
"""Weight of the uniform distribution in the start distributions of runs whose step size divides by their mass."""


def _mpg_step(game):
    r"""$\frac1{2L_\nu}$, $\nu=\rho$ if that has the smaller mismatch, else uniform."""
    size = np.minimum(evaluate.mismatch(game), game.states)
    reference = np.where((size < game.states)[..., None], game.initial, 1 / game.states)
    return 1 / (2 * ascent.smoothness(game, evaluate.mismatch(ascent.restarted(game, reference))))


STEPS = {
    "(1-γ)⁴/(8κ³NA)": lambda game: ascent.printed_cap(game, evaluate.mismatch(game)),
    "1/L": lambda game: 1 / ascent.smoothness(game, evaluate.mismatch(game)),
    "1/(2L) at the better start": _mpg_step,
    "1/(2L max ρ)": lambda game: 1 / (2 * ascent.smoothness(game, evaluate.mismatch(game)) * game.initial.max(-1)),
    "(1-γ)/(2NA)": lambda game: np.full(game.batch, (1 - game.discount) / (2 * game.agents * ascent.actions(game))),
}
"""Step sizes by name, of a game or a batch; an instance's step size is one of them times its factor."""

ANY_START = ("1/(2L) at the better start", "(1-γ)/(2NA)")
"""Step sizes that are positive for every start, points included."""

WORDS["ascent_step"] = tuple(STEPS)


def _settings(rng, options):
    """Settings of a potential game and of a run on it."""
    common = options.get("structure") == "common" or rng.random() < 0.6
    return {
        "structure": "common" if common else "action-free",
        "states": int(one_of(rng, options.get("states", (1, 1, 2, 2, 3)))),
        "actions": list(one_of(rng, options.get("agents", ((2,), (3,), (2, 2), (2, 2), (2, 3), (2, 2, 2))))),
        "discount": float(one_of(rng, options.get("discounts", DISCOUNTS))),
        "low": float(one_of(rng, options.get("lows", (0.0, -1.0)))),
        "iterations": int(one_of(rng, options.get("lengths", (1, 1, 2, 5, 20)))),
        "ascent_step": options.get("step", "(1-γ)⁴/(8κ³NA)"),
        "factor": float(one_of(rng, options.get("factors", (1.0, 1.0, 0.1)))),
    }


def _game_arrays(settings, leading=()):
    """Potential, kernel, start distribution and, with an action-free kernel, what each agent gets from the others' actions."""
    joint, low = tuple(f"actions{agent}" for agent in range(len(settings["actions"]))), settings["low"]
    free = settings["structure"] == "action-free"
    half = 0.5 if free else 1.0
    floor = 0.0 if settings.get("ascent_step", ANY_START[0]) in ANY_START else SUPPORT
    arrays = {
        "reward": Array((*leading, "states", *joint), low=half * low, high=half),
        "kernel": Array(("states", *(() if free else joint), "states"), "simplex"),
        "first_state": Array(("states",), "simplex", floor=floor),
    }
    if free:
        for agent in range(len(joint)):
            others = joint[:agent] + joint[agent + 1 :]
            arrays[f"others{agent}"] = Array((*leading, "states", *others), low=half * low, high=half)
    return arrays


def game_of(settings, arrays, leading=0):
    """The potential game; `leading` counts the axes before the states, of sequences and of games drawn side by side."""
    agents, reward, kernel = len(settings["actions"]), arrays["reward"], arrays["kernel"]
    rewards = [reward] * agents
    if settings["structure"] == "action-free":
        rewards = [reward + np.expand_dims(arrays[f"others{agent}"], leading + 1 + agent) for agent in range(agents)]
        wide = kernel.reshape(*kernel.shape[:-1], *(1,) * agents, kernel.shape[-1])
        kernel = np.broadcast_to(wide, (*kernel.shape[:-1], *settings["actions"], kernel.shape[-1]))
    kernel = np.broadcast_to(kernel, reward.shape + kernel.shape[-1:])
    return games.PotentialGame(np.stack(rewards, leading), kernel, arrays["first_state"], settings["discount"], potential=reward)


def _leading(settings, arrays):
    return arrays["reward"].ndim - 1 - len(settings["actions"])


def _start_arrays(settings):
    return {f"start{agent}": Array(("states", f"actions{agent}"), "simplex") for agent in range(len(settings["actions"]))}


def _starts(settings, arrays):
    return [arrays[f"start{agent}"] for agent in range(len(settings["actions"]))]


def _run_arrays(settings):
    return _game_arrays(settings) | _start_arrays(settings)


def _ascended(learner, settings, arrays):
    game, count = game_of(settings, arrays, _leading(settings, arrays)), settings["iterations"]
    step = settings["factor"] * STEPS[settings["ascent_step"]](game)
    return learner(game, count, step, initial=_starts(settings, arrays), checkpoints=range(count + 1), record=True)


@kind("ascent run", _settings, _run_arrays)
def ascent_run(settings, arrays):
    """A run of Q-ascent, evaluated at every iteration."""
    return (_ascended(learners.q_ascent, settings, arrays),)


@kind("ascent run by itself", _settings, _run_arrays, games_axis=False)
def single_ascent_run(settings, arrays):
    """The same for claims that look at a single game."""
    return ascent_run(settings, arrays)


@kind("projected gradient run", _settings, _run_arrays)
def projected_gradient_run(settings, arrays):
    """A run of projected policy gradient, evaluated at every iteration."""
    return (_ascended(learners.policy_gradient, settings, arrays),)


def _tolerance_settings(rng, options):
    small = {"lows": (0.0,), "agents": ((2,), (2, 2), (3,))}
    settings = _settings(rng, options | small) | {"discount": float(one_of(rng, (0.0, 0.3, 0.5)))}
    return settings | {"tolerance": float(one_of(rng, (0.05, 0.1, 0.3)))}


@kind("ascent to a tolerance", _tolerance_settings, _run_arrays)
def ascent_to_tolerance(settings, arrays):
    """A run of Q-ascent until the gap is small or the claim's count is used up."""
    game = game_of(settings, arrays, _leading(settings, arrays))
    kappa, tolerance = evaluate.free_mismatch(game), settings["tolerance"]
    step = settings["factor"] * STEPS[settings["ascent_step"]](game)
    count = int(np.ceil((2.3 / tolerance) ** 2 * np.max(kappa) * game.agents * ascent.actions(game) / (1 - game.discount) ** 4))
    run = learners.q_ascent(game, count, step, _starts(settings, arrays), checkpoints=range(count + 1), tolerance=tolerance)
    return run, tolerance, kappa


def _game_settings(rng, options):
    return {name: value for name, value in _settings(rng, options).items() if name in ("structure", "states", "actions", "discount", "low")}


@kind("potential game", _game_settings, _game_arrays)
def potential_game(settings, arrays):
    """The game alone."""
    return (game_of(settings, arrays, _leading(settings, arrays)),)


def _sequence_settings(rng, options):
    return _settings(rng, options) | {"games": int(one_of(rng, (2, 3, 5)))}


def _sequence_arrays(settings):
    return _game_arrays(settings, ("games",)) | _start_arrays(settings)


@kind("ascent sequence", _sequence_settings, _sequence_arrays)
def ascent_sequence(settings, arrays):
    """Games with one kernel, each started where the last one ended; one step size, of the largest mismatch."""
    side = _leading(settings, arrays) - 1
    moved = {name: np.moveaxis(value, side, 0) if name.startswith(("reward", "others")) else value for name, value in arrays.items()}
    sequence = game_of(settings, moved, side + 1)
    step = settings["factor"] * STEPS[settings["ascent_step"]](sequence).min(0)
    count = settings["iterations"]
    learner = functools.partial(learners.q_ascent, iterations=count, step_size=step, checkpoints=range(count))

    def rule(runs, total):
        return meta.last_policy(runs, total)

    first = _starts(settings, arrays)

    def learned(game, initial=None):
        return learner(game, initial=first if initial is None else initial)

    return sequence, meta.learn_sequence(sequence, learned, rule).runs
