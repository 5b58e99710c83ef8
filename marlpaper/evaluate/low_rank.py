r"""Evaluation of games with a kernel of $Z$ components: $Z\times Z$ solves instead of $S\times S$.

With $w=CV$, the mean value of each component, $V=\bar r_\pi+\gamma B_\pi w$ gives $(I-\gamma CB_\pi)w=C\bar r_\pi$; $\bar r_\pi$ and
$B_\pi$ are averages over the policy. Best responses are policy iteration on $w$, visitation the same system transposed.

Inside, states are the last, contiguous axis: with a few actions and thousands of states that is what vectorises.
"""

import numpy as np

from marlpaper.evaluate.values import IMPROVEMENT, LETTERS, averaged_q, best_response_values, state_values, visitation
from marlpaper.games.low_rank import LowRankGame


@state_values.register
def _state_values(game: LowRankGame, policy):
    process = _Averaged(game, policy)
    rewards, mixture = process.all()
    return rewards + game.discount * np.einsum("...zs,...nz->...ns", mixture, process.latent(mixture, rewards))


@averaged_q.register
def _averaged_q(game: LowRankGame, policy):
    process = _Averaged(game, policy)
    rewards, mixture = process.all()
    latent = process.latent(mixture, rewards)
    result = []
    for agent in range(game.agents):
        rewards, mixture = process.others(agent)
        q = rewards + game.discount * (latent[..., None, agent, None, :] @ mixture)[..., 0, :]
        result.append(np.swapaxes(q, -1, -2))
    return tuple(result)


@best_response_values.register
def _best_response_values(game: LowRankGame, policy):
    process = _Averaged(game, policy)
    return np.stack([process.best(*process.others(agent)) for agent in range(game.agents)], -2)


@visitation.register
def _visitation(game: LowRankGame, policy):
    process = _Averaged(game, policy)
    _, mixture = process.all()
    system = process.system(mixture)
    start = (1 - game.discount) * mixture @ game.initial
    latent = np.linalg.solve(np.swapaxes(system, -1, -2), start[..., None])[..., 0]
    return (1 - game.discount) * game.initial + game.discount * latent @ game.components


class _Averaged:
    """Rewards and mixtures of one game averaged over one policy, states last; `...` are the policy's leading axes."""

    def __init__(self, game, policy):
        self.game = game
        self.policy = [np.ascontiguousarray(np.swapaxes(p, -1, -2)) for p in game.check_policy(policy)]  # (..., A_i, S)
        self.rewards = np.moveaxis(game.rewards, 1, -1)  # (N, A_1, ..., A_N, S)

    def all(self):
        """Rewards (..., N, S) and mixture (..., Z, S) under all agents' policies."""
        rewards = self._average(np.moveaxis(self.rewards, 0, -2))
        return rewards, self._average(self.game.mixture_by_state)

    def others(self, agent):
        """What `agent` faces: rewards (..., A_i, S) and mixture (..., A_i, Z, S)."""
        rewards = self._average(self.rewards[agent][..., None, :], agent)
        return rewards[..., 0, :], self._average(self.game.mixture_by_state, agent)

    def _average(self, payoff, keep=None):
        """Average payoff (A_1, ..., A_N, R, S) over all agents but `keep`: (..., [A_keep,] R, S)."""
        remaining = LETTERS[: self.game.agents]
        for agent in reversed(range(self.game.agents)):
            if agent != keep:
                letter = LETTERS[agent]
                left = remaining.replace(letter, "")
                payoff = np.einsum(f"...{remaining}rs,...{letter}s->...{left}rs", payoff, self.policy[agent])
                remaining = left
        return payoff

    def system(self, mixture):
        """$I-\\gamma CB_\\pi$, (..., Z, Z)."""
        return np.eye(len(self.game.components)) - self.game.discount * self.game.components @ np.swapaxes(mixture, -1, -2)

    def latent(self, mixture, rewards):
        """$w$ of several rewards (..., N, S) at once: (..., N, Z)."""
        right = np.swapaxes(rewards @ self.game.components.T, -1, -2)
        return np.swapaxes(np.linalg.solve(self.system(mixture), right), -1, -2)

    def best(self, rewards, mixture):
        """Value (..., S) of the best policy by policy iteration on $w$; rewards (..., A, S), mixture (..., A, Z, S)."""
        values = self.latent(mixture[..., 0, :, :], rewards[..., :1, :])[..., 0, :]
        while True:
            q = rewards + self.game.discount * (values[..., None, None, :] @ mixture)[..., 0, :]
            greedy = q.argmax(-2)[..., None, :]
            chosen = np.take_along_axis(mixture, greedy[..., None, :], -3)[..., 0, :, :]
            improved = self.latent(chosen, np.take_along_axis(rewards, greedy, -2))[..., 0, :]
            if np.all(improved <= values + IMPROVEMENT * np.abs(values).max(-1, keepdims=True)):
                return q.max(-2)
            values = np.maximum(values, improved)
