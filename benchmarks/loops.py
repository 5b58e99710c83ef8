r"""One optimistic iteration, three times: as research code writes it, compiled, and as this package does it.

All three play one stage of `mao2023` Algorithm 1 from the uniform policy, in the printed order, with the same fixed
matrices $Q_h(s,\cdot,\cdot)$, and keep the same sums: of the policies, for their average, and of the values
$\mu^\top Q\nu$, for the Bellman step at the stage's end. All can be asked for them, so that a timing never compares
different answers.
"""

import functools
import math

import numpy as np

from benchmarks import harness
from marlpaper import games
from marlpaper.learners import mirror_descent

STEP_SIZE = 0.02


class PythonLoops:
    """A Python loop over games, steps and states, with matrix-vector products in each.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        self.critic = critic
        self.policies = [np.full(critic.shape[:-2] + (count,), 1 / count) for count in critic.shape[-2:]]
        self.auxiliary = [policy.copy() for policy in self.policies]
        self.sums = [np.zeros_like(policy) for policy in self.policies]
        self.value = np.zeros(critic.shape[:-2])

    def step(self):
        """One iteration."""
        batch, horizon, states = self.critic.shape[:3]
        for k in range(batch):
            for h in range(horizon):
                for s in range(states):
                    mu, nu = (policy[k, h, s] for policy in self.policies)
                    gain, loss = self.critic[k, h, s] @ nu, -(mu @ self.critic[k, h, s])
                    self._update(0, (k, h, s), gain)
                    self._update(1, (k, h, s), loss)
                    self.value[k, h, s] += self.policies[0][k, h, s] @ self.critic[k, h, s] @ self.policies[1][k, h, s]

    def _update(self, player, place, feedback):
        growth = np.exp(STEP_SIZE * feedback)
        auxiliary = self.auxiliary[player][place] * growth
        auxiliary /= auxiliary.sum()
        policy = auxiliary * growth
        self.auxiliary[player][place] = auxiliary
        self.policies[player][place] = policy / policy.sum()
        self.sums[player][place] += self.policies[player][place]

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        return *self.sums, self.value


class CompiledLoops:
    """The same loop over single numbers, compiled by numba; raises `ImportError` where that is missing.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        self.kernel = _compiled()
        self.shape = critic.shape[:-2]
        self.critic = np.ascontiguousarray(critic.reshape(-1, *critic.shape[-2:]))
        self.policies = [np.full((len(self.critic), count), 1 / count) for count in critic.shape[-2:]]
        self.gains = [np.zeros_like(policy) for policy in self.policies]
        self.sums = [np.zeros_like(policy) for policy in self.policies]
        self.feedback = [critic @ self.policies[1][0], -(self.policies[0][0] @ critic)]
        self.feedback = [values.reshape(len(self.critic), -1) for values in self.feedback]
        self.value = np.zeros(len(self.critic))

    def step(self):
        """One iteration."""
        self.kernel(self.critic, *self.policies, *self.feedback, *self.gains, *self.sums, self.value, STEP_SIZE)

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        return *(sums.reshape(*self.shape, -1) for sums in self.sums), self.value.reshape(self.shape)


class Flattened:
    """This package: all games, steps and states in one array operation.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        states = critic.shape[2]
        stay = np.broadcast_to(np.eye(states)[:, None, None], critic.shape[1:] + (states,))
        game = games.zero_sum(np.zeros_like(critic), stay)
        starts = [start[:, None] for start in game.uniform_policy()]
        self.loop = mirror_descent._Loop(game, starts, STEP_SIZE, True, "printed", critic, False)
        self.loop.begin(0)
        self.step = self.loop.iterate

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        value = mirror_descent.from_layout(self.loop.value / STEP_SIZE, self.loop.game)
        return *self.loop.public(self.loop.sums), value


METHODS = {"Python loops": PythonLoops, "compiled loops (numba)": CompiledLoops, "marlpaper": Flattened}


@functools.cache
def _compiled():
    numba = harness.peer("numba")

    # The loop over actions is written out for each player: slices of arrays would cost as much as the arithmetic.
    @numba.njit
    def step(critic, mu, nu, gain, loss, mu_gains, nu_gains, mu_sums, nu_sums, value, step_size):
        count, rows, columns = critic.shape
        for k in range(count):
            largest = -math.inf
            for a in range(rows):
                mu_gains[k, a] += gain[k, a]
                mu[k, a] = step_size * (mu_gains[k, a] + gain[k, a])
                largest = max(largest, mu[k, a])
            total = 0.0
            for a in range(rows):
                mu[k, a] = math.exp(mu[k, a] - largest)
                total += mu[k, a]
            for a in range(rows):
                mu[k, a] /= total
                mu_sums[k, a] += mu[k, a]
                gain[k, a] = 0.0
            largest = -math.inf
            for b in range(columns):
                nu_gains[k, b] += loss[k, b]
                nu[k, b] = step_size * (nu_gains[k, b] + loss[k, b])
                largest = max(largest, nu[k, b])
            total = 0.0
            for b in range(columns):
                nu[k, b] = math.exp(nu[k, b] - largest)
                total += nu[k, b]
            for b in range(columns):
                nu[k, b] /= total
                nu_sums[k, b] += nu[k, b]
                loss[k, b] = 0.0
            for a in range(rows):
                for b in range(columns):
                    gain[k, a] += critic[k, a, b] * nu[k, b]
                    loss[k, b] -= critic[k, a, b] * mu[k, a]
            for a in range(rows):
                value[k] += mu[k, a] * gain[k, a]

    return step
