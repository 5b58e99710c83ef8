r"""The loop that `mao2023` Algorithms 1 and 2 share: stages, restarts, and one optimistic step of all players at once.

With cumulated gains $G$ an iteration is $\pi_i\propto\tilde\pi_i\,e^{\eta(G_i+g_i)}$, $g_i$ the latest feedback, taken as the prediction of
the next. What a player is told, and how values are updated at the end of a stage, is what the algorithms differ in.

Layout of the loop: actions first, games × steps × states flattened last. See `layout`.
"""

import numpy as np

from marlpaper import simplex
from marlpaper.learners.stages import Stages

ORDERS = ("printed", "repaired")


def layout(values, game):
    """Arrays (batch, H, S, *actions) to (*actions, n), contiguous, n = batch × H × S."""
    kept = len(game.batch) + 2
    return np.ascontiguousarray(np.moveaxis(values, range(kept), range(-kept, 0))).reshape(*values.shape[kept:], -1)


def from_layout(values, game):
    """Back from (*actions, n) to (batch, H, S, *actions)."""
    shape = game.batch + (game.horizon, game.states)
    values = values.reshape(*values.shape[:-1], *shape)
    return np.ascontiguousarray(np.moveaxis(values, range(-len(shape), 0), range(len(shape))))


class StageLoop:
    """State of a run, in the layout of the hot path.

    An algorithm provides `_open` (set up a stage), `_observe` (fill `feedback`), `_earn` (add up values, if it does so as it goes), `_stage`
    (the record of a stage, a dictionary of `Stages` fields) and `_update_critic` (the averaged Bellman step).
    """

    def __init__(self, game, starts, step_size, restart, order, record):
        self.game, self.starts, self.step_size = game, starts, step_size
        self.restart, self.order, self.record = restart, order, record
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
        self.feedback = [np.empty_like(start) for start in self.start]
        self.sums = [np.zeros_like(start) for start in self.start]
        self.spare = [np.empty_like(start) for start in self.start]
        self.variation = [np.zeros(start.shape[-1]) for start in self.start]
        self._open()
        self._observe()

    def advance(self, count):
        """So many iterations."""
        for _ in range(count):
            self.iterate()

    def iterate(self):
        """One optimistic step of all players at all (h, s) of all games."""
        if self.order == "printed":
            self._cumulate()
        for player, spare in enumerate(self.spare):
            simplex.weights(self.logits[player], self.feedback[player], out=spare)
            self.sums[player] += spare
        if self.record:
            self._moved()
        self.played, self.spare = self.spare, self.played
        self._observe()
        self._earn()
        if self.order == "repaired":
            self._cumulate()

    def _cumulate(self):
        r"""The auxiliary step: $\log\hat\pi_i^t=\log\hat\pi_i^{t-1}+\eta g_i$, up to a constant per (h, s)."""
        for logits, feedback in zip(self.logits, self.feedback, strict=True):
            logits += feedback

    def _moved(self):
        """Record how far each player has moved; called while `played` is still the last iteration's."""
        for player, variation in enumerate(self.variation):
            variation += np.abs(self.spare[player] - self.played[player]).sum(0) ** 2

    def end(self, length, last):
        """Close a stage: record it, and take the averaged Bellman step unless it was the last one."""
        for total, part in zip(self.total, self.sums, strict=True):
            total += part
        if self.record:
            self.log.append(self._stage(length))
        self.sums = [np.zeros_like(part) for part in self.sums]
        if not last:
            self._update_critic(length)

    def _record(self, averages, gains, earned, sizes, q):
        """Fields of `Stages` that both algorithms fill: best responses and regrets from the gains, and what was earned.

        `sizes` holds the largest payoff of each player's matrices, (n,): the gains are known relative to it.
        """
        best = [simplex.best_response(g.T, s.T, size).T for g, s, size in zip(gains, self.start, sizes, strict=True)]
        regrets = [g.max(0) - e for g, e in zip(gains, earned, strict=True)]
        names = ("starts", "averages", "best_responses", "gains", "regrets", "variations")
        groups = (self.start, averages, best, gains, regrets, self.variation)
        return {name: self.public(group) for name, group in zip(names, groups, strict=True)} | {"q": q}

    def recorded(self, lengths):
        """The `Stages` of the run: a stage axis before H (before the agents in `q`, if it has that axis)."""
        axis = len(self.game.batch)
        fields = {}
        for name, first in self.log[0].items():
            entries = [stage[name] for stage in self.log]
            stacked = [np.stack(part, axis) for part in zip(*entries, strict=True)] if isinstance(first, tuple) else np.stack(entries, axis)
            fields[name] = tuple(stacked) if isinstance(first, tuple) else stacked
        return Stages(lengths, **fields)

    def average(self, iterations):
        """Mean policy over the iterations so far."""
        return self.public([(t + p) / iterations for t, p in zip(self.total, self.sums, strict=True)])

    def public(self, arrays):
        """Arrays of the loop in the public layout."""
        return tuple(from_layout(values, self.game) for values in arrays)


def expected_next(game, values):
    r"""$[P_hV_{h+1}](s,a)$, (..., H, S, A_1, ..., A_N), with $V_{H+1}=0$; values (..., H, S)."""
    following = np.concatenate([values[..., 1:, :], np.zeros_like(values[..., :1, :])], -2)
    kernel, leading = game.transitions, following.ndim - 1
    if any(kernel.strides[:leading]):
        flat = kernel.reshape(*kernel.shape[: leading + 1], -1, game.states)
        return np.einsum("...hsjt,...ht->...hsj", flat, following).reshape(kernel.shape[:-1])
    # One kernel, repeated without copies for all games and steps: read it once, in one matrix product.
    kernel = kernel[(0,) * leading]
    return (following @ kernel.reshape(-1, game.states).T).reshape(following.shape[:-1] + kernel.shape[:-1])


def starts_by_stage(game, initial, stages):
    """Initial policies (default: uniform) with a stage axis of length 1 or `stages`, validated."""
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


def stretches(done, length, checkpoints):
    """How many iterations lie between the checkpoints of the stage that starts after `done` iterations, and its end."""
    ends = {point for point in checkpoints if done < point < done + length} | {done + length}
    return np.diff([done, *sorted(ends)]).tolist()


def checked_points(checkpoints, iterations):
    """The checkpoints as a set, each an iteration of the run."""
    given = [] if checkpoints is None else np.ravel(checkpoints).tolist()
    for position, chosen in enumerate(given):
        if chosen not in range(1, iterations + 1):
            raise ValueError(f"checkpoints[{position}] is {chosen!r}, expected an iteration in 1..{iterations}.")
    return set(given)
