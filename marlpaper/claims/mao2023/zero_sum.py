r"""`mao2023` Section 3.1 and Appendix B as printed: stage count, Lemmas 7–11, Theorem 1.

Every function takes a recorded run of Algorithm 1 and returns both sides, entry by entry.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.claims.mao2023 import quantities

KL = r"\big(D(\mu_h^{\tau\dagger}\Vert\tilde\mu_h^\tau)+D(\nu_h^{\tau\dagger}\Vert\tilde\nu_h^\tau)\big)"


def gap(run):
    """NE-gap of the run's output, the average policy: (...)."""
    return evaluate.nash_gap(run.game, run.average_policy)


def gap_sides(run, bound, unmet="", errors=0.0):
    r"""The gap against a bound with at most `errors` times the value errors in it, each known as well as the exact equilibrium."""
    rounding = quantities.value_rounding(run.game) + errors * quantities.critic_rounding(run.game)
    return Sides(gap(run), bound, quantities.trivial_gap(run.game), unmet, rounding)


def printed_cap(run):
    """$1/(8H^2)$, the largest step size of the printed Theorem 1."""
    return 1 / (8 * run.game.horizon**2)


@registry.claim("mao2023.stage-count", "Number of stages", r"$\bar\tau\le4H\log T$")
def stage_count(run):
    """Stages of the schedule against $4H\\log T$."""
    return Sides(len(run.stages.lengths), 4 * run.game.horizon * np.log(run.parameters["iterations"]))


@registry.claim(
    "mao2023.stage-count-restricted",
    "Number of stages, from T=2 on",
    r"for $T\ge2$: $\bar\tau\le4H\log T$",
    restricts="mao2023.stage-count",
    scope="fails at T = 1, holds for T ≥ 2",
    proof="mao2023-theorem-1#theorem-1-repaired",
)
def stage_count_restricted(run):
    """As printed, where $\\log T>0$."""
    return stage_count(run)._replace(unmet=too_short(run))


def too_short(run):
    """A sentence if T is 1, else ""."""
    return "" if run.parameters["iterations"] >= 2 else "T is 1, the claim needs 2 or more"


@registry.claim(
    "mao2023.lemma7",
    "Lemma 7, decomposition of the gap",
    r"$\text{NE-gap}(\bar\mu,\bar\nu)\le\frac2T\sum_{h,\tau}L_\tau\max_s(\mathrm{reg}_{h,1}^\tau+\mathrm{reg}_{h,2}^\tau)(s)"
    r"+\frac4T\sum_{h,\tau}L_\tau\delta_h^\tau$",
)
def lemma7(run):
    """Gap against regrets and value errors, summed over steps and stages."""
    first, second = run.stages.regrets
    weights = run.stages.lengths[:, None] / run.parameters["iterations"]
    delta, _ = quantities.value_errors(run)
    bound = (weights * (2 * (first + second).max(-1) + 4 * delta)).sum((-2, -1))
    return gap_sides(run, bound, errors=4 * run.game.horizon)


def regret_bounds(run, variation, negative, extra=0.0):
    r"""Both players' $\frac{D}{\eta L}+\text{variation}\,\frac{\eta H^2}{L}\sum\|\cdot\|^2-\frac{\text{negative}}{\eta L}\sum\|\cdot\|^2+\frac{\text{extra}}L$."""
    step, lengths, scale = run.parameters["step_size"], quantities.stage_lengths(run), run.game.horizon**2
    own = run.stages.variations
    return np.stack(
        [
            (d / step + variation * step * scale * own[1 - i] - negative / step * own[i] + extra) / lengths
            for i, d in enumerate(quantities.start_divergences(run))
        ]
    )


@registry.claim(
    "mao2023.lemma8",
    "Lemma 8, regret inside a stage",
    r"$\mathrm{reg}^\tau_{h,1}\le\frac{D(\mu^{\tau\dagger}\Vert\tilde\mu^\tau)}{\eta L_\tau}+\frac{2\eta H^2}{L_\tau}\sum_j\Vert\nu^j-\nu^{j-1}\Vert_1^2"
    r"-\frac1{8\eta L_\tau}\sum_j\Vert\mu^j-\mu^{j-1}\Vert_1^2$, symmetric for $\nu$",
)
def lemma8(run):
    """Per-state regrets of both players against start, opponent's variation and own variation."""
    return regret_sides(run, 2, 1 / 8, unmet=quantities.unmet(run))


def regret_sides(run, *constants, unmet):
    """Both regrets against `regret_bounds`, whose terms may cancel: (2, ..., stages, H, S)."""
    return Sides(np.stack(run.stages.regrets), regret_bounds(run, *constants), unmet=unmet, rounding=_regret_rounding(run, *constants))


def _regret_rounding(run, variation, negative, extra=0.0):
    step, lengths, scale = run.parameters["step_size"], quantities.stage_lengths(run), run.game.horizon**2
    moved = quantities.variation_rounding(run)
    terms = [
        ROUNDING * (d / step + extra) + variation * step * scale * moved[1 - i] + negative / step * moved[i]
        for i, d in enumerate(quantities.start_divergences(run))
    ]
    return quantities.matrix_rounding(run) + np.stack(terms) / lengths


@registry.claim(
    "mao2023.lemma8-sum",
    "Equation (23), sum of the regrets",
    r"for $\eta\le\frac1{8H^2}$: $\mathrm{reg}_1+\mathrm{reg}_2\le\frac{D+D}{\eta L_\tau}-\frac{4\eta H^3}{L_\tau}\sum_j(\Vert\mu^j-\mu^{j-1}\Vert_1^2+\Vert\nu^j-\nu^{j-1}\Vert_1^2)$",
)
def lemma8_sum(run):
    """Sum of both regrets against start divergences less the variations."""
    step, lengths = run.parameters["step_size"], quantities.stage_lengths(run)
    starts = sum(quantities.start_divergences(run)) / step / lengths
    moves, moves_rounding = (4 * step * run.game.horizon**3 * sum(parts) / lengths for parts in (run.stages.variations, quantities.variation_rounding(run)))
    rounding = 2 * quantities.matrix_rounding(run) + ROUNDING * starts + moves_rounding
    return Sides(sum(run.stages.regrets), starts - moves, unmet=quantities.unmet(run, printed_cap(run)), rounding=rounding)


@registry.claim(
    "mao2023.lemma9",
    "Lemma 9, error of the values",
    r"$\delta_h^\tau\le\frac{12}{\eta L_\tau}\sum_{h'=h+1}^H\max_s\big(D(\mu_{h'}^{\tau'\dagger}\Vert\tilde\mu_{h'}^{\tau'})+D(\nu_{h'}^{\tau'\dagger}\Vert\tilde\nu_{h'}^{\tau'})\big)$, $\tau'=\tau-h'+h$",
)
def lemma9(run):
    """Value errors of all stages and steps, the first ones included."""
    distance, _ = quantities.distances(run)
    lengths = run.stages.lengths[:, None]
    bound = 12 / (run.parameters["step_size"] * lengths) * diagonal_sums(distance)
    rounding = critic_rounding(run)
    return Sides(quantities.value_errors(run)[0], bound, unmet=quantities.unmet(run, printed_cap(run)), rounding=rounding)


def critic_rounding(run):
    """`quantities.critic_rounding` for every stage and step: (..., 1, 1)."""
    return np.asarray(quantities.critic_rounding(run.game))[..., None, None]


def diagonal_sums(entries):
    r"""$\sum_{j\ge1}x_{h+j}^{\tau-j}$ over what exists; entries (..., stages, H)."""
    sums = np.zeros_like(entries)
    for h in reversed(range(entries.shape[-1] - 1)):  # x(tau, h) = [entries + x](tau - 1, h + 1)
        sums[..., 1:, h] = entries[..., :-1, h + 1] + sums[..., :-1, h + 1]
    return sums


@registry.claim(
    "mao2023.lemma10",
    "Lemma 10, recursion of the errors",
    r"$\delta_h^\tau\le\delta_{h+1}^{\tau-1}+\mathrm{reg}_{h+1}^{\tau-1}$ for every $\tau$ (at $\tau=1$ the right-hand side does not exist and is read as 0)",
)
def lemma10(run):
    """Recursion at every stage; what does not exist counts as 0, as the printed induction does."""
    delta, _ = quantities.value_errors(run)
    regret = np.maximum(*run.stages.regrets).max(-1)
    return Sides(delta, shifted(delta + regret), rounding=2 * critic_rounding(run))


def shifted(entries):
    r"""$x_{h+1}^{\tau-1}$ at $(\tau,h)$, 0 where it does not exist; entries (..., stages, H)."""
    result = np.zeros_like(entries)
    result[..., 1:, :-1] = entries[..., :-1, 1:]
    return result


@registry.claim("mao2023.lemma11", "Lemma 11, regrets almost non-negative", r"$\mathrm{reg}^\tau_{h,1}(s)+\mathrm{reg}^\tau_{h,2}(s)\ge-2\delta_h^\tau$")
def lemma11(run):
    r"""$-(\mathrm{reg}_1+\mathrm{reg}_2)$ against $2\delta$."""
    delta, _ = quantities.value_errors(run)
    rounding = 2 * (quantities.matrix_rounding(run) + critic_rounding(run)[..., None])
    return Sides(-sum(run.stages.regrets), 2 * delta[..., None], rounding=rounding)


@registry.claim(
    "mao2023.theorem1",
    "Theorem 1, first claim (ties towards the start)",
    rf"with $\eta\le\frac1{{8H^2}}$: $\text{{NE-gap}}(\bar\mu,\bar\nu)\le\frac{{192H^3}}T\sum_{{h,\tau}}\max_s{KL}$",
)
def theorem1(run):
    """Gap against the start divergences with the printed constant, which carries no step size."""
    return _first_claim(run, 192 * run.game.horizon**3)


@registry.claim(
    "mao2023.theorem1-step-size",
    "Theorem 1, first claim, with its step size kept",
    rf"with $\eta\le\frac1{{8H^2}}$: $\text{{NE-gap}}(\bar\mu,\bar\nu)\le\frac{{24H}}{{\eta T}}\sum_{{h,\tau}}\max_s{KL}$ (equal to the printed form at $\eta=\frac1{{8H^2}}$)",
)
def theorem1_step_size(run):
    """The reading in which the right-hand side grows as the step size falls."""
    return _first_claim(run, 24 * run.game.horizon / run.parameters["step_size"])


def _first_claim(run, constant, distance=None, order=None):
    distance = quantities.distances(run)[0] if distance is None else distance
    bound = constant / run.parameters["iterations"] * distance.sum((-2, -1))
    return gap_sides(run, bound, quantities.unmet(run, printed_cap(run), order))


@registry.claim(
    "mao2023.theorem1-restricted",
    "Theorem 1, first claim (ties against the start)",
    rf"best responses that tie chosen furthest from the start, repaired order, $\eta\le\frac1{{8H^2}}$: $\text{{NE-gap}}(\bar\mu,\bar\nu)\le\frac{{24H}}{{\eta T}}\sum_{{h,\tau}}\max_s{KL}$",
    repairs="mao2023.theorem1",
    proof="mao2023-theorem-1#theorem-1-restricted",
)
def theorem1_restricted(run):
    """Stage 1, where all actions tie, then pays for what it does not know."""
    distance = sum(quantities.largest_divergences(run)).max(-1)
    return _first_claim(run, 24 * run.game.horizon / run.parameters["step_size"], distance, "repaired")


@registry.claim("mao2023.theorem1-uniform", "Theorem 1, uniform start", r"uniform start, $\eta\le\frac1{8H^2}$: $\text{NE-gap}\le\frac{768H^5\log T\log(AB)}T$")
def theorem1_uniform(run):
    """Gap from uniform starts; the step size of the proof is $1/(8H^2)$."""
    bound = uniform_bound(run, 768, 5)
    return gap_sides(run, bound, quantities.unmet(run, printed_cap(run)) or not_uniform(run))


@registry.claim(
    "mao2023.theorem1-uniform-restricted",
    "Theorem 1, uniform start, at the step size of its proof",
    r"uniform start, $\eta=\frac1{8H^2}$, $T\ge2$, printed order: $\text{NE-gap}\le\frac{768H^5\log T\log(AB)}T$",
    restricts="mao2023.theorem1-uniform",
    scope="fails for small step sizes and at T = 1, holds at η = 1/(8H²) for T ≥ 2",
    proof="mao2023-theorem-1#theorem-1-restricted",
)
def theorem1_uniform_restricted(run):
    """As printed, at the only step size that the proof can mean."""
    sides = theorem1_uniform(run)
    cap = printed_cap(run)
    other = "" if np.isclose(run.parameters["step_size"], cap, rtol=ROUNDING, atol=0) else f"the step size is not {cap:.4g}"
    return sides._replace(unmet=sides.unmet or too_short(run) or other or quantities.unmet(run, order="printed"))


def uniform_bound(run, constant, power):
    r"""$\text{constant}\cdot H^{\text{power}}\log T\log(AB)/T$."""
    iterations = run.parameters["iterations"]
    return constant * run.game.horizon**power * np.log(iterations) * np.log(np.prod(run.game.actions)) / iterations


def not_uniform(run):
    """A sentence if the run did not start from uniform policies, else ""."""
    same = all(np.allclose(start, 1 / start.shape[-1], rtol=ROUNDING, atol=0) for start in run.stages.starts)
    return "" if same else "the initial policies are not uniform"
