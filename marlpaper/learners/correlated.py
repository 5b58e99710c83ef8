r"""Optimistic mirror descent towards a coarse correlated equilibrium: `mao2023` Algorithms 2 and 3.

As Algorithm 1 (the same stages, the same step: `loop.StageLoop`), for any number of players with rewards of their own: player $i$ has
values $Q_{h,i}^\tau$ of its own and is told $[Q_{h,i}^\tau\pi_{h,-i}](s,\cdot)$. Not the average policy is certified but a correlated one.
"""

import numpy as np

from marlpaper import evaluate, validation
from marlpaper.learners.ascent import agent_step_sizes
from marlpaper.learners.certified import CertifiedPolicy
from marlpaper.learners.loop import ORDERS, StageLoop, checked_points, expected_next, from_layout, layout, starts_by_stage
from marlpaper.learners.run import Run
from marlpaper.learners.stages import record_bytes, stage_lengths

LETTERS = "abcdefghijklm"


def correlated_mirror_descent(game, iterations, step_size, initial=None, order="printed", checkpoints=None, record=False):
    r"""Run `mao2023` Algorithm 2 and certify its iterates by Algorithm 3.

    In each iteration $t$ of stage $\tau$ every player $i$ takes the optimistic multiplicative-weights step with
    $g=[Q_{h,i}^\tau\pi_{h,-i}^{t-1}](s,\cdot)$. At the end of a stage
    $Q_{h,i}^{\tau+1}=r_{h,i}+P_h\big[\frac1{L_\tau}\sum_{t\in\tau}Q^\tau_{h+1,i}\pi^t_{h+1}\big]$, and the policies start again.

    Parameters
    ----------
    game : MarkovGame
        Any number of agents, finite horizon; batch axes run at once.
    iterations : int
        $T\ge1$.
    step_size : float or tuple of N floats
        $\eta>0$; a tuple gives every agent its own, whose rewards may be in units of their own.
    initial : sequence of N arrays, optional
        $\tilde\pi_i$: (..., H, S, A_i), the same for all stages, or (..., stages, H, S, A_i). Default: uniform.
    order : {"printed", "repaired"}
        As in `optimistic_mirror_descent`: whether the auxiliary step comes before playing, or after it.
    checkpoints : sequence of int, optional
        Iterations in 1..T at which the certified policy's CCE-gap (signal revealed) and value are computed.
    record : bool
        Keep what the claims need of each stage.

    Returns
    -------
    Run
        `certified` is the output; `average_policy` are the players' own averages, for comparison.

    Raises
    ------
    TypeError, ValueError
        If the game has no finite horizon, $T<1$, $\eta\le0$, an array does not fit,
        or the record does not fit in memory.

    Notes
    -----
    The iterates keep what was played at a stage's end, not the start of the next stage that line 10 of the printed
    algorithm writes over it.
    """
    if validation.game("game", game).horizon is None:
        raise ValueError(f"game is {game!r}, expected a game with a finite horizon.")
    steps = agent_step_sizes(step_size, game.agents)
    validation.choice("order", order, ORDERS)
    lengths = stage_lengths(iterations, game.horizon)
    checkpoints = checked_points(checkpoints, iterations)
    if record:
        validation.recordable(record_bytes(game, len(lengths), game.agents, moves=True))
    loop = _Loop(game, starts_by_stage(game, initial, len(lengths)), steps, order, record)
    for stage, length in enumerate(lengths):
        loop.begin(stage)
        for _ in range(length):
            loop.iterate()
        loop.end(length, last=stage == len(lengths) - 1)
    certified = loop.certified(lengths)
    gaps, values = _at(checkpoints, game, certified)
    return Run(
        game=game,
        parameters={
            "iterations": iterations,
            "step_size": steps if isinstance(step_size, tuple) else steps[0],
            "restart": True,
            "order": order,
        },
        policy=loop.public(loop.played),
        average_policy=loop.average(iterations),
        critic=loop.public_critic(),
        checkpoints=np.array(sorted(checkpoints), dtype=int),
        gaps=gaps,
        values=values,
        stages=loop.recorded(lengths) if record else None,
        certified=certified,
    )


class _Loop(StageLoop):
    """Algorithm 2: one array of values for each player, and the mean of what is played jointly."""

    def __init__(self, game, starts, step_size, order, record):
        super().__init__(game, starts, step_size, True, order, record)
        self.q = [np.zeros((*game.actions, self.total[0].shape[-1])) for _ in range(game.agents)]
        self.reward = [layout(game.agent_rewards(agent), game) for agent in range(game.agents)]
        self.plans = [_contractions(game.agents, agent) for agent in range(game.agents)]
        self.means = [outer(self._start(0))]

    def _open(self):
        self.scaled_q = [step * q for step, q in zip(self.step_size, self.q, strict=True)]
        self.joint = np.zeros_like(self.means[0])
        self.largest = [np.zeros(self.joint.shape[-1]) for _ in self.plans]
        self.largest_of_others = [np.zeros(self.joint.shape[-1]) for _ in self.plans]

    def _observe(self):
        r"""Full information, times $\eta$: what each own action is worth against what the others play."""
        for agent, plan in enumerate(self.plans):
            payoff = self.scaled_q[agent]
            for subscripts, other in plan:
                payoff = np.einsum(subscripts, payoff, self.played[other])
            self.feedback[agent][:] = payoff

    def _earn(self):
        self.joint += outer(self.played)

    def _moved(self):
        super()._moved()
        for agent in range(self.game.agents):
            others = [k for k in range(self.game.agents) if k != agent]
            own = _distance(self.spare[agent : agent + 1], self.played[agent : agent + 1])
            np.maximum(self.largest[agent], own, out=self.largest[agent])
            apart = _distance([self.spare[k] for k in others], [self.played[k] for k in others]) if others else 0.0
            np.maximum(self.largest_of_others[agent], apart, out=self.largest_of_others[agent])

    def _stage(self, length):
        """What the claims need; the others' mean is the marginal of the joint one, not the product of their means."""
        mean = self.joint / length
        averages = [part / length for part in self.sums]
        gains, earned = [], []
        for agent, q in enumerate(self.q):
            own = np.moveaxis(q, agent, 0)
            others = mean.sum(agent)
            axes = tuple(range(1, mean.ndim - 1))
            gains.append((own * others).sum(axes))
            earned.append((q * mean).sum(tuple(range(mean.ndim - 1))))
        sizes = [np.abs(q).max(tuple(range(q.ndim - 1))) for q in self.q]
        largest = {"largest_moves": self.public(self.largest), "largest_moves_of_others": self.public(self.largest_of_others)}
        return self._record(averages, gains, earned, sizes, self.public_critic()) | largest

    def _update_critic(self, length):
        mean = self.joint / length
        self.means.append(mean)
        axes = tuple(range(mean.ndim - 1))
        for agent, q in enumerate(self.q):
            value = from_layout((q * mean).sum(axes), self.game)
            self.q[agent] = self.reward[agent] + layout(expected_next(self.game, value), self.game)

    def public_critic(self):
        """The values of all players, (..., N, H, S, A_1, ..., A_N)."""
        return np.stack(self.public(self.q), len(self.game.batch))

    def certified(self, lengths):
        """Algorithm 3's policy: the starts, then the means of all stages but the last, which nobody plays."""
        means = np.stack(self.public(self.means), len(self.game.batch))
        return CertifiedPolicy(lengths, self.game.agents, means)


def outer(policies):
    """Joint distribution (A_1, ..., A_N, n) of independent players (A_i, n)."""
    joint = policies[0]
    for policy in policies[1:]:
        joint = joint[..., None, :] * policy
    return joint


def _distance(new, old):
    """l1 distance of two product distributions, (n,)."""
    joint = outer(new) - outer(old)
    return np.abs(joint).sum(tuple(range(joint.ndim - 1)))


def _contractions(agents, keep):
    """Steps that average all players but `keep` out of (A_1, ..., A_N, n), last one first: (subscripts, player)."""
    if agents > len(LETTERS):
        raise ValueError(f"game has {agents} agents, expected at most {len(LETTERS)} in one table.")
    left, plan = LETTERS[:agents], []
    for agent in reversed(range(agents)):
        if agent != keep:
            rest = left.replace(LETTERS[agent], "")
            plan.append((f"{left}n,{LETTERS[agent]}n->{rest}n", agent))
            left = rest
    return plan


def _at(checkpoints, game, certified):
    """CCE-gap and agent 0's value at each checkpoint, each (..., C)."""
    gaps, values = [], []
    for point in sorted(checkpoints):
        policy = certified.after(point)
        gaps.append(evaluate.cce_gap(game, policy))
        values.append(evaluate.certified_value(game, policy)[..., 0])
    empty = np.zeros(game.batch + (0,))
    return (np.stack(gaps, -1), np.stack(values, -1)) if gaps else (empty, empty)
