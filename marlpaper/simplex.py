"""Points of the simplex: distances, mixtures, and the multiplicative-weights step.

Distributions live on the last axis here, except in `weights`, the hot path of the
learners, where actions come first (see the house rule on layouts in the README).
"""

import numpy as np

TIE_TOLERANCE = 1e-12  # of the numbers that the gains come from
LARGEST_EXPONENT = 600.0  # e^600 is about 1e260, so even a sum over 1e40 actions stays finite


def uniform(*shape):
    """Uniform distributions over the last axis of `shape`."""
    return np.full(shape, 1 / shape[-1])


def kl(p, q):
    r"""Kullback-Leibler divergence $\sum_a p_a\log(p_a/q_a)$ over the last axis, natural logarithm.

    Parameters
    ----------
    p, q : array (..., A)
        Distributions; shapes broadcast.

    Returns
    -------
    array (...)
        In $[0,\infty]$: infinite where `p` has mass and `q` has none.
    """
    p, q = np.broadcast_arrays(p, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
    return np.maximum(terms.sum(-1), 0)


def mix(x, alpha):
    r"""$[x]_\alpha=(1-\alpha)x+\frac\alpha d\mathbf 1$ over the last axis (`mao2023` Section 3.2).

    Parameters
    ----------
    x : array (..., d)
    alpha : float in [0, 1]
    """
    return (1 - alpha) * x + alpha / x.shape[-1]


def project(x):
    r"""Euclidean projection on the simplex over the last axis, exact.

    $P_\Delta(x)=\max(x-\theta,0)$ with the threshold $\theta$ that makes the sum 1, found by sorting.

    Parameters
    ----------
    x : array (..., A)

    Returns
    -------
    array (..., A)
    """
    if x.shape[-1] == 2:  # a segment: no sorting, several times faster
        first = np.clip((1 + x[..., 0] - x[..., 1]) / 2, 0, 1)
        return np.stack([first, 1 - first], -1)
    descending = -np.sort(-x, axis=-1)
    excess = (np.cumsum(descending, -1) - 1) / np.arange(1, x.shape[-1] + 1)
    support = (descending > excess).sum(-1, keepdims=True)
    return np.maximum(x - np.take_along_axis(excess, support - 1, -1), 0)


def project_exploring(x, exploration):
    r"""Euclidean projection on the exploration simplex $\Delta_\xi=\{(1-\xi)p+\frac\xi A\mathbf 1\}$ over the last axis, exact.

    A point is in $\Delta_\xi$ iff it is a distribution with all entries at least $\frac\xi A$ (`ding2022`, function approximation).
    The set is the simplex shrunk by $1-\xi$, so $P_{\Delta_\xi}(x)=\frac\xi A+(1-\xi)\,P_\Delta\big(\frac{x-\xi/A}{1-\xi}\big)$.

    Parameters
    ----------
    x : array (..., A)
    exploration : float in [0, 1]
        $\xi$; 0 is the whole simplex, 1 the uniform distribution alone.

    Returns
    -------
    array (..., A)
    """
    if exploration == 1:
        return uniform(*np.shape(x))
    return mix(project((x - exploration / x.shape[-1]) / (1 - exploration)), exploration)


def best_response(gains, start, size=None):
    r"""A distribution on $\arg\max_a$ `gains`, ties resolved towards `start`.

    Where several actions tie, `start` restricted to them is kept (uniform over them if `start` has no
    mass there). Stage 1 of `mao2023` Algorithm 1 always ties, because $Q^1=0$.

    Parameters
    ----------
    gains : array (..., A)
    start : array (..., A)
        Distributions.
    size : array (...), optional
        The largest number from which the gains were computed: what is smaller than its rounding is a tie. Default: the largest gain.

    Returns
    -------
    array (..., A)
    """
    best = gains.max(-1, keepdims=True)
    size = np.abs(gains).max(-1) if size is None else np.asarray(size)
    tied = gains >= best - TIE_TOLERANCE * size[..., None]
    kept = np.where(tied, start, 0.0)
    mass = kept.sum(-1, keepdims=True)
    fallback = tied / tied.sum(-1, keepdims=True)
    return np.where(mass > 0, kept / np.where(mass > 0, mass, 1), fallback)


def weights(log_start, gains, out):
    r"""$x_a\propto\tilde x_ae^{g_a}$ with actions on the FIRST axis, written into `out`.

    Works in log space, so that neither long stages nor starts at a vertex ($\log 0=-\infty$) overflow.
    The exponential is what a learner's iteration spends its time on, so one per point of the simplex is saved:
    relative to the last action, $x_a=x_Ae^{d_a}$ with $d_a=\log\tilde x_a+g_a-\log\tilde x_A-g_A$ and
    $x_A=1/(1+\sum_{a<A}e^{d_a})$, the logistic function when there are two actions.

    Parameters
    ----------
    log_start, gains, out : array (A, n)
        `out` must not overlap the others.
    """
    np.add(log_start, gains, out=out)
    others, last = out[:-1], out[-1]
    with np.errstate(invalid="ignore"):  # -inf - -inf: the test below is false for NaN
        others -= last
        representable = others.max(initial=0) <= LARGEST_EXPONENT
    if representable:
        np.exp(others, out=others)
        np.add(others[0] if len(others) == 1 else others.sum(0), 1, out=last)
        np.reciprocal(last, out=last)
        others *= last
        return out
    np.add(log_start, gains, out=out)
    out -= out.max(0)
    np.exp(out, out=out)
    out /= out.sum(0)
    return out
