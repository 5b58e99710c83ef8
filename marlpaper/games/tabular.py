r"""Dense Markov games: a reward table, a transition table, a start.

A game is four things: rewards $r_{h,i}(s,a)$, kernels $P_h(s'|s,a)$, a start distribution, and either a horizon
or a discount. Everything else in the package is a function of these arrays. Leading axes are batch axes
(games, seeds), so a thousand games are one `MarkovGame`.
"""

import numpy as np

from marlpaper import simplex, validation

HORIZON_LIMIT = validation.SIZE_LIMIT
SPREAD_ROUNDING = 1e-12
"""What long calculations leave of a difference that should be 0, as a part of the spread of the rewards."""


class MarkovGame:
    r"""A Markov game of $N$ agents, finite-horizon or discounted, or a batch of them.

    Parameters
    ----------
    rewards : array (..., N, H, S, A_1, ..., A_N)
        $r_{h,i}(s,a)$. Without the `H` axis in discounted games and when `horizon` is given.
    transitions : array (..., H, S, A_1, ..., A_N, S')
        $P_h(s'|s,a)$; rows are distributions. Same rule for the `H` axis. Batch axes as in `rewards`, or none:
        one kernel for all games.
    initial : int or array (..., S)
        The start state, or a distribution over start states.
    discount : float in [0, 1), optional
        $\gamma$ of a discounted game; `None` means finite horizon.
    horizon : int, optional
        Length of a finite-horizon game whose arrays do not depend on the step (and carry no `H` axis).

    Attributes
    ----------
    agents, states : int
    actions : tuple of int
        $(A_1,\dots,A_N)$.
    horizon : int or None
    batch : tuple of int
        Shape of the leading axes; `()` for a single game.

    Raises
    ------
    TypeError, ValueError
        One sentence that names the offending entry: shapes that do not fit, a kernel row that does not sum to 1,
        NaN or infinite entries, a start outside the state space, a discount outside [0, 1).
    """

    def __init__(self, rewards, transitions, initial=0, discount=None, *, horizon=None):
        rewards = validation.array("rewards", rewards)
        transitions = validation.array("transitions", transitions)
        self.discount = _discount(discount, horizon)
        timed = discount is None and horizon is None
        self.agents = _count_agents(rewards.shape, transitions.shape, timed)
        if 0 in rewards.shape[-self.agents - 1 - timed :]:
            raise ValueError(f"rewards has shape {rewards.shape}, expected at least one step, one state and one action of each agent.")
        transitions = validation.distributions("transitions", transitions)
        if horizon is not None:
            horizon = validation.whole("horizon", horizon, 1, HORIZON_LIMIT)
            rewards = _repeat(rewards, horizon, -(self.agents + 1))
            transitions = _repeat(transitions, horizon, -(self.agents + 2))
        tail = self.agents + 1 + (discount is None)
        self.batch = np.broadcast_shapes(rewards.shape[: -tail - 1], transitions.shape[: -tail - 1])
        self.rewards = np.broadcast_to(rewards, self.batch + rewards.shape[-tail - 1 :])
        self.transitions = np.broadcast_to(transitions, self.batch + transitions.shape[-tail - 1 :])
        self.states, *actions = rewards.shape[-self.agents - 1 :]
        self.actions = tuple(actions)
        self.horizon = rewards.shape[-self.agents - 2] if discount is None else None
        self.initial = _start(initial, self.states, self.batch)

    def __repr__(self):
        time = f"discount={self.discount:g}" if self.horizon is None else f"horizon={self.horizon}"
        batch = f", batch={self.batch}" if self.batch else ""
        return f"MarkovGame(agents={self.agents}, states={self.states}, actions={self.actions}, {time}{batch})"

    def __getitem__(self, index):
        """The game, or the smaller batch, at `index` of the batch axes."""
        if not self.batch:
            raise IndexError("this MarkovGame is a single game, it has no batch axes to index.")
        if isinstance(index, tuple) and len(index) > len(self.batch):
            raise IndexError(f"index {index} has more axes than the batch {self.batch}.")
        return MarkovGame(self.rewards[index], self.transitions[index], self.initial[index], self.discount)

    @property
    def time(self):
        """Shape of the time axis: `(H,)`, or `()` in a discounted game."""
        return () if self.horizon is None else (self.horizon,)

    @property
    def is_zero_sum(self):
        """Whether there are two agents and their rewards cancel, up to the rounding of each game's own numbers."""
        if self.agents != 2:
            return False
        total = np.abs(self.rewards.sum(len(self.batch)))
        return bool((total.max(self._body[:-1]) <= self.rounding).all())

    @property
    def constant_sum(self):
        r"""What two agents get together at each step whatever happens, $c_h$: (..., H), (...) with a discount; else
        `None`.

        Such a game has the equilibria of a zero-sum one: see `shifted`.
        """
        if self.agents != 2:
            return None
        total, axes = self.rewards.sum(len(self.batch)), self._body[:-1]
        stage = axes[len(self.time) :]
        low, high = total.min(stage), total.max(stage)
        allowed = np.reshape(self.rounding, self.batch + (1,) * len(self.time))
        return (low + high) / 2 if (high - low <= allowed).all() else None

    @property
    def rounding(self):
        r"""Differences of rewards that are no more than rounding, in the game's own units: (...), one for each game
        of a batch.

        Four times the last digit of the largest reward, or SPREAD_ROUNDING of the widest spread of an agent's rewards
        if that is more. Rewards that all are float32 numbers have the digits of float32.
        """
        with np.errstate(over="ignore"):
            short = (self.rewards == self.rewards.astype(np.float32)).all()
        digit = np.finfo(np.float32 if short else float).eps
        spread = np.ptp(self.rewards, axis=self._body[1:]).max(-1)
        return np.maximum(4 * digit * np.abs(self.rewards).max(self._body), SPREAD_ROUNDING * spread)

    @property
    def _body(self):
        """The axes behind the batch, those of one game's rewards; one fewer for the rewards of one agent."""
        return tuple(range(len(self.batch), self.rewards.ndim))

    def agent_rewards(self, agent):
        """Rewards of one agent, (..., H, S, A_1, ..., A_N)."""
        return self.rewards[(slice(None),) * len(self.batch) + (agent,)]

    def uniform_policy(self):
        """The policy that plays all actions equally: one array (..., H, S, A_i) per agent."""
        return tuple(simplex.uniform(*self.batch, *self.time, self.states, count) for count in self.actions)

    def random_policy(self, rng, concentration=1.0):
        """A Dirichlet-distributed policy: one array (..., H, S, A_i) per agent."""
        shape = self.batch + self.time + (self.states,)
        return tuple(rng.dirichlet(np.full(count, concentration), shape) for count in self.actions)

    def check_policy(self, policy, name="policy", any_batch=False):
        """`policy` as a tuple of float arrays, validated.

        Parameters
        ----------
        policy : sequence of N arrays (..., H, S, A_i)
            Leading axes broadcast against the game's batch axes (more of them are allowed).
        name : str
            What the error calls it.
        any_batch : bool
            Leave the leading axes to the caller, which gives one of them a meaning of its own (stages).

        Raises
        ------
        TypeError, ValueError
            If there are not N arrays, a shape does not fit, or a row is not a distribution.
        """
        policy = validation.group(name, policy, self.agents, "arrays")
        checked = []
        for agent, (given, count) in enumerate(zip(policy, self.actions, strict=True)):
            label, expected = f"{name}[{agent}]", self.time + (self.states, count)
            values = validation.distributions(label, validation.ending(label, given, expected))
            checked.append(values)
            if not any_batch:
                _check_batch(label, values.shape[: -len(expected)], self.batch)
        return tuple(checked)


def zero_sum(reward, transitions, initial=0, discount=None, *, horizon=None):
    r"""A two-agent zero-sum game from the max-player's reward: rewards $(r,-r)$.

    Parameters
    ----------
    reward : array (..., H, S, A, B)
        $r_h(s,a,b)$ of the max-player, agent 0; without the `H` axis as in `MarkovGame`.
    transitions, initial, discount, horizon
        As in `MarkovGame`.
    """
    reward = validation.array("reward", reward)
    axis = -3 if (discount is not None or horizon is not None) else -4
    if reward.ndim < -axis:
        raise ValueError(f"reward has shape {reward.shape}, expected at least {-axis} axes (..., {'H, ' * (axis == -4)}S, A, B).")
    return MarkovGame(np.stack([reward, -reward], axis - 1), transitions, initial, discount, horizon=horizon)


def shifted(game):
    r"""A constant-sum game as a zero-sum one: agent 0 keeps its rewards, agent 1 gets $-r_0$, its own less a constant
    at each step.

    Gains from deviating, hence gaps and equilibria, are those of `game`, up to its rounding.

    Parameters
    ----------
    game : MarkovGame

    Returns
    -------
    MarkovGame
        `game` itself if it is zero-sum.

    Raises
    ------
    ValueError
        If the rewards of two agents do not add up to a constant.
    """
    if validation.game("game", game).is_zero_sum:
        return game
    if getattr(game, "constant_sum", None) is None:
        raise ValueError(f"game is {game!r}, expected a zero-sum or constant-sum game of two agents.")
    first = game.agent_rewards(0)
    return MarkovGame(np.stack([first, -first], len(game.batch)), game.transitions, game.initial, game.discount)


def unit_rewards(game):
    r"""A zero-sum game with the max-player's reward moved affinely onto [0, 1]: same equilibria, gaps scaled.

    The theorems of `mao2023` assume rewards in [0, 1]; Table 1 of the same paper leaves that range. Each game of a
    batch gets its own map $r\mapsto(r-\min r)/(\max r-\min r)$.

    Raises
    ------
    ValueError
        If the game is not zero-sum, or a reward table is constant.
    """
    if not validation.game("game", game).is_zero_sum:
        raise ValueError(f"game is {game!r}, expected a zero-sum game.")
    reward = game.agent_rewards(0)
    axes = tuple(range(len(game.batch), reward.ndim))
    low, high = reward.min(axes, keepdims=True), reward.max(axes, keepdims=True)
    if (high == low).any():
        raise ValueError("game has a constant reward table, expected rewards that differ.")
    reward = (reward - low) / (high - low)
    return MarkovGame(np.stack([reward, -reward], len(game.batch)), game.transitions, game.initial, game.discount)


def stack(games):
    """One batch from several games of the same shape: a new leading axis.

    Raises
    ------
    ValueError
        If the list is empty or the shapes, discounts or horizons differ.
    """
    if not hasattr(games, "__iter__"):
        raise TypeError(f"games is {games!r}, expected a sequence of games.")
    games = [validation.game(f"games[{k}]", game) for k, game in enumerate(games)]
    if not games:
        raise ValueError("games is empty, expected at least one MarkovGame.")
    for k, game in enumerate(games):
        if (game.rewards.shape, game.discount) != (games[0].rewards.shape, games[0].discount):
            raise ValueError(f"games[{k}] is {game!r}, expected the shape and discount of games[0], {games[0]!r}.")
    arrays = (np.stack([getattr(game, name) for game in games]) for name in ("rewards", "transitions", "initial"))
    return MarkovGame(*arrays, games[0].discount)


def _discount(discount, horizon):
    if discount is None:
        return None
    if horizon is not None:
        raise ValueError("discount and horizon are both given, expected only one: a game is discounted or has a horizon.")
    return validation.discount(discount)


def _count_agents(rewards, transitions, timed):
    """The largest N for which both shapes fit.

    A larger one than the true N never does, as the batch axes would all have to be N and one of them not; this needs
    batches that are equal or absent, not ones that merely broadcast (see the tests).
    """
    for agents in range(max(len(rewards), len(transitions)) - 2 - timed, 0, -1):
        tail = agents + 1 + timed  # axes [H,] S, A_1..A_N
        if len(rewards) <= tail or len(transitions) <= tail:
            continue
        shape = rewards[-tail:]
        if rewards[-tail - 1] != agents or transitions[-tail - 1 : -1] != shape or transitions[-1] != shape[timed]:
            continue
        batches = rewards[: -tail - 1], transitions[: -tail - 1]
        if batches[0] == batches[1] or () in batches:
            return agents
    time = "H, " if timed else ""
    raise ValueError(
        f"rewards has shape {rewards} and transitions {transitions}, expected (..., N, {time}S, A_1..A_N) "
        f"and (..., {time}S, A_1..A_N, S)."
    )


def _repeat(values, horizon, axis):
    """A view with a new time axis at `axis`, no memory used."""
    expanded = np.expand_dims(values, axis - 1)
    shape = list(expanded.shape)
    shape[axis - 1] = horizon
    return np.broadcast_to(expanded, shape)


def _start(initial, states, batch):
    if isinstance(initial, (int, np.integer)):
        if not 0 <= initial < states:
            raise ValueError(f"initial is state {initial}, expected a state in 0..{states - 1} or a distribution over {states} states.")
        initial = np.eye(states)[initial]
    initial = validation.array("initial", initial)
    if initial.shape[-1:] != (states,):
        raise ValueError(f"initial has shape {initial.shape}, expected a state or a distribution (..., {states}).")
    return validation.broadcast("initial", validation.distributions("initial", initial), batch + (states,))


def _check_batch(label, leading, batch):
    try:
        np.broadcast_shapes(leading, batch)
    except ValueError:
        raise ValueError(f"{label} has leading axes {leading}, expected ones that broadcast against {batch}.") from None
