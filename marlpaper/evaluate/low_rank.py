r"""Evaluation of games with a kernel of $Z$ components: $Z\times Z$ solves instead of $S\times S$.

With $w=CV$, the mean value of each component, $V=\bar r_\pi+\gamma B_\pi w$ gives $(I-\gamma CB_\pi)w=C\bar r_\pi$; $\bar r_\pi$ and
$B_\pi$ are averages over the policy. Best responses are policy iteration on $w$, visitation the same system transposed.
"""

import numpy as np

from marlpaper.evaluate.values import averaged_q, best_response_values, expected, state_values, visitation
from marlpaper.games.low_rank import LowRankGame


@state_values.register
def _state_values(game: LowRankGame, policy):
    policy = game.check_policy(policy)
    rewards, mixture = _averages(game, policy)
    latent = _latent_values(game, mixture[..., None, :, :], rewards)
    return rewards + game.discount * np.einsum("...sz,...nz->...ns", mixture, latent)


@averaged_q.register
def _averaged_q(game: LowRankGame, policy):
    policy = game.check_policy(policy)
    rewards, mixture = _averages(game, policy)
    latent = _latent_values(game, mixture[..., None, :, :], rewards)
    result = []
    for agent in range(game.agents):
        own_rewards, own_mixture = _decision_process(game, policy, agent)
        result.append(own_rewards + game.discount * np.einsum("...saz,...z->...sa", own_mixture, latent[..., agent, :]))
    return tuple(result)


@best_response_values.register
def _best_response_values(game: LowRankGame, policy):
    policy = game.check_policy(policy)
    values = [_best_response(game, *_decision_process(game, policy, agent)) for agent in range(game.agents)]
    return np.stack(np.broadcast_arrays(*values), -2)


@visitation.register
def _visitation(game: LowRankGame, policy):
    policy = game.check_policy(policy)
    _, mixture = _averages(game, policy)
    system = np.eye(len(game.components)) - game.discount * game.components @ mixture
    start = (1 - game.discount) * np.einsum("s,...sz->...z", game.initial, mixture)
    latent = np.linalg.solve(np.swapaxes(system, -1, -2), start[..., None])[..., 0]
    return (1 - game.discount) * game.initial + game.discount * latent @ game.components


def _averages(game, policy):
    """Rewards (..., N, S) and mixtures (..., S, Z) under the policy."""
    rewards = expected(game.rewards, [p[..., None, :, :] for p in policy])
    return rewards, expected(game.mixture, policy, trailing=1)


def _decision_process(game, policy, agent):
    rewards = expected(game.agent_rewards(agent), policy, keep=agent)
    return rewards, expected(game.mixture, policy, keep=agent, trailing=1)


def _latent_values(game, mixture, rewards):
    """$w$ of $(I-\\gamma CB_\\pi)w=C\\bar r_\\pi$: mixture (..., S, Z), rewards (..., S) to (..., Z)."""
    system = np.eye(len(game.components)) - game.discount * game.components @ mixture
    return np.linalg.solve(system, (rewards @ game.components.T)[..., None])[..., 0]


def _best_response(game, rewards, mixture):
    """Policy iteration on the component values; rewards (..., S, A), mixture (..., S, A, Z)."""
    values = _latent_values(game, mixture[..., 0, :], rewards[..., 0])
    while True:
        q = rewards + game.discount * np.einsum("...saz,...z->...sa", mixture, values)
        greedy = q.argmax(-1)[..., None]
        chosen = np.take_along_axis(mixture, greedy[..., None], -2)[..., 0, :]
        improved = _latent_values(game, chosen, np.take_along_axis(rewards, greedy, -1)[..., 0])
        if np.all(improved <= values + 1e-13 * (1 + np.abs(values))):
            return q.max(-1)
        values = np.maximum(values, improved)
