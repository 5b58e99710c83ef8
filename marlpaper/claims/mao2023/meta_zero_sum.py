r"""`mao2023` Section 3.2 and Appendix B.3: Theorem 2 as printed and the chain (33)–(36) that proves it.

Every function takes a `meta.SequenceRun` with recorded runs. Stacked divergences are sums over $(\tau,h)$ of the
maximum over states, as printed; the repair needs the sum over states.
"""

import numpy as np

from marlpaper import meta, simplex
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.claims.mao2023 import meta_lemmas, quantities
from marlpaper.claims.mao2023.zero_sum import gap, printed_cap


def points(sequence):
    r"""Best responses $\mu^{k\dagger},\nu^{k\dagger}$: a pair of arrays (K, ..., stages, H, S, A_i)."""
    return meta.best_responses(sequence.runs)


def starts(sequence):
    r"""Initial policies $\tilde\mu^k,\tilde\nu^k$: a pair of arrays (K, ..., stages, H, S, A_i)."""
    return tuple(np.stack(parts) for parts in zip(*(run.stages.starts for run in sequence.runs), strict=True))


def stacked(entries, over_states=np.max):
    r"""$\sum_{h,\tau}\max_s$ (or $\sum_s$) of entries (..., stages, H, S): (...)."""
    return over_states(entries, -1).sum((-2, -1))


def mixing(sequence):
    r"""$\alpha=1/\sqrt K$."""
    return 1 / np.sqrt(len(sequence.runs))


def similarity(sequence, over_states=np.max, weights=None):
    r"""$\Delta_{\mu,\nu}=\sum_k(\mathrm{KL}(\mu^{k\dagger}\|\mu^\star)+\mathrm{KL}(\nu^{k\dagger}\|\nu^\star))$, $\mu^\star$ the mean; with $\sum_s$ it is $\Delta^\Sigma$. (...)"""
    weights = np.ones(len(sequence.runs)) if weights is None else weights
    total = 0
    for best in points(sequence):
        mean = np.tensordot(weights / weights.sum(), best, 1)
        total = total + np.tensordot(weights, stacked(simplex.kl(best, mean), over_states), 1)
    return total


def mean_gap(sequence, weights=None):
    r"""$\frac1K\sum_k$ NE-gap of the outputs: (...)."""
    return np.average([gap(run) for run in sequence.runs], axis=0, weights=weights)


def trivial(sequence):
    """What the mean gap never exceeds: (...)."""
    return np.mean([quantities.trivial_gap(run.game) for run in sequence.runs], 0)


def gap_rounding(sequence, errors=0.0):
    """How well the mean gap is known, and a bound with `errors` times the errors of the equilibria: (...)."""
    games = [run.game for run in sequence.runs]
    return np.mean([quantities.value_rounding(game) + (errors and errors * quantities.critic_rounding(game)) for game in games], 0)


def divergence_rounding(sequence, *divergences):
    r"""How well sums over $(k,\tau,h)$ of divergences between mixed policies are known, one unit for each besides their size: (...)."""
    horizon, _, stages, states, _ = setting(sequence)
    return ROUNDING * (len(sequence.runs) * horizon * stages * states + sum(divergences))


def setting(sequence):
    """H, T, number of stages, number of states, step size."""
    run = sequence.runs[0]
    settings = run.parameters
    return run.game.horizon, settings["iterations"], len(run.stages.lengths), run.game.states, settings["step_size"]


def not_equation5(sequence, alpha=None):
    """A sentence if the starts are not those of eq. (5), else ""."""
    alpha = mixing(sequence) if alpha is None else alpha
    pairs = zip(points(sequence), starts(sequence), strict=True)
    return next(filter(None, (meta_lemmas.unlike(y, meta_lemmas.average_starts(x, alpha), "eq. (5)") for x, y in pairs)), "")


def repeated(sequence, games=None):
    r"""How many games there are, $\alpha$, and the weight of each run, if the last one stands for all later copies of its game.

    Parameters
    ----------
    sequence : SequenceRun
    games : int, optional
        $K$, at least the number of runs. Default: their number.

    Returns
    -------
    count : int
    alpha : float
        $1/\sqrt K$.
    weights : array (runs,)
    moved : array (...)
        How far the next start would be from that of the last run, 0 without `games`.
    """
    count = len(sequence.runs) if games is None else games
    alpha, weights = 1 / np.sqrt(count), np.ones(len(sequence.runs))
    weights[-1] += count - len(sequence.runs)
    if games is None:
        return count, alpha, weights, np.zeros(sequence.runs[0].game.batch)
    far = [np.abs(y[-1] - simplex.mix(x[-1], alpha)).max((-4, -3, -2, -1)) for x, y in zip(points(sequence), starts(sequence), strict=True)]
    return count, alpha, weights, np.maximum.reduce(far)


def where_it_stays(moved, measured):
    """The measured side, NaN for those of a batch that the last run cannot stand for; and a sentence if it can for none."""
    stays = moved <= ROUNDING
    if not stays.any():
        return measured, f"the start of the last run would move by {np.min(moved):.3g} in the next copy"
    return np.where(stays, measured, np.nan), ""


def few_games(count):
    r"""A sentence if $\alpha=1/\sqrt K$ is too large for Lemma 1 as printed, else ""."""
    return "" if count >= 5 else f"alpha is {1 / np.sqrt(count):.3g} for {count} games, the claim needs less than 1/2"


def _printed_unmet(sequence):
    return next(filter(None, (quantities.unmet(run, printed_cap(run)) for run in sequence.runs)), "")


@registry.claim(
    "mao2023.theorem2",
    "Theorem 2",
    r"$\frac1K\sum_k\text{NE-gap}\le\frac{192H^3}T\Big(\frac{\Delta_{\mu,\nu}}K+\frac{10(A+B)\log K}{\sqrt K}+\frac{16H^2\log T\log(ABK)}{\sqrt K}\Big)$",
)
def theorem2(sequence, games=None):
    r"""Mean gap against the printed bound.

    Parameters
    ----------
    sequence : SequenceRun
        Of eq. (5) with $\alpha=1/\sqrt K$.
    games : int, optional
        $K$, if the last run stands for all later ones: copies of its game whose start no longer changes.
    """
    count, alpha, weights, moved = repeated(sequence, games)
    bound = printed_bound(sequence.runs[0], similarity(sequence, weights=weights), count)
    measured, moves = where_it_stays(moved, mean_gap(sequence, weights))
    unmet = moves or few_games(count) or not_equation5(sequence, alpha) or _printed_unmet(sequence)
    return Sides(measured, bound, trivial(sequence), unmet, gap_rounding(sequence))


def printed_bound(run, delta, count):
    r"""Right-hand side of Theorem 2 for $K$ = `count` games like that of `run`, with similarity `delta`."""
    horizon, iterations, (first, second) = run.game.horizon, run.parameters["iterations"], run.game.actions
    average = 10 * (first + second) * np.log(count) / np.sqrt(count)
    mixed = 16 * horizon**2 * np.log(iterations) * np.log(first * second * float(count)) / np.sqrt(count)
    return 192 * horizon**3 / iterations * (delta / count + average + mixed)


@registry.claim(
    "mao2023.equation33",
    "(33), Theorem 1 in every game",
    r"$\frac1K\sum_k\text{NE-gap}\le\frac{192H^3}{TK}\sum_k\big(\mathrm{KL}(\mu^{k\dagger}\Vert\tilde\mu^k)+\mathrm{KL}(\nu^{k\dagger}\Vert\tilde\nu^k)\big)$",
)
def equation33(sequence, games=None):
    """Mean gap against the stacked start divergences; inherits whatever Theorem 1 lacks. `games` as in `theorem2`."""
    horizon, iterations, *_ = setting(sequence)
    _, _, weights, moved = repeated(sequence, games)
    distance = np.average([sum(map(stacked, quantities.start_divergences(run))) for run in sequence.runs], axis=0, weights=weights)
    measured, moves = where_it_stays(moved, mean_gap(sequence, weights))
    return Sides(measured, 192 * horizon**3 / iterations * distance, trivial(sequence), moves or _printed_unmet(sequence), gap_rounding(sequence))


@registry.claim(
    "mao2023.equation34",
    "(34), Lemma 1 at every entry",
    r"$\sum_k\mathrm{KL}(\mu^{k\dagger}\Vert\tilde\mu^k)\le\sum_k\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\tilde\mu^k)+4KH\bar\tau\alpha\ln\frac A\alpha$",
)
def equation34(sequence):
    """Both players: (2, ...)."""
    horizon, _, stages, *_ = setting(sequence)
    alpha, count = mixing(sequence), len(sequence.runs)
    measured, bound = [], []
    for x, y in zip(points(sequence), starts(sequence), strict=True):
        measured.append(stacked(simplex.kl(x, y)).sum(0))
        price = 4 * count * horizon * stages * alpha * np.log(x.shape[-1] / alpha)
        bound.append(stacked(simplex.kl(simplex.mix(x, alpha), y)).sum(0) + price)
    return _divergences(sequence, measured, bound, few_games(count) or not_equation5(sequence))


def _divergences(sequence, measured, bound, unmet=""):
    """Sums of divergences on both sides, for both players: (2, ...)."""
    measured, bound = np.stack(measured), np.stack(bound)
    return Sides(measured, bound, unmet=unmet, rounding=divergence_rounding(sequence, measured, bound))


@registry.claim(
    "mao2023.equation35",
    "(35), following the leader",
    r"$\sum_k\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\tilde\mu^k)\le\min_\mu\sum_k\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\mu)+\frac{8A(1+\ln K)}\alpha$",
)
def equation35(sequence):
    r"""Both players: (2, ...).

    In place of the minimum stands its value at the mean of the $[\mu^{k\dagger}]_\alpha$, which is no smaller: what fails here fails as printed.
    """
    alpha, count = mixing(sequence), len(sequence.runs)
    measured, bound = [], []
    for x, y in zip(points(sequence), starts(sequence), strict=True):
        mixed = simplex.mix(x, alpha)
        measured.append(stacked(simplex.kl(mixed, y)).sum(0))
        bound.append(stacked(simplex.kl(mixed, mixed.mean(0))).sum(0) + 8 * x.shape[-1] * (1 + np.log(count)) / alpha)
    return _divergences(sequence, measured, bound, not_equation5(sequence))


@registry.claim(
    "mao2023.equation36",
    "(36), joint convexity",
    r"$\min_\mu\sum_k\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\mu)\le(1-\alpha)\sum_k\mathrm{KL}(\mu^{k\dagger}\Vert\mu^\star)$",
)
def equation36(sequence):
    """Both players: (2, ...); the left-hand side at the mean, where the printed proof evaluates it."""
    alpha = mixing(sequence)
    measured = [stacked(simplex.kl(mixed, mixed.mean(0))).sum(0) for mixed in (simplex.mix(x, alpha) for x in points(sequence))]
    bound = [(1 - alpha) * stacked(simplex.kl(x, x.mean(0))).sum(0) for x in points(sequence)]
    return _divergences(sequence, measured, bound)
