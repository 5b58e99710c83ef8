r"""Comparing two hands of cards for all pairs at once, in time proportional to the number of hands.

Two sums over the opponent's hands are needed again and again, for weights $v_j$: over the hands that share no card with hand $i$,
$\sum_jM_{ij}v_j$, and the same with the outcome of the showdown, $\sum_jM_{ij}W_{ij}v_j$, $W_{ij}\in\{-1,0,1\}$. Sorted by strength, "weaker
than $i$" is a prefix, so both are differences of cumulative sums: over all hands, minus those over the hands with $i$'s first card,
minus those with its second card. The own hand has both; it was taken away twice and comes back once.

`Showdown.sums` forms all cumulative sums as one, over all hands and then card by card, and reads each hand's answer from it by a sparse
matrix. `Showdown.combine` is for learners, who ask thousands of times: one compiled pass where numba is installed.
"""

import functools

import numpy as np

from marlpaper import validation

SIGNS = (1, -1, -1)  # all hands, less those with the first card, less those with the second


class Showdown:
    r"""Which hands can meet, and who wins.

    Parameters
    ----------
    hands : array of int (n, 2)
        Two different cards each; no hand twice, the order of its cards does not matter.
    strengths : array (n,)
        Higher is better, equal strengths tie.

    Attributes
    ----------
    by_strength : array of int (n,)
        The hands from the weakest to the strongest.

    Raises
    ------
    TypeError, ValueError
        One sentence that names the entry.
    """

    def __init__(self, hands, strengths):
        self.hands = _checked_hands(hands)
        self.strengths = validation.array("strengths", strengths)
        if self.strengths.shape != (len(self.hands),):
            raise ValueError(f"strengths has shape {self.strengths.shape}, expected one for each of the {len(self.hands)} hands.")
        self.rank = np.unique(self.strengths, return_inverse=True)[1]
        self.by_strength = np.argsort(self.rank, kind="stable")
        self.cards = np.unique(self.hands, return_inverse=True)[1].reshape(self.hands.shape)

    def __len__(self):
        return len(self.hands)

    def sums(self, weights):
        r"""Both sums for every hand.

        Parameters
        ----------
        weights : array (..., n)
            $v$.

        Returns
        -------
        meets, beats : arrays (..., n)
            $\sum_jM_{ij}v_j$ and $\sum_jM_{ij}W_{ij}v_j$.
        """
        weights = np.asarray(weights, dtype=float)
        flat = weights.reshape(-1, len(self))
        cumulated = np.zeros((1 + 3 * len(self), len(flat)))
        np.cumsum(flat.T[self._order], 0, out=cumulated[1:])
        meets, beats = (matrix @ cumulated for matrix in self._readers)
        meets += flat.T
        return meets.T.reshape(weights.shape), beats.T.reshape(weights.shape)

    def combine(self, meets, beats):
        r"""A function for many calls: $\sum_jM_{ij}(m_p+b_pW_{ij})v_{jp}$.

        Parameters
        ----------
        meets, beats : array (P,)
            $m$ and $b$, one for each column of weights.

        Returns
        -------
        callable
            From weights (n, P) to the sums (n, P), written into `out`, both with the hands in the order `by_strength`. Columns
            come last and share each hand's place in the order.
        """
        compiled = self.compiled(meets, beats)
        if compiled is None:
            return functools.partial(self._combined, np.array(meets, dtype=float), np.array(beats, dtype=float))
        one_pass, arguments = compiled
        return lambda weights, out: one_pass(weights, out, *arguments)

    def compiled(self, meets, beats):
        """What `combine` calls, for compiled loops: the function and all its arguments but the first two; None without numba."""
        meets, beats = np.array(meets, dtype=float, ndmin=1), np.array(beats, dtype=float, ndmin=1)
        function = _compiled(len(meets))
        if function is None:
            return None
        # Unsigned: a compiled loop asks of every signed index whether it counts from the end.
        cards = self.cards[self.by_strength].astype(np.uintp)
        groups = np.concatenate([[0], np.cumsum(np.bincount(self.rank))]).astype(np.uintp)
        return function, (meets, beats, cards, groups, np.empty((int(cards.max()) + 2, len(meets))))

    def pairs(self):
        r"""The same as dense matrices: $M$ and $M\circ W$, each (n, n); for comparison and for short decks."""
        shared = (self.hands[:, None, :, None] == self.hands[None, :, None, :]).any((-1, -2))
        return (~shared).astype(float), np.where(shared, 0.0, np.sign(self.strengths[:, None] - self.strengths))

    def _combined(self, meets, beats, weights, out):
        unsorted = np.empty_like(weights)
        unsorted[self.by_strength] = weights
        met, beaten = self.sums(unsorted.T)
        out[:] = (meets * met.T + beats * beaten.T)[self.by_strength]

    @functools.cached_property
    def _order(self):
        """The hands by strength; then, card by card, the hands that hold it, by strength: (3n,)."""
        held = np.argsort(self._keys(self.cards.T).ravel(), kind="stable") % len(self)
        return np.concatenate([self.by_strength, held])

    def _keys(self, cards, rank=None):
        """One number that sorts by card and then by rank."""
        return cards * (self.rank.max() + 1) + (self.rank if rank is None else rank)

    @functools.cached_property
    def _places(self):
        """Where in the cumulative sums hands find start, weaker, not stronger and end: over all, first card, second card."""
        size = self.rank.max() + 1
        steps = (0, self.rank, self.rank + 1, size)
        ranks, held = np.sort(self.rank), np.sort(self._keys(self.cards.T).ravel())
        everything = [np.broadcast_to(np.searchsorted(ranks, step), len(self)) for step in steps]
        by_card = [[len(self) + np.searchsorted(held, self._keys(card, step)) for step in steps] for card in self.cards.T]
        return [everything, *by_card]

    @functools.cached_property
    def _readers(self):
        """Factors of start, weaker, not stronger and end in the two sums: all; and (weaker + not stronger) - all."""
        return self._reads((-1, 0, 0, 1)), self._reads((-1, 1, 1, -1))

    def _reads(self, factors):
        """Sparse (n, 1 + 3n): the sums of each hand from the cumulative ones."""
        columns = np.stack([place for places in self._places for place in places], 1)
        values = np.broadcast_to([float(sign * factor) for sign in SIGNS for factor in factors], columns.shape)
        rows = np.repeat(np.arange(len(self)), columns.shape[1])
        from scipy import sparse  # here: games without cards do without

        return sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(len(self), 1 + 3 * len(self)))


def _checked_hands(hands):
    validation.array("hands", hands)  # what NumPy cannot convert
    given = np.asarray(hands)
    if given.ndim != 2 or given.shape[-1] != 2 or not len(given) or not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"hands has shape {given.shape} and type {given.dtype}, expected whole numbers (n, 2), two cards a hand.")
    twice = np.flatnonzero(given[:, 0] == given[:, 1])
    if twice.size:
        raise ValueError(f"hands[{twice[0]}] is {given[twice[0]].tolist()}, expected two different cards.")
    unique, counts = np.unique(np.sort(given, 1), axis=0, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"hands holds {unique[counts.argmax()].tolist()} {counts.max()} times, expected every hand once.")
    return given


@functools.cache
def _compiled(columns):
    """The compiled pass for so many columns, or None where numba is not installed."""
    try:
        import numba
    except ImportError:
        return None
    return numba.njit(one_pass_of_two if columns == 2 else one_pass)


def one_pass(weights, out, meets, beats, cards, groups, running):
    r"""Write $\sum_jM_{ij}(m+bW_{ij})v_j$ into `out`, with one running sum for each card and one, the last, for all hands.

    The running sums hold $m-b$ times the weights of stronger hands, $m$ of equal and $m+b$ of weaker ones: they start with all hands
    stronger, and each group of equal hands moves up twice, before and after it is read. Scalar loops, to be compiled.
    """
    columns, everything = weights.shape[1], len(running) - 1
    running[:] = 0
    for hand in range(len(weights)):
        first, second = cards[hand, 0], cards[hand, 1]
        for p in range(columns):
            share = (meets[p] - beats[p]) * weights[hand, p]
            running[everything, p] += share
            running[first, p] += share
            running[second, p] += share
    for group in range(len(groups) - 1):
        low, high = groups[group], groups[group + 1]
        for hand in range(low, high):
            first, second = cards[hand, 0], cards[hand, 1]
            for p in range(columns):
                share = beats[p] * weights[hand, p]
                running[everything, p] += share
                running[first, p] += share
                running[second, p] += share
        for hand in range(low, high):
            first, second = cards[hand, 0], cards[hand, 1]
            for p in range(columns):
                out[hand, p] = running[everything, p] - running[first, p] - running[second, p] + meets[p] * weights[hand, p]
        for hand in range(low, high):
            first, second = cards[hand, 0], cards[hand, 1]
            for p in range(columns):
                share = beats[p] * weights[hand, p]
                running[everything, p] += share
                running[first, p] += share
                running[second, p] += share


def one_pass_of_two(weights, out, meets, beats, cards, groups, running):
    """`one_pass` of one game, whose two columns are its players: the same sums in the same order.

    Written out by hand, the sums over all hands stay in registers, and an inner loop of length two does not have to be set up for each
    hand: twice as fast.
    """
    (meets0, meets1), (beats0, beats1) = meets, beats
    running[:] = 0
    total0 = total1 = 0.0
    for hand in range(len(weights)):
        share0, share1 = (meets0 - beats0) * weights[hand, 0], (meets1 - beats1) * weights[hand, 1]
        total0, total1 = total0 + share0, total1 + share1
        first, second = cards[hand, 0], cards[hand, 1]
        running[first, 0] += share0
        running[first, 1] += share1
        running[second, 0] += share0
        running[second, 1] += share1
    for group in range(len(groups) - 1):
        low, high = groups[group], groups[group + 1]
        for moment in range(2):
            for hand in range(low, high):
                share0, share1 = beats0 * weights[hand, 0], beats1 * weights[hand, 1]
                total0, total1 = total0 + share0, total1 + share1
                first, second = cards[hand, 0], cards[hand, 1]
                running[first, 0] += share0
                running[first, 1] += share1
                running[second, 0] += share0
                running[second, 1] += share1
            if moment == 1:
                continue
            for hand in range(low, high):
                first, second = cards[hand, 0], cards[hand, 1]
                out[hand, 0] = total0 - running[first, 0] - running[second, 0] + meets0 * weights[hand, 0]
                out[hand, 1] = total1 - running[first, 1] - running[second, 1] + meets1 * weights[hand, 1]
