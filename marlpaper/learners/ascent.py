"""The loop that all ascent methods share: update, and evaluate the current policy at the checkpoints."""

import math

import numpy as np

from marlpaper import evaluate, validation
from marlpaper.learners.run import Run

BLOCK = 64
"""Policies evaluated in one call, at most: array operations on small games cost the same for one policy and for many."""
ENTRIES = 200_000
"""Entries of the kernels formed in one such call, at most."""


def checked_start(game, iterations, step_size, initial):
    """Iterations, step size, the step size of each agent shaped like policies, and the start, validated; the default
    start is uniform."""
    validation.game("game", game)
    iterations = validation.whole("iterations", iterations, 1)
    if isinstance(step_size, tuple):
        step_size = agent_step_sizes(step_size, game.agents)
    elif np.ndim(step_size) == 0:
        step_size = validation.positive("step_size", step_size)
    else:
        step_size = validation.array("step_size", step_size)
        if step_size.shape != game.batch:
            raise ValueError(f"step_size has shape {step_size.shape}, expected a number or one for each game, {game.batch}.")
        for index in np.argwhere(step_size <= 0)[:1].tolist():
            raise ValueError(f"step_size{index} is {step_size[tuple(index)]:.6g}, expected a positive number.")
    if isinstance(step_size, tuple):
        shaped = step_size
    else:
        shaped = (np.reshape(step_size, np.shape(step_size) + (1,) * (2 + len(game.time))),) * game.agents
    policy = game.check_policy(game.uniform_policy() if initial is None else initial, "initial")
    return iterations, step_size, shaped, policy


def agent_step_sizes(step_size, agents):
    """A step size for each agent, from one number for all or from a tuple: agents whose rewards are in different
    units need steps that differ."""
    if not isinstance(step_size, tuple):
        return (validation.positive("step_size", step_size),) * agents
    given = validation.group("step_size", step_size, agents, "numbers")
    return tuple(validation.positive(f"step_size[{agent}]", value) for agent, value in enumerate(given))


def ascend(game, policy, update, parameters, checkpoints=None, record=False, aggregate="max", tolerance=None):
    r"""Repeat `policy = update(policy)` and evaluate it at the checkpoints.

    Parameters
    ----------
    game : MarkovGame
    policy : tuple of N arrays (..., H, S, A_i)
        $\pi^0$.
    update : callable
        From $\pi^t$ to $\pi^{t+1}$.
    parameters : dict
        Settings of the learner, with `iterations`.
    checkpoints : sequence of int, optional
        Iterations in 0..T at which $\pi^t$ is evaluated; 0 is the start.
    record : bool
        Keep the policies at the checkpoints.
    aggregate : {"max", "sum", "mean"}
        Of the NE-gap, see `evaluate.nash_gap`.
    tolerance : float, optional
        Stop at the first checkpoint with a gap of at most this in every game of the batch.

    Returns
    -------
    Run
        `parameters["iterations"]` is the number done.

    Raises
    ------
    TypeError, ValueError
        If a checkpoint is no iteration, the tolerance is not positive, or the record does not fit in memory.
    """
    iterations, initial = parameters["iterations"], policy
    chosen = _checkpoints(checkpoints, iterations)
    if tolerance is not None:
        tolerance = validation.positive("tolerance", tolerance)
    if record:
        validation.recordable(_record_bytes(game, policy, len(chosen)))
    reached, waiting, results, kept = [], [], [], []
    block = 1 if tolerance is not None else _block(game, policy)
    for t in range(iterations + 1):
        if t in chosen:
            reached.append(t)
            waiting.append(policy)
            kept += [policy] if record else []
            if len(waiting) == block:
                results.append(_evaluated(game, waiting, aggregate))
                waiting = []
            if tolerance is not None and np.all(results[-1][0] <= tolerance):
                break
        if t < iterations:
            policy = update(policy)
    results += [_evaluated(game, waiting, aggregate)] if waiting else []
    gaps, values = np.zeros((2, *game.batch, 0))
    if results:
        gaps, values = (np.moveaxis(np.concatenate(part), 0, -1) for part in zip(*results, strict=True))
    return Run(
        game=game,
        initial=initial,
        parameters={**parameters, "iterations": t, "aggregate": aggregate},
        policy=policy,
        checkpoints=np.array(reached, dtype=int),
        gaps=gaps,
        values=values,
        trajectory=tuple(np.stack(steps) for steps in zip(*kept, strict=True)) if kept else None,
    )


def _record_bytes(game, policy, points):
    """Bytes of the policies at so many checkpoints."""
    return 8 * points * math.prod(_leading(game, policy)) * (game.horizon or 1) * game.states * sum(game.actions)


def _block(game, policy):
    """How many policies to evaluate in one call."""
    size = np.prod(_leading(game, policy), dtype=int) * (game.horizon or 1) * game.states**2 * max(game.actions)
    return int(np.clip(ENTRIES // size, 1, BLOCK))


def _evaluated(game, policies, aggregate):
    """Gaps and values of several policies, (policies, ...)."""
    leading = (len(policies), *_leading(game, policies[-1]))
    together = []
    for parts in zip(*policies, strict=True):
        full = [np.broadcast_to(part, leading[1:] + part.shape[-2 - len(game.time) :]) for part in parts]
        together.append(np.stack(full))
    gaps = evaluate.nash_gap(game, together, aggregate)
    return gaps, evaluate.initial_value(game, evaluate.state_values(game, together))[..., 0]


def _leading(game, policy):
    """Batch axes of the game and the policy together."""
    return np.broadcast_shapes(game.batch, *(p.shape[: -2 - len(game.time)] for p in policy))


def _checkpoints(checkpoints, iterations):
    if checkpoints is not None and not hasattr(checkpoints, "__iter__"):
        raise TypeError(f"checkpoints is {checkpoints!r}, expected a sequence of iterations in 0..{iterations}.")
    given = [int(t) if isinstance(t, float) and t.is_integer() else t for t in (() if checkpoints is None else checkpoints)]
    chosen = {validation.whole("checkpoints", t, 0) for t in given}
    if chosen and max(chosen) > iterations:
        raise ValueError(f"checkpoints has {max(chosen)}, expected iterations in 0..{iterations}.")
    return chosen
