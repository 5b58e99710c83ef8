r"""How good a policy is, and how far from equilibrium.

Once the others' policies are averaged out, agent $i$ faces an ordinary decision process with rewards
$\bar r_i(s,a_i)$ and kernel $\bar P_i(s'|s,a_i)$ (`decision_process`). Values, averaged Q, best responses and gaps
are backward induction (finite horizon) or a linear solve (discounted) on it, batched over games and seeds.
A game with a structure of its own registers its own way of computing these quantities (`functools.singledispatch`).
"""

from functools import singledispatch

import numpy as np

from marlpaper import validation

LETTERS = "abcdefghijklmnopqr"


def expected(payoff, policy, keep=None, trailing=0):
    r"""Expectation of `payoff` over the agents' independent actions.

    Parameters
    ----------
    payoff : array (..., S, A_1, ..., A_N, *rest)
    policy : sequence of N arrays (..., S, A_i)
    keep : int, optional
        An agent whose action is not averaged out.
    trailing : int
        Number of axes in `rest`.

    Returns
    -------
    array (..., S, *rest), or (..., S, A_keep, *rest)
    """
    rest = "xyzuvw"[:trailing]
    remaining = LETTERS[: len(policy)]
    for agent in reversed(range(len(policy))):
        if agent == keep:
            continue
        letter = LETTERS[agent]
        left = remaining.replace(letter, "")
        payoff = np.einsum(f"...s{remaining}{rest},...s{letter}->...s{left}{rest}", payoff, policy[agent])
        remaining = left
    return payoff


def decision_process(game, policy, agent):
    r"""The single-agent process that `agent` faces when the others play `policy`.

    Returns
    -------
    rewards : array (..., H, S, A_i)
        $\bar r_i(s,a_i)=E_{a_{-i}\sim\pi_{-i}}r_i(s,a)$.
    transitions : array (..., H, S, A_i, S')
        $\bar P_i(s'|s,a_i)=E_{a_{-i}\sim\pi_{-i}}P(s'|s,a)$.
    """
    policy = validation.game("game", game).check_policy(policy)
    return _process(game, policy, validation.whole("agent", agent, 0, game.agents - 1))


def _process(game, policy, agent):
    rewards = expected(game.agent_rewards(agent), policy, keep=agent)
    return rewards, expected(game.transitions, policy, keep=agent, trailing=1)


@singledispatch
def state_values(game, policy):
    r"""Values $V^\pi_{h,i}(s)$ of every agent.

    Parameters
    ----------
    game : MarkovGame
    policy : sequence of N arrays (..., H, S, A_i)

    Returns
    -------
    array (..., N, H, S)
        Without the `H` axis in discounted games.
    """
    policy = validation.game("game", game).check_policy(policy)
    axis = -2 - len(game.time)
    rewards = expected(game.rewards, [np.expand_dims(p, axis - 1) for p in policy])
    kernel = expected(game.transitions, policy, trailing=1)
    if game.horizon is None:
        return _solve(kernel[..., None, :, :], rewards, game.discount)
    steps, following = [], 0.0
    for h in reversed(range(game.horizon)):
        following = rewards[..., h, :] + (np.einsum("...st,...nt->...ns", kernel[..., h, :, :], following) if steps else 0)
        steps.append(following)
    return np.stack(steps[::-1], -2)


@singledispatch
def averaged_q(game, policy):
    r"""$\bar Q_i^\pi(s,a_i)=E_{a_{-i}\sim\pi_{-i}}Q_i^\pi(s,a_i,a_{-i})$, the feedback of full information.

    Returns
    -------
    tuple of N arrays (..., H, S, A_i)
        Without the `H` axis in discounted games.
    """
    policy = validation.game("game", game).check_policy(policy)
    values = state_values(game, policy)
    result = []
    for agent in range(game.agents):
        rewards, kernel = _process(game, policy, agent)
        following = np.take(values, agent, axis=-2 - len(game.time))
        if game.horizon is None:
            following = game.discount * following
        else:  # the value of step h+1, zero after the last
            following = np.concatenate([following[..., 1:, :], np.zeros_like(following[..., :1, :])], -2)
        result.append(rewards + np.einsum("...sat,...t->...sa", kernel, following))
    return tuple(result)


@singledispatch
def best_response_values(game, policy):
    r"""$V_{h,i}^{\dagger,\pi_{-i}}(s)$: the value of agent $i$'s best response to the others' policies.

    Backward induction in finite-horizon games; policy iteration (exact, finitely many solves) in discounted ones.

    Returns
    -------
    array (..., N, H, S)
        Without the `H` axis in discounted games.
    """
    policy = validation.game("game", game).check_policy(policy)
    solve = _best_discounted if game.horizon is None else _best_finite
    values = [solve(*_process(game, policy, agent), game.discount) for agent in range(game.agents)]
    return np.stack(np.broadcast_arrays(*values), -2 - len(game.time))


@singledispatch
def visitation(game, policy):
    r"""How often each state is visited from the game's start.

    Returns
    -------
    array (..., H, S)
        $P(s_h=s)$ in finite-horizon games; in discounted ones (..., S),
        $d_\rho^\pi(s)=(1-\gamma)\sum_t\gamma^tP(s_t=s)$.
    """
    policy = validation.game("game", game).check_policy(policy)
    kernel = expected(game.transitions, policy, trailing=1)
    if game.horizon is None:
        start = np.broadcast_to(game.initial, kernel.shape[:-1])
        return (1 - game.discount) * _solve(np.swapaxes(kernel, -1, -2), start, game.discount)
    steps = [np.broadcast_to(game.initial, kernel.shape[:-3] + kernel.shape[-1:])]
    for h in range(game.horizon - 1):
        steps.append(np.einsum("...s,...st->...t", steps[-1], kernel[..., h, :, :]))
    return np.stack(steps, -2)


@singledispatch
def initial_value(game, values):
    """Expectation of `values` (..., N, H, S) over the game's start, at the first step: (..., N)."""
    shape = (validation.game("game", game).agents, *game.time, game.states)
    values = validation.array("values", values)
    if values.shape[-len(shape) :] != shape:
        raise ValueError(f"values has shape {values.shape}, expected (..., {', '.join(map(str, shape))}).")
    first = values if game.horizon is None else values[..., 0, :]
    return np.einsum("...ns,...s->...n", first, game.initial)


def agent_gaps(game, policy):
    r"""What each agent would gain by a best response, $V_i^{\dagger,\pi_{-i}}-V_i^\pi$ at the start: (..., N)."""
    return initial_value(game, best_response_values(game, policy) - state_values(game, policy))


def nash_gap(game, policy, aggregate="sum"):
    r"""Distance of `policy` from a Nash equilibrium, at the game's start.

    Parameters
    ----------
    game : MarkovGame
    policy : sequence of N arrays (..., H, S, A_i)
    aggregate : {"sum", "max", "mean"}
        How the agents' gains from a best response are combined. `sum`: `mao2023` Section 3, where it is
        $V^{\dagger,\nu}-V^{\mu,\dagger}$; `max`: `mao2023` Section 4 and `ding2022`; `mean`: `mao2023` Appendix F.2.

    Returns
    -------
    array (...)
        At least 0 (up to rounding); 0 exactly at a Nash equilibrium.
    """
    validation.choice("aggregate", aggregate, ("sum", "max", "mean"))
    return getattr(agent_gaps(game, policy), aggregate)(-1)


IMPROVEMENT = 1e-13
"""Policy iteration ends where no value grows by more than this part of the largest one: such a gain is rounding."""


LARGE_CONSTANT = 100.0
"""Times the spread of the rewards: a larger constant in them costs digits."""


def _solve(kernel, right, discount):
    r"""$(I-\gamma P)^{-1}$ `right`, batched; kernel (..., S, S), right (..., S)."""
    system = np.eye(kernel.shape[-1]) - discount * kernel
    return np.linalg.solve(system, right[..., None])[..., 0]


def _best_finite(rewards, kernel, discount):
    steps = [rewards[..., -1, :, :].max(-1)]
    for h in reversed(range(rewards.shape[-3] - 1)):
        following = np.einsum("...sat,...t->...sa", kernel[..., h, :, :, :], steps[-1])
        steps.append((rewards[..., h, :, :] + following).max(-1))
    return np.stack(steps[::-1], -2)


def _best_discounted(rewards, kernel, discount):
    """Values of the best policy; a large constant in all rewards is taken out first, so that it does not hide what is
    gained."""
    low, high = (extreme((-2, -1), keepdims=True) for extreme in (rewards.min, rewards.max))
    middle = (low + high) / 2
    constant = np.where(np.abs(middle) > LARGE_CONSTANT * (high - low), middle, 0.0)
    return _best_centred(rewards - constant, kernel, discount) + constant[..., 0] / (1 - discount)


def _best_centred(rewards, kernel, discount):
    rewards, _ = np.broadcast_arrays(rewards, kernel[..., 0])
    values = _solve(kernel[..., 0, :], rewards[..., 0], discount)
    while True:
        q = rewards + discount * np.einsum("...sat,...t->...sa", kernel, values)
        greedy = q.argmax(-1)[..., None]
        reward = np.take_along_axis(rewards, greedy, -1)[..., 0]
        chosen = np.take_along_axis(kernel, greedy[..., None], -2)[..., 0, :]
        improved = _solve(chosen, reward, discount)
        if np.all(improved <= values + IMPROVEMENT * np.abs(values).max(-1, keepdims=True)):
            return np.maximum(values, improved)
        values = np.maximum(values, improved)
