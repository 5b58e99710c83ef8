r"""`ding2022` without exact gradients: regret of Q-ascent with estimated $\bar Q$, and the samples it takes.

The slides print $\sqrt{d}\sqrt{AN/T}$ (cooperative) and $d^2\sqrt{AN/T}$ (potential), plus $\sqrt[3]{d^2WAN\varepsilon_{stat}}$, without constants. The
factors here are *derived* (proofs in the book). They bound every single run, so no expectation is needed, with
$\varepsilon_{stat}$ the mean over iterations and agents of $E_{s\sim d_\rho^{\pi^t},a\sim\pi_i^t}(\hat Q_i^t-\bar Q_i^t)^2$, misspecification included.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent
from marlpaper.claims.check import Sides, registry

COOPERATIVE = (3.2, 4.1)
r"""Factors of $\sqrt d\sqrt{AN/T}/(1-\gamma)^2$ and of the cube root: $2\cdot1.6$, and $1.62+\sqrt2+1$ rounded up."""
POTENTIAL = (3.2, 5.6)
r"""Factors of $\sqrt Nd^2\sqrt{AN/T}/(1-\gamma)^3$ and of the cube root: $2(\sqrt2+\frac1{4\sqrt2})$, and that $+\sqrt2+1$."""

SMALLEST = 1e-60
"""In place of constants that are not positive: such a check says so and decides nothing."""


def cooperative_step(game):
    r"""$\alpha=\frac{1-\gamma}{2NA}$."""
    return (1 - game.discount) / (2 * game.agents * ascent.actions(game))


def potential_step(game):
    r"""$\alpha=\frac1{2L}$, $L$ the weighted smoothness at $\kappa=d$."""
    return float(1 / (2 * ascent.smoothness(game, evaluate.mismatch(game))))


def theorem_error(run):
    r"""The $\varepsilon_{stat}$ whose exploration is the run's: $\xi=\sqrt[3]{d^2AN\varepsilon_{stat}/((1-\gamma)^2W^2)}$ solved for it."""
    game, exploration, radius = run.game, run.parameters["exploration"], run.parameters["radius"]
    return exploration**3 * (1 - game.discount) ** 2 * radius**2 / (evaluate.mismatch(game) ** 2 * ascent.actions(game) * game.agents)


@registry.claim(
    "ding2022.cooperative-agnostic-regret",
    "Function approximation, cooperative games",
    r"$E[\text{Nash-Regret}]\lesssim\sqrt d\sqrt{\frac{AN}T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$; hidden factors $\frac{3.2}{(1-\gamma)^2}$ and $\frac{4.1}{(1-\gamma)^{5/3}}$ "
    r"at $\alpha=\frac{1-\gamma}{2NA}$, $\xi^3=\frac{d^2AN\varepsilon_{stat}}{(1-\gamma)^2W^2}$ (derived, not printed)",
)
def cooperative_agnostic_regret(run):
    """Mean gap of every repetition against the printed rate times the derived factors, $\\varepsilon_{stat}$ being `theorem_error`."""
    game = run.game
    first = np.sqrt(evaluate.mismatch(game)) / (1 - game.discount) ** 2
    unmet = _not_common(game) or _unlike_the_theorem(run, cooperative_step(game))
    return _against_printed(run, first, COOPERATIVE, unmet)


@registry.claim(
    "ding2022.mpg-agnostic-regret",
    "Function approximation, potential games",
    r"$E[\text{Nash-Regret}]\lesssim d^2\sqrt{\frac{AN}T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$; hidden factors $\frac{3.2\sqrt N}{(1-\gamma)^3}$ and $\frac{5.6}{(1-\gamma)^{5/3}}$ "
    r"at $\alpha=\frac1{2L}$, $\xi^3=\frac{d^2AN\varepsilon_{stat}}{(1-\gamma)^2W^2}$ (derived, not printed)",
)
def mpg_agnostic_regret(run):
    """Mean gap of every repetition against the printed rate times the derived factors, $\\varepsilon_{stat}$ being `theorem_error`."""
    game = run.game
    first = evaluate.mismatch(game) ** 2 * np.sqrt(game.agents) / (1 - game.discount) ** 3
    return _against_printed(run, first, POTENTIAL, _unlike_the_theorem(run, potential_step(game)))


@registry.claim(
    "ding2022.cooperative-agnostic-regret-repaired",
    "Function approximation, cooperative games, with constants",
    r"Any $\xi>0$ and $c=1-\frac{\alpha\beta A(N-1)}{2(1-\gamma)}>0$: $\text{Nash-Regret}(T)\le\frac B{1-\gamma}\sqrt{\frac d{1-\gamma}\Big[\frac{2(1-\gamma)}{c\,\alpha}\frac{V^T-V^0}T+\frac E{c^2}\Big]}"
    r"+\frac{\sqrt{2E}}{1-\gamma}+\frac{\xi(1-1/A)}{(1-\gamma)^2}$, $E=\frac{dAN\varepsilon_{stat}}{(1-\gamma)\xi}$, $B=\sqrt2+\frac{\alpha\beta\sqrt A}{1-\gamma}$",
    repairs="ding2022.cooperative-agnostic-regret",
    proof="ding2022-function-approximation#approximation-theorem",
)
def cooperative_agnostic_regret_repaired(run):
    """Mean gap of every repetition against the bound with its measured rise and its measured error."""
    game, step_size = run.game, run.parameters["step_size"]
    share = ascent.cooperative_share(game, step_size)
    kappa = evaluate.mismatch(game)
    unmet = _not_common(game) or _outside(run) or ("" if share > 0 else "c is not positive")
    return _against_measured(run, max(share, SMALLEST), kappa, kappa / (1 - game.discount), unmet)


@registry.claim(
    "ding2022.mpg-agnostic-regret-repaired",
    "Function approximation, potential games, with constants",
    r"Any $\xi>0$ and $c=1-\alpha L>0$: $\text{Nash-Regret}(T)\le\frac B{1-\gamma}\sqrt{\frac d{1-\gamma}\Big[\frac{2(1-\gamma)}{c\,\alpha}\frac{\Phi^T-\Phi^0}T+\frac E{c^2}\Big]}"
    r"+\frac{\sqrt{2dE/(1-\gamma)}}{1-\gamma}+\frac{\xi(1-1/A)}{(1-\gamma)^2}$, $E=\frac{AN\varepsilon_{stat}}\xi$: $d$ in place of $d^2$ in the cube root",
    repairs="ding2022.mpg-agnostic-regret",
    proof="ding2022-function-approximation#approximation-theorem",
)
def mpg_agnostic_regret_repaired(run):
    """Mean gap of every repetition against the bound with its measured rise and its measured error."""
    game, step_size = run.game, run.parameters["step_size"]
    kappa = evaluate.mismatch(game)
    share = 1 - (0 if game.agents == 1 else step_size * float(ascent.smoothness(game, kappa)))
    unmet = _outside(run) or ("" if share > 0 else "c is not positive")
    return _against_measured(run, max(share, SMALLEST), kappa, 1, unmet)


@registry.claim(
    "ding2022.sample-complexity",
    "Sample complexity",
    r"$\frac{A^2N^2d^6}{\varepsilon^5}$ rollouts $TK$ suffice for a gap of $\varepsilon$; hidden factor, cooperative games and averaged SGD: "
    r"$\frac{4\cdot6.4^2\cdot8.2^3\,W(\sigma\sqrt m+W)^2}{(1-\gamma)^9}$, $\sigma^2=\frac{1+\gamma}{(1-\gamma)^2}$ (derived, and Bach and Moulines 2013; not printed)",
)
def sample_complexity(run, tolerance):
    """Rollouts until the gap, averaged over the repetitions, is at most `tolerance`, against the count.

    Parameters
    ----------
    run : SampledRun
        On a cooperative game.
    tolerance : float
        $\\varepsilon$.
    """
    game = run.game
    reached = run.gaps.mean(0) <= tolerance
    measured = run.checkpoints[reached].min() * run.parameters["samples"] if reached.any() else np.inf
    unmet = _not_common(game) or _outside(run) or ascent.other_than(run.parameters["step_size"], cooperative_step(game))
    unmet = unmet or ("" if run.parameters["solver"] == "sgd" else "the fit is not averaged SGD")
    return Sides(measured, sample_bound(run, tolerance), unmet=unmet)


def sample_bound(run, tolerance):
    r"""$TK$ at which the derived cooperative bound is at most `tolerance`, half from each of its terms, with $d^6$ for its $d^3$."""
    game, radius, rest = run.game, run.parameters["radius"], 1 - run.game.discount
    size = ascent.actions(game) * game.agents
    deviation = np.sqrt(1 + game.discount) / rest
    rate = 4 * (deviation * np.sqrt(run.features.dimension) + radius) ** 2
    iterations = (2 * COOPERATIVE[0]) ** 2 * size / (rest**4 * tolerance**2)
    samples = rate * radius * size * (2 * COOPERATIVE[1] / tolerance) ** 3 / rest**5
    return iterations * samples * evaluate.mismatch(game) ** 6


def _against_printed(run, first, factors, unmet):
    """Sides of a printed claim; `first` is what stands before $\\sqrt{AN/T}$."""
    game, iterations = run.game, run.parameters["iterations"]
    optimisation = factors[0] * first * np.sqrt(ascent.actions(game) * game.agents / iterations)
    cube_root = run.parameters["exploration"] * run.parameters["radius"] / (1 - game.discount)
    bound, trivial = optimisation + factors[1] * cube_root, 1 / (1 - game.discount)
    return Sides(ascent.regret(run), bound, trivial, unmet, ascent.gap_rounding(game))


def _against_measured(run, share, kappa, weight, unmet):
    """Sides of a bound with constants; `share` is $c$, and $E$ is `weight` times $\\frac{AN\\varepsilon}\\xi$ (see the statements)."""
    game, step_size, exploration = run.game, run.parameters["step_size"], run.parameters["exploration"]
    rest, most = 1 - game.discount, ascent.actions(game)
    spread = most * run.errors.mean(0).sum(0) / max(exploration, SMALLEST)
    progress = 2 * rest * ascent.rise(run) / (share * step_size * run.parameters["iterations"])
    moved = ascent.per_step(game, step_size) / rest * np.sqrt(ascent.unbounded(kappa, progress + weight * spread / share**2) / rest)
    bound = moved + np.sqrt(2 * ascent.unbounded(kappa, spread) / rest) / rest + exploration * (1 - 1 / most) / rest**2
    return Sides(ascent.regret(run), bound, 1 / rest, unmet, ascent.gap_rounding(game))


def _not_common(game):
    return "" if np.ptp(game.rewards, axis=0).max() == 0 else "rewards differ between agents"


def _outside(run):
    """What all claims assume: rewards in [0, 1], exploration, and recorded errors."""
    if run.game.rewards.min() < 0 or run.game.rewards.max() > 1:
        return "rewards are not all in [0, 1]"
    if len(run.errors) != run.parameters["iterations"]:
        raise ValueError(f"run has the errors of {len(run.errors)} iterations, expected a run recorded for all {run.parameters['iterations']}.")
    return "" if run.parameters["exploration"] > 0 else "there is no exploration"


def _unlike_the_theorem(run, step_size):
    """What the printed form assumes and this run does not meet, in words."""
    game, radius = run.game, run.parameters["radius"]
    largest = game.rewards.max() / (1 - game.discount)
    if radius < largest:
        return f"W is {radius:.4g}, below the largest value {largest:.4g}"
    error, assumed = float(run.errors.mean((0, 1)).max()), float(theorem_error(run))
    if error > assumed:
        return f"the mean error is {error:.3g}, above {assumed:.3g}, for which this exploration is chosen"
    return _outside(run) or ascent.other_than(run.parameters["step_size"], step_size)
