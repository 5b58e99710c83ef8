r"""`mao2023` Algorithm 1 on river endgames: the same stages and steps, with a feedback that never forms a matrix.

The players' own hands are the states. With one step per game there is no value to carry over: $Q^1=0$ in the first stage, of one
iteration, and the game itself from the second on. Both players have two actions and as many hands, so the loop carries
them as one array, actions × (hands × players × games).
Where numba is installed, an iteration is NumPy's exponential and one compiled pass, `iteration`.
"""

import functools

import numpy as np

from marlpaper.evaluate.river import Advantages
from marlpaper.games.river import RiverGame
from marlpaper.learners.loop import StageLoop
from marlpaper.learners.mirror_descent import stage_loop


class RiverLoop(StageLoop):
    """Algorithm 1 with the feedback of a river endgame.

    What players are told is relative to staying out, which multiplicative weights do not notice.
    """

    def __init__(self, game, starts, step_size, restart, order, record):
        self.advantages = Advantages(game, step_size)
        self.known = False  # whether the stage plays the game yet, or Q = 0
        super().__init__(game, starts, step_size, restart, order, record)

    def _start(self, stage):
        given = [start[..., min(stage, start.shape[-4] - 1), 0, :, :] for start in self.starts]
        both = np.stack(np.broadcast_arrays(*given), -3)  # (..., 2, n, A)
        return [np.stack([self.advantages.layout(both[..., action]).ravel() for action in range(2)])]

    def critic(self):
        """There is no table of values."""

    def public(self, arrays):
        """Arrays (2 actions, n × 2 × games) or (n × 2 × games) of the loop as one array (..., 1, n, [2]) for each player."""
        (values,) = arrays
        actions = [self.advantages.from_layout(part) for part in np.atleast_2d(values)]
        together = np.stack(actions, -1)[..., None, :, :]  # (..., 2, 1, n, A)
        players = np.moveaxis(together, len(self.game.batch), 0)
        return tuple(players if values.ndim == 2 else players[..., 0])

    def _open(self):
        self.feedback[0][:] = 0
        self.earned = np.zeros(self.feedback[0].shape[-1])

    def _observe(self):
        if self.known:
            shape = self.advantages.shape
            self.advantages(self.played[0][1].reshape(shape), self.feedback[0][1].reshape(shape))

    def advance(self, count):
        """So many iterations: each in one compiled pass where numba is installed, otherwise array by array."""
        told = self.advantages
        if told.compiled is None:
            super().advance(count)
            return
        groups = self.logits, self.feedback, self.played, self.sums, self.variation
        (logits,), (feedback,), (played,), (sums,), (variation,) = groups
        constants = (part.ravel() for part in (told.reach, told.weight, told.constant))
        known, printed, games = self.known, self.order == "printed", told.shape[-1]
        odds = logits[0] - (logits[1] + printed * feedback[1]) - feedback[1]
        states = odds, logits, feedback[1], played, sums, variation, self.earned
        arguments = known, printed, self.record, *states, *constants, games, *told.compiled
        run = _compiled()
        with np.errstate(over="ignore"):
            for _ in range(count):
                np.exp(odds, out=odds)
                run(*arguments)

    def _cumulate(self):
        """As for every game, but staying out has no gain to add."""
        self.logits[0][1] += self.feedback[0][1]

    def _earn(self):
        if self.record:
            self.earned += self.played[0][1] * self.feedback[0][1]

    def _stage(self, length):
        """Averages, best responses and regrets of the stage that ends; gains are relative to staying out."""
        averages = [part / length for part in self.sums]
        gains = np.zeros_like(averages[0])
        if self.known:
            shape = self.advantages.shape
            self.advantages(averages[0][1].reshape(shape), gains[1].reshape(shape))
        gains /= self.step_size
        fields = self._record(averages, [gains], [self.earned / (self.step_size * length)], [np.abs(gains).max()], None)
        del fields["q"]
        return fields

    def _update_critic(self, length):
        self.known = True


@functools.cache
def _compiled():
    import numba  # here: optional, and slow to import

    return numba.njit(iteration, error_model="numpy")


def iteration(
    known, printed, record, factors, logits, told, played, sums, variation, earned, reach, weight, constant, games, combine, arguments
):
    r"""`StageLoop.iterate` but for the exponential, as scalar loops to be compiled.

    The exponential is left to NumPy, whose loop is vectorised: several times as fast as a compiled loop that calls `exp`. Given
    `factors` $e^d$ for the log-odds $d$ of staying out, going in has the probability $1/(1+e^d)$; the $d$ of the next iteration
    takes its place. Arrays are flat, hands × players × games; those of the states have the action first; `combine` is the compiled
    pass of a `Showdown`.
    """
    size = len(reach)
    for k in range(size):
        if printed:
            logits[1, k] += told[k]
        entering = 1 / (1 + factors[k])
        staying = factors[k] * entering if entering > 0 else 1.0  # a factor may be infinite
        if record:
            moved = abs(entering - played[1, k]) + abs(staying - played[0, k])
            variation[k] += moved * moved
        sums[0, k] += staying
        sums[1, k] += entering
        played[0, k] = staying
        played[1, k] = entering
    if known:  # otherwise players are told nothing, and earn nothing
        for first in range(0, size, 2 * games):
            for k in range(first, first + games):
                factors[k] = reach[k] * played[1, k + games]
                factors[k + games] = reach[k + games] * played[1, k]
        by_hand = (size // (2 * games), 2 * games)
        combine(factors.reshape(by_hand), told.reshape(by_hand), *arguments)
        for k in range(size):
            told[k] = told[k] * weight[k] + constant[k]
            if record:
                earned[k] += played[1, k] * told[k]
            if not printed:
                logits[1, k] += told[k]
    for k in range(size):
        gain = logits[1, k] + told[k] if printed else logits[1, k]
        factors[k] = logits[0, k] - gain - told[k]


@stage_loop.register
def _river(game: RiverGame, starts, step_size, restart, order, initial_values, record):
    if initial_values is not None:
        raise ValueError("initial_values is given, expected none: a river endgame has no table of values to start from.")
    return RiverLoop(game, starts, step_size, restart, order, record)
