r"""The last betting round of a poker endgame: one decision for each hand of each player.

Chance deals hand $i$ to player 1 with reach $p_i$ and hand $j$ to player 2 with reach $q_j$, if they share no card ($M_{ij}=1$): with
probability $p_iq_jM_{ij}/Z$. Half of the pot is each player's, $d$, and $s$ is the stack that both can still put in; $W_{ij}\in\{-1,0,1\}$ is the
showdown. Each player has two actions, 0 to stay out and 1 to go in. With probabilities $x_i$ and $y_j$ of going in, player 1 gets, per deal,

$$u_{ij}=a_{ij}+b_{ij}x_i+c_{ij}y_j+e_{ij}x_iy_j,$$

where each coefficient is a constant plus a constant times $W_{ij}$. The betting tree sets the constants.
"""

import functools

import numpy as np

from marlpaper import validation
from marlpaper.games.showdown import Showdown
from marlpaper.games.tabular import MarkovGame

BETTING = {
    "seq": lambda d, s: ((-d, 0), (2 * d, 0), (0, 0), (-d, d + s)),
    "sim": lambda d, s: ((0, 0), (d, 0), (-d, 0), (0, d + s)),
    "check": lambda d, s: ((0, d), (d, -d), (0, 0), (-d, d + s)),
}
"""Coefficients a, b, c, e, each (constant, factor of the showdown), of the readings of "call or fold".

`seq`: player 1 jams or folds, then player 2 calls or folds. `sim`: both choose at once; one who folds alone loses the half pot, two who
fold share the pot. `check`: player 1 jams or checks; after a check the pot is shown down, after a jam player 2 calls or folds.
"""

WEIGHTINGS = ("chance", "hand")
NO_HAND = 1e-12
ON_BOARD = -1
"""The strength of a hand that holds a card of the board."""


class RiverGame:
    r"""A river endgame, zero-sum, or a batch of them that differ in reaches and stacks.

    A policy is what it is in other games with one step and as many states as hands: each player's state is the own hand.

    Parameters
    ----------
    hands : array of int (n, 2)
        Two cards each: all hands of a deck, or of a short one.
    strengths : array (n,)
        Higher is better, equal strengths tie. -1 marks, as in `cards.hand_ranks`, a hand that holds a card of the
        board: nobody is dealt it, whatever its reach.
    reach : array (..., 2, n)
        $p$ and $q$, at least 0, up to a factor.
    stack : float or array (...)
        $s>0$.
    pot : float or array (...)
        $2d>0$.
    betting : {"seq", "sim", "check"}
    weighting : {"chance", "hand"}
        What learners are told of an action with hand $i$: its expected payoff times the probability of being dealt $i$ (a
        counterfactual value, the gradient of the payoff), or the expected payoff given $i$.

    Attributes
    ----------
    showdown : Showdown
    batch : tuple of int
    prior : array (..., 2, n)
        Probability that the player is dealt the hand.
    payoffs : array (2, 4, 2, ...)
        For each player, from its own side: $a$, own, the other's, both; each the constant and the factor of the showdown.

    Raises
    ------
    TypeError, ValueError
        One sentence that names the entry.
    """

    agents, actions, horizon, time, discount, is_zero_sum = 2, (2, 2), 1, (1,), None, True

    def __init__(self, hands, strengths, reach, stack, pot=1.0, betting="seq", weighting="chance"):
        self.showdown = hands if isinstance(hands, Showdown) else Showdown(hands, strengths)
        self.betting = validation.choice("betting", betting, tuple(BETTING))
        self.weighting = validation.choice("weighting", weighting, WEIGHTINGS)
        reach = _checked_reach(reach, self.showdown.strengths != ON_BOARD)
        stack, pot = (_positive(name, value) for name, value in (("stack", stack), ("pot", pot)))
        try:
            self.batch = np.broadcast_shapes(reach.shape[:-2], stack.shape, pot.shape)
        except ValueError:
            raise ValueError(
                f"reach has leading axes {reach.shape[:-2]}, stack {stack.shape} and pot {pot.shape}, expected ones that broadcast."
            ) from None
        self._met = _met(self.showdown, reach)  # before broadcasting: games seldom differ in their ranges
        self.reach = np.broadcast_to(reach, self.batch + reach.shape[-2:])
        self.stack, self.pot = np.broadcast_to(stack, self.batch), np.broadcast_to(pot, self.batch)
        self.payoffs = _payoffs(BETTING[betting](self.pot / 2, self.stack), self.batch)

    def __repr__(self):
        batch = f", batch={self.batch}" if self.batch else ""
        return f"RiverGame(hands={self.states}, betting={self.betting!r}{batch})"

    def __getitem__(self, index):
        """The game, or the smaller batch, at `index` of the batch axes."""
        if not self.batch:
            raise IndexError("this RiverGame is a single game, it has no batch axes to index.")
        if isinstance(index, tuple) and len(index) > len(self.batch):
            raise IndexError(f"index {index} has more axes than the batch {self.batch}.")
        return RiverGame(self.showdown, None, self.reach[index], self.stack[index], self.pot[index], self.betting, self.weighting)

    @property
    def states(self):
        """Number of hands."""
        return len(self.showdown)

    @property
    def hands(self):
        """The hands, (n, 2)."""
        return self.showdown.hands

    @property
    def meeting(self):
        r"""Reach of the opponent's hands that each hand can meet, $\sum_jM_{ij}q_j$ for player 1: (..., 2, n)."""
        return np.broadcast_to(self._met, self.reach.shape)

    @functools.cached_property
    def prior(self):
        """Probability that the player is dealt the hand: (..., 2, n)."""
        joint = self.reach * self.meeting
        return joint / joint.sum(-1, keepdims=True)

    def equity(self):
        r"""Share of the pot that each hand wins on average at a showdown now: (..., 2, n), 1/2 where it meets no hand."""
        _, beats = self.showdown.sums(self.reach[..., ::-1, :])
        return (1 + np.divide(beats, self.meeting, out=np.zeros_like(beats), where=self.meeting > 0)) / 2

    # What a policy is does not differ from tabular games.
    uniform_policy = MarkovGame.uniform_policy
    random_policy = MarkovGame.random_policy
    check_policy = MarkovGame.check_policy


def _met(showdown, reach):
    """Reach of the opponent's hands that each hand can meet; some deal must be possible."""
    others = reach[..., ::-1, :]
    # A difference of equal sums is rounding, and no hand to meet.
    met = showdown.sums(others)[0]
    met = np.where(met > NO_HAND * others.sum(-1, keepdims=True), met, 0.0)
    if (np.einsum("...in,...in->...", reach, met) <= 0).any():
        raise ValueError("reach leaves no deal: every hand of player 1 shares a card with every hand of player 2.")
    return met


def _payoffs(coefficients, batch):
    """Both players' sides (2, 4, 2, ...): player 2 swaps the roles, loses the constants and wins where player 1 loses."""
    first = np.array([[np.broadcast_to(part, batch) for part in pair] for pair in coefficients], dtype=float)
    second = first[[0, 2, 1, 3]] * np.reshape([-1.0, 1.0], (2,) + (1,) * len(batch))
    return np.stack([first, second])


def _positive(name, value):
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value}, expected a positive number.")
    value = validation.array(name, value)
    if (value <= 0).any():
        raise ValueError(f"{name} is {value[value <= 0].flat[0]:.6g}, expected a positive number.")
    return value


def _checked_reach(reach, dealt):
    reach = validation.array("reach", reach)
    if reach.shape[-2:] != (2, len(dealt)):
        raise ValueError(f"reach has shape {reach.shape}, expected (..., 2, {len(dealt)}).")
    if (reach < 0).any():
        index = np.argwhere(reach < 0)[0].tolist()
        raise ValueError(f"reach{index} is {reach[reach < 0][0]:.6g}, expected at least 0.")
    if not dealt.all():
        reach = np.where(dealt, reach, 0.0)
    empty = reach.sum(-1) == 0
    if empty.any():
        raise ValueError(f"reach{np.argwhere(empty)[0].tolist()} is 0 for every hand, expected a range with at least one hand.")
    return reach
