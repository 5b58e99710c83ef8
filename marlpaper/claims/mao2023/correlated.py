r"""`mao2023` Section 5 and Appendix E as printed: Lemmas 17–19 and Theorem 5.

Every function takes a recorded run of Algorithm 2 and returns both sides, entry by entry.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.claims.mao2023 import correlated_quantities as correlated
from marlpaper.claims.mao2023 import quantities


def gap(run, signal="hidden"):
    """CCE-gap of the certified policy, (...); "hidden" is the paper's, "revealed" bounds it and is cheap for every horizon."""
    return evaluate.cce_gap(run.game, run.certified, signal)


def _price(run, horizon_power):
    r"""$36(N-1)^2\eta^2H^p$."""
    return 36 * (run.game.agents - 1) ** 2 * run.parameters["step_size"] ** 2 * run.game.horizon**horizon_power


@registry.claim(
    "mao2023.lemma17",
    "Lemma 17, regret of one stage",
    r"$\mathrm{reg}^\tau_{h,i}(s)\le\frac1{\eta L_\tau}D(\pi_{h,i}^{\tau\dagger}\Vert\tilde\pi^\tau_{h,i})+36(N-1)^2\eta^2H^3$",
)
def lemma17(run):
    """Every agent, stage, step and state: (N, ..., stages, H, S)."""
    scale = run.parameters["step_size"] * quantities.stage_lengths(run)
    bound = np.stack(quantities.start_divergences(run)) / scale + _price(run, 3)
    return Sides(np.stack(run.stages.regrets), bound, unmet=correlated.unmet(run), rounding=value_rounding(run, 3))


def value_rounding(run, axes):
    """`correlated_quantities.value_rounding` with so many axes of length 1 at the end."""
    rounding = np.asarray(correlated.value_rounding(run.game))
    return rounding.reshape(rounding.shape + (1,) * axes)


@registry.claim(
    "mao2023.lemma18",
    "Lemma 18, stability of the iterates",
    r"$\Vert\pi^t_{h,i}-\pi^{t-1}_{h,i}\Vert_1^2\le18\eta H$ and $\Vert\pi^t_{h,-i}-\pi^{t-1}_{h,-i}\Vert_1^2\le18(N-1)^2\eta H$",
)
def lemma18(run):
    """The largest move of a stage, own and of the others together: (2, N, ..., stages, H, S). No distribution moves further than 2."""
    bound = np.array([1, (run.game.agents - 1) ** 2]) * 18 * run.parameters["step_size"] * run.game.horizon
    measured = np.stack([np.stack(run.stages.largest_moves), np.stack(run.stages.largest_moves_of_others)]) ** 2
    bound = bound.reshape((2,) + (1,) * (measured.ndim - 1))
    return Sides(measured, bound, 4.0, unmet=correlated.unmet(run), rounding=ROUNDING * np.sqrt(measured))


@registry.claim(
    "mao2023.lemma19",
    "Lemma 19, value of a deviation",
    r"$\delta_h^t\le\frac3{\eta L_\tau}\sum_{h'\ge h}\max_{i,s}D\big(\pi_{h',i}^{\tau',\dagger}\Vert\tilde\pi_{h',i}^{\tau'}\big)+36(N-1)^2\eta^2H^4$,"
    r" $\tau'=\tau-h'+h-1$",
)
def lemma19(run):
    """Every stage and step: (..., stages, H). Stages before the first have no divergence, so their terms are 0."""
    divergence = correlated.divergences(run)
    total = unrolled(divergence)
    bound = 3 * total / (run.parameters["step_size"] * run.stages.lengths[:, None]) + _price(run, 4)
    return Sides(correlated.local_gaps(run), bound, unmet=correlated.unmet(run), rounding=value_rounding(run, 2))


def unrolled(entries, first=1):
    r"""$\sum_{h'\ge h}x_{h'}^{\tau-h'+h-1}$ over the stages from `first` on, of entries (..., stages, H)."""
    kept = np.where(np.arange(1, entries.shape[-2] + 1)[:, None] >= first, entries, 0)
    total = np.zeros_like(kept)
    for h in reversed(range(kept.shape[-1])):
        total[..., 1:, h] = kept[..., :-1, h]
        if h + 1 < kept.shape[-1]:
            total[..., 1:, h] += total[..., :-1, h + 1]
    return total


@registry.claim(
    "mao2023.theorem5",
    "Theorem 5, first claim",
    r"$\text{CCE-gap}(\bar\pi)\le\frac3{\eta T}\sum_h\sum_\tau\max_{i,s}D(\pi_{h,i}^{\tau\dagger}\Vert\tilde\pi_{h,i}^\tau)+36N^2\eta^2H^4$",
)
def theorem5(run, signal="hidden"):
    """The gap of the certified policy against the divergences of all stages."""
    step, iterations = run.parameters["step_size"], run.parameters["iterations"]
    divergence = correlated.divergences(run).sum((-2, -1))
    bound = 3 * divergence / (step * iterations) + 36 * run.game.agents**2 * step**2 * run.game.horizon**4
    return gap_sides(gap(run, signal), run, bound, correlated.unmet(run))


def gap_sides(measured, run, bound, unmet):
    """A gap of the run against a bound, known as well as values are."""
    return Sides(measured, bound, correlated.trivial_gap(run.game), unmet, value_rounding(run, 0))


def uniform_bound(run, players):
    r"""$12\,\text{players}^{2/3}H^{8/3}\log T\log A_{\max}\,T^{-2/3}$."""
    horizon, iterations = run.game.horizon, run.parameters["iterations"]
    return 12 * players ** (2 / 3) * horizon ** (8 / 3) * np.log(iterations) * np.log(max(run.game.actions)) / iterations ** (2 / 3)


def uniform_unmet(run, step, order=None):
    """Uniform starts, at least two agents with a choice, and the step size `step(H, T, N)`."""
    if run.game.agents < 2 or max(run.game.actions) < 2:
        return f"the game has {run.game.agents} agents with {run.game.actions} actions, the claim needs at least two of each"
    return correlated.unmet(run, order, True, step(run.game.horizon, run.parameters["iterations"], run.game.agents))


@registry.claim(
    "mao2023.theorem5-uniform",
    "Theorem 5, uniform start",
    r"$\eta=H^{-2/3}T^{-1/3}(N-1)^{-2/3}$: $\text{CCE-gap}\le12N^{2/3}H^{8/3}\log T\log A_{\max}\,T^{-2/3}$",
)
def theorem5_uniform(run, signal="hidden"):
    """At $T=1$ the right-hand side is 0."""
    unmet = uniform_unmet(run, correlated.printed_step)
    return gap_sides(gap(run, signal), run, uniform_bound(run, run.game.agents), unmet)
