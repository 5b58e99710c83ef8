r"""Kinds for `ding2022`'s learners that know less: Q-ascent from rollouts, and learning without knowing the game.

*Pennies* are zero-sum games with two actions in which each player wants to match, or not to, by a margin of at least 0.6, on kernels that no
action moves. Their equilibrium is inside the square, as the claim on plain Q-ascent needs.
"""

import numpy as np

from marlpaper import features, games, learners, simplex
from marlpaper.falsifier import potential
from marlpaper.falsifier.arrays import Array
from marlpaper.falsifier.kinds import WORDS, kind, one_of

MARGIN = 0.8
"""What matching pays more than not matching, before rewards are moved by at most 0.2."""

SMALLEST_GAP = 1e-3
"""Below this no tolerance is set: the count of rollouts grows like its inverse fifth power."""


WORDS["structure"] = (*WORDS["structure"], "zero-sum")
WORDS["structure_of_two"] = ("common", "zero-sum")


def _pennies_settings(rng, options):
    return {
        "states": int(one_of(rng, (1, 1, 2, 3))),
        "actions": [2, 2],
        "discount": float(one_of(rng, (0.0, 0.5, 0.9))),
        "factor": float(one_of(rng, options.get("factors", (0.1, 1.0)))),
    }


def _plain_settings(rng, options):
    return _pennies_settings(rng, options) | {"iterations": int(one_of(rng, (1, 2, 10, 100)))}


def _pennies_arrays(settings):
    return {
        "reward": Array(("states", "actions0", "actions1")),
        "kernel": Array(("states", "states"), "simplex"),
        "first_state": Array(("states",), "simplex", floor=potential.SUPPORT),
    } | potential._start_arrays(settings)


def _pennies_run(learner, settings, arrays, iterations):
    reward = MARGIN * np.eye(2) + (1 - MARGIN) * arrays["reward"]
    kernel = np.broadcast_to(arrays["kernel"][..., None, None, :], (*reward.shape, reward.shape[-3]))
    game = games.zero_sum(reward, kernel, arrays["first_state"], settings["discount"])
    start = potential._starts(settings, arrays)
    return (learner(game, iterations, settings["factor"], initial=start, checkpoints=range(iterations + 1)),)


@kind("plain ascent on pennies", _plain_settings, _pennies_arrays)
def plain_pennies(settings, arrays):
    """A run of Q-ascent; the factor is the step size."""
    return _pennies_run(learners.q_ascent, settings, arrays, settings["iterations"])


def _one_state_settings(rng, options):
    return {
        "structure": str(one_of(rng, WORDS["structure_of_two"])),
        "actions": list(one_of(rng, ((2, 2), (2, 2), (2, 3), (3, 3), (1, 2), (2, 1)))),
        "discount": float(one_of(rng, (0.0, 0.5, 0.9))),
        "factor": float(one_of(rng, (1.0, 1.0, 0.3, 0.01))),
        "iterations": int(one_of(rng, (1, 2, 5, 20, 100, 400))),
    }


def _one_state_arrays(settings):
    starts = {f"start{agent}": Array((f"actions{agent}",), "simplex") for agent in range(2)}
    return {"reward": Array(("actions0", "actions1"))} | starts


@kind("optimistic ascent in one state", _one_state_settings, _one_state_arrays)
def optimistic_ascent(settings, arrays):
    r"""A run of optimistic Q-ascent on a repeated matrix game; the factor multiplies $\frac1{4L}$ (1 where no action matters)."""
    reward = arrays["reward"][..., None, :, :]
    sign = 1 if settings["structure"] == "common" else -1
    kernel = np.ones((*reward.shape, 1))
    game = games.MarkovGame(np.stack([reward, sign * reward], -4), kernel, np.ones((*reward.shape[:-3], 1)), settings["discount"])
    middle = (reward.max((-2, -1), keepdims=True) + reward.min((-2, -1), keepdims=True)) / 2
    size = np.linalg.norm(reward - middle, 2, (-2, -1))[..., 0]
    step = settings["factor"] * np.divide(0.25, size, out=np.ones_like(size), where=size > 0)
    start = [arrays[f"start{agent}"][..., None, :] for agent in range(2)]
    count = settings["iterations"]
    return (learners.optimistic_q_ascent(game, count, step, initial=start, checkpoints=range(count + 1)),)


def _sampled_settings(rng, options):
    small = {"lows": (0.0,), "agents": ((2,), (2, 2), (2, 3)), "lengths": (2, 5, 10)}
    settings = potential._settings(rng, options | small)
    return settings | {
        "states": int(one_of(rng, (1, 1, 2))),
        "discount": float(one_of(rng, (0.0, 0.3))),
        "samples": int(one_of(rng, options.get("samples", (100, 300)))),
        "exploration": float(one_of(rng, options.get("explorations", (0.3, 0.6)))),
        "noise": int(rng.integers(1, 65)),
    }


def _sampled(settings, arrays, solver):
    game, exploration = potential.game_of(settings, arrays), settings["exploration"]
    step = float(settings["factor"] * potential.STEPS[settings["ascent_step"]](game))
    radius = np.sqrt(2 * game.states) / (1 - game.discount)
    start = [simplex.mix(part, exploration) for part in potential._starts(settings, arrays)]
    count, rng, maps = settings["iterations"], np.random.default_rng(settings["noise"]), features.one_hot(game)
    return learners.sampled_q_ascent(
        game, count, step, settings["samples"], maps, exploration, radius, rng, solver, 2, start, range(count + 1), record=True
    )


@kind("run from rollouts", _sampled_settings, potential._run_arrays, games_axis=False)
def sampled_run(settings, arrays):
    """Two repetitions of Q-ascent from rollouts with least squares; `noise` is their seed."""
    return (_sampled(settings, arrays, "least-squares"),)


@kind("run from rollouts to its smallest gap", _sampled_settings, potential._run_arrays, games_axis=False)
def sampled_run_to_gap(settings, arrays):
    """Two repetitions with averaged SGD, and the smallest mean gap they reach: an unfinished run would decide nothing."""
    run = _sampled(settings, arrays, "sgd")
    return run, max(float(run.gaps.mean(0).min()), SMALLEST_GAP)
