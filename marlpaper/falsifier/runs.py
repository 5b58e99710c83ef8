r"""Kinds for learners in stages: runs of `mao2023` Algorithms 1 and 2, and sequences of games learned one after another."""

import functools

import numpy as np

from marlpaper import games, learners, meta
from marlpaper.claims.mao2023 import correlated_quantities, meta_correlated
from marlpaper.falsifier.arrays import Array
from marlpaper.falsifier.kinds import WORDS, in_the_long_run, kind, one_of

STEPS = {
    "1/(8H²)": lambda horizon, iterations, agents, count: 1 / (8 * horizon**2),
    "1/(4H)": lambda horizon, iterations, agents, count: 1 / (4 * horizon),
    "√(2/3)/H": lambda horizon, iterations, agents, count: 0.999 * np.sqrt(2 / 3) / horizon,
    "Theorem 5": lambda horizon, iterations, agents, count: correlated_quantities.printed_step(horizon, iterations, agents),
    "Theorem 5, sharper": lambda horizon, iterations, agents, count: correlated_quantities.sharper_step(horizon, iterations, agents),
    "Theorem 6": lambda horizon, iterations, agents, count: meta_correlated.printed_step(horizon, iterations, agents, count),
}
"""Step sizes by name, of H, T, N and K; an instance's step size is one of them times its factor."""

FACTORS = (1.0, 1.0, 0.5, 0.1, 0.01, 0.001)
LENGTHS = (1, 2, 3, 4, 6, 9, 14, 25, 50, 100)

SHORT = {"start": "uniform", "longest": 25}
"""What sequences fix: they take as many runs as there are games."""

WORDS["step"] = tuple(STEPS)
WORDS["rule"] = ("best-response-average", "laplace", "laplace and critic-warm-start")


def step_size(settings):
    """The step size of the settings."""
    rule = STEPS[settings["step"]]
    return float(settings["factor"] * rule(settings["horizon"], settings["iterations"], len(settings["actions"]), _count(settings)))


def _count(settings):
    """$K$: the number of games, or of copies of one game."""
    return 10.0 ** settings["power"] if "power" in settings else settings.get("games", 1)


def _run_settings(rng, options, actions):
    horizon = int(one_of(rng, (1, 1, 2, 2, 3, 4)))
    shortest, longest = options.get("shortest", lambda horizon: 1)(horizon), options.get("longest", LENGTHS[-1])
    lengths = [length for length in LENGTHS if shortest <= length <= max(longest, shortest)] or [shortest]
    return {
        "horizon": horizon,
        "states": int(one_of(rng, (1, 2, 2, 3))),
        "actions": list(one_of(rng, actions)),
        "iterations": int(one_of(rng, lengths)),
        "order": options.get("order") or str(one_of(rng, WORDS["order"])),
        "step": options.get("step", "1/(4H)"),
        "factor": float(one_of(rng, options.get("factors", FACTORS))),
        "start": options.get("start") or str(one_of(rng, WORDS["start"])),
    }


def _start_arrays(settings):
    if settings["start"] == "uniform":
        return {}
    leading = ("stages", "horizon", "states") if settings["start"] == "by stage" else ("horizon", "states")
    return {f"start{agent}": Array((*leading, f"actions{agent}"), "simplex") for agent in range(len(settings["actions"]))}


def _tables(settings, leading=()):
    """Reward, kernel and first state of a game in steps; rewards of every agent if `leading` says so."""
    joint = tuple(f"actions{agent}" for agent in range(len(settings["actions"])))
    return {
        "reward": Array((*leading, "horizon", "states", *joint)),
        "kernel": Array(("horizon", "states", *joint, "states"), "simplex"),
        "first_state": Array(("states",), "simplex"),
    }


def _initial(settings, arrays):
    return None if settings["start"] == "uniform" else [arrays[f"start{agent}"] for agent in range(len(settings["actions"]))]


def _refined(settings, arrays, run):
    """The arrays with starts nearer to an equilibrium: the best responses of the run's stages, where each has a start of its own."""
    if settings["start"] != "by stage":
        return arrays
    return arrays | {f"start{agent}": best for agent, best in enumerate(run.stages.best_responses)}


def _zero_sum_settings(rng, options):
    """Settings of a run of Algorithm 1; `first_values` says whether $Q^1$ is given or 0."""
    actions = ((2, 2), (2, 2), (2, 2), (2, 1), (1, 2), (2, 3), (3, 2), (3, 3))
    settings = in_the_long_run(rng, _run_settings(rng, options, actions), options)
    given = bool(options.get("first_values", False)) and bool(rng.random() < 0.5)
    return settings | {"first_values": given}


def _zero_sum_arrays(settings):
    arrays = _tables(settings) | _start_arrays(settings)
    if settings["first_values"]:
        arrays["first_values"] = Array(arrays["reward"].axes)
    return arrays


def _refine_zero_sum(settings, arrays):
    return _refined(settings, arrays, zero_sum_run(settings, arrays)[0])


@kind("zero-sum run", _zero_sum_settings, _zero_sum_arrays, _refine_zero_sum)
def zero_sum_run(settings, arrays):
    r"""A recorded run of Algorithm 1; `first_values` are shares of the largest allowed, $Q^1_h=(H-h+1)x$."""
    game = games.zero_sum(arrays["reward"], arrays["kernel"], arrays["first_state"])
    room = np.arange(game.horizon, 0, -1.0)[:, None, None, None]
    run = learners.optimistic_mirror_descent(
        game,
        settings["iterations"],
        step_size(settings),
        _initial(settings, arrays),
        order=settings["order"],
        initial_values=room * arrays["first_values"] if settings["first_values"] else None,
        record=True,
    )
    return (run,)


def _general_sum_settings(rng, options):
    return in_the_long_run(rng, _run_settings(rng, options, ((2, 2), (2, 2), (2, 3), (2, 2, 2))), options)


def _general_sum_arrays(settings):
    return _tables(settings, ("agents",)) | _start_arrays(settings)


def _refine_general_sum(settings, arrays):
    return _refined(settings, arrays, general_sum_run(settings, arrays)[0])


@kind("general-sum run", _general_sum_settings, _general_sum_arrays, _refine_general_sum)
def general_sum_run(settings, arrays):
    """A recorded run of Algorithm 2."""
    game = games.MarkovGame(arrays["reward"], arrays["kernel"], arrays["first_state"])
    initial = _initial(settings, arrays)
    return (learners.correlated_mirror_descent(game, settings["iterations"], step_size(settings), initial, settings["order"], record=True),)


def _sequence_settings(rng, options, settings):
    least = options.get("fewest", 2)
    count = int(one_of(rng, [number for number in (2, 3, 5, 8) if number >= least]))
    return settings | {"games": count, "rule": options.get("rule", "best-response-average"), "start": "uniform"}


def _zero_sum_sequence_settings(rng, options):
    settings = _run_settings(rng, SHORT | options, ((2, 2), (2, 2), (2, 1), (2, 3)))
    return in_the_long_run(rng, _sequence_settings(rng, options, settings), options)


def _sequence_arrays(settings):
    return _tables(settings, ("games",))


def _learned(settings, sequence, learner):
    settle = functools.partial(learner, iterations=settings["iterations"], step_size=step_size(settings), order=settings["order"], record=True)
    return (meta.learn_sequence(sequence, settle, settings["rule"].split(" and ")),)


def _games_first(values, axes):
    """The sequence before the axis of games drawn side by side, if there is one."""
    return values if values.ndim == axes else np.moveaxis(values, 1, 0)


def _side_by_side(values, settings):
    """A kernel or start for every game of the sequence."""
    return np.broadcast_to(values, (settings["games"], *values.shape))


@kind("zero-sum sequence", _zero_sum_sequence_settings, _sequence_arrays)
def zero_sum_sequence(settings, arrays):
    """Zero-sum games with one kernel, learned one after another by a meta-rule."""
    reward = _games_first(arrays["reward"], 5)
    kernel, first = (_side_by_side(arrays[name], settings) for name in ("kernel", "first_state"))
    return _learned(settings, games.zero_sum(reward, kernel, first), learners.optimistic_mirror_descent)


ALONE = ((2, 2, 2, 2), (3, 3, 3, 3), (3, 3, 3, 3, 3), (2, 2, 2, 2, 2, 2), (3, 3, 3, 3, 3, 3))
"""Numbers of actions where many agents play side by side, each for itself."""


def _general_sum_sequence_settings(rng, options):
    settings = _run_settings(rng, SHORT | options, ((2, 2), (2, 2), (2, 3)))
    alone = bool(rng.random() < 1 / 3)
    if alone:
        settings |= {"horizon": 1, "states": 1, "actions": list(one_of(rng, ALONE))}
    return in_the_long_run(rng, _sequence_settings(rng, options, settings) | {"alone": alone}, options)


def _general_sum_sequence_arrays(settings):
    tables = _tables(settings, ("games", "agents"))
    return tables | {"reward": Array(("games", "agents", "horizon", "states", "own"))} if settings["alone"] else tables


def _reward_of_own_action(settings, reward):
    """Tables (..., N, H, S, A_1, ..., A_N) in which every agent's reward (..., N, H, S, A) depends on its own action alone."""
    agents, tables = len(settings["actions"]), []
    for agent, count in enumerate(settings["actions"]):
        own = reward[..., agent, :, :, :count]
        axes = [1] * agents
        axes[agent] = count
        tables.append(np.broadcast_to(own.reshape(own.shape[:-1] + tuple(axes)), own.shape[:-1] + tuple(settings["actions"])))
    return np.stack(tables, -3 - agents)


@kind("general-sum sequence", _general_sum_sequence_settings, _general_sum_sequence_arrays)
def general_sum_sequence(settings, arrays):
    """General-sum games with one kernel, learned one after another by a meta-rule; if `alone`, no agent's action touches another's reward."""
    reward = _reward_of_own_action(settings, arrays["reward"]) if settings["alone"] else arrays["reward"]
    reward = _games_first(reward, 4 + len(settings["actions"]))
    kernel, first = (_side_by_side(arrays[name], settings) for name in ("kernel", "first_state"))
    return _learned(settings, games.MarkovGame(reward, kernel, first), learners.correlated_mirror_descent)


POWERS = (4, 8, 16, 24, 30)
r"""$\log_{10}K$ where one game stands for $K$ copies of itself."""


def _copies_settings(rng, options, actions):
    return _run_settings(rng, {"start": "uniform"} | options, actions) | {"power": int(one_of(rng, POWERS))}


def _learned_copies(game, settings, learner):
    """$K$ copies of a game by eq. (5): two runs and $K$, for where the second start is also the third, all others are as well."""
    rule = functools.partial(meta.best_response_average, count=_count(settings))
    settle = functools.partial(learner, iterations=settings["iterations"], step_size=step_size(settings), order=settings["order"], record=True)
    return meta.learn_sequence(games.stack([game, game]), settle, lambda runs, _: rule(runs)), _count(settings)


@kind("zero-sum copies", lambda rng, options: _copies_settings(rng, options, ((2, 2), (2, 1), (1, 2), (2, 3))), _tables)
def zero_sum_copies(settings, arrays):
    """Copies of a zero-sum game, learned one after another by eq. (5)."""
    game = games.zero_sum(arrays["reward"], arrays["kernel"], arrays["first_state"])
    return _learned_copies(game, settings, learners.optimistic_mirror_descent)


def _general_sum_copies_arrays(settings):
    return _tables(settings, ("agents",))


@kind("general-sum copies", lambda rng, options: _copies_settings(rng, options, ((2, 2), (2, 2), (2, 3))), _general_sum_copies_arrays)
def general_sum_copies(settings, arrays):
    """Copies of a general-sum game, learned one after another by eq. (5)."""
    game = games.MarkovGame(arrays["reward"], arrays["kernel"], arrays["first_state"])
    return _learned_copies(game, settings, learners.correlated_mirror_descent)
