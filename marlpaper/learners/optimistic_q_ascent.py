r"""Independent optimistic Q-ascent with a smoothed critic: the game-agnostic algorithm of `ding2022`.

$\bar\pi_i^{t+1}=P_\Delta\big(\bar\pi_i^t+\alpha\bar{\mathcal Q}_i^t\big)$, then $\pi_i^{t+1}=P_\Delta\big(\bar\pi_i^{t+1}+\alpha\bar{\mathcal Q}_i^t\big)$:
the second step repeats the first, as if the next feedback were the last one. The feedback
$\bar{\mathcal Q}_i^t=E_{a_{-i}\sim\pi_{-i}^t}[r_i+\gamma P\mathcal V_i^{t-1}]$ uses a critic that learns slowly,
$\mathcal V_i^t=(1-\alpha_t)\mathcal V_i^{t-1}+\alpha_t\langle\pi_i^t,\bar{\mathcal Q}_i^t\rangle$, $\mathcal V_i^0=0$.

The slides print the two steps and the words "smoothed critic"; the critic and its first schedule are those of Wei et al. (2021),
to whom the slides refer, the second schedule is that of the full paper. Neither asks which game is played.
"""

import dataclasses

import numpy as np

from marlpaper import evaluate, simplex, validation
from marlpaper.learners.ascent import ascend, checked_start

SCHEDULES = ("horizon", "cube-root")


def critic_rate(schedule, iteration, discount):
    r"""$\alpha_t$, how much of the critic is replaced in iteration $t\ge1$.

    Parameters
    ----------
    schedule : {"horizon", "cube-root"}
        $\alpha_t=\frac{H+1}{H+t}$ with $H=\frac2{1-\gamma}$, or $\alpha_t=\frac1{6t^{1/3}}$.
    iteration : int or array of int
        $t$.
    discount : float
        $\gamma$.

    Returns
    -------
    float or array
        In (0, 1].

    Examples
    --------
    >>> float(critic_rate("horizon", 1, 0.8)), round(float(critic_rate("cube-root", 8, 0.8)), 4)
    (1.0, 0.0833)
    """
    validation.choice("schedule", schedule, SCHEDULES)
    if schedule == "horizon":
        horizon = 2 / (1 - discount)
        return (horizon + 1) / (horizon + np.asarray(iteration))
    return 1 / (6 * np.cbrt(iteration))


def optimistic_q_ascent(
    game,
    iterations,
    step_size,
    schedule="horizon",
    initial=None,
    checkpoints=None,
    record=False,
    aggregate="max",
    tolerance=None,
):
    r"""Run independent optimistic Q-ascent.

    Parameters
    ----------
    game : MarkovGame
        Discounted, with a transition table; batch axes run at once. The theorem is about two players with a common reward or
        with rewards that cancel; the learner takes any number of players and any rewards, and treats all alike.
    iterations : int
        $T\ge1$.
    step_size : float, array (...) or tuple of N floats
        $\alpha>0$; an array gives every game of the batch its own, a tuple every agent, whose rewards may be in units
        of their own.
    schedule : {"horizon", "cube-root"}
        Of the critic, see `critic_rate`.
    initial : sequence of N arrays (..., S, A_i), optional
        $\pi^0=\bar\pi^0$. Default: uniform.
    checkpoints, record, aggregate, tolerance
        As in `q_ascent`.

    Returns
    -------
    Run
        The output is the last policy; `estimates` is the critic.

    Raises
    ------
    TypeError, ValueError
        If the game has a horizon, $T<1$, $\alpha\le0$, the schedule is unknown, or an array does not fit.
    """
    validation.choice("schedule", schedule, SCHEDULES)
    iterations, step_size, shaped, policy = checked_start(game, iterations, step_size, initial)
    parameters = {"algorithm": "optimistic-q-ascent", "schedule": schedule, "iterations": iterations, "step_size": step_size}
    update = _Update(game, policy, shaped, schedule)
    run = ascend(game, policy, update, parameters, checkpoints, record, aggregate, tolerance)
    return dataclasses.replace(run, estimates=update.critic)


class _Update:
    r"""From $\pi^t$ to $\pi^{t+1}$, with $\bar\pi^t$, the critic and $t$ as its memory."""

    def __init__(self, game, policy, step_size, schedule):
        self.game, self.step_size, self.schedule = game, step_size, schedule
        self.oracle = evaluate.lookahead(game, policy)
        self.base, self.done = policy, 0
        leading = np.broadcast_shapes(game.batch, *(p.shape[:-2] for p in policy))
        self.critic = np.zeros((*leading, game.agents, game.states))

    def __call__(self, policy):
        self.done += 1
        feedback = self.oracle(policy, self.critic)
        rate = critic_rate(self.schedule, self.done, self.game.discount)
        self.critic = critic_step(self.critic, policy, feedback, rate)
        self.base, following = optimistic_step(self.base, feedback, self.step_size)
        return following


def critic_step(critic, policy, feedback, rate):
    r"""$(1-\alpha_t)\mathcal V_i+\alpha_t\langle\pi_i,\bar{\mathcal Q}_i\rangle$ for each agent: (..., N, S)."""
    earned = np.stack([(p * q).sum(-1) for p, q in zip(policy, feedback, strict=True)], -2)
    return (1 - rate) * critic + rate * earned


def optimistic_step(base, feedback, step_size):
    r"""The two projected steps from $\bar\pi^t$ with the same $\bar{\mathcal Q}^t$: $\bar\pi^{t+1}$ and $\pi^{t+1}$;
    `step_size` as in `q_ascent_step`."""
    steps = step_size if isinstance(step_size, tuple) else (step_size,) * len(feedback)
    gains = [step * q for step, q in zip(steps, feedback, strict=True)]
    base = _projected([p + gain for p, gain in zip(base, gains, strict=True)])
    return base, _projected([p + gain for p, gain in zip(base, gains, strict=True)])


def _projected(points):
    """Each agent's points on the simplex; agents with equally many actions in one call, which costs as much as for one of them."""
    if len({p.shape for p in points}) == 1:
        return tuple(simplex.project(np.stack(points)))
    return tuple(map(simplex.project, points))
