r"""`mao2023` Lemmas 12, 13, 15, 16: softmax policies, their gradient and their Hessian, printed and sharper.

Claims on Lipschitz constants take two logits $\theta,\theta'$ and compare the change with its bound times $\|\theta-\theta'\|$.
Games are potential games with rewards in [-1, 1].
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import smoothness
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.evaluate import softmax
from marlpaper.evaluate.hessian import blocks


@registry.claim("mao2023.lemma12-i", "Lemma 12 (i)", r"$\Vert\nabla\log\pi_\theta(a|s)\Vert\le\sqrt{2N}$")
def lemma12_i(parameters, others):
    """Length of the score, of the least likely joint action of the state where it is longest."""
    worst = 0
    for policy in softmax.softmax_policy(parameters):
        square = 1 - 2 * policy + (policy**2).sum(-1, keepdims=True)  # of the unit vector less the policy
        worst = worst + square.max(-1)
    return Sides(np.sqrt(worst.max(-1)), np.sqrt(2 * len(parameters)))


@registry.claim("mao2023.lemma12-ii", "Lemma 12 (ii)", r"$\Vert\nabla^2\log\pi_\theta(a|s)\Vert\le2$")
def lemma12_ii(parameters, others):
    """Largest curvature of an agent and a state; the blocks are independent."""
    return Sides(_largest_curvature(parameters), 2)


@registry.claim("mao2023.lemma12-iii", "Lemma 12 (iii)", r"$\nabla^2\log\pi_\theta(a|s)$ is 12-Lipschitz in $\theta$")
def lemma12_iii(parameters, others):
    """Change of the curvature between two logits."""
    return Sides(_curvature_change(parameters, others), 12 * smoothness.distance(parameters, others), rounding=ROUNDING)


@registry.claim(
    "mao2023.lemma12",
    "Lemma 12",
    r"(i) $\Vert\nabla\log\pi_\theta\Vert\le\sqrt{2N}$ (ii) $\Vert\nabla^2\log\pi_\theta\Vert\le2$ (iii) $\nabla^2\log\pi_\theta$ is 12-Lipschitz",
)
def lemma12(parameters, others):
    """The three parts together."""
    return _together(part(parameters, others) for part in (lemma12_i, lemma12_ii, lemma12_iii))


@registry.claim(
    "mao2023.lemma12-sharper",
    "Lemma 12 with its best constants (derived here)",
    r"$\Vert\nabla^2\log\pi_\theta\Vert\le\frac12$, and $\nabla^2\log\pi_\theta$ is $\frac{\sqrt2}{3\sqrt3}$-Lipschitz",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def lemma12_sharper(parameters, others):
    """Variance and third central moment of a variable with range at most the square root of 2."""
    bound = np.sqrt(2) / (3 * np.sqrt(3)) * smoothness.distance(parameters, others)
    change = Sides(_curvature_change(parameters, others), bound, rounding=ROUNDING)
    return _together([Sides(_largest_curvature(parameters), 0.5), change])


@registry.claim("mao2023.lemma13-i", "Lemma 13 (i)", r"$\Vert\nabla\Phi\Vert\le\frac{\sqrt{2N}}{(1-\gamma)^2}$")
def lemma13_i(game, parameters, others):
    """Length of the policy gradient."""
    smoothness.check_rewards(game)
    return Sides(_slope(game, parameters), smoothness.printed_constants(game)[0])


@registry.claim("mao2023.lemma13-ii", "Lemma 13 (ii)", r"$\Vert\nabla^2\Phi\Vert\le\frac{6N}{(1-\gamma)^3}$")
def lemma13_ii(game, parameters, others):
    """Norm of the policy Hessian."""
    smoothness.check_rewards(game)
    return Sides(smoothness.norm(evaluate.policy_hessian(game, parameters)), smoothness.printed_constants(game)[1])


@registry.claim("mao2023.lemma13-iii", "Lemma 13 (iii)", r"$\nabla^2\Phi$ is $\frac{56N^{3/2}}{(1-\gamma)^4}$-Lipschitz")
def lemma13_iii(game, parameters, others):
    """Change of the policy Hessian between two logits."""
    smoothness.check_rewards(game)
    change = smoothness.norm(smoothness.hessian_change(game, parameters, others))
    bound = smoothness.printed_constants(game)[2] * smoothness.distance(parameters, others)
    return Sides(change, bound, rounding=_hessian_rounding(game, parameters, others))


@registry.claim(
    "mao2023.lemma13",
    "Lemma 13",
    r"(i) $\Vert\nabla\Phi\Vert\le\frac{\sqrt{2N}}{(1-\gamma)^2}$ (ii) $\Vert\nabla^2\Phi\Vert\le\frac{6N}{(1-\gamma)^3}$ "
    r"(iii) $\nabla^2\Phi$ is $\frac{56N^{3/2}}{(1-\gamma)^4}$-Lipschitz",
)
def lemma13(game, parameters, others):
    """The three parts together."""
    return _together(part(game, parameters, others) for part in (lemma13_i, lemma13_ii, lemma13_iii))


@registry.claim(
    "mao2023.lemma13-sharper-gradient",
    "Length of the policy gradient (derived here)",
    r"$\Vert\nabla\Phi\Vert\le\frac{\sqrt n}{\sqrt2(1-\gamma)^{3/2}}$, $n=1$ for a common reward, else $N$",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def lemma13_sharper_gradient(game, parameters, others):
    """One power of N and half a power of the effective horizon less."""
    smoothness.check_rewards(game)
    return Sides(_slope(game, parameters), smoothness.sharper_constants(game)[0])


@registry.claim(
    "mao2023.lemma13-sharper-hessian",
    "Norm of the policy Hessian (derived here)",
    r"$\Vert\nabla^2\Phi\Vert\le\frac n{(1-\gamma)^2}$, $n=1$ for a common reward, else $N$",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def lemma13_sharper_hessian(game, parameters, others):
    """No N for a common reward, and one power of the effective horizon less."""
    smoothness.check_rewards(game)
    return Sides(smoothness.norm(evaluate.policy_hessian(game, parameters)), smoothness.sharper_constants(game)[1])


@registry.claim(
    "mao2023.lemma13-visitation",
    "How fast visitation moves with the logits (derived here)",
    r"$\sum_{s,a}|d_\theta(s,a)-d_{\theta'}(s,a)|\le\frac{\Vert\theta-\theta'\Vert}{\sqrt{2(1-\gamma)}}$",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def lemma13_visitation(game, parameters, others):
    """Twice the total variation of the discounted state-action visitation."""
    arrays, visited = softmax.tables(game), []
    for theta in (parameters, others):
        where = softmax.point(arrays, softmax.check_parameters(game, theta))
        visited.append((1 - game.discount) * where.visits[..., None] * where.joint)
    moved = np.abs(visited[0] - visited[1]).sum((-2, -1))
    return Sides(moved, smoothness.distance(parameters, others) / np.sqrt(2 * (1 - game.discount)), rounding=ROUNDING)


@registry.claim(
    "mao2023.lemma15",
    "Lemma 15",
    r"$\nabla^2_{ij}\Phi=E[Q_i\psi_i\psi_j^\top+Q_i\nabla^2_{ij}\log\pi+\psi_i(\nabla_jQ_i)^\top]+E[\psi_i(\nabla_jQ_i)^\top]^\top$ (up to $10^{-9}$)",
)
def lemma15(game, parameters, others):
    r"""Largest difference between the printed formula and the derivative of the gradient, in units of $\frac{\max|r|}{(1-\gamma)^2}$."""
    return smoothness.agreement(_formula_error(game, parameters, evaluate.printed_hessian(game, parameters)))


@registry.claim(
    "mao2023.lemma15-repaired",
    "Lemma 15, repaired",
    r"$\nabla^2_{ij}\Phi=E[Q_i\psi_i\psi_j^\top+Q_i\nabla^2_{ij}\log\pi+\psi_i(\nabla_jQ_i)^\top+(\nabla_iQ_i)\psi_j^\top]$ (up to $10^{-9}$)",
    repairs="mao2023.lemma15",
    proof="mao2023-theorem-4#theorem-4-hessian",
)
def lemma15_repaired(game, parameters, others):
    """The same for the corrected last term."""
    return smoothness.agreement(_formula_error(game, parameters, evaluate.policy_hessian(game, parameters)))


@registry.claim("mao2023.lemma16", "Lemma 16", r"Each block $\nabla^2_{ij}\Phi$ is $\frac{56\sqrt N}{(1-\gamma)^4}$-Lipschitz")
def lemma16(game, parameters, others):
    """The block that changes most between two logits."""
    return _block_change(game, parameters, others, 56)


@registry.claim(
    "mao2023.lemma16-sharper",
    "Lemma 16 with its slips mended (derived here)",
    r"Each block $\nabla^2_{ij}\Phi$ is $\frac{28\sqrt2\sqrt N}{(1-\gamma)^4}$-Lipschitz",
    proof="mao2023-theorem-4#theorem-4-help",
)
def lemma16_sharper(game, parameters, others):
    """The same with the constant that the mended proof gives."""
    return _block_change(game, parameters, others, 28 * np.sqrt(2))


def _slope(game, parameters):
    return np.linalg.norm(softmax.flatten(evaluate.softmax_gradient(game, parameters)), axis=-1)


def _curvatures(parameters):
    r"""$-\nabla^2\log\pi_i(\cdot|s)=\mathrm{diag}\,\pi_i-\pi_i\pi_i^\top$ of each agent: N arrays (..., S, A_i, A_i)."""
    policies = softmax.softmax_policy(parameters)
    return [p[..., None] * np.eye(p.shape[-1]) - p[..., :, None] * p[..., None, :] for p in policies]


def _largest_curvature(parameters):
    return np.max([smoothness.norm(block).max(-1) for block in _curvatures(parameters)], axis=0)


def _curvature_change(parameters, others):
    pairs = zip(_curvatures(parameters), _curvatures(others), strict=True)
    return np.max([smoothness.norm(first - second).max(-1) for first, second in pairs], axis=0)


def _formula_error(game, parameters, hessian):
    like = softmax.check_parameters(game, parameters)
    columns = []
    for unit in np.eye(hessian.shape[-1]):
        direction = tuple(np.broadcast_to(part, theta.shape) for part, theta in zip(softmax.unflatten(unit, like), like, strict=True))
        columns.append(softmax.flatten(evaluate.hessian_product(game, parameters, direction)))
    derivative = np.stack(columns, -1)
    largest = np.abs(game.rewards).max(tuple(range(len(game.batch), game.rewards.ndim)))
    error = (1 - game.discount) ** 2 * np.abs(hessian - derivative).max((-2, -1))
    return np.divide(error, largest, out=np.zeros_like(error), where=largest > 0)


def _block_change(game, parameters, others, constant):
    smoothness.check_rewards(game)
    change, parts = smoothness.hessian_change(game, parameters, others), blocks(game)
    largest = np.max([smoothness.norm(change[..., row, column]) for row in parts for column in parts], axis=0)
    bound = constant * np.sqrt(game.agents) / (1 - game.discount) ** 4
    return Sides(largest, bound * smoothness.distance(parameters, others), rounding=_hessian_rounding(game, parameters, others))


def _hessian_rounding(game, parameters, others):
    """How well a change of the Hessian is known: (...)."""
    return ROUNDING * sum(smoothness.norm(evaluate.policy_hessian(game, theta)) for theta in (parameters, others))


def _together(parts):
    """Several claims as one: (parts, ...)."""
    triples = [np.broadcast_arrays(part.measured, part.bound, part.rounding) for part in parts]
    measured, bound, rounding = (np.stack(np.broadcast_arrays(*side)) for side in zip(*triples, strict=True))
    return Sides(measured, bound, rounding=rounding)
