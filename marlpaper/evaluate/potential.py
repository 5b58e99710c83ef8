r"""Is my game a potential game, what is its potential, and how far can its policies carry the start distribution?

A Markov game is a potential game iff in every state and for every two agents the second differences of their values
agree on every square of policies (Monderer and Shapley 1996); `potential_defect` tests it, and
`potential_difference` is the potential that the proof builds, from the agents' gains alone.
"""

import functools

import numpy as np

from marlpaper import validation
from marlpaper.evaluate.values import _best_discounted, _best_finite, _solve, averaged_q, expected, state_values, visitation


def potential_defect(game, rng, draws=4, draw=None):
    r"""How far a game is from being a Markov potential game: 0 (up to rounding) iff it is one.

    For agents $i<j$, policies $\pi,\pi'$ and a state $s$ the second difference of $V_i$ is
    $V_i(\pi_i',\pi_j')-V_i(\pi_i',\pi_j)-V_i(\pi_i,\pi_j')+V_i(\pi_i,\pi_j)$, the others at $\pi$. In a potential game those of
    $V_i$ and $V_j$ agree. Their difference is a rational function of the policies, so that one random interior draw
    decides with probability one.

    Parameters
    ----------
    game : MarkovGame
    rng : numpy.random.Generator
        Draws the policies.
    draws : int
        Number of random squares of policies; at least 1.
    draw : callable, optional
        Draws a policy from `rng`, for the same question among fewer policies, e.g. the local ones of a `ProductGame`.
        Default: Dirichlet policies of the joint state.

    Returns
    -------
    array (...)
        The largest difference over pairs, states and draws, as a part of the largest possible spread of values,
        $(\max r-\min r)/(1-\gamma)$ or $H(\max r-\min r)$, over all agents or, if that is less, twice that of the
        pair's wider one: a constant in one agent's rewards, or another agent's larger unit, hides nothing. Rounding
        leaves about 1e-15 if the rewards have all their digits; a constant of 1e9 in them takes nine.
    """
    validation.whole("draws", draws, 1)
    validation.generator("rng", rng)
    worst = np.zeros(validation.game("game", game).batch)
    if draw is None:
        draw = functools.partial(game.random_policy, concentration=0.5)
    states = tuple(range(-1 - len(game.time), 0))
    rewards = game.rewards  # structured games form them anew
    length = game.horizon or 1 / (1 - (game.discount or 0))
    everyone, own = (
        length * np.ptp(rewards, axis=tuple(range(len(game.batch) + first, rewards.ndim))) for first in (0, 1)
    )
    for _ in range(draws):
        first, second = (draw(rng) for _ in range(2))
        for j in range(game.agents):
            for i in range(j):
                difference = _second_difference(game, first, second, i, j)
                spread = np.minimum(everyone, 2 * np.maximum(own[..., i], own[..., j]))
                worst = np.maximum(worst, np.abs(difference).max(states) / np.where(spread > 0, spread, np.inf))
    return worst


def _second_difference(game, first, second, i, j):
    """Second difference of $V_i-V_j$ on the square of two policies of agents i and j: (..., [H,] S)."""
    total = 0.0
    for move_i in (0, 1):
        for move_j in (0, 1):
            policy = list(first)
            policy[i], policy[j] = (first, second)[move_i][i], (first, second)[move_j][j]
            values = np.moveaxis(state_values(game, policy), -2 - len(game.time), 0)
            total = total + (-1) ** (move_i + move_j) * (values[i] - values[j])
    return total


def potential_difference(game, policy, reference):
    r"""$\Phi(\pi)-\Phi(\pi^\circ)$ of a Markov potential game at its start, from the agents' values.

    $\sum_i[V_i(\pi_{\le i},\pi^\circ_{>i})-V_i(\pi_{<i},\pi^\circ_{\ge i})]$: the agents change over to $\pi$ one after the other,
    and each gains what the potential gains. In a game that is not a potential game the number depends on the
    order of the agents and means nothing: ask `potential_defect` first.

    Each gain is computed by the performance-difference lemma, $\frac1{1-\gamma}\sum_sd_\rho^{\rm after}(s)
    \langle\pi_i-\pi_i^\circ,\bar Q_i^{\rm before}\rangle(s)$: of two policies that hardly differ, the difference of the values would be
    rounding error.

    Parameters
    ----------
    game : MarkovGame
    policy, reference : sequence of N arrays (..., H, S, A_i)

    Returns
    -------
    array (...)
    """
    policy, reference = validation.game("game", game).check_policy(policy), game.check_policy(reference, "reference")
    total = 0.0
    for agent in range(game.agents):
        after = policy[: agent + 1] + reference[agent + 1 :]
        before = policy[:agent] + reference[agent:]
        gain = _gain(policy[agent], reference[agent], averaged_q(game, before)[agent])
        total = total + (visitation(game, after) * gain).sum(-1 if game.horizon is None else (-2, -1))
    return total if game.horizon is not None else total / (1 - game.discount)


def _gain(policy, reference, q):
    r"""$\langle\pi-\pi^\circ,\bar Q\rangle$ in every state (..., A) to (...).

    Relative to the action that $\pi^\circ$ plays most: the changes add up to 0, and the change of a probability near 1 is the one that
    rounding has touched.
    """
    most = np.eye(reference.shape[-1])[reference.argmax(-1)]
    return ((policy - reference) * (q - (most * q).sum(-1, keepdims=True))).sum(-1)


def potential_reward(game):
    r"""The reward $\varphi$ whose value is the potential, $\Phi_s(\pi)=V_\varphi^\pi(s)$: (..., S, A_1, ..., A_N).

    Raises
    ------
    ValueError
        If the game has neither a common reward nor a known potential.
    """
    known = getattr(validation.game("game", game), "potential", None)
    if known is not None:
        return known
    agents = np.moveaxis(game.rewards, len(game.batch), 0)
    if not np.array_equal(agents, np.broadcast_to(agents[:1], agents.shape)):
        raise ValueError(f"game is {game!r} without a common reward, expected one or a game with a known potential.")
    return agents[0]


def extreme_values(game, reward):
    r"""$\min_\pi$ and $\max_\pi$ over joint policies of the value of `reward` at the game's start.

    Parameters
    ----------
    game : MarkovGame
        Gives kernel, start and discount or horizon.
    reward : array (..., H, S, A_1, ..., A_N)
        Leading axes broadcast against the game's batch axes.

    Returns
    -------
    low, high : array (...)
    """
    flat, kernel = _joint(game, _checked_reward(game, reward))
    solve = _best_discounted if game.horizon is None else _best_finite
    ends = [sign * solve(sign * flat, kernel, game.discount) for sign in (-1, 1)]
    starts = ends if game.horizon is None else [values[..., 0, :] for values in ends]
    return tuple(np.einsum("...s,...s->...", values, game.initial) for values in starts)


def joint_value(game, reward, policy):
    r"""Value $V_r^\pi(\rho)$ of any `reward` (..., S, A_1, ..., A_N) under `policy` in a discounted game: (...)."""
    reward = _checked_reward(game, reward)
    if game.horizon is not None:
        raise ValueError(f"game is {game!r}, expected a discounted game.")
    policy = game.check_policy(policy)
    kernel = expected(game.transitions, policy, trailing=1)
    values = _solve(kernel, expected(reward, policy), game.discount)
    return np.einsum("...s,...s->...", values, game.initial)


def similarity(games):
    r"""$\Delta_\Phi=\sum_{k<K}\max_\pi\big(\Phi(\pi;G^k)-\Phi(\pi;G^{k+1})\big)$ (`mao2023` Theorem 3), exactly.

    With a common kernel the difference of two potentials is the value of $\varphi^k-\varphi^{k+1}$, so that each
    maximum is the optimal value of a decision process with that reward.

    Parameters
    ----------
    games : MarkovGame
        Batch (K, ...): the first axis is the sequence; one kernel and one start for all games of a sequence.

    Returns
    -------
    array (...)
        May be negative: potentials are fixed only up to a constant per game.

    Raises
    ------
    ValueError
        If the kernels or starts of the sequence differ, or there is no known potential.
    """
    if not validation.game("games", games).batch:
        raise ValueError(f"games is {games!r}, expected a leading batch axis: the sequence of games.")
    potential = potential_reward(games)
    for name in ("transitions", "initial"):
        values = getattr(games, name)
        if not np.array_equal(values, np.broadcast_to(values[:1], values.shape)):
            raise ValueError(f"{name} differ along the sequence, expected the same for all games.")
    if games.batch[0] == 1:
        return np.zeros(games.batch[1:])
    return extreme_values(games[1:], potential[:-1] - potential[1:])[1].sum(0)


def peak_visitation(game):
    r"""$w(s)=\sup_\pi d_\rho^\pi(s)$ over all joint policies, exactly: (..., S).

    $d_\rho^\pi(s)/(1-\gamma)$ is the value of the reward $1\{s\}$, so each entry is the optimum of a decision process
    in which one player chooses the joint action.

    Raises
    ------
    ValueError
        If the game has a finite horizon.
    """
    if validation.game("game", game).horizon is not None:
        raise ValueError(f"game is {game!r}, expected a discounted game.")
    targets = np.eye(game.states)
    rewards, kernel = _joint(game, np.zeros((game.states,) + game.actions))
    rewards = rewards + targets[..., None]  # (S targets, S, joint actions)
    values = _best_discounted(rewards, kernel[..., None, :, :, :], game.discount)
    return (1 - game.discount) * np.einsum("...ts,...s->...t", values, game.initial)


def mismatch(game, reference=None):
    r"""Mismatch $\kappa_{\rho,\nu}=\sup_\pi\|d_\rho^\pi/\nu\|_\infty$, exactly; $\kappa=\kappa_{\rho,\rho}$.

    Parameters
    ----------
    game : MarkovGame
        Discounted; few states (one optimum per state).
    reference : array (..., S), optional
        $\nu$. Default: the game's start $\rho$.

    Returns
    -------
    array (...)
        At least 1; infinite where a state that can be reached has no mass in $\nu$. What no policy reaches does not count.
    """
    name = "initial" if reference is None else "reference"
    reference = game.initial if reference is None else validation.array(name, reference)
    peaks = peak_visitation(game)
    reference = validation.broadcast(name, validation.distributions(name, reference), peaks.shape)
    unknown = np.where(_reachable(game), np.inf, 0.0)
    return np.divide(peaks, reference, out=np.broadcast_to(unknown, peaks.shape).copy(), where=reference > 0).max(-1)


def _reachable(game):
    """Whether some joint policy visits a state with positive weight: boolean (..., S)."""
    joint = tuple(range(-1 - game.agents, -1))
    reached = game.initial > 0
    if game.discount > 0:
        moves = (game.transitions > 0).any(joint)
        for _ in range(game.states):
            reached = reached | (reached[..., None] & moves).any(-2)
    return reached


def free_mismatch(game):
    r"""$\tilde\kappa=\min_\nu\kappa_{\rho,\nu}=\sum_s\sup_\pi d_\rho^\pi(s)$, the mismatch against the best denominator.

    The minimum is attained at $\nu^\star=w/\sum w$, $w$ = `peak_visitation`; $\tilde\kappa\le\min(\kappa,S)$.

    Returns
    -------
    array (...)
    """
    return peak_visitation(game).sum(-1)


def _checked_reward(game, reward):
    shape = validation.game("game", game).time + (game.states,) + game.actions
    reward = validation.array("reward", reward)
    if reward.shape[-len(shape) :] != shape:
        raise ValueError(f"reward has shape {reward.shape}, expected (..., {', '.join(map(str, shape))}).")
    return reward


def _joint(game, reward):
    """Rewards (..., [H,] S, A) and kernels (..., [H,] S, A, S') with the joint action on one axis."""
    shape = game.time + (game.states, -1)
    lead = reward.ndim - game.agents - 1 - len(game.time)
    kernel = game.transitions
    return reward.reshape(reward.shape[:lead] + shape), kernel.reshape(game.batch + shape + (game.states,))
