r"""Follow-the-leader on the simplex: `mao2023` Lemmas 1 and 2, and what is true of the meta-updates, entry by entry.

At one entry $(\tau,h,s)$ of the policies, game $k$ reveals a best response $x_k$ (a point) after it was started
at $y_k$. Arrays: points and starts (K, ..., A), the sequence first. Sides are arrays (...) over the entries.
"""

import numpy as np

from marlpaper import simplex
from marlpaper.claims.check import ROUNDING, Sides, registry


def average_starts(points, alpha):
    r"""Eq. (5): $y_1$ uniform, $y_{k+1}=\frac1k\sum_{k'\le k}[x_{k'}]_\alpha$. (K, ..., A)"""
    counts = np.arange(1, len(points) + 1).reshape((-1,) + (1,) * (points.ndim - 1))
    return _delayed(np.cumsum(simplex.mix(points, alpha), 0) / counts)


def laplace_starts(points):
    r"""$y_1$ uniform, $y_{k+1}=\frac{1+\sum_{k'\le k}x_{k'}}{k+A}$. (K, ..., A)"""
    counts = np.arange(1, len(points) + 1).reshape((-1,) + (1,) * (points.ndim - 1))
    return _delayed((1 + np.cumsum(points, 0)) / (counts + points.shape[-1]))


def _delayed(leaders):
    return np.concatenate([np.full_like(leaders[:1], 1 / leaders.shape[-1]), leaders[:-1]])


def deviation(points, weights=None):
    r"""$\sum_kw_k\mathrm{KL}(x_k\|\bar x)$, $\bar x$ the weighted mean: the best that one fixed start can do. (...)"""
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, float)
    mean = np.tensordot(weights / weights.sum(), points, 1)
    return np.tensordot(weights, simplex.kl(points, mean), 1)


def _loss(points, starts):
    return simplex.kl(points, starts).sum(0)


def _rounding(count, *sizes):
    """How well sums of `count` divergences are known: one unit for each, besides their sizes."""
    return ROUNDING * (count + sum(map(np.abs, sizes)))


def _below(y, floor):
    low = (y < floor * (1 - ROUNDING)).any()
    return f"an entry of y is {y.min():.3g}, the claim needs at least alpha/d" if low else ""


@registry.claim(
    "mao2023.lemma1",
    "Lemma 1, the price of mixing",
    r"$y\ge\frac\alpha d$, $d\ge2$, $\alpha\in(0,\frac12)$: $\mathrm{KL}(x\Vert y)\le\mathrm{KL}([x]_\alpha\Vert y)+4\alpha\ln\frac d\alpha$",
)
def lemma1(x, y, alpha):
    """Entry by entry; x and y are distributions (..., d)."""
    outside = "" if 0 < alpha < 0.5 else f"alpha is {alpha:.3g}, the claim needs (0, 1/2)"
    return _mixing(x, y, alpha, 4, outside)


@registry.claim(
    "mao2023.lemma1-repaired",
    "Lemma 1 with 3 for 4 and any mixing weight",
    r"$y\ge\frac\alpha d$, $d\ge2$, $\alpha\in(0,1]$: $\mathrm{KL}(x\Vert y)\le\mathrm{KL}([x]_\alpha\Vert y)+3\alpha\log\frac d\alpha$",
    repairs="mao2023.lemma1",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def lemma1_repaired(x, y, alpha):
    """As Lemma 1; the wider range of alpha is what sequences of fewer than 5 games need."""
    outside = "" if 0 < alpha <= 1 else f"alpha is {alpha:.3g}, the claim needs (0, 1]"
    return _mixing(x, y, alpha, 3, outside)


def _mixing(x, y, alpha, constant, outside):
    d = x.shape[-1]
    bound = simplex.kl(simplex.mix(x, alpha), y) + constant * alpha * np.log(d / alpha)
    measured = simplex.kl(x, y)
    finite = np.where(np.isfinite(bound), bound, 0)
    return Sides(measured, bound, unmet=outside or _below(y, alpha / d), rounding=_rounding(2, finite))


@registry.claim(
    "mao2023.lemma2",
    "Lemma 2, regret of following the leader",
    r"on the losses $\alpha_kD_R(\theta_k,\cdot)$: $\mathrm{reg}_K\le2CD\sum_k\frac{\alpha_k^2G_k}{\alpha_k+2\sum_{k'<k}\alpha_{k'}}$",
)
def lemma2(points, weights):
    r"""Follow the leader from the uniform start, $R$ the negative entropy.

    In the Euclidean norm $R$ is 1-strongly convex and $C=1$; the domain is $\{y\ge\delta\}$, $\delta$ the smallest
    coordinate of the points, with diameter $D=\sqrt2(1-d\delta)$ and $G_k=\|\theta_k\|_2/\delta$.
    """
    weights = np.asarray(weights, float)
    smallest, d = points.min(), points.shape[-1]
    before = np.cumsum(weights) - weights
    shape = (-1,) + (1,) * (points.ndim - 1)
    column = weights.reshape(shape)
    starts = _delayed(np.cumsum(column * points, 0) / np.cumsum(column, 0))
    paid = np.tensordot(weights, simplex.kl(points, starts), 1)
    with np.errstate(divide="ignore"):
        lipschitz = np.linalg.norm(points, axis=-1) / smallest
    bound = 2 * np.sqrt(2) * (1 - d * smallest) * np.tensordot(weights**2 / (weights + 2 * before), lipschitz, 1)
    return Sides(paid - deviation(points, weights), bound, rounding=_rounding(weights.sum(), paid))


@registry.claim(
    "mao2023.lemma2-used",
    "Lemma 2 as used in (35), at one entry",
    r"eq. (5): $\sum_k\mathrm{KL}([x_k]_\alpha\Vert y_k)-\min_y\sum_k\mathrm{KL}([x_k]_\alpha\Vert y)\le\frac{8A(1+\ln K)}\alpha$",
)
def lemma2_used(points, starts, alpha):
    """Regret of the running mean at each entry."""
    mixed = simplex.mix(points, alpha)
    paid = _loss(mixed, starts)
    bound = 8 * points.shape[-1] * (1 + np.log(len(points))) / alpha
    unmet = unlike(starts, average_starts(points, alpha), "eq. (5)")
    return Sides(paid - deviation(mixed), bound, unmet=unmet, rounding=_rounding(len(points), paid))


@registry.claim(
    "mao2023.lemma2-repaired",
    "Meta-regret of eq. (5), at one entry",
    r"eq. (5): $\sum_k\mathrm{KL}([x_k]_\alpha\Vert y_k)\le(1-\alpha)\sum_k\mathrm{KL}(x_k\Vert\bar x)+\log A+\big(\frac A\alpha-1\big)\log K$",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def lemma2_repaired(points, starts, alpha):
    """The sharper form, joint convexity (36) included."""
    bound = (1 - alpha) * deviation(points) + average_regret(points.shape[-1], len(points), alpha)
    unmet = unlike(starts, average_starts(points, alpha), "eq. (5)")
    return Sides(_loss(simplex.mix(points, alpha), starts), bound, unmet=unmet, rounding=_rounding(len(points), bound))


def average_regret(actions, count, alpha):
    r"""$\log A+(\frac A\alpha-1)\log K$."""
    return np.log(actions) + (actions / alpha - 1) * np.log(count)


@registry.claim(
    "mao2023.laplace-regret",
    "Meta-regret of the Laplace rule, at one entry",
    r"add-one counts: $\sum_k\mathrm{KL}(x_k\Vert y_k)\le\sum_k\mathrm{KL}(x_k\Vert\bar x)+(A-1)\log(K+1)+\frac12\log K+1$",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def laplace_regret(points, starts):
    """No mixing, no division by alpha: logarithmic in the number of games."""
    bound = deviation(points) + laplace_regret_bound(points.shape[-1], len(points))
    unmet = unlike(starts, laplace_starts(points), "the Laplace rule")
    return Sides(_loss(points, starts), bound, unmet=unmet, rounding=_rounding(len(points), bound))


def laplace_regret_bound(actions, count):
    r"""$(A-1)\log(K+1)+\frac12\log K+1$."""
    return (actions - 1) * np.log(count + 1) + np.log(count) / 2 + 1


def unlike(starts, expected, rule):
    """A sentence if the starts are not those of the rule, else ""."""
    return "" if np.allclose(starts, expected, rtol=0, atol=1e-9) else f"the starts do not follow {rule}"
