r"""`mao2023` Theorem 4 and what it rests on: Lemmas 3-6, the smoothness of $F_T$ (Lemma 14), convergence of MAML.

Game sets are batches (G,) of potential games with rewards in [-1, 1]; runs are of `learners.maml`.
"""

import math

import numpy as np

from marlpaper import evaluate, learners
from marlpaper.claims import smoothness
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.evaluate import softmax

OBJECTIVE_ROUNDING = 64 * np.finfo(float).eps
"""How well a difference of two values is known, in units of the largest value."""


@registry.claim(
    "mao2023.lemma3",
    "Lemma 3",
    r"If $f_i$ is $B_i$-bounded and $L_i$-Lipschitz, the product $f_n\cdots f_1$ is Lipschitz with constant $\sum_iL_i\prod_{j\ne i}B_j$",
)
def lemma3(factors, others):
    r"""Product of matrices at two points; bounds and Lipschitz constants are those of the two points.

    Parameters
    ----------
    factors, others : sequence of arrays (..., d, d)
        The factors at $\theta$ and at $\theta'$.
    """
    sizes = [np.maximum(smoothness.norm(a), smoothness.norm(b)) for a, b in zip(factors, others, strict=True)]
    steps = [smoothness.norm(a - b) for a, b in zip(factors, others, strict=True)]
    bound = sum(step * math.prod(sizes[:i] + sizes[i + 1 :]) for i, step in enumerate(steps))
    products = _product(factors), _product(others)
    rounding = ROUNDING * len(factors) * math.prod(sizes)
    return Sides(smoothness.norm(products[0] - products[1]), bound, rounding=rounding)


@registry.claim(
    "mao2023.lemma4",
    "Lemma 4",
    r"If $\Vert f_i\Vert\le B_f$, $f_i$ is $L_f$-Lipschitz, $\Vert\nabla\log p(i;\theta)\Vert\le B_p$: $\theta\mapsto E_{i\sim p(\cdot;\theta)}f_i(\theta)$ is $(B_fB_p+L_f)$-Lipschitz",
)
def lemma4(weights, parameters, others):
    r"""Softmax distributions, $B_p=\sqrt2$, and $f_i(\theta)=\sin(W_i\theta)/\sqrt m$, $B_f=1$.

    Parameters
    ----------
    weights : array (..., n, m, n)
        $W_i$.
    parameters, others : array (..., n)
        $\theta,\theta'$.
    """
    root = np.sqrt(weights.shape[-2])
    lipschitz = smoothness.norm(weights).max(-1) / root
    means = []
    for theta in (parameters, others):
        (p,) = softmax.softmax_policy([theta])
        values = np.sin(np.einsum("...imn,...n->...im", weights, theta)) / root
        means.append((p[..., None] * values).sum(-2))
    moved = np.linalg.norm(means[0] - means[1], axis=-1)
    bound = (np.sqrt(2) + lipschitz) * np.linalg.norm(parameters - others, axis=-1)
    return Sides(moved, bound, rounding=ROUNDING * (1 + lipschitz))


@registry.claim("mao2023.lemma5", "Lemma 5", r"A block-diagonal matrix has norm at most $\max_i\Vert A_i\Vert$ (in fact equal: up to $10^{-9}$)")
def lemma5(blocks):
    """Blocks (d_i, d_i) along the diagonal."""
    ends = np.cumsum([0] + [len(block) for block in blocks])
    whole = np.zeros((ends[-1], ends[-1]))
    for block, start, end in zip(blocks, ends[:-1], ends[1:], strict=True):
        whole[start:end, start:end] = block
    return Sides(smoothness.norm(whole), (1 + smoothness.EQUAL) * max(smoothness.norm(block) for block in blocks))


@registry.claim("mao2023.lemma6", "Lemma 6", r"$N\times N$ blocks, each $L$-Lipschitz, are $NL$-Lipschitz together")
def lemma6(change, sizes):
    """Change of a matrix (..., n, n) between two points, and the sizes of its blocks."""
    ends = np.cumsum([0, *sizes])
    cuts = [slice(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True)]
    largest = np.max([smoothness.norm(change[..., row, column]) for row in cuts for column in cuts], axis=0)
    return Sides(smoothness.norm(change), len(sizes) * largest)


@registry.claim(
    "mao2023.lemma14",
    "Lemma 14",
    r"At $\alpha=\frac{(1-\gamma)^3}{6N}$, $F_T$ is $L_F$-smooth, $L_F=(\alpha TB_\Phi L_H+L_\Phi)2^{2T}$",
)
def lemma14(games, parameters, others, steps, step_size):
    """Change of the meta-gradient between two logits."""
    bound = smoothness.printed_meta(games, steps, step_size) * smoothness.distance(parameters, others)
    return _slope_change(games, parameters, others, steps, step_size, bound, _other_step(games, step_size))


@registry.claim(
    "mao2023.lemma14-sharper",
    "Smoothness of the meta-objective for every inner step size (derived here)",
    r"$F_T$ is $\big(Lx^{2T}+\frac{BL_H}Lx^{T-1}(x^T-1)\big)$-smooth, $x=1+\alpha L$, with $B=\frac{\sqrt n}{\sqrt2(1-\gamma)^{3/2}}$, $L=\frac n{(1-\gamma)^2}$, "
    r"$L_H=\frac{28\sqrt2N^{3/2}}{(1-\gamma)^4}$, $n=1$ for a common reward, else $N$",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def lemma14_sharper(games, parameters, others, steps, step_size):
    """The same with the constants derived here."""
    bound = smoothness.sharper_meta(games, steps, step_size) * smoothness.distance(parameters, others)
    return _slope_change(games, parameters, others, steps, step_size, bound)


@registry.claim(
    "mao2023.lemma14-saddle",
    "The exponential growth is real (derived here)",
    r"At the uniform policies of the $\pm1$ coordination game $\Vert\nabla^2F_T\Vert=\lambda(1+\alpha\lambda)^{2T}$, $\lambda=\frac1{2(1-\gamma)}$ (up to $10^{-9}$)",
    proof="mao2023-theorem-4#theorem-4-growth",
)
def lemma14_saddle(game, steps, step_size):
    """Relative difference between the formula and the explicit product of Hessians."""
    hessian = evaluate.policy_hessian(game, [np.zeros((1, 2))] * 2)
    factor = np.linalg.matrix_power(np.eye(4) + step_size * hessian, steps)
    found, formula = smoothness.norm(factor @ hessian @ factor), saddle_smoothness(game.discount, steps, step_size)
    return smoothness.agreement(np.abs(found / formula - 1))


def saddle_smoothness(discount, steps, step_size):
    r"""$\lambda(1+\alpha\lambda)^{2T}$, $\lambda=\frac1{2(1-\gamma)}$."""
    rate = 1 / (2 * (1 - discount))
    return rate * (1 + step_size * rate) ** (2 * steps)


@registry.claim(
    "mao2023.theorem4",
    "Theorem 4",
    r"$\eta=1/L_F$: $K=\frac{4NL_F}{(1-\gamma)\varepsilon^2}$ outer steps reach $\min_k\Vert\nabla F_T(\theta^k)\Vert\le\varepsilon$",
)
def theorem4(run):
    r"""Smallest gradient of the first k steps against $\varepsilon=\sqrt{4NL_F/((1-\gamma)k)}$, for every $k\le K$."""
    games = run.games
    constant = _printed_smoothness(run)
    counts = _counts(run)
    bound = np.sqrt(4 * games.agents * constant / ((1 - games.discount) * counts))
    slope, curve, _ = smoothness.sharper_constants(games)
    trivial = slope * (1 + run.parameters["inner_step_size"] * curve) ** run.parameters["inner_steps"]  # no gradient is longer
    return Sides(np.minimum.accumulate(run.gradient_norms[:-1]), bound, trivial, _other_outer(run, constant, printed=True))


@registry.claim(
    "mao2023.theorem4-ascent",
    "Theorem 4, the inequality it follows from",
    r"$\eta=1/L_F$: $\sum_{k<K}\Vert\nabla F_T(\theta^k)\Vert^2\le2L_F\big(F_T(\theta^K)-F_T(\theta^0)\big)$",
)
def theorem4_ascent(run):
    """Sum of the squared gradients against the rise of the objective, after every number of steps."""
    return _ascent(run, _printed_smoothness(run), printed=True)


@registry.claim(
    "mao2023.theorem4-sharper",
    "Theorem 4 with the sharper smoothness constant (derived here)",
    r"The same for $\eta=1/L_F$ with $L_F$ as derived here, for every inner step size",
    proof="mao2023-theorem-4#theorem-4-sharper",
)
def theorem4_sharper(run):
    """The same sum, for runs whose outer step is one over the sharper constant."""
    inner = run.parameters["inner_steps"], run.parameters["inner_step_size"]
    return _ascent(run, smoothness.sharper_meta(run.games, *inner))


def _product(factors):
    total = factors[0]
    for factor in factors[1:]:
        total = factor @ total
    return total


def _slope_change(games, parameters, others, steps, step_size, bound, unmet=""):
    """Change of the meta-gradient against its bound."""
    smoothness.check_rewards(games)
    slopes = [learners.meta_gradient(games, theta, steps, step_size) for theta in (parameters, others)]
    size = sum(np.linalg.norm(softmax.flatten(slope), axis=-1) for slope in slopes)
    return Sides(smoothness.distance(*slopes), bound, unmet=unmet, rounding=ROUNDING * size)


def _printed_smoothness(run):
    smoothness.check_rewards(run.games)
    return smoothness.printed_meta(run.games, run.parameters["inner_steps"], run.parameters["inner_step_size"])


def _ascent(run, constant, printed=False):
    smoothness.check_rewards(run.games)
    total = np.cumsum(run.gradient_norms[:-1] ** 2, axis=0)
    rise = run.objectives[1:] - run.objectives[0]
    # A rise is known to the rounding of F_T, a value of rewards in [-1, 1], no better.
    known = OBJECTIVE_ROUNDING / (1 - run.games.discount)
    return Sides(total, 2 * constant * rise, unmet=_other_outer(run, constant, printed), rounding=2 * constant * known)


def _counts(run):
    norms = run.gradient_norms
    return np.arange(1, len(norms)).reshape((-1,) + (1,) * (norms.ndim - 1))


def _other_step(games, step_size):
    wanted = smoothness.inner_step(games)
    return "" if np.isclose(step_size, wanted, rtol=1e-6, atol=0) else f"inner step size is {step_size:.4g}, not {wanted:.4g}"


def _other_outer(run, constant, printed):
    used = run.parameters["outer_step_size"]
    if isinstance(used, str) or not np.isclose(used * constant, 1, rtol=1e-6, atol=0):
        return f"outer step size is {used if isinstance(used, str) else format(used, '.4g')}, not {1 / constant:.4g}"
    return _other_step(run.games, run.parameters["inner_step_size"]) if printed else ""
