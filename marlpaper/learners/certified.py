r"""The certified policy of `mao2023` Algorithm 3: what the iterates of Algorithm 2 are turned into.

It draws an iteration $t$, then at every step an iteration of the stage *before* that of the last draw, and plays what the
players played there. Each draw matters only through its stage, so given that $t$ lies in stage $\tau$ this is the Markov
correlated policy that plays the stage mean $M_h^{\tau-h}=\frac1{L}\sum_j\bigotimes_i\pi_{h,i}^j$ at step $h$, independently over $h$.
Before the first stage it plays the initial policies $\tilde\pi^1$.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from marlpaper import validation


class Play(NamedTuple):
    r"""Sampled episodes of a correlated policy.

    Attributes
    ----------
    stages : array of int (episodes,)
        The stage $\tau\ge1$ of the signal.
    states : array of int (episodes, H)
    actions : array of int (episodes, H, N)
    returns : array (episodes, N)
        Sum of rewards.
    """

    stages: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    returns: np.ndarray


@dataclass(frozen=True, eq=False)
class CertifiedPolicy:
    r"""A mixture over stages of Markov correlated policies.

    Attributes
    ----------
    lengths : array (stages,)
        Iterations of each stage from which $t$ is drawn: $c_\tau$.
    agents : int
        $N$.
    means : array (..., stages, H, S, A_1, ..., A_N)
        $M_h^{\tau-1}$ at index $\tau-1$: entry 0 is $\bigotimes_i\tilde\pi_i^1$, played in place of the stages before the first.
    """

    lengths: np.ndarray
    agents: int
    means: np.ndarray

    @property
    def weights(self):
        r"""Chance that $t$ lies in each stage, (stages,)."""
        return self.lengths / self.lengths.sum()

    def stage(self, number):
        r"""The Markov correlated policy played when $t$ lies in stage $\tau$ = `number`.

        Returns
        -------
        array (..., H, S, A_1, ..., A_N)

        Raises
        ------
        ValueError
            If there is no such stage.
        """
        if number not in range(1, len(self.lengths) + 1):
            raise ValueError(f"number is {number!r}, expected a stage in 1..{len(self.lengths)}.")
        axis = _stage_axis(self)
        horizon = self.means.shape[axis + 1]
        parts = [np.take(np.take(self.means, max(number - 1 - h, 0), axis), h, axis) for h in range(horizon)]
        return np.stack(parts, axis)

    def after(self, iterations):
        """The certified policy that the run had after its first `iterations`.

        Raises
        ------
        ValueError
            If the run was not that long.
        """
        iterations = validation.whole("iterations", iterations, 1)
        ends = np.cumsum(self.lengths)
        if iterations > ends[-1]:
            raise ValueError(f"iterations is {iterations}, expected at most {ends[-1]}, the length of the run.")
        kept = int(np.searchsorted(ends, iterations)) + 1
        lengths = self.lengths[:kept].copy()
        lengths[-1] -= ends[kept - 1] - iterations
        return CertifiedPolicy(lengths, self.agents, np.take(self.means, range(kept), _stage_axis(self)))

    def from_stage(self, first):
        r"""The policy that draws $t$ only from stages $\tau\ge$ `first`: it discards the burn-in.

        Raises
        ------
        ValueError
            If the run has no such stage.
        """
        if first not in range(1, len(self.lengths) + 1):
            raise ValueError(f"first is {first!r}, expected a stage in 1..{len(self.lengths)}.")
        return replace(self, lengths=np.where(np.arange(1, len(self.lengths) + 1) >= first, self.lengths, 0))

    def sample(self, game, episodes, rng):
        """Play a single game by this policy.

        Parameters
        ----------
        game : MarkovGame
            Without batch axes.
        episodes : int
        rng : numpy.random.Generator

        Returns
        -------
        Play
        """
        if game.batch:
            raise ValueError(f"game has batch axes {game.batch}, expected a single game to play.")
        episodes = validation.whole("episodes", episodes, 1)
        signal = rng.choice(len(self.lengths), episodes, p=self.weights)
        state = _draw(np.broadcast_to(game.initial, (episodes, game.states)), rng)
        states, actions, returns = [], [], 0
        for h in range(game.horizon):
            mean = self.means[np.maximum(signal - h, 0), h, state]
            joint = np.unravel_index(_draw(mean.reshape(episodes, -1), rng), game.actions)
            states.append(state)
            actions.append(np.stack(joint, -1))
            returns = returns + game.rewards[(slice(None), h, state, *joint)].T
            state = _draw(game.transitions[(h, state, *joint)], rng)
        return Play(signal + 1, np.stack(states, -1), np.stack(actions, 1), returns)


def _stage_axis(policy):
    """The stage axis of `means`: a policy of N agents has N axes of actions after H and S, and as many batch axes as are left."""
    return policy.means.ndim - 3 - policy.agents


def _draw(chances, rng):
    """One index for every row of (n, outcomes)."""
    cumulated = np.cumsum(chances, -1)
    uniform = rng.random((len(chances), 1)) * cumulated[:, -1:]
    return (uniform >= cumulated).sum(-1)
