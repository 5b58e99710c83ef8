r"""Section 5 of `mao2023`, repaired and sharpened, proved in the chapter on Theorem 5.

The measured side of the theorems is $\Gamma_\delta$, the largest of the gaps that the proof passes (hidden ≤ revealed ≤ $\Gamma_\delta$),
and both orders of the steps are allowed: the printed one pays an extra term.
"""

import numpy as np

from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.claims.mao2023 import correlated_quantities as correlated
from marlpaper.claims.mao2023 import quantities
from marlpaper.claims.mao2023.correlated import gap_sides, uniform_bound, uniform_unmet, unrolled, value_rounding


def _steps_left(run):
    """$H_h$, (H,)."""
    return np.arange(run.game.horizon, 0, -1.0)


def _printed_order(run):
    return run.parameters["order"] == "printed"


@registry.claim(
    "mao2023.lemma17-repaired",
    "Lemma 17 with the third power of the step size",
    r"$\mathrm{reg}^\tau_{h,i}(s)\le\frac{F}{\eta L_\tau}+\kappa(N-1)^2\eta^3H_h^4$, $F\le\mathrm{KL}$ the free energy; printed order: $+\frac{H_h}{L_\tau}$",
    repairs="mao2023.lemma17",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def lemma17_repaired(run):
    """Every agent, stage, step and state, with the free energy and with KL: (2, N, ..., stages, H, S)."""
    lengths = quantities.stage_lengths(run)
    start = np.stack([np.stack(quantities.free_energies(run)), np.stack(quantities.start_divergences(run))])
    bound = start / (run.parameters["step_size"] * lengths) + correlated.variation_price(run)[:, None]
    bound = bound + _printed_order(run) * _steps_left(run)[:, None] / lengths
    return Sides(np.stack(run.stages.regrets)[None], bound, unmet=correlated.unmet(run), rounding=value_rounding(run, 3))


@registry.claim(
    "mao2023.lemma18-repaired",
    "Lemma 18 by Hoeffding's lemma",
    r"$\Vert\pi_i^t-\pi_i^{t-1}\Vert_1\le c\,\eta H_h$, $\Vert\pi_{-i}^t-\pi_{-i}^{t-1}\Vert_1\le c\,(N-1)\eta H_h$; $c=\frac32$, and $c=1$ if $(N-1)\eta H\le1$",
    repairs="mao2023.lemma18",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def lemma18_repaired(run):
    """Own moves and those of the others together: (2, N, ..., stages, H, S)."""
    moves = np.stack([np.stack(run.stages.largest_moves), np.stack(run.stages.largest_moves_of_others)])
    constant = 1 if correlated.kappa(run) == 1 / 8 else 1.5
    players = np.array([1, run.game.agents - 1]).reshape((2,) + (1,) * (moves.ndim - 1))
    bound = constant * run.parameters["step_size"] * players * _steps_left(run)[:, None]
    return Sides(moves, bound, 2.0, unmet=correlated.unmet(run), rounding=ROUNDING)


@registry.claim(
    "mao2023.lemma19-repaired",
    "Lemma 19 with its terminal error",
    r"$\max_{i,s}(V_h^{\dagger,\tau}-V_h^\tau)\le\sum_{h'=h}^{\min(H,h+\tau-3)}\mathrm{reg}_{h'}^{\tau-1-(h'-h)}+b_h(\tau)$; $b_h(1)=H_h$, $b_h(\tau)=\max(0,H_h+2-\tau)$",
    repairs="mao2023.lemma19",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def lemma19_repaired(run):
    """Every stage and step: (..., stages, H). The regrets of stage 1 never enter."""
    bound = unrolled(correlated.regrets(run), first=2)
    steps = correlated.burn_in_steps(run.game.horizon, len(run.stages.lengths))
    return Sides(correlated.local_gaps(run), bound + steps, unmet=correlated.unmet(run), rounding=value_rounding(run, 2))


def weighted_divergences(run, first=None, free_energy=False):
    r"""$\sum_hr^h\sum_\sigma\max_{i,s}\mathrm{KL}$ over the stages $\sigma$ = `first(h)`..$\bar\tau-h$ (default: from 2), (...)."""
    entries = correlated.divergences(run, free_energy)
    horizon, stages = run.game.horizon, len(run.stages.lengths)
    h, number = np.arange(1, horizon + 1), np.arange(1, stages + 1)[:, None]
    start = 2 if first is None else first(h)
    counted = (number >= start) & (number <= stages - h)
    return (np.where(counted, entries, 0) * correlated.growth(horizon)).sum((-2, -1))


def theorem5_bound(run, free_energy=False):
    """Right-hand side of the repaired Theorem 5, for the run's own order of steps: (...)."""
    horizon, iterations, stages = run.game.horizon, run.parameters["iterations"], len(run.stages.lengths)
    bound = weighted_divergences(run, free_energy=free_energy) / (run.parameters["step_size"] * iterations)
    extra = _printed_order(run) * horizon * (horizon + 1) * max(stages - 2, 0) / iterations
    return bound + correlated.variation_price(run).sum() + correlated.burn_in(run) + extra


def _theorem(run, bound, unmet, policy=None):
    return gap_sides(correlated.delta_gap(run, policy), run, bound, unmet)


@registry.claim(
    "mao2023.theorem5-repaired",
    "Theorem 5, repaired",
    r"all $\eta>0$: $\text{CCE-gap}\le\Gamma_\delta\le\frac1{\eta T}\sum_hr^h\sum_{\sigma=2}^{\bar\tau-h}\max_{i,s}\mathrm{KL}+\kappa(N-1)^2\eta^3\sum_{h\le H}h^4+\frac{B_T}T$;"
    r" printed order: $+\frac{H(H+1)(\bar\tau-2)_+}T$",
    repairs="mao2023.theorem5",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def theorem5_repaired(run):
    r"""$B_T/T$ is the price of the first stages; $\kappa=\frac9{32}$, or $\frac18$ if $(N-1)\eta H\le1$."""
    return _theorem(run, theorem5_bound(run), correlated.unmet(run))


@registry.claim(
    "mao2023.theorem5-free-energy",
    "Theorem 5, repaired, with free energy for KL",
    r"as the repaired Theorem 5, with $F=-\log\sum_a\tilde\pi_ae^{-\eta L_\tau\mathrm{gap}_a}\le\mathrm{KL}$",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def theorem5_free_energy(run):
    """The refinement that vanishes where the start is as good as the best reply."""
    return _theorem(run, theorem5_bound(run, free_energy=True), correlated.unmet(run))


@registry.claim(
    "mao2023.theorem5-sharper",
    "Theorem 5, uniform start, faster rate",
    r"$\eta=H^{-3/4}T^{-1/4}(N-1)^{-1/2}$: $\Gamma_\delta\le\sqrt{N-1}\,H^{11/4}T^{-3/4}(3\log T\log A_{\max}+\kappa)+\frac{B_T}T$; printed order: $+\frac{3H^3\log T}T$",
    proof="mao2023-theorem-5#theorem-5-rate",
)
def theorem5_sharper(run):
    r"""The rate that the paper says its analysis misses; $\kappa=\frac18$ once $T\ge(N-1)^2H$."""
    return _theorem(run, sharper_bound(run), uniform_unmet(run, correlated.sharper_step))


def sharper_bound(run):
    """Right-hand side of the faster rate, for the run's own order of steps."""
    horizon, iterations = run.game.horizon, run.parameters["iterations"]
    log = 3 * np.log(iterations) * np.log(max(run.game.actions))
    rate = np.sqrt(run.game.agents - 1) * horizon ** (11 / 4) * iterations ** (-3 / 4) * (log + correlated.kappa(run))
    return rate + correlated.burn_in(run) + _printed_order(run) * 3 * horizon**3 * np.log(iterations) / iterations


@registry.claim(
    "mao2023.theorem5-discarded",
    "Theorem 5 without the first stages",
    r"$T>T_0=\frac32H(H+1)$, $t$ drawn from stages $\ge H+2$: $\Gamma_\delta\le\frac1{\eta(T-T_0)}\sum_hr^h\sum_{\sigma=H+2-h}^{\bar\tau-h}\max_{i,s}\mathrm{KL}"
    r"+\kappa(N-1)^2\eta^3\sum_{h\le H}h^4$; printed order: $+\frac{H(H+1)(\bar\tau-H-1)}{T-T_0}$",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def theorem5_discarded(run):
    """No burn-in term: the same iterates, another draw."""
    horizon, stages = run.game.horizon, len(run.stages.lengths)
    left = run.parameters["iterations"] - correlated.full_burn_in(horizon)[0]
    if left <= 0:
        return Sides(0.0, 0.0, unmet=_too_short(run))
    bound = weighted_divergences(run, lambda h: horizon + 2 - h) / (run.parameters["step_size"] * left) + correlated.variation_price(run).sum()
    bound = bound + _printed_order(run) * horizon * (horizon + 1) * (stages - horizon - 1) / left
    return _theorem(run, bound, correlated.unmet(run), run.certified.from_stage(horizon + 2))


@registry.claim(
    "mao2023.theorem5-last-stages",
    "Theorem 5 for the last stages only",
    r"$T>T_0$, $t$ drawn from the last stage: $\text{CCE-gap}\le\sum_h\frac{\max_{i,s}\mathrm{KL}_h^{\bar\tau-h}}{\eta L_{\bar\tau-h}}+\kappa(N-1)^2\eta^3\sum_{h\le H}h^4"
    r"\le\frac{rH}{\eta T'}\sum_hr^h\max_{i,s}\mathrm{KL}_h^{\bar\tau-h}+\dots$, $T'=T+H^2-\bar\tau(H-1)$; printed order: $+\sum_h\frac{H_h}{L_{\bar\tau-h}}$",
    proof="mao2023-theorem-5#theorem-5-repaired",
)
def theorem5_last_stages(run):
    """Both bounds: (2, ...). The output is Markov: it plays the mean of stage $\\bar\\tau-h$ at step $h$."""
    horizon, stages, step = run.game.horizon, len(run.stages.lengths), run.parameters["step_size"]
    if run.parameters["iterations"] <= correlated.full_burn_in(horizon)[0]:
        return Sides(0.0, 0.0, unmet=_too_short(run))
    h = np.arange(1, horizon + 1)
    last = correlated.divergences(run)[..., stages - 1 - h, h - 1]
    lengths = run.stages.lengths[stages - 1 - h]
    left = run.parameters["iterations"] + horizon**2 - stages * (horizon - 1)
    bounds = [(last / lengths).sum(-1) / step, (1 + 1 / horizon) * horizon / (step * left) * (correlated.growth(horizon) * last).sum(-1)]
    extra = correlated.variation_price(run).sum() + _printed_order(run) * (_steps_left(run) / lengths).sum()
    return _theorem(run, np.stack(bounds) + extra, correlated.unmet(run), run.certified.from_stage(stages))


def _too_short(run):
    return f"T is {run.parameters['iterations']}, the claim needs more than {correlated.full_burn_in(run.game.horizon)[0]}"


@registry.claim(
    "mao2023.theorem5-uniform-repaired",
    "Theorem 5, uniform start, from T=2 on",
    r"$\eta=H^{-2/3}T^{-1/3}(N-1)^{-2/3}$, $T\ge2$: $\Gamma_\delta\le12(N-1)^{2/3}H^{8/3}\log T\log A_{\max}\,T^{-2/3}$",
    repairs="mao2023.theorem5-uniform",
    restricts="mao2023.theorem5-uniform",
    scope="fails at T = 1, holds for T ≥ 2",
    proof="mao2023-theorem-5#theorem-5-rate",
)
def theorem5_uniform_repaired(run):
    """The printed constant, even with N-1 for N: true in both orders, by way of the faster rate's proof."""
    unmet = uniform_unmet(run, correlated.printed_step)
    if run.parameters["iterations"] < 2:
        unmet = unmet or "T is 1, the claim needs at least 2"
    return _theorem(run, uniform_bound(run, run.game.agents - 1), unmet)
