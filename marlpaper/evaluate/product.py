r"""Evaluation of product games: no array of joint actions, and none of $S\times S$ unless the game is small.

Under a policy each agent moves by $K_i(s_i'|s)=\sum_{a_i}\pi_i(a_i|s)P_i(s_i'|s_i,a_i)$, and given $s$ the agents move independently. Split
them into two halves with kernels $A(s_A'|s)$ and $B(s_B'|s)$, products of the $K_i$, of about $\sqrt S\times S$ each. Then

$$
E[V(s')|s]=\sum_{s_A'}A(s_A'|s)\Big[\sum_{s_B'}V(s_A',s_B')\,B(s_B'|s)\Big],
$$

where the bracket is one matrix product for all $s$. Values, best responses and visitation iterate this to rounding error; constants
of $V$ are solved for, not iterated (MacQueen), so that an iteration gains a factor $\gamma$ times the mixing rate of the chain.

Small games take one linear solve with the joint kernel instead, which needs no iterations (`_solves`).

Inside, games come first and joint states are the last, contiguous axis.
"""

import math

import numpy as np

from marlpaper.evaluate.values import _best_discounted, averaged_q, best_response_values, state_values, visitation
from marlpaper.games.product import ProductGame, checked_product

EXACT = 1e-13
"""Relative to |V| + min(1, |V|): where rounding begins."""

FEEDBACK = 1e-9
"""The same for the feedback of learners, which start from a guess that is nearly as good."""

# A solve costs n S³, iterations mostly a fixed time: they cross near these S, for one game, and n S², for n games.
SOLVED_STATES = 200
SOLVED_ENTRIES = 200_000


@state_values.register
def _state_values(game: ProductGame, policy):
    process = _Averaged(game, game.check_policy(policy))
    values = process.values()
    return process.public(np.repeat(values, game.agents, 1) if game.shared else values)


@averaged_q.register
def _averaged_q(game: ProductGame, policy):
    process = _Averaged(game, game.check_policy(policy))
    return process.q(process.values())


@best_response_values.register
def _best_response_values(game: ProductGame, policy):
    process = _Averaged(game, game.check_policy(policy))
    return process.public(np.stack([process.best(agent) for agent in range(game.agents)], 1))


@visitation.register
def _visitation(game: ProductGame, policy):
    process = _Averaged(game, game.check_policy(policy))
    return process.public(process.visits())


def local_averaged_q(game, local):
    r"""$E_{s_{-i}\sim d_\rho^\pi(\cdot|s_i)}\bar Q_i^\pi(s,a_i)$ of local policies: what an agent that sees only its own state can know.

    It is the gradient of $V_i$ in $\pi_i(a_i|s_i)$, up to the factor $d_\rho^\pi(s_i)/(1-\gamma)$.

    Parameters
    ----------
    game : ProductGame
    local : sequence of N arrays (..., S_i, A_i)

    Returns
    -------
    tuple of N arrays (..., S_i, A_i)
        Where an agent's state is never visited, the mean over the others' states is uniform.

    Raises
    ------
    TypeError, ValueError
        If the game is no product game, or `local` does not fit.
    """
    policy = checked_product(game).lift(local)
    visits = visitation(game, policy)[..., None] + np.finfo(float).tiny
    result = []
    for q, index, states in zip(averaged_q(game, policy), game.local_index, game.local_states, strict=True):
        sums = [_sum_by(array, index, states) for array in (visits * q, visits)]
        result.append(sums[0] / sums[1])
    return tuple(result)


def _sum_by(values, index, states):
    """Sums of values (..., S, A) over the joint states with the same local state: (..., S_i, A)."""
    return np.stack([values[..., index == state, :].sum(-2) for state in range(states)], -2)


class Oracle:
    r"""The feedback $\bar Q$ of one game for the successive policies of a learner.

    Policies that change little have values that change smoothly: the iteration starts from the parabola through the last three. From
    there it takes a few steps, no slower than a solve in small games.
    """

    def __init__(self, game):
        self.game, self.past = game, []
        self.tables = _tables(game)

    def __call__(self, policy):
        process = _Averaged(self.game, policy, self.tables)
        values = process.values(self._guess(process.rewards.shape), FEEDBACK)
        self.past = [values, *self.past[:2]]
        return process.q(values)

    def _guess(self, shape):
        self.past = [values for values in self.past if values.shape == shape]
        weights = {0: (), 1: (1,), 2: (2, -1), 3: (3, -3, 1)}[len(self.past)]
        return sum(weight * values for weight, values in zip(weights, self.past, strict=True))


def _tables(game):
    """Kernels as (..., A_i, S_i', S): spread over the joint states once, for all policies."""
    pairs = zip(game.kernels, game.local_index, strict=True)
    return [np.moveaxis(np.take(kernel, index, -3), -3, -1).copy() for kernel, index in pairs]


class _Averaged:
    """One game under one policy. The leading axes are flattened to n, first everywhere; R rows of rewards, states last."""

    def __init__(self, game, policy, tables=None):
        self.game = game
        self.lead = np.broadcast_shapes(game.batch, *(p.shape[:-2] for p in policy))
        self.count = math.prod(self.lead)
        self.tables = [self._flat(table, 3) for table in tables or _tables(game)]
        policy = [self._flat(np.swapaxes(p, -1, -2), 2) for p in policy]  # (n, A_i, S)
        pairs = zip(policy, self.tables, strict=True)
        self.moves = [sum(p[:, a, None] * table[:, a] for a in range(p.shape[1])) for p, table in pairs]  # (n, S_i', S)
        self.cut = _cut(game.local_states)
        self.halves = [_outer(part, game.states) for part in (self.moves[: self.cut], self.moves[self.cut :])]
        self.payments = [self._flat(payment, 2) for payment in game.action_rewards]  # (n, R, A_i)
        self.paid = [payment @ p for payment, p in zip(self.payments, policy, strict=True)]  # (n, R, S)
        self.rewards = self._flat(game.state_rewards, 2) + sum(self.paid)
        self.solves = _solves(max(len(move) for move in self.moves), game.states)

    def _flat(self, array, tail):
        """(..., *tail) to (n, *tail), or (1, *tail) where that will broadcast."""
        lead, body = array.shape[: array.ndim - tail], array.shape[array.ndim - tail :]
        lead = self.lead if math.prod(lead) > 1 else ()
        return np.ascontiguousarray(np.broadcast_to(array, lead + body) if lead else array).reshape(-1, *body)

    def public(self, array):
        """(n, ...) back to the leading axes."""
        return np.broadcast_to(array, (self.count, *array.shape[1:])).reshape(self.lead + array.shape[1:])

    def values(self, start=None, tolerance=EXACT):
        """Values of every row of rewards, (n, R, S); from a start they are iterated."""
        if self.solves and start is None:
            system, rewards = np.swapaxes(self._system(), 1, 2), np.swapaxes(self.rewards, 1, 2)
            return np.swapaxes(np.linalg.solve(system, rewards), 1, 2)
        spare = None

        def update(values):
            nonlocal spare
            spare = self._inner(values, 0, out=spare)
            following = np.einsum("nks,nrks->nrs", self.halves[0], spare)
            return self.rewards + self.game.discount * following

        first = np.zeros_like(self.rewards) + (0.0 if start is None else start)
        return _fixed_point(update, first, self.game.discount, tolerance)

    def q(self, values):
        """Averaged Q of every agent, (..., S, A_i), from the values (n, R, S)."""
        inner = [self._inner(values, side) for side in (0, 1)]
        result = []
        for agent in range(self.game.agents):
            seen = self._others(inner[agent >= self.cut][:, self._row(agent)], agent)
            result.append(np.swapaxes(self.public(self._own(agent) + self._ahead(agent, seen)), -1, -2))
        return tuple(result)

    def _system(self):
        r"""$(I-\gamma P^\pi)^\top$, (n, S', S)."""
        return np.eye(self.game.states) - self.game.discount * _outer(self.moves, self.game.states)

    def best(self, agent):
        """Values (n, S) of the agent's best response, by policy iteration in small games, else value iteration."""
        own, spare = self._own(agent), None
        if _solves(max(len(move) for move in self.moves) * own.shape[1], self.game.states):
            table = self.tables[agent]
            before, after = self.moves[:agent], self.moves[agent + 1 :]
            faced = [_outer([*before, table[:, a], *after], self.game.states) for a in range(own.shape[1])]
            kernel = np.stack(faced, 1).transpose(0, 3, 1, 2)
            return _best_discounted(np.swapaxes(own, 1, 2), kernel, self.game.discount)

        def update(values):
            nonlocal spare
            spare = self._inner(values, int(agent >= self.cut), out=spare)
            seen = self._others(spare[:, 0], agent)
            return (own + self._ahead(agent, seen)).max(1, keepdims=True)

        return _fixed_point(update, np.zeros((self.count, 1, self.game.states)), self.game.discount, EXACT)[:, 0]

    def visits(self):
        r"""$d_\rho^\pi$, (n, S)."""
        discount = self.game.discount
        fresh = (1 - discount) * self._flat(self.game.initial, 1)
        if self.solves:
            return np.linalg.solve(self._system(), fresh[..., None])[..., 0]
        first, second = self.halves

        def update(visits):
            moved = (first * visits[:, None]) @ np.swapaxes(second, 1, 2)
            return fresh + discount * moved.reshape(len(moved), -1)

        return _settle(update, fresh / (1 - discount), discount)

    def _row(self, agent):
        return 0 if self.game.shared else agent

    def _own(self, agent):
        """Reward (n, A_i, S) of the agent's actions, the others' averaged."""
        row = self._row(agent)
        return (self.rewards - self.paid[agent])[:, row, None] + self.payments[agent][:, row, :, None]

    def _ahead(self, agent, seen):
        """Discounted value (n, A_i, S) of where the agent's actions lead, from (n, S_i', S)."""
        return self.game.discount * np.einsum("nats,nts->nas", self.tables[agent], seen)

    def _inner(self, values, side, out=None):
        """E of values (n, R, S) over the half that is not `side`: (n, R, states of the half `side`, S).

        Writing to the same memory in every iteration saves more than half of the time: fresh pages are dear.
        """
        table = values.reshape(*values.shape[:2], *(half.shape[1] for half in self.halves))
        return np.matmul(np.swapaxes(table, 2, 3) if side else table, self.halves[1 - side][:, None], out=out)

    def _others(self, inner, agent):
        """E over the agents of one half but `agent`: (n, states of the half, S) to (n, S_i', S)."""
        half = range(self.cut) if agent < self.cut else range(self.cut, self.game.agents)
        sizes, states = [self.game.local_states[j] for j in half], self.game.states
        for position in reversed(range(len(half))):
            if half[position] != agent:
                before = math.prod(sizes[:position])
                split = inner.reshape(len(inner), before, sizes[position], -1, states)
                inner = np.einsum("nbjas,njs->nbas", split, self.moves[half[position]])
        return inner.reshape(len(inner), -1, states)


def _solves(count, states):
    """Whether so many kernels of so many joint states are faster solved at once than iterated."""
    return states <= SOLVED_STATES and count * states**2 <= SOLVED_ENTRIES


def _cut(sizes):
    """How many agents make the first half: the cut where the two halves have the fewest states together."""
    return min(range(1, len(sizes) + 1), key=lambda cut: math.prod(sizes[:cut]) + math.prod(sizes[cut:]))


def _outer(moves, states):
    """Joint kernel of independent agents, (n, product of S_i', S); each has n or 1 of its own."""
    total = moves[0] if moves else np.ones((1, 1, states))
    for move in moves[1:]:
        pairs = total[:, :, None] * move[:, None]
        total = pairs.reshape(len(pairs), -1, states)
    return total


def _fixed_point(update, values, discount, tolerance):
    r"""The fixed point of a $\gamma$-contraction (n, R, S) that adds $\gamma c$ when a constant $c$ is added (MacQueen 1966).

    With $D=TV-V$ it lies in $TV+\frac\gamma{1-\gamma}[\min D,\max D]$. Taking the middle, half the width is a bound on the error; the
    width shrinks by $\gamma$ at least, until rounding takes over.
    """
    factor, last = discount / (1 - discount), np.inf
    while True:
        change = update(values) - values
        low, high = change.min(-1, keepdims=True), change.max(-1, keepdims=True)
        values = values + change + factor * (low + high) / 2
        error = (factor * (high - low) / 2).max()
        size = np.abs(values).max()
        if error <= tolerance * (min(1.0, size) + size) or error > (1 + discount) / 2 * last:
            return values
        last = error


def _settle(update, visits, discount):
    """The fixed point of a contraction of distributions (n, S) in L1; the same stopping rule."""
    factor, last = discount / (1 - discount), np.inf
    while True:
        following = update(visits)
        error = factor * np.abs(following - visits).sum(-1).max()
        visits = following
        if error <= EXACT or error > (1 + discount) / 2 * last:
            return visits
        last = error
