r"""Evaluation of river endgames: every quantity from a few sums over the hands that can be met, $O(\text{hands})$ each.

The state of a player is the own hand. Values and averaged Q are expectations given it; the start is the prior of the hands, which differs
between the players. `Advantages` is the same for learners, which ask for it thousands of times.
"""

import numpy as np

from marlpaper.evaluate.values import averaged_q, best_response_values, initial_value, state_values
from marlpaper.games.river import RiverGame


@averaged_q.register
def _averaged_q(game: RiverGame, policy):
    return tuple(q[..., None, :, :] for q in _given_hand(game, game.check_policy(policy)))


@state_values.register
def _state_values(game: RiverGame, policy):
    policy = game.check_policy(policy)
    values = [(p[..., 0, :, :] * q).sum(-1) for p, q in zip(policy, _given_hand(game, policy), strict=True)]
    return np.stack(np.broadcast_arrays(*values), -2)[..., None, :]


@best_response_values.register
def _best_response_values(game: RiverGame, policy):
    values = [q.max(-1) for q in _given_hand(game, game.check_policy(policy))]
    return np.stack(np.broadcast_arrays(*values), -2)[..., None, :]


@initial_value.register
def _initial_value(game: RiverGame, values):
    return (values[..., 0, :] * game.prior).sum(-1)


def _given_hand(game, policy):
    """Expected payoff of staying out and of going in, given the own hand: for each player (..., n, 2)."""
    result = []
    for player, other in ((0, 1), (1, 0)):
        reach = game.reach[..., other, :]
        sums = [game.showdown.sums(reach), game.showdown.sums(reach * policy[other][..., 0, :, 1])]
        base, own, theirs, both = (
            [part[..., None] * total for part, total in zip(pair, pairs, strict=True)]
            for pair, pairs in zip(game.payoffs[player], (sums[0], sums[0], sums[1], sums[1]), strict=True)
        )
        out = sum(base) + sum(theirs)
        gains = np.stack([out, out + sum(own) + sum(both)], -1)
        meeting = game.meeting[..., player, :, None]
        result.append(np.divide(gains, meeting, out=np.zeros_like(gains), where=meeting > 0))
    return result


class Advantages:
    r"""What going in is worth more than staying out, for both players of all games, in the layout of the hot path.

    Player 1 is told $w_i\sum_jq_jM_{ij}\big(b_{ij}+e_{ij}y_j\big)$ with the game's weighting $w_i$: $\frac{p_i}Z$, or $1/\sum_jM_{ij}q_j$.

    Parameters
    ----------
    game : RiverGame
    scale : float
        Factor of the result, a learner's step size.

    Attributes
    ----------
    reach, weight, constant : array (n, 2, games)
        $q_j$ of the other player, $w_i$, and the part that does not depend on what is played, the last two times `scale`.
    compiled : tuple or None
        `Showdown.compiled` of the sum over the other player's hands.
    """

    def __init__(self, game, scale=1.0):
        self.game = game
        self.shape = (game.states, 2, int(np.prod(game.batch, dtype=int)))
        weight = scale * _weights(game)
        met, beaten = game.showdown.sums(game.reach[..., ::-1, :])
        own, both = (np.moveaxis(game.payoffs[:, term], (0, 1), (-1, 0))[..., None] for term in (1, 3))
        self.constant = self.layout(weight * (own[0] * met + own[1] * beaten))
        self.weight = self.layout(weight)
        self.reach = self.layout(game.reach[..., ::-1, :])
        factors = [part[..., 0].reshape(-1, 2).T.ravel() for part in both]
        self._combine = game.showdown.combine(*factors)
        self.compiled = game.showdown.compiled(*factors)
        self._weighted = np.empty(self.shape)

    def layout(self, values):
        """(..., 2, n) to (n, 2, games): hands by strength, contiguous."""
        values = np.broadcast_to(values, self.game.batch + (2, self.shape[0])).reshape(-1, 2, self.shape[0])
        return np.ascontiguousarray(values.transpose(2, 1, 0)[self.game.showdown.by_strength])

    def from_layout(self, values):
        """Back from (n, 2, games), or the same flattened, to (..., 2, n)."""
        unsorted = np.empty(self.shape)
        unsorted[self.game.showdown.by_strength] = values.reshape(self.shape)
        return np.ascontiguousarray(unsorted.transpose(2, 1, 0)).reshape(self.game.batch + (2, self.shape[0]))

    def __call__(self, entering, out):
        """Write the advantages into `out`; both are (n, 2, games), `entering` the probabilities of going in."""
        for player in range(2):  # two slices: a reversed axis would make inner loops of length two
            np.multiply(self.reach[:, player], entering[:, 1 - player], out=self._weighted[:, player])
        flat = (self.shape[0], -1)
        self._combine(self._weighted.reshape(flat), out.reshape(flat))
        out *= self.weight
        out += self.constant


def _weights(game):
    """What turns sums over the opponent's hands into what a learner is told: (..., 2, n)."""
    if game.weighting == "hand":
        return np.divide(1, game.meeting, out=np.zeros_like(game.meeting), where=game.meeting > 0)
    return game.reach / (game.reach * game.meeting).sum(-1, keepdims=True)
