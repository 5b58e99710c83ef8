r"""Constants of softmax potential games with rewards in [-1, 1], and the two sides that Lipschitz claims compare.

Printed (`mao2023` Lemmas 13, 14): $B=\frac{\sqrt{2N}}{(1-\gamma)^2}$, $L=\frac{6N}{(1-\gamma)^3}$, $L_H=\frac{56N^{3/2}}{(1-\gamma)^4}$,
$L_F=(\alpha TBL_H+L)2^{2T}$.
Derived here: $B=\sqrt{\frac n2}(1-\gamma)^{-3/2}$, $L=n(1-\gamma)^{-2}$ with $n=1$ for a common reward, else $n=N$;
$L_H=\frac{28\sqrt2N^{3/2}}{(1-\gamma)^4}$, and $L_F=Lx^{2T}+\frac{BL_H}Lx^{T-1}(x^T-1)$, $x=1+\alpha L$, for every $\alpha>0$.
"""

import numpy as np

from marlpaper import evaluate, learners, validation
from marlpaper.claims.check import Sides
from marlpaper.evaluate import softmax
from marlpaper.games.tabular import MarkovGame


def check_rewards(game):
    """Refuse games with rewards outside [-1, 1], for which no constant here is meant."""
    validation.within("rewards", game.rewards, -1, 1)


def inner_step(game):
    r"""$\alpha=\frac{(1-\gamma)^3}{6N}$, the inner step size of Lemma 14."""
    return (1 - game.discount) ** 3 / (6 * game.agents)


def printed_constants(game):
    r"""$B$, $L$ and $L_H$ of Lemma 13."""
    rest, n = 1 - game.discount, game.agents
    return np.sqrt(2 * n) / rest**2, 6 * n / rest**3, 56 * n**1.5 / rest**4


def sharper_constants(game):
    r"""$B$, $L$ and $L_H$ as derived here."""
    rest, n = 1 - game.discount, multiplicity(game)
    return np.sqrt(n / 2) / rest**1.5, n / rest**2, 28 * np.sqrt(2) * game.agents**1.5 / rest**4


def multiplicity(game):
    """1 where all agents have the same reward, else N."""
    return 1 if softmax.tables(game).rewards.shape[-3] == 1 else game.agents


def printed_meta(game, steps, step_size):
    r"""$L_F$ of Lemma 14."""
    slope, curve, twist = printed_constants(game)
    return (step_size * steps * slope * twist + curve) * 4.0**steps


def sharper_meta(game, steps, step_size):
    r"""$L_F$ as derived here, for every $\alpha>0$."""
    slope, curve, twist = sharper_constants(game)
    x = 1 + step_size * curve
    return curve * x ** (2 * steps) + slope * twist / curve * x ** (steps - 1) * (x**steps - 1)


EQUAL = 1e-9
"""Two ways to compute a number agree if they differ by no more than this part of what goes into it."""


def agreement(error):
    """Sides of a claim that two numbers are equal; below a hundredth of `EQUAL` there is only rounding, which differs between machines."""
    return Sides(np.maximum(error, EQUAL / 100), EQUAL)


def distance(parameters, others):
    r"""$\|\theta-\theta'\|$: (...)."""
    return np.linalg.norm(softmax.flatten(parameters) - softmax.flatten(others), axis=-1)


def norm(matrices):
    """Spectral norms of matrices (..., n, m)."""
    return np.linalg.norm(matrices, 2, axis=(-2, -1))


def hessian_change(game, parameters, others):
    r"""$\nabla^2\Phi(\theta)-\nabla^2\Phi(\theta')$: (..., n, n)."""
    return evaluate.policy_hessian(game, parameters) - evaluate.policy_hessian(game, others)


def measured_smoothness(games, parameters, steps, step_size, width=1e-4):
    r"""$\|\nabla^2F_T(\theta)\|$ by central differences of the meta-gradient, of relative accuracy about `width` squared.

    Parameters
    ----------
    games : MarkovGame
        Batch (G,).
    parameters : sequence of N arrays (S, A_i)
    steps, step_size
        $T$ and $\alpha$.
    width : float
        Distance of the differences.

    Returns
    -------
    float
    """
    parameters = softmax.check_parameters(games, parameters)
    size = softmax.flatten(parameters).size
    moves = softmax.unflatten(width * np.concatenate([np.eye(size), -np.eye(size)]), parameters)
    around = tuple(part + move for part, move in zip(parameters, moves, strict=True))
    slopes = softmax.flatten(learners.meta_gradient(widened(games), around, steps, step_size))
    hessian = (slopes[:size] - slopes[size:]) / (2 * width)
    return float(norm((hessian + hessian.T) / 2))


def widened(games):
    """A batch (G,) as (G, 1), so that many starts go through it side by side."""
    arrays = (getattr(games, name)[:, None] for name in ("rewards", "transitions", "initial"))
    return MarkovGame(*arrays, games.discount)
