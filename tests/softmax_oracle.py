"""Softmax policies a second time: one game, plain loops over joint actions, in complex arithmetic.

A complex step gives derivatives to the last digit without any formula for them: $f'(x)=\\mathrm{Im} f(x+ih)/h$.
"""

import itertools

import numpy as np

TINY = 1e-30


def unpacked(game, vector):
    """Logits of each agent (S, A_i) from one vector."""
    parts, start = [], 0
    for count in game.actions:
        parts.append(vector[start : start + game.states * count].reshape(game.states, count))
        start += game.states * count
    return parts


def softmax(theta):
    return np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)


def evaluation(game, vector, reward):
    """Values, visits and the policies, of one reward table (S, A_1, ..., A_N)."""
    policies = [softmax(theta) for theta in unpacked(game, vector)]
    moves, earned = np.zeros((game.states,) * 2, vector.dtype), np.zeros(game.states, vector.dtype)
    for joint in itertools.product(*map(range, game.actions)):
        chance = np.prod([policy[:, a] for policy, a in zip(policies, joint, strict=True)], axis=0)
        moves += chance[:, None] * game.transitions[(slice(None), *joint)]
        earned += chance * reward[(slice(None), *joint)]
    system = np.eye(game.states) - game.discount * moves
    return np.linalg.solve(system, earned), np.linalg.solve(system.T, game.initial.astype(vector.dtype)), policies


def value(game, vector, reward):
    return game.initial @ evaluation(game, vector, reward)[0]


def gradient(game, vector, reward):
    """The policy gradient theorem, agent by agent and action by action."""
    values, visits, policies = evaluation(game, vector, reward)
    parts = []
    for agent, count in enumerate(game.actions):
        q = np.zeros((game.states, count), vector.dtype)
        for joint in itertools.product(*map(range, game.actions)):
            others = [p[:, a] for k, (p, a) in enumerate(zip(policies, joint, strict=True)) if k != agent]
            chance = np.prod(others, axis=0) if others else 1.0
            where = (slice(None), *joint)
            q[:, joint[agent]] += chance * (reward[where] + game.discount * game.transitions[where] @ values)
        parts.append((visits[:, None] * policies[agent] * (q - values[:, None])).ravel())
    return np.concatenate(parts)


def complex_step(function, vector):
    """Derivatives of a scalar or vector function: (..., n)."""
    columns = [np.imag(function(vector + 1j * TINY * unit)) / TINY for unit in np.eye(len(vector))]
    return np.stack(columns, -1)


def finite_differences(function, vector, width=1e-3):
    """The same by differences of sixth order: (..., n)."""
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    columns = []
    for unit in np.eye(len(vector)):
        step = width * unit
        columns.append(sum(w * (function(vector + k * step) - function(vector - k * step)) for k, w in weights.items()) / width)
    return np.stack(columns, -1)


def adapted_value(game, vector, reward, steps, step_size):
    """The potential after `steps` steps of exact gradient ascent."""
    for _ in range(steps):
        vector = vector + step_size * gradient(game, vector, reward)
    return value(game, vector, reward)
