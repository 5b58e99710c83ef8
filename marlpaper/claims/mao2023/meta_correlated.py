r"""`mao2023` Section 5 and Appendix E.4: Theorem 6 as printed, the steps (72) and (73) of its proof, and its repair.

Every function takes a `meta.SequenceRun` with recorded runs of Algorithm 2. Stacked divergences of the printed statements are
sums over $(\tau,h,i)$ of the maximum over states; the repair needs the sum over states.
"""

import numpy as np

from marlpaper import simplex
from marlpaper.claims.check import Sides, registry
from marlpaper.claims.mao2023 import correlated_quantities as correlated
from marlpaper.claims.mao2023 import meta_lemmas
from marlpaper.claims.mao2023.correlated import gap
from marlpaper.claims.mao2023.meta_zero_sum import (
    divergence_rounding,
    few_games,
    mixing,
    not_equation5,
    points,
    repeated,
    setting,
    similarity,
    stacked,
    starts,
    where_it_stays,
)


def trivial(sequence):
    """What the mean gap never exceeds: (...)."""
    return np.mean([correlated.trivial_gap(run.game) for run in sequence.runs], 0)


def gap_rounding(sequence):
    """How well the mean gap is known: (...)."""
    return np.mean([correlated.value_rounding(run.game) for run in sequence.runs], 0)


def printed_step(horizon, iterations, agents, count):
    r"""$\eta=K^{-1/6}H^{-2/3}T^{-1/3}N^{-2/3}$."""
    return count ** (-1 / 6) * horizon ** (-2 / 3) * iterations ** (-1 / 3) * agents ** (-2 / 3)


def printed_bound(run, delta, count):
    r"""Right-hand side of Theorem 6 for $K$ = `count` games like that of `run`, with similarity `delta`."""
    game, iterations = run.game, run.parameters["iterations"]
    actions, root = max(game.actions), count ** (1 / 3)
    average = 10 * actions * np.log(count) / root
    mixed = 52 * game.horizon**2 * np.log(iterations) * np.log(actions * float(count)) / root
    return (game.horizon * game.agents / iterations) ** (2 / 3) * (delta / count ** (5 / 6) + average + mixed)


def _unmet(sequence, step_size=None):
    return next(filter(None, (correlated.unmet(run, step_size=step_size) for run in sequence.runs)), "")


@registry.claim(
    "mao2023.theorem6",
    "Theorem 6",
    r"$\frac1K\sum_k\text{CCE-gap}\le\big(\frac{HN}T\big)^{2/3}\Big(\frac{\Delta_\pi}{K^{5/6}}+\frac{10A_{\max}\ln K}{K^{1/3}}+\frac{52H^2\ln T\log(A_{\max}K)}{K^{1/3}}\Big)$",
)
def theorem6(sequence, games=None, signal="hidden"):
    """Mean gap against the printed bound, at the printed step size.

    Parameters
    ----------
    sequence : SequenceRun
        Of eq. (5) with $\\alpha=1/\\sqrt K$.
    games : int, optional
        $K$, if the last run stands for all later ones.
    signal : {"hidden", "revealed"}
        The gap: the paper's, or its upper bound.
    """
    count, alpha, weights, moved = repeated(sequence, games)
    first = sequence.runs[0]
    step = printed_step(first.game.horizon, first.parameters["iterations"], first.game.agents, count)
    measured, moves = where_it_stays(moved, np.average([gap(run, signal) for run in sequence.runs], axis=0, weights=weights))
    bound = printed_bound(first, similarity(sequence, weights=weights), count)
    unmet = moves or few_games(count) or not_equation5(sequence, alpha) or _unmet(sequence, step)
    return Sides(measured, bound, trivial(sequence), unmet, gap_rounding(sequence))


def _sum_of(measure, sequence):
    """Sum over agents of `measure(points, starts)`: (...)."""
    return sum(measure(x, y) for x, y in zip(points(sequence), starts(sequence), strict=True))


@registry.claim(
    "mao2023.equation72",
    "(72), Lemma 1 at every entry",
    r"$\frac1K\sum_k\mathrm{KL}(\pi^{k\dagger}\Vert\tilde\pi^k)\le\frac1K\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\tilde\pi^k)+4H\bar\tau\alpha\ln\frac{A_{\max}}\alpha$",
)
def equation72(sequence):
    """Sums over all agents: (...)."""
    horizon, _, stages, *_ = setting(sequence)
    alpha, actions = mixing(sequence), max(sequence.runs[0].game.actions)
    measured = _sum_of(lambda x, y: stacked(simplex.kl(x, y)).mean(0), sequence)
    bound = _sum_of(lambda x, y: stacked(simplex.kl(simplex.mix(x, alpha), y)).mean(0), sequence)
    price = 4 * horizon * stages * alpha * np.log(actions / alpha)
    return _divergences(sequence, measured, bound + price, few_games(len(sequence.runs)) or not_equation5(sequence))


def _divergences(sequence, measured, bound, unmet):
    """Sums of divergences of all agents on both sides: (...)."""
    rounding = sequence.runs[0].game.agents * divergence_rounding(sequence, measured, bound)
    return Sides(measured, bound, unmet=unmet, rounding=rounding)


@registry.claim(
    "mao2023.equation72-repaired",
    "(72) with every agent counted",
    r"any $\alpha\in(0,1]$: $\frac1K\sum_k\mathrm{KL}(\pi^{k\dagger}\Vert\tilde\pi^k)\le\frac1K\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\tilde\pi^k)+3NH\bar\tau\alpha\ln\frac{A_{\max}}\alpha$",
    repairs="mao2023.equation72",
    proof="mao2023-theorem-6#theorem-6-chain",
)
def equation72_repaired(sequence):
    """Sums over all agents, and as many prices: (...)."""
    horizon, _, stages, *_ = setting(sequence)
    game, alpha = sequence.runs[0].game, mixing(sequence)
    measured = _sum_of(lambda x, y: stacked(simplex.kl(x, y)).mean(0), sequence)
    bound = _sum_of(lambda x, y: stacked(simplex.kl(simplex.mix(x, alpha), y)).mean(0), sequence)
    price = 3 * game.agents * horizon * stages * alpha * np.log(max(game.actions) / alpha)
    return _divergences(sequence, measured, bound + price, not_equation5(sequence))


@registry.claim(
    "mao2023.equation73",
    "(73), following the leader",
    r"$\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\tilde\pi^k)\le\min_\pi\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\pi)+\frac{8A_{\max}(1+\ln K)}\alpha$",
)
def equation73(sequence):
    """Sums over all agents: (...). In place of the minimum stands its value at the mean, which is no smaller."""
    alpha, count = mixing(sequence), len(sequence.runs)
    measured = _sum_of(lambda x, y: stacked(simplex.kl(simplex.mix(x, alpha), y)).sum(0), sequence)
    leader = _sum_of(lambda x, y: stacked(simplex.kl(simplex.mix(x, alpha), simplex.mix(x, alpha).mean(0))).sum(0), sequence)
    price = 8 * max(sequence.runs[0].game.actions) * (1 + np.log(count)) / alpha
    return _divergences(sequence, measured, leader + price, not_equation5(sequence))


def average_excess(actions, count):
    r"""$\rho_K=\frac{(A+1)\ln K+2\ln A+1}{\sqrt K}$ of eq. (5) at $\alpha=K^{-1/2}$."""
    return ((actions + 1) * np.log(count) + 2 * np.log(actions) + 1) / np.sqrt(count)


def laplace_excess(actions, count):
    r"""$\rho_K=\frac{A(1+2\ln(1+K/A))}K$ of the Laplace rule."""
    return actions * (1 + 2 * np.log1p(count / actions)) / count


@registry.claim(
    "mao2023.equation73-repaired",
    "(72) and (73) with every entry counted",
    r"eq. (5), $\alpha=\frac1{\sqrt K}$: $\frac1K\sum_{k,i,\tau,h,s}\mathrm{KL}(\pi^{k\dagger}\Vert\tilde\pi^k)\le\frac1K\sum_{k,i,\tau,h,s}\mathrm{KL}(\pi^{k\dagger}\Vert\pi^\star)"
    r"+NH\bar\tau|S|\,\rho_K$, $\rho_K=\frac{(A_{\max}+1)\ln K+2\ln A_{\max}+1}{\sqrt K}$",
    repairs="mao2023.equation73",
    proof="mao2023-theorem-6#theorem-6-repaired",
)
def equation73_repaired(sequence):
    """Sums over agents, stages, steps and states: (...)."""
    horizon, _, stages, states, _ = setting(sequence)
    game, count = sequence.runs[0].game, len(sequence.runs)
    measured = _sum_of(lambda x, y: stacked(simplex.kl(x, y), np.sum).mean(0), sequence)
    bound = similarity(sequence, np.sum) / count
    price = game.agents * horizon * stages * states * average_excess(max(game.actions), count)
    return _divergences(sequence, measured, bound + price, not_equation5(sequence))


def counted_entries(sequence):
    r"""Which $(\sigma,h)$ the repaired bound counts, $2\le\sigma\le\bar\tau-h$: boolean (stages, H)."""
    horizon, _, stages, *_ = setting(sequence)
    number, h = np.arange(1, stages + 1)[:, None], np.arange(1, horizon + 1)
    return (number >= 2) & (number <= stages - h)


def counted_divergence(sequence, references):
    r"""$\sum_k\sum_{(\sigma,h)}\sum_{i,s}\mathrm{KL}(\pi^{k\dagger}\|\cdot)$ over the counted entries, to the references of all agents: (...)."""
    counted = counted_entries(sequence)
    pairs = zip(points(sequence), references, strict=True)
    return sum((simplex.kl(x, y).sum(-1) * counted).sum((0, -2, -1)) for x, y in pairs)


def counted_similarity(sequence):
    r"""$\Delta_\Sigma$, the divergence to the means $\pi^\star$, and the number $p$ of its $(h,\sigma)$: (...), int."""
    means = [x.mean(0) for x in points(sequence)]
    return counted_divergence(sequence, means), int(counted_entries(sequence).sum())


REPAIRED = (
    r"all $\eta>0$: $\frac1K\sum_k\Gamma_\delta\le\frac{eX}{\eta T}+\kappa(N-1)^2\eta^3H^5+\frac{B_T}T$, $X=\frac{\Delta_\Sigma}K+N|S|p\,\rho_K$,"
    r" $p=\sum_h(\bar\tau-h-1)_+$; printed order: $+\frac{H(H+1)(\bar\tau-2)_+}T$"
)


@registry.claim("mao2023.theorem6-repaired", "Theorem 6, repaired", f"eq. (5), {REPAIRED}", repairs="mao2023.theorem6", proof="mao2023-theorem-6#theorem-6-repaired")
def theorem6_repaired(sequence):
    r"""With $\rho_K$ of eq. (5) and the burn-in term, for every number of games."""
    return _theorem6(sequence, average_excess, not_equation5(sequence))


@registry.claim("mao2023.theorem6-laplace", "Theorem 6 with the Laplace rule", rf"Laplace rule, {REPAIRED}, $\rho_K=\frac{{A_{{\max}}(1+2\ln(1+K/A_{{\max}}))}}K$", proof="mao2023-theorem-6#theorem-6-repaired")
def theorem6_laplace(sequence):
    r"""$\rho_K$ falls like $\frac{\log K}K$ instead of $\frac{\log K}{\sqrt K}$."""
    pairs = zip(points(sequence), starts(sequence), strict=True)
    other = next(filter(None, (meta_lemmas.unlike(y, meta_lemmas.laplace_starts(x), "the Laplace rule") for x, y in pairs)), "")
    return _theorem6(sequence, laplace_excess, other)


def repaired_bound(sequence, excess):
    r"""Right-hand side of the repaired theorem with $\rho_K$ = `excess(A_max, K)`: (...)."""
    game, count = sequence.runs[0].game, len(sequence.runs)
    delta, entries = counted_similarity(sequence)
    return bound_from(sequence, delta / count + game.agents * game.states * entries * excess(max(game.actions), count))


def bound_from(sequence, total):
    r"""$\frac{e}{\eta T}\cdot$ `total` $+\kappa(N-1)^2\eta^3H^5+\frac{B_T}T$, and the price of the printed order: (...)."""
    horizon, iterations, stages, _, step = setting(sequence)
    run = sequence.runs[0]
    extra = horizon * (horizon + 1) * max(stages - 2, 0) / iterations if run.parameters["order"] == "printed" else 0.0
    variation = correlated.kappa(run) * (run.game.agents - 1) ** 2 * step**3 * horizon**5
    return np.e * total / (step * iterations) + variation + correlated.burn_in(run) + extra


def _theorem6(sequence, excess, other_rule):
    measured = np.mean([correlated.delta_gap(run) for run in sequence.runs], 0)
    return Sides(measured, repaired_bound(sequence, excess), trivial(sequence), other_rule or _unmet(sequence), gap_rounding(sequence))
