r"""`mao2023` Section 4.1 and Appendix C: Proposition 1 and Theorem 3, as printed and repaired.

Runs are of `learners.q_ascent` on discounted potential games, evaluated at every iteration.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent
from marlpaper.claims.check import Sides, registry

ROOT = r"\sqrt{\frac{\kappa(\Phi(\pi^T)-\Phi(\pi^0))}{\alpha T(1-\gamma)^2}}"
SEQUENCE = r"\frac1{KT}\sum_k\sum_t\text{NE-gap}\le"
PRINTED = r"\sqrt{\frac{8\kappa^4NA_{\max}(2\Phi_{\max}+\Delta_\Phi)}{(1-\gamma)^6KT}}"


@registry.claim(
    "mao2023.prop1",
    "Proposition 1",
    r"$\alpha\le\frac{(1-\gamma)^4}{8\kappa^3NA_{\max}}$: $\frac1T\sum_{t<T}\text{NE-gap}(\pi^t)\le" + ROOT + "$",
)
def prop1(run):
    """Mean gap of a Q-ascent run against the square root of the potential's rise, constant 1."""
    game, step_size = run.game, run.parameters["step_size"]
    kappa = evaluate.mismatch(game)
    ascent.half_range(game)  # refuses rewards outside [-1, 1]
    bound, rounding = ascent.run_bound(run, kappa)
    unmet = ascent.above(step_size, ascent.printed_cap(game, kappa))
    return Sides(ascent.regret(run), bound, unmet=unmet, rounding=rounding + ascent.gap_rounding(game))


@registry.claim(
    "mao2023.prop1-repaired",
    "Proposition 1, repaired",
    r"$\alpha L<1$, $L=\frac{\beta NA_{\max}\kappa^{3/2}}{(1-\gamma)^3}$: $\frac1T\sum_{t<T}\text{NE-gap}(\pi^t)\le C"
    + ROOT
    + r"$, $C=\frac{\sqrt2+\alpha\beta\sqrt{A_{\max}}/(1-\gamma)}{\sqrt{1-\alpha L}}$ (at most 1.56 for the printed $\alpha$)",
    repairs="mao2023.prop1",
    proof="mao2023-theorem-3#theorem-3-repaired-proposition",
)
def prop1_repaired(run):
    """The same with the constant that the proof gives; one agent needs no cap on the step size."""
    game, step_size = run.game, run.parameters["step_size"]
    kappa = evaluate.mismatch(game)
    constant = ascent.leading_constant(game, step_size, kappa)
    bound, rounding = ascent.run_bound(run, kappa)
    rounding = constant * rounding + ascent.gap_rounding(game)
    return Sides(ascent.regret(run), constant * bound, unmet=_smooth(game, step_size, kappa), rounding=rounding)


@registry.claim(
    "mao2023.prop1-improvement",
    "One-step improvement in potential games (derived here)",
    r"$\Lambda=\alpha L<1$: $\Phi^{t+1}-\Phi^t\ge\frac{1-\Lambda}{\alpha(1-\gamma)}\sum_{s,i}d_\rho^{\pi^t}(s)\Vert\pi_i^{t+1}-\pi_i^t\Vert^2$, "
    r"and the same with weight $d_\rho^{\pi^{t+1}}$ and $1-\frac{13}6\Lambda$",
    proof="mao2023-theorem-3#theorem-3-repaired-proposition",
)
def prop1_improvement(run):
    """What the theorem keeps of the squared step lengths, against the rise in units of them: (2, T, ...) for the two weights."""
    game, step_size = run.game, run.parameters["step_size"]
    kappa = evaluate.mismatch(game)
    loss = step_size * ascent.smoothness(game, kappa)
    visits, moved = evaluate.visitation(game, run.trajectory), ascent.step_lengths(run.trajectory)
    risen = ascent.rises(game, run.trajectory)
    bounds = [ascent.improvement(game, step_size, part, moved, risen) for part in (visits[:-1], visits[1:])]
    kept = [np.broadcast_to(1 - factor * loss, risen.shape) for factor in (1, 13 / 6)]
    bounds, rounding = (np.stack(part) for part in zip(*bounds, strict=True))
    return Sides(np.stack(kept), bounds, unmet=_smooth(game, step_size, kappa), rounding=rounding)


@registry.claim("mao2023.theorem3", "Theorem 3", rf"${SEQUENCE}{PRINTED}$, $\Phi_{{\max}}\ge|\Phi(\pi;G^k)|$")
def theorem3(games, runs):
    """Mean gap over a sequence in which every game starts where the last one ended; potentials bounded as in Section 2.

    Parameters
    ----------
    games : MarkovGame
        The sequence, batch (K, ...), with known potentials and a common kernel.
    runs : sequence of K Run
    """
    low, high = evaluate.extreme_values(games, evaluate.potential_reward(games))
    size = np.maximum(np.abs(low), np.abs(high)).max(0)
    return _printed_sequence(games, runs, 2 * size + evaluate.similarity(games))


@registry.claim(
    "mao2023.theorem3-oscillation",
    "Theorem 3, with the potential bounded as in Appendix C",
    rf"${SEQUENCE}{PRINTED}$, $\Phi_{{\max}}\ge|\Phi(\pi;G^k)-\Phi(\pi';G^k)|$",
)
def theorem3_oscillation(games, runs):
    """The same with the oscillation of the potential: what is under the root can be negative (then the bound is 0)."""
    low, high = evaluate.extreme_values(games, evaluate.potential_reward(games))
    return _printed_sequence(games, runs, 2 * (high - low).max(0) + evaluate.similarity(games))


@registry.claim(
    "mao2023.theorem3-repaired",
    "Theorem 3, repaired",
    rf"$\alpha L<1$: ${SEQUENCE}C\sqrt{{\frac{{\kappa(2\Phi_{{\max}}+\Delta_\Phi)}}{{\alpha KT(1-\gamma)^2}}}}$, "
    r"$\Phi_{\max}\ge|\Phi(\pi;G^k)|$, $C$ of Proposition 1, repaired",
    repairs="mao2023.theorem3",
    proof="mao2023-theorem-3#theorem-3-readings",
)
def theorem3_repaired(games, runs):
    """Any step size below 1/L, and the constant of the repaired Proposition 1."""
    low, high = evaluate.extreme_values(games, evaluate.potential_reward(games))
    size = np.maximum(np.abs(low), np.abs(high)).max(0)
    return _repaired_sequence(games, runs, 2 * size + evaluate.similarity(games))


@registry.claim(
    "mao2023.theorem3-normalised",
    "Theorem 3 for oscillations, repaired",
    rf"$\Phi(\pi^{{1,0}};G^k)=0$ for all $k$, $\alpha L<1$: ${SEQUENCE}C\sqrt{{\frac{{\kappa(\Phi_{{\max}}+\Delta_\Phi)}}{{\alpha KT(1-\gamma)^2}}}}$, "
    r"$\Phi_{\max}\ge|\Phi(\pi;G^k)-\Phi(\pi';G^k)|$",
    repairs="mao2023.theorem3-oscillation",
    proof="mao2023-theorem-3#theorem-3-readings",
)
def theorem3_normalised(games, runs):
    """Potentials that vanish at the very first policy: then the oscillation suffices, even once."""
    reward = evaluate.potential_reward(games)
    low, high = evaluate.extreme_values(games, reward)
    at_start = evaluate.joint_value(games, reward, runs[0].initial)
    drift = evaluate.similarity(games) - (at_start[0] - at_start[-1])
    return _repaired_sequence(games, runs, (high - low).max(0) + drift)


def _printed_sequence(games, runs, radicand):
    kappa, step_size = _worst_mismatch(games), _step_size(runs)
    cap = ascent.printed_cap(games, kappa)
    factor = 8 * kappa**4 * games.agents * ascent.actions(games) / (1 - games.discount) ** 6
    bound = np.sqrt(factor * np.maximum(radicand, 0) / _total(runs))
    return Sides(_mean_regret(runs), bound, unmet=ascent.other_than(step_size, cap), rounding=_gap_rounding(games))


def _repaired_sequence(games, runs, radicand):
    kappa, step_size = _worst_mismatch(games), _step_size(runs)
    bound = ascent.regret_bound(games, step_size, _total(runs), kappa, radicand)
    constant = ascent.leading_constant(games, step_size, kappa)
    return Sides(_mean_regret(runs), bound * constant, unmet=_smooth(games, step_size, kappa), rounding=_gap_rounding(games))


def _gap_rounding(games):
    """The rounding of the game of the sequence whose gaps are known worst, (...)."""
    return ascent.gap_rounding(games).max(0)


def _smooth(game, step_size, kappa):
    if game.agents == 1:
        return ""
    return ascent.above(step_size, 1 / ascent.smoothness(game, kappa))


def _worst_mismatch(games):
    return evaluate.mismatch(games).max(0)


def _step_size(runs):
    first = runs[0].parameters["step_size"]
    for k, run in enumerate(runs):
        if not np.array_equal(run.parameters["step_size"], first):
            raise ValueError(f"runs[{k}] has another step size than runs[0], expected the same in all games.")
    return first


def _total(runs):
    return sum(run.parameters["iterations"] for run in runs)


def _mean_regret(runs):
    return sum(ascent.regret(run) * run.parameters["iterations"] for run in runs) / _total(runs)
