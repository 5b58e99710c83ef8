r"""Optimistic online mirror descent for zero-sum Markov games: `mao2023` Algorithm 1.

Inside a stage the matrix $Q_h^\tau$ is fixed and both players run optimistic multiplicative weights at every
$(h,s)$ at once (`loop.StageLoop`); at the end of a stage the matrices take one averaged Bellman step.
"""

import functools

import numpy as np

from marlpaper import evaluate, validation
from marlpaper.games.river import RiverGame
from marlpaper.learners.loop import ORDERS, StageLoop, checked_points, expected_next, from_layout, layout, starts_by_stage, stretches
from marlpaper.learners.run import Run
from marlpaper.learners.stages import record_bytes, stage_lengths


def optimistic_mirror_descent(
    game,
    iterations,
    step_size,
    initial=None,
    restart=True,
    order="printed",
    initial_values=None,
    checkpoints=None,
    record=False,
):
    r"""Run `mao2023` Algorithm 1.

    In each iteration $t$ of stage $\tau$, with $g=[Q_h^\tau\nu_h^{t-1}](s,\cdot)$: $\hat\mu^t\propto\hat\mu^{t-1}e^{\eta g}$, then
    $\mu^t\propto\hat\mu^te^{\eta g}$; the min-player likewise with $-[(\mu_h^{t-1})^\top Q_h^\tau]$. At the end of a stage
    $Q_h^{\tau+1}=r_h+P_h\big[\frac1{L_\tau}\sum_{t\in\tau}\mu^{t\top}_{h+1}Q^\tau_{h+1}\nu^t_{h+1}\big]$.

    Parameters
    ----------
    game : MarkovGame or RiverGame
        Zero-sum, finite horizon; batch axes run at once.
    iterations : int
        $T\ge1$.
    step_size : float
        $\eta>0$.
    initial : pair of arrays, optional
        $\tilde\mu,\tilde\nu$: (..., H, S, A_i), the same for all stages, or (..., stages, H, S, A_i). Default: uniform.
    restart : bool
        Start every stage from its initial policy (as printed), or only the first and then continue.
    order : {"printed", "repaired"}
        `printed` takes the auxiliary step with $g^{t-1}$ before the first play of a stage; `repaired` takes it after
        playing, with $g^t$, which is textbook optimistic mirror descent.
    initial_values : array (..., H, S, A, B), optional
        $Q^1_h$, in $[0,H-h+1]$ for rewards in [0, 1]. Default: 0, the only choice in a RiverGame, which has no table.
    checkpoints : sequence of int, optional
        Iterations in 1..T at which the average policy's NE-gap is computed.
    record : bool
        Keep what the claims need of each stage.

    Returns
    -------
    Run

    Raises
    ------
    TypeError, ValueError
        If the game is not zero-sum with a finite horizon, $T<1$, $\eta\le0$, an array does not fit,
        or the record does not fit in memory.
    """
    if not validation.game("game", game).is_zero_sum or game.horizon is None:
        raise ValueError(f"game is {game!r}, expected a zero-sum game with a finite horizon.")
    step_size = validation.positive("step_size", step_size)
    validation.choice("order", order, ORDERS)
    lengths = stage_lengths(iterations, game.horizon)
    checkpoints = checked_points(checkpoints, iterations)
    if record:
        validation.recordable(record_bytes(game, len(lengths), int(not isinstance(game, RiverGame))))
    starts = starts_by_stage(game, initial, len(lengths))
    loop = stage_loop(game, starts, step_size, restart, order, initial_values, record)
    gaps, values, done = [], [], 0
    for stage, length in enumerate(lengths):
        loop.begin(stage)
        for count in stretches(done, length, checkpoints):
            loop.advance(count)
            done += count
            if done in checkpoints:
                policy = loop.average(done)
                gaps.append(evaluate.nash_gap(game, policy))
                values.append(evaluate.initial_value(game, evaluate.state_values(game, policy))[..., 0])
        loop.end(length, last=stage == len(lengths) - 1)
    empty = np.zeros(game.batch + (0,))
    return Run(
        game=game,
        parameters={"iterations": iterations, "step_size": step_size, "restart": restart, "order": order},
        policy=loop.public(loop.played),
        average_policy=loop.average(done),
        critic=loop.critic(),
        checkpoints=np.array(sorted(checkpoints), dtype=int),
        gaps=np.stack(gaps, -1) if gaps else empty,
        values=np.stack(values, -1) if values else empty,
        stages=loop.recorded(lengths) if record else None,
    )


class _Loop(StageLoop):
    """Algorithm 1: one matrix for both players, who see its two sides."""

    def __init__(self, game, starts, step_size, restart, order, initial_values, record):
        super().__init__(game, starts, step_size, restart, order, record)
        self.q = layout(_first_critic(game, initial_values), game)
        self.reward = layout(game.agent_rewards(0), game)

    def _open(self):
        self.scaled_q = self.step_size * self.q
        self.value = np.zeros(self.q.shape[-1])

    def _observe(self):
        r"""Full information, times $\eta$: what each own action is worth against what the other plays."""
        gain, loss = self.feedback
        np.einsum("abn,bn->an", self.scaled_q, self.played[1], out=gain)
        np.einsum("abn,an->bn", self.scaled_q, self.played[0], out=loss)
        np.negative(loss, out=loss)

    def _earn(self):
        self.value += np.einsum("an,an->n", self.played[0], self.feedback[0])

    def critic(self):
        """$Q^\\tau$ of the last stage, in the public layout."""
        return from_layout(self.q, self.game)

    def _mean_value(self, length):
        r"""$\frac1{L_\tau}\sum_{t\in\tau}\mu^{t\top}Q^\tau\nu^t$."""
        return self.value / (self.step_size * length)

    def _stage(self, length):
        """Averages, best responses and regrets of the stage that ends."""
        averages = [part / length for part in self.sums]
        gains = [np.einsum("abn,bn->an", self.q, averages[1]), -np.einsum("abn,an->bn", self.q, averages[0])]
        earned = self._mean_value(length)
        sizes = [np.abs(self.q).max((0, 1))] * 2
        return self._record(averages, gains, [earned, -earned], sizes, from_layout(self.q, self.game))

    def _update_critic(self, length):
        value = from_layout(self._mean_value(length), self.game)
        self.q = self.reward + layout(expected_next(self.game, value), self.game)


@functools.singledispatch
def stage_loop(game, starts, step_size, restart, order, initial_values, record):
    """The loop that runs Algorithm 1 on a game; a game with a feedback of its own registers its own."""
    return _Loop(game, starts, step_size, restart, order, initial_values, record)


def _first_critic(game, initial_values):
    shape = (game.horizon, game.states) + game.actions
    if initial_values is None:
        return np.zeros(game.batch + shape)
    values = validation.array("initial_values", initial_values)
    if values.shape[-4:] != shape:
        raise ValueError(f"initial_values has shape {values.shape}, expected (..., {', '.join(map(str, shape))}).")
    return validation.broadcast("initial_values", values, game.batch + shape)
