r"""`mao2023` Theorem 2, repaired: what eq. (5), the Laplace rule and a warm critic achieve over a sequence of games.

Proved in the chapter on Theorem 2. Every function takes a `meta.SequenceRun` with recorded runs in the repaired order.
"""

import numpy as np

from marlpaper import equilibrium, simplex
from marlpaper.claims.check import Sides, registry
from marlpaper.claims.mao2023 import meta_lemmas, quantities
from marlpaper.claims.mao2023.meta_zero_sum import divergence_rounding, gap_rounding, mean_gap, mixing, not_equation5, points, setting, similarity, stacked, starts, trivial
from marlpaper.claims.mao2023.zero_sum_repaired import constants, repaired_bound


@registry.claim(
    "mao2023.equation33-repaired",
    "(33), the repaired Theorem 1 in every game",
    r"$\eta\le\frac1{4H}$, repaired order: $\frac1K\sum_k\text{NE-gap}_k\le\frac{4.2H}{\eta TK}\sum_k\sum_{h,\tau}\hat M_h^{k,\tau}+\frac1K\sum_k\mathcal B_k$,"
    r" $\hat M=\max_sD_1+\max_sD_2$",
    repairs="mao2023.equation33",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def equation33_repaired(sequence):
    """Mean gap against the mean of the repaired bounds (b), whatever the meta-rule; the step size may be as large as Theorem 2, repaired, allows."""
    bound = np.mean([repaired_bound(run, constants(run, hat=True), hat=True) for run in sequence.runs], 0)
    rounding = gap_rounding(sequence, 2 * setting(sequence)[0])
    return Sides(mean_gap(sequence), bound, trivial(sequence), _repaired_unmet(sequence), rounding)


@registry.claim(
    "mao2023.equation35-repaired",
    "(35) and (36) with every entry counted",
    r"$\sum_{k,\tau,h,s}\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\tilde\mu^k)\le(1-\alpha)\sum_{k,\tau,h,s}\mathrm{KL}(\mu^{k\dagger}\Vert\mu^\star)"
    r"+H\bar\tau|S|\big[\log A+\big(\tfrac A\alpha-1\big)\log K\big]$",
    repairs="mao2023.equation35",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def equation35_repaired(sequence):
    r"""Both players: (2, ...). Sums over states instead of maxima, and the factor $H\bar\tau|S|$."""
    horizon, _, stages, states, _ = setting(sequence)
    alpha, count = mixing(sequence), len(sequence.runs)
    measured, bound = [], []
    for x, y in zip(points(sequence), starts(sequence), strict=True):
        measured.append(stacked(simplex.kl(simplex.mix(x, alpha), y), np.sum).sum(0))
        regret = horizon * stages * states * meta_lemmas.average_regret(x.shape[-1], count, alpha)
        bound.append((1 - alpha) * stacked(simplex.kl(x, x.mean(0)), np.sum).sum(0) + regret)
    measured, bound = np.stack(measured), np.stack(bound)
    return Sides(measured, bound, unmet=not_equation5(sequence), rounding=divergence_rounding(sequence, measured, bound))


def range_of_critic(run):
    r"""$R=\max_{\tau,h,s}\mathrm{sp}(Q_h^\tau(s,\cdot,\cdot))$, at most $H$ for rewards in [0, 1]: (...)."""
    return np.ptp(run.stages.q, (-2, -1)).max((-3, -2, -1))


def _repaired_unmet(sequence):
    r"""Repaired order, restart, $\eta\le\frac1{4R}$ in every game."""
    for k, run in enumerate(sequence.runs):
        settings, largest = run.parameters, range_of_critic(run).max()
        if settings["order"] != "repaired" or not settings["restart"]:
            return f"game {k} was not learned in the repaired order with a restart at every stage"
        if settings["step_size"] * 4 * largest > 1 + 1e-12:
            return f"the step size is {settings['step_size']:.3g} in game {k}, the claim needs at most {1 / (4 * largest):.3g}"
    return ""


REPAIRED = r"$\frac1K\sum_k\text{NE-gap}_k\le\frac{4.2H}{\eta T}\frac{\Delta^\Sigma}K+\frac{2H^2\bar\tau|S|}{\eta T}\mathcal E_K+\frac1K\sum_k\mathcal B_k$"


@registry.claim(
    "mao2023.theorem2-repaired",
    "Theorem 2, repaired",
    rf"$\eta\le\frac1{{4H}}$, repaired order, eq. (5): {REPAIRED}, $\mathcal E_K=\frac{{\log(AB)}}K+\frac{{(A+B)\log K+3\log(ABK)}}{{\sqrt K}}$",
    repairs="mao2023.theorem2",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def theorem2_repaired(sequence):
    r"""For every number of games, with the burn-in term and the factor $H\bar\tau|S|$; $\eta\le\frac1{4R}$ suffices."""
    count, (first, second) = len(sequence.runs), sequence.runs[0].game.actions
    total = np.log(first * second * count)
    excess = np.log(first * second) / count + ((first + second) * np.log(count) + 3 * total) / np.sqrt(count)
    return _theorem2(sequence, excess, not_equation5(sequence))


@registry.claim(
    "mao2023.theorem2-laplace",
    "Theorem 2 with the Laplace rule",
    rf"$\eta\le\frac1{{4H}}$, repaired order, Laplace rule: {REPAIRED}, $\mathcal E_K=\frac{{(A+B-2)\log(K+1)+\log K+2}}K$",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def theorem2_laplace(sequence):
    r"""$\mathcal E_K$ falls like $\frac{\log K}K$ instead of $\frac{\log K}{\sqrt K}$."""
    count = len(sequence.runs)
    excess = sum(meta_lemmas.laplace_regret_bound(actions, count) for actions in sequence.runs[0].game.actions) / count
    pairs = zip(points(sequence), starts(sequence), strict=True)
    other = next(filter(None, (meta_lemmas.unlike(y, meta_lemmas.laplace_starts(x), "the Laplace rule") for x, y in pairs)), "")
    return _theorem2(sequence, excess, other)


def _theorem2(sequence, excess, other_rule):
    horizon, iterations, stages, states, step = setting(sequence)
    scale, count = step * iterations, len(sequence.runs)
    bound = 4.2 * horizon / scale * similarity(sequence, np.sum) / count
    bound = bound + 2 * horizon**2 * stages * states / scale * excess
    bound = bound + np.mean([quantities.burn_in(run) for run in sequence.runs], 0)
    return Sides(mean_gap(sequence), bound, trivial(sequence), other_rule or _repaired_unmet(sequence), gap_rounding(sequence, 2 * horizon))


@registry.claim(
    "mao2023.critic-warm-start",
    "Burn-in under the critic warm start",
    r"$Q^{k+1,1}=Q^{k,\bar\tau}$, $T>\frac{H(3H-1)}2$: $\mathcal B_{k+1}\le\frac4T\sum_hS_h(d_h+\epsilon_h)$, $d_h$ the distance of the two games,"
    r" $\epsilon_h=\frac{3(2H+1)}{\eta T}\sum_jM_{h+j}^{k,\bar\tau-j}$",
    proof="mao2023-theorem-2#theorem-2-repaired",
)
def critic_warm_start(sequence):
    """Games 2..K: (K-1, ...)."""
    horizon, iterations, stages, _, step = setting(sequence)
    h = np.arange(1, horizon + 1)
    weight = h * horizon + h * (h - 1) / 2
    measured, bound, unmet = [], [], _repaired_unmet(sequence)
    for before, after in zip(sequence.runs[:-1], sequence.runs[1:], strict=True):
        if not np.allclose(after.stages.q[..., 0, :, :, :, :], before.critic, rtol=0, atol=1e-12):
            unmet = unmet or "the initial values are not those that the previous game ended with"
        distance, _ = quantities.distances(before)
        late = [sum(distance[..., stages - 1 - j, i + j] for j in range(1, min(horizon - i, stages))) for i in range(horizon)]
        learned = 3 * (2 * horizon + 1) / (step * iterations) * np.stack(np.broadcast_arrays(*late), -1)
        measured.append(quantities.burn_in(after))
        bound.append(4 / iterations * (weight * (game_distance(before.game, after.game) + learned)).sum(-1))
    if 2 * iterations <= horizon * (3 * horizon - 1):
        unmet = unmet or f"T is {iterations}, the claim needs more than {horizon * (3 * horizon - 1) // 2}"
    rounding = 4 * horizon * np.mean([quantities.critic_rounding(run.game) for run in sequence.runs], 0)
    return Sides(np.stack(measured), np.stack(bound), unmet=unmet, rounding=rounding)


def game_distance(first, second):
    r"""$d_h=\sum_{h'\ge h}\big[\|r_{h'}-r'_{h'}\|_\infty+\frac12\mathrm{sp}(V'^\star_{h'+1})\max\|P_{h'}-P'_{h'}\|_1\big]$, (..., H).

    It bounds $\|Q_h^\star-Q_h'^\star\|_\infty$; with rewards in [0, 1] the span is at most $H-h'$.
    """
    rewards = np.abs(first.agent_rewards(0) - second.agent_rewards(0)).max((-3, -2, -1))
    kernels = np.abs(first.transitions - second.transitions).sum(-1).max((-3, -2, -1))
    _, values = equilibrium.solve_zero_sum(second)
    span = np.ptp(values, -1)
    following = np.concatenate([span[..., 1:], np.zeros_like(span[..., :1])], -1)
    return np.cumsum((rewards + following / 2 * kernels)[..., ::-1], -1)[..., ::-1]
