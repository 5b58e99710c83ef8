r"""Optimistic online mirror descent for zero-sum Markov games: `mao2023` Algorithm 1.

Inside a stage the matrix $Q_h^\tau$ is fixed and both players run optimistic multiplicative weights at every
$(h,s)$ at once; at the end of a stage the matrices take one averaged Bellman step. With cumulated gains
$G$ an iteration is $\mu\propto\tilde\mu\,e^{\eta(G+g)}$, $g=[Q\nu]$ the latest feedback, taken as the prediction of the next.

Layout of the loop: actions first, games × steps × states flattened last. See `layout`.
"""

import numpy as np

from marlpaper import evaluate, simplex, validation
from marlpaper.learners.run import Run
from marlpaper.learners.stages import Stages, stage_lengths

ORDERS = ("printed", "repaired")


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
    game : MarkovGame
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
        $Q^1_h$, in $[0,H-h+1]$ for rewards in [0, 1]. Default: 0.
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
        If the game is not zero-sum with a finite horizon, $T<1$, $\eta\le0$, or an array does not fit.
    """
    if not game.is_zero_sum or game.horizon is None:
        raise ValueError(f"game is {game!r}, expected a zero-sum game with a finite horizon.")
    step_size = validation.positive("step_size", step_size)
    validation.choice("order", order, ORDERS)
    lengths = stage_lengths(iterations, game.horizon)
    checkpoints = _checkpoints(checkpoints, iterations)
    starts = _starts(game, initial, len(lengths))
    loop = _Loop(game, starts, step_size, restart, order, _first_critic(game, initial_values), record)
    gaps, values, done = [], [], 0
    for stage, length in enumerate(lengths):
        loop.begin(stage)
        for position in range(length):
            loop.iterate()
            if done + position + 1 in checkpoints:
                policy = loop.average(done + position + 1)
                gaps.append(evaluate.nash_gap(game, policy))
                values.append(evaluate.initial_value(game, evaluate.state_values(game, policy))[..., 0])
        done += length
        loop.end(stage, length, last=stage == len(lengths) - 1)
    empty = np.zeros(game.batch + (0,))
    return Run(
        game=game,
        parameters={"iterations": iterations, "step_size": step_size, "restart": restart, "order": order},
        policy=loop.public(loop.played),
        average_policy=loop.average(done),
        critic=from_layout(loop.q, game),
        checkpoints=np.array(sorted(checkpoints), dtype=int),
        gaps=np.stack(gaps, -1) if gaps else empty,
        values=np.stack(values, -1) if values else empty,
        stages=loop.recorded(lengths) if record else None,
    )


def layout(values, game):
    """Arrays (batch, H, S, *actions) to (*actions, n), contiguous, n = batch × H × S."""
    kept = len(game.batch) + 2
    return np.ascontiguousarray(np.moveaxis(values, range(kept), range(-kept, 0))).reshape(*values.shape[kept:], -1)


def from_layout(values, game):
    """Back from (*actions, n) to (batch, H, S, *actions)."""
    shape = game.batch + (game.horizon, game.states)
    values = values.reshape(*values.shape[:-1], *shape)
    return np.ascontiguousarray(np.moveaxis(values, range(-len(shape), 0), range(len(shape))))


class _Loop:
    """State of a run, in the layout of the hot path."""

    def __init__(self, game, starts, step_size, restart, order, critic, record):
        self.game, self.starts, self.step_size = game, starts, step_size
        self.restart, self.order, self.record = restart, order, record
        self.q = layout(critic, game)
        self.reward = layout(game.agent_rewards(0), game)
        self.total = [np.zeros_like(start) for start in self._start(0)]
        self.log = []

    def _start(self, stage):
        return [layout(start[..., min(stage, start.shape[-4] - 1), :, :, :], self.game) for start in self.starts]

    def begin(self, stage):
        """Set the policies, cumulated gains and sums with which a stage starts."""
        if stage == 0 or self.restart:
            self.start = self._start(stage)
            with np.errstate(divide="ignore"):
                self.logits = [np.log(start) for start in self.start]
            self.played = [start.copy() for start in self.start]
        self.scaled_q = self.step_size * self.q
        self.feedback = [np.empty_like(start) for start in self.start]
        self._observe()
        self.sums = [np.zeros_like(start) for start in self.start]
        self.value = np.zeros(self.q.shape[-1])
        self.spare = [np.empty_like(start) for start in self.start]
        self.variation = [np.zeros_like(self.value) for _ in self.start]

    def _observe(self):
        r"""Full information, times $\eta$: what each own action is worth against what the other plays."""
        gain, loss = self.feedback
        np.einsum("abn,bn->an", self.scaled_q, self.played[1], out=gain)
        np.einsum("abn,an->bn", self.scaled_q, self.played[0], out=loss)
        np.negative(loss, out=loss)

    def iterate(self):
        """One optimistic step of both players at all (h, s) of all games."""
        if self.order == "printed":
            self._cumulate()
        for player in (0, 1):
            simplex.weights(self.logits[player], self.feedback[player], out=self.spare[player])
            if self.record:
                self.variation[player] += np.abs(self.spare[player] - self.played[player]).sum(0) ** 2
            self.sums[player] += self.spare[player]
        self.played, self.spare = self.spare, self.played
        self._observe()
        self.value += np.einsum("an,an->n", self.played[0], self.feedback[0])
        if self.order == "repaired":
            self._cumulate()

    def _cumulate(self):
        r"""The auxiliary step: $\log\hat\mu^t=\log\hat\mu^{t-1}+\eta g$, up to a constant per (h, s)."""
        for player in (0, 1):
            self.logits[player] += self.feedback[player]

    def end(self, stage, length, last):
        """Close a stage: record it, and take the averaged Bellman step unless it was the last one."""
        for total, part in zip(self.total, self.sums, strict=True):
            total += part
        if self.record:
            self.log.append(self._stage(length))
        self.sums = [np.zeros_like(part) for part in self.sums]
        if not last:
            value = from_layout(self._mean_value(length), self.game)
            self.q = self.reward + layout(_expected_next(self.game, value), self.game)

    def _mean_value(self, length):
        r"""$\frac1{L_\tau}\sum_{t\in\tau}\mu^{t\top}Q^\tau\nu^t$."""
        return self.value / (self.step_size * length)

    def _stage(self, length):
        """Averages, best responses and regrets of the stage that ends."""
        averages = [part / length for part in self.sums]
        gains = [np.einsum("abn,bn->an", self.q, averages[1]), -np.einsum("abn,an->bn", self.q, averages[0])]
        best = [simplex.best_response(g.T, s.T).T for g, s in zip(gains, self.start, strict=True)]
        earned = self._mean_value(length)
        regrets = [gains[0].max(0) - earned, gains[1].max(0) + earned]
        groups = (self.start, averages, best, gains, regrets, self.variation)
        return [self.public(group) for group in groups] + [from_layout(self.q, self.game)]

    def recorded(self, lengths):
        """The `Stages` of the run: a stage axis before H."""
        *groups, q = zip(*self.log, strict=True)
        axis = len(self.game.batch)
        pairs = [tuple(np.stack(part, axis) for part in zip(*group, strict=True)) for group in groups]
        return Stages(lengths, *pairs, np.stack(q, axis))

    def average(self, iterations):
        """Mean policy over the iterations so far."""
        return self.public([(t + p) / iterations for t, p in zip(self.total, self.sums, strict=True)])

    def public(self, arrays):
        """Arrays of the loop in the public layout."""
        return tuple(from_layout(values, self.game) for values in arrays)


def _expected_next(game, values):
    r"""$[P_hV_{h+1}](s,a,b)$, (..., H, S, A, B), with $V_{H+1}=0$; values (..., H, S)."""
    following = np.concatenate([values[..., 1:, :], np.zeros_like(values[..., :1, :])], -2)
    kernel, leading = game.transitions, following.ndim - 1
    if any(kernel.strides[:leading]):
        return np.einsum("...hsabt,...ht->...hsab", kernel, following)
    # One kernel, repeated without copies for all games and steps: read it once, in one matrix product.
    kernel = kernel[(0,) * leading]
    return (following @ kernel.reshape(-1, game.states).T).reshape(following.shape[:-1] + kernel.shape[:-1])


def _checkpoints(checkpoints, iterations):
    given = [] if checkpoints is None else np.ravel(checkpoints).tolist()
    for position, chosen in enumerate(given):
        if chosen not in range(1, iterations + 1):
            raise ValueError(f"checkpoints[{position}] is {chosen!r}, expected an iteration in 1..{iterations}.")
    return set(given)


def _starts(game, initial, stages):
    """Initial policies with a stage axis of length 1 or `stages`."""
    policy = game.check_policy(game.uniform_policy() if initial is None else initial, "initial", any_batch=True)
    result = []
    for agent, start in enumerate(policy):
        tail = start.shape[-3:]
        staged = start.ndim not in (3, len(game.batch) + 3)
        start = start if staged else np.expand_dims(start, -4)
        try:
            result.append(np.broadcast_to(start, game.batch + (stages if staged else 1,) + tail))
        except ValueError:
            raise ValueError(
                f"initial[{agent}] has shape {policy[agent].shape}, expected {game.batch + tail}, "
                f"or {game.batch + (stages,) + tail} with one policy for each of the {stages} stages."
            ) from None
    return result


def _first_critic(game, initial_values):
    shape = (game.horizon, game.states) + game.actions
    if initial_values is None:
        return np.zeros(game.batch + shape)
    values = validation.array("initial_values", initial_values)
    if values.shape[-4:] != shape:
        raise ValueError(f"initial_values has shape {values.shape}, expected (..., {', '.join(map(str, shape))}).")
    return validation.broadcast("initial_values", values, game.batch + shape)
