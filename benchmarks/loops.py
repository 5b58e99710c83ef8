r"""One optimistic iteration: as research code writes it, compiled from Python and from C, by JAX, and by this package.

All play one stage of `mao2023` Algorithm 1 from the uniform policy, in the printed order, with the same fixed
matrices $Q_h(s,\cdot,\cdot)$, and keep the same sums: of the policies, for their average, and of the values
$\mu^\top Q\nu$, for the Bellman step at the stage's end. All can be asked for them, so that a timing never compares
different answers.
"""

import ctypes
import functools
import math

import numpy as np

from benchmarks import harness
from marlpaper import games
from marlpaper.learners import mirror_descent

STEP_SIZE = 0.02


class _Single:
    """A method that makes one iteration in a call of `step`."""

    def advance(self, count):
        """So many iterations."""
        for _ in range(count):
            self.step()


class PythonLoops(_Single):
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


class PlainArrays(_Single):
    """Arrays (games, H, S, A_i) as the formulas read, a product and a normalised exponential for each player.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        self.critic, self.transposed = critic, np.swapaxes(critic, -1, -2)
        self.mu, self.nu = (np.full(critic.shape[:-2] + (count,), 1 / count) for count in critic.shape[-2:])
        self.mu_hat, self.nu_hat = self.mu, self.nu
        self.mu_sum, self.nu_sum, self.value = 0, 0, 0

    def step(self):
        """One iteration."""
        gain = (self.critic @ self.nu[..., None])[..., 0]
        loss = -(self.transposed @ self.mu[..., None])[..., 0]
        self.mu_hat, self.nu_hat = self._moved(self.mu_hat, gain), self._moved(self.nu_hat, loss)
        self.mu, self.nu = self._moved(self.mu_hat, gain), self._moved(self.nu_hat, loss)
        self.mu_sum, self.nu_sum = self.mu_sum + self.mu, self.nu_sum + self.nu
        self.value = self.value + (self.mu[..., None, :] @ self.critic @ self.nu[..., None])[..., 0, 0]

    @staticmethod
    def _moved(policy, feedback):
        weights = policy * np.exp(STEP_SIZE * feedback)
        return weights / weights.sum(-1, keepdims=True)

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        return self.mu_sum, self.nu_sum, self.value


class CompiledLoops(_Single):
    """The same loop over single numbers, compiled by numba; raises `ImportError` where that is missing.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        self.kernel = self.compiled()
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

    @staticmethod
    def compiled():
        """The function of one iteration."""
        return _compiled()

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        return *(sums.reshape(*self.shape, -1) for sums in self.sums), self.value.reshape(self.shape)


class CompiledC(CompiledLoops):
    """The same loop in C, compiled by `cc -O3 -march=native`; raises `ImportError` where there is no `cc`."""

    def __init__(self, critic):
        super().__init__(critic)
        arrays = (self.critic, *self.policies, *self.feedback, *self.gains, *self.sums, self.value)
        sizes = (ctypes.c_long(size) for size in self.critic.shape)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in arrays)
        self.step = functools.partial(self.kernel, *sizes, *pointers, ctypes.c_double(STEP_SIZE))

    @staticmethod
    def compiled():
        """The function of one iteration, of sizes and addresses."""
        function = harness.c_library(C).step
        function.restype = None
        return function


class Jax:
    """One game's stage as a compiled loop of JAX in double precision, mapped over the games.

    Many iterations are one call, whose own cost is then paid once.

    Parameters
    ----------
    critic : array (games, H, S, A, B)
    """

    def __init__(self, critic):
        self.run, start = _jax()
        self.critic, self.state = start(critic)

    def step(self):
        """One iteration."""
        self.advance(1)

    def advance(self, count):
        """So many iterations, finished when this returns."""
        self.state = self.run(self.critic, self.state, count)
        for part in self.state:
            part.block_until_ready()

    def answer(self):
        """Sums of both policies (games, H, S, A_i) and of the values (games, H, S)."""
        return tuple(np.asarray(part) for part in self.state[-3:])


class Flattened(_Single):
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


METHODS = {
    "Python loops": PythonLoops,
    "NumPy, as the formulas read": PlainArrays,
    "compiled loops (numba)": CompiledLoops,
    "compiled loops (C)": CompiledC,
    "JAX, vmap over games": Jax,
    "marlpaper": Flattened,
}
C = r"""
#include <math.h>

static void player(double *gains, double *told, double *policy, double *sums, long count, double step_size)
{
    double largest = -INFINITY, total = 0;
    for (long a = 0; a < count; a++) {
        gains[a] += told[a];
        policy[a] = step_size * (gains[a] + told[a]);
        if (policy[a] > largest) largest = policy[a];
        told[a] = 0;
    }
    for (long a = 0; a < count; a++) {
        policy[a] = exp(policy[a] - largest);
        total += policy[a];
    }
    for (long a = 0; a < count; a++) {
        policy[a] /= total;
        sums[a] += policy[a];
    }
}

void step(long count, long rows, long columns, const double *critic, double *mu, double *nu, double *gain, double *loss,
          double *mu_gains, double *nu_gains, double *mu_sums, double *nu_sums, double *value, double step_size)
{
    for (long k = 0; k < count; k++) {
        long i = k * rows, j = k * columns;
        player(mu_gains + i, gain + i, mu + i, mu_sums + i, rows, step_size);
        player(nu_gains + j, loss + j, nu + j, nu_sums + j, columns, step_size);
        for (long a = 0; a < rows; a++) {
            const double *row = critic + (i + a) * columns;
            double sum = 0;
            for (long b = 0; b < columns; b++) {
                sum += row[b] * nu[j + b];
                loss[j + b] -= row[b] * mu[i + a];
            }
            gain[i + a] = sum;
            value[k] += mu[i + a] * sum;
        }
    }
}
"""


@functools.cache
def _jax():
    """Functions `run(critic, state, count)` and `start(critic)`; the state ends with the sums of the answer."""
    jax = harness.peer("jax")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # in this thread, whose time is what counts
    numpy = jax.numpy

    def moved(policy, feedback):
        weights = policy * numpy.exp(STEP_SIZE * feedback)
        return weights / weights.sum(-1, keepdims=True)

    def iteration(critic, state):
        mu, nu, mu_hat, nu_hat, mu_sum, nu_sum, value = state
        gain = numpy.einsum("hsab,hsb->hsa", critic, nu)
        loss = -numpy.einsum("hsab,hsa->hsb", critic, mu)
        mu_hat, nu_hat = moved(mu_hat, gain), moved(nu_hat, loss)
        mu, nu = moved(mu_hat, gain), moved(nu_hat, loss)
        value = value + numpy.einsum("hsa,hsab,hsb->hs", mu, critic, nu)
        return mu, nu, mu_hat, nu_hat, mu_sum + mu, nu_sum + nu, value

    def start(critic):
        uniform = [numpy.full(critic.shape[:-2] + (count,), 1 / count) for count in critic.shape[-2:]]
        sums = [numpy.zeros_like(policy) for policy in uniform]
        return numpy.asarray(critic), (*uniform, *uniform, *sums, numpy.zeros(critic.shape[:-2]))

    def run(critic, state, count):
        return jax.lax.fori_loop(0, count, lambda _, one: iteration(critic, one), state)

    return jax.jit(jax.vmap(run, (0, 0, None))), start


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
