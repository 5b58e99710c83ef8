r"""Section 3.1 of `mao2023`, repaired: what is true of the same algorithm, proved in the chapter on Theorem 1.

The repairs keep the terminal error of the first stages, use that inside a stage the matrix is fixed (so that the
sum of regrets is a duality gap), and allow the larger step size $\eta\le1/(4H)$.
"""

import numpy as np

from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.claims.mao2023 import quantities
from marlpaper.claims.mao2023.zero_sum import critic_rounding, gap_sides, not_uniform, regret_sides, shifted, too_short, uniform_bound


def _assumptions(run, order="repaired"):
    return quantities.unmet(run, 1 / (4 * run.game.horizon), order)


@registry.claim(
    "mao2023.stage-count-repaired",
    "Number of stages, repaired",
    r"$\bar\tau\le1+(H+\frac12)\log(1+\frac{T-1}H)$ for all $T$, and $\bar\tau\le3H\log T$ for $T\ge2$",
    repairs="mao2023.stage-count",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def stage_count_repaired(run):
    """Stages of the schedule against both bounds."""
    horizon, iterations = run.game.horizon, run.parameters["iterations"]
    bounds = [1 + (horizon + 0.5) * np.log1p((iterations - 1) / horizon)]
    bounds += [3 * horizon * np.log(iterations)] if iterations >= 2 else []
    return Sides(len(run.stages.lengths), np.array(bounds))


@registry.claim(
    "mao2023.lemma7-repaired",
    "Lemma 7 with the span of the error",
    r"$\text{NE-gap}\le\frac2T\sum_{h,\tau}L_\tau\big[\max_s(\mathrm{reg}_{h,1}^\tau+\mathrm{reg}_{h,2}^\tau)+\mathrm{sp}(Q_h^\tau-Q_h^\star)\big]$",
    repairs="mao2023.lemma7",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def lemma7_repaired(run):
    r"""As Lemma 7, with the span $e\le2\delta$ in place of $2\delta$."""
    return gap_sides(run, 2 * (_shares(run) * _regrets_and_spans(run)).sum((-2, -1)), errors=4 * run.game.horizon)


def _shares(run):
    return run.stages.lengths[:, None] / run.parameters["iterations"]


def _regrets_and_spans(run):
    return sum(run.stages.regrets).max(-1) + quantities.value_errors(run)[1]


@registry.claim(
    "mao2023.lemma8-repaired",
    "Lemma 8 with sharper constants, any step size",
    r"repaired order: $\mathrm{reg}_{1}\le\frac{D_1}{\eta L}+\frac{\eta H^2}{4L}\sum_j\Vert\nu^j-\nu^{j-1}\Vert_1^2-\frac1{6\eta L}\sum_j\Vert\mu^j-\mu^{j-1}\Vert_1^2$",
    repairs="mao2023.lemma8",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def lemma8_repaired(run):
    """Regrets of both players in the repaired order."""
    return regret_sides(run, 1 / 4, 1 / 6, unmet=quantities.unmet(run, order="repaired"))


@registry.claim(
    "mao2023.lemma8-printed-order",
    "Lemma 8 for the printed order",
    r"printed order, $\eta\le\frac1{4H}$: Lemma 8 with $\frac{\eta H^2}4$, $\frac1{8\eta}$ and the extra term $\frac{H+\eta H^2/8}L$",
    repairs="mao2023.lemma8",
    proof="mao2023-theorem-1#theorem-1-order",
)
def lemma8_printed_order(run):
    """Regrets of both players in the printed order, whose auxiliary step comes before the first play."""
    horizon = run.game.horizon
    extra = horizon + run.parameters["step_size"] * horizon**2 / 8
    return regret_sides(run, 1 / 4, 1 / 8, extra, unmet=_assumptions(run, "printed"))


@registry.claim(
    "mao2023.lemma8-sum-repaired",
    "Regrets of a stage: sum and each",
    r"$\eta\le\frac1{4H}$: $\mathrm{reg}_1+\mathrm{reg}_2\le\frac{D_1+D_2}{\eta L}$ and $\mathrm{reg}_i\le\frac{D_i+rD_{-i}}{(1-r)\eta L}$, $r=\frac32\eta^2H^2$",
    repairs="mao2023.lemma8-sum",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def lemma8_sum_repaired(run):
    """Sum and each regret against the start divergences."""
    step = run.parameters["step_size"]
    r = 1.5 * (step * run.game.horizon) ** 2
    first, second = (d / (step * quantities.stage_lengths(run)) for d in quantities.start_divergences(run))
    measured = np.stack([sum(run.stages.regrets), *run.stages.regrets])
    bound = np.stack([first + second, (first + r * second) / (1 - r), (second + r * first) / (1 - r)])
    return Sides(measured, bound, unmet=_assumptions(run), rounding=2 * quantities.matrix_rounding(run))


@registry.claim(
    "mao2023.lemma9-repaired",
    "Lemma 9 with its terminal error",
    r"$e_h^\tau\le\sum_{j=1}^{\min(\tau-1,H-h)}(\max_s\mathrm{reg}_1+\max_s\mathrm{reg}_2)_{h+j}^{\tau-j}+\mathbf 1\{\tau\le H+1-h\}\,e^1_{h+\tau-1}$, $e=\mathrm{sp}(Q-Q^\star)$",
    repairs="mao2023.lemma9",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def lemma9_repaired(run):
    """Spans of the value error against the unrolled recursion, terminal error kept."""
    return Sides(quantities.value_errors(run)[1], unrolled_spans(run), rounding=2 * run.game.horizon * critic_rounding(run))


def unrolled_spans(run):
    """Right-hand side of the repaired Lemma 9, (..., stages, H)."""
    first, second = run.stages.regrets
    regret = first.max(-1) + second.max(-1)
    bound = np.zeros_like(regret)
    bound[..., 0, :] = quantities.value_errors(run)[1][..., 0, :]
    for stage in range(1, bound.shape[-2]):
        bound[..., stage, :-1] = regret[..., stage - 1, 1:] + bound[..., stage - 1, 1:]
    return bound


@registry.claim(
    "mao2023.lemma10-repaired",
    "Lemma 10 from the second stage on",
    r"for $\tau\ge2$: $\delta_h^\tau\le\delta_{h+1}^{\tau-1}+\max_{s,i}\mathrm{reg}_{h+1,i}^{\tau-1}$ and $e_h^\tau\le e_{h+1}^{\tau-1}+(\max_s\mathrm{reg}_1+\max_s\mathrm{reg}_2)_{h+1}^{\tau-1}$",
    repairs="mao2023.lemma10",
    restricts="mao2023.lemma10",
    scope="fails at τ = 1, holds for τ ≥ 2",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def lemma10_repaired(run):
    """Both recursions, for the error and for its span."""
    delta, span = quantities.value_errors(run)
    first, second = run.stages.regrets
    bounds = [shifted(delta + np.maximum(first, second).max(-1)), shifted(span + first.max(-1) + second.max(-1))]
    return Sides(np.stack([delta, span])[..., 1:, :], np.stack(bounds)[..., 1:, :], rounding=4 * critic_rounding(run))


def constants(run, hat):
    """The rounded constant $7.6H$ or $4.2H$ for every step, (H,)."""
    return np.full(run.game.horizon, (4.2 if hat else 7.6) * run.game.horizon)


def repaired_bound(run, per_step, hat=False, free_energy=False, extra=0.0):
    r"""$\frac1{\eta T}\sum_{h,\tau}c_h(M_h^\tau+\text{extra})+\mathcal B$, (...)."""
    distance = quantities.distances(run, free_energy)[int(hat)] + extra
    scale = run.parameters["step_size"] * run.parameters["iterations"]
    return (per_step * distance).sum((-2, -1)) / scale + quantities.burn_in(run)


def _repaired(run, per_step, order="repaired", **options):
    bound = repaired_bound(run, per_step, **options)
    return gap_sides(run, bound, _assumptions(run, order), errors=2 * run.game.horizon)


@registry.claim(
    "mao2023.theorem1-repaired",
    "Theorem 1, repaired (a)",
    r"$\eta\le\frac1{4H}$: $\text{NE-gap}\le\frac{7.6H}{\eta T}\sum_{h,\tau}M_h^\tau+\mathcal B$, $\mathcal B=\frac2T\sum_h\min(S_h,T)\,\mathrm{sp}(Q_h^1-Q_h^\star)$",
    repairs="mao2023.theorem1",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def theorem1_repaired(run):
    r"""With $M_h^\tau=\max_s(D_1+D_2)$."""
    return _repaired(run, constants(run, hat=False))


@registry.claim(
    "mao2023.theorem1-repaired-b",
    "Theorem 1, repaired (b)",
    r"$\eta\le\frac1{4H}$: $\text{NE-gap}\le\frac{4.2H}{\eta T}\sum_{h,\tau}\hat M_h^\tau+\mathcal B$, $\hat M=\max_sD_1+\max_sD_2$",
    repairs="mao2023.theorem1-step-size",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def theorem1_repaired_b(run):
    r"""With $\hat M_h^\tau=\max_sD_1+\max_sD_2$ and its smaller constant."""
    return _repaired(run, constants(run, hat=True), hat=True)


@registry.claim(
    "mao2023.theorem1-precise",
    "Theorem 1, repaired, coefficients step by step",
    r"for every $\eta<\frac{\sqrt{2/3}}H$: $\text{NE-gap}\le\frac1{\eta T}\sum_{h,\tau}c_h\hat M_h^\tau+\mathcal B$, $c_h=2+2q\sigma_h$",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def theorem1_precise(run):
    r"""Form (b) before rounding, up to the largest step size that the proof allows."""
    per_step = quantities.coefficients(run.game.horizon, run.parameters["step_size"], hat=True)
    sides = _repaired(run, per_step, hat=True)
    return sides._replace(unmet=quantities.unmet(run, 0.999 * np.sqrt(2 / 3) / run.game.horizon, "repaired"))


@registry.claim(
    "mao2023.theorem1-free-energy",
    "Theorem 1, repaired, with free energy for KL",
    r"as the repaired Theorem 1 (b), with $F_i=-\log\sum_a\tilde\mu_ae^{-\eta L_\tau\mathrm{gap}_a}\le D_i$ in place of $D_i$",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def theorem1_free_energy(run):
    """The refinement that vanishes at every exact equilibrium of the stages, mixed ones included."""
    return _repaired(run, constants(run, hat=True), hat=True, free_energy=True)


@registry.claim(
    "mao2023.theorem1-printed-order",
    "Theorem 1, repaired, for the printed order",
    r"printed order, $\eta\le\frac1{4H}$: the repaired Theorem 1 (a) with $M_h^\tau+1.1\,\eta H$ in place of $M_h^\tau$",
    repairs="mao2023.theorem1",
    proof="mao2023-theorem-1#theorem-1-order",
)
def theorem1_printed_order(run):
    """What the algorithm exactly as printed satisfies."""
    extra = 1.1 * run.parameters["step_size"] * run.game.horizon
    return _repaired(run, constants(run, hat=False), order="printed", extra=extra)


@registry.claim(
    "mao2023.theorem1-repaired-uniform",
    "Theorem 1, uniform start, one power of H better",
    r"uniform start, $Q^1=0$, $T\ge2$: $\text{NE-gap}\le29\,\frac{H^4\log T\log(AB)}T$ at $\eta=\frac1{4H}$, $\le53\,\frac{H^4\log T\log(AB)}T$ at $\eta=\frac1{8H}$",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def theorem1_repaired_uniform(run):
    """The corollary, at either of its two step sizes."""
    known = {4: 29, 8: 53}
    steps = 1 / (run.parameters["step_size"] * run.game.horizon)
    constant = known.get(round(steps)) if abs(steps - round(steps)) < 1e-9 else None
    problem = _assumptions(run) or not_uniform(run) or ("the initial values are not 0" if run.stages.q[..., 0, :, :, :, :].any() else "")
    problem = problem or too_short(run)
    if constant is None:
        problem = problem or "the step size is neither 1/(4H) nor 1/(8H)"
    bound = np.inf if problem else uniform_bound(run, constant, 4)
    return gap_sides(run, bound, problem)
