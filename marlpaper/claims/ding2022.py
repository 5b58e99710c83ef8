r"""`ding2022` with exact gradients: the derivation of Q-ascent, its regret, and where the number of states enters.

The slides print rates without constants or factors of $1-\gamma$. Where a check needs them they are *derived* (proofs in
the book) and named as such in the statement.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent
from marlpaper.claims.check import ROUNDING, Sides, registry
from marlpaper.learners.policy_gradient import gradient

EQUAL = 1e-6
"""Numbers count as equal up to this part of their size: the differences have errors of their own."""
NUDGE = 1e-5
"""Step of the one-sided differences, whose error is of the order of its square."""
CONSTANT = 2.27
r"""$1.6\sqrt2$ rounded up: the derived constant of the cooperative regret."""


@registry.claim(
    "ding2022.equivalence",
    "Q-ascent is policy gradient with a weighted regulariser",
    r"$\partial V_i(\rho)/\partial\pi_i(a|s)=\frac{d_\rho(s)}{1-\gamma}\bar Q_i(s,a)$, and $P_\Delta(\pi_i+\alpha\bar Q_i)$ maximises "
    r"$\langle p,\nabla_{\pi_i}V_i\rangle-\sum_s\frac{d_\rho(s)}{2\eta}\Vert p-\pi_i\Vert^2$ with $\alpha=\frac\eta{1-\gamma}$ (up to $10^{-6}$ of the largest slope)",
    proof="ding2022-q-ascent#q-ascent-derivation",
)
def equivalence(run):
    """Error of the gradient formula, and how far the recorded steps are from the maximiser: two rows.

    The regularised objective is concave, so the step $p$ maximises it iff $\\langle\\nabla,z-p\\rangle\\le0$ for every
    vertex $z$ of the simplex; the largest of these numbers is the second row.
    """
    game, policy = run.game, [p[:-1] for p in run.trajectory]
    slopes, following = gradient(game, policy), [p[1:] for p in run.trajectory]
    rate = np.asarray(run.parameters["step_size"])[..., None, None] * (1 - game.discount)
    weight = evaluate.visitation(game, policy)[..., None] / rate
    errors, excess = [], []
    largest = max(np.abs(slope).max() for slope in slopes)
    for agent, (p, new, slope) in enumerate(zip(policy, following, slopes, strict=True)):
        ascent_direction = slope - weight * (new - p)
        excess.append((ascent_direction.max(-1) - (ascent_direction * new).sum(-1)).max())
        errors.append(_gradient_error(game, policy, agent, slope))
    unmet = "" if largest > 0 else "no action of any agent matters"
    relative = np.array([max(errors), max(excess)]) / (largest or 1)
    rounding = np.array([0, ROUNDING * weight.max() / (largest or 1)])
    # Below a hundredth of the tolerance there is only rounding, which differs between machines.
    return Sides(np.maximum(relative, EQUAL / 100), [EQUAL, EQUAL], unmet=unmet, rounding=rounding)


def _gradient_error(game, policy, agent, slope):
    """One-sided difference of $V_i(\\rho)$ towards a fixed interior policy, against $\\langle\\nabla,\\text{direction}\\rangle$."""
    target = np.arange(1.0, slope.shape[-1] + 1)
    towards = target / target.sum() - policy[agent]
    difference = 0.0
    for factor, weight in ((0, -3), (1, 4), (2, -1)):  # three points: second order, and never outside the simplex
        moved = list(policy)
        moved[agent] = policy[agent] + factor * NUDGE * towards
        values = evaluate.initial_value(game, evaluate.state_values(game, moved))[..., agent]
        difference = difference + weight * values / (2 * NUDGE)
    return np.abs(difference - (slope * towards).sum((-1, -2))).max()


@registry.claim("ding2022.mismatch-order", "Order of the mismatches", r"$d_c\le d_p\le d$, $d_c=\sum_s\sup_\pi d_\rho^\pi(s)$, $d_p=\min(d,S)$", proof="ding2022-q-ascent#q-ascent-claims")
def mismatch_order(game):
    """The free-denominator mismatch against $\\min(\\kappa,S)$, and that against $\\kappa$: (2, ...)."""
    kappa = evaluate.mismatch(game)
    smaller = np.minimum(kappa, game.states)
    bound = np.stack([smaller, kappa])
    finite = np.where(np.isfinite(bound), bound, 0)
    return Sides(np.stack([evaluate.free_mismatch(game), smaller]), bound, rounding=ROUNDING * finite / (1 - game.discount))


@registry.claim(
    "ding2022.mpg-regret",
    "Regret in Markov potential games",
    r"$\text{Nash-Regret}(T)\lesssim d_p^2\sqrt{\frac{AN}T}$; hidden factor $\frac{5\beta\sqrt N}{(1-\gamma)^3}$ at $\alpha=\frac1{2L}$ (derived, not printed)",
)
def mpg_regret(run):
    """Mean gap against the printed rate times the derived factor; $\\nu=\\rho$ if that has the smaller mismatch, else uniform."""
    game, iterations = run.game, run.parameters["iterations"]
    size = np.minimum(evaluate.mismatch(game), game.states)
    reference = np.where((size < game.states)[..., None], game.initial, 1 / game.states)
    kappa = evaluate.mismatch(ascent.restarted(game, reference))
    cap = 1 / (2 * ascent.smoothness(game, kappa))
    rate = size**2 * np.sqrt(ascent.actions(game) * game.agents / iterations)
    factor = 5 * ascent.half_range(game) * np.sqrt(game.agents) / (1 - game.discount) ** 3
    unmet = ascent.other_than(run.parameters["step_size"], cap)
    trivial = 2 * ascent.half_range(game) / (1 - game.discount)
    return Sides(ascent.regret(run), factor * rate, trivial, unmet, ascent.gap_rounding(game))


@registry.claim(
    "ding2022.mpg-regret-repaired",
    "Regret in Markov potential games, with constants",
    r"Any $\nu$, $\alpha L_\nu<1$: $\text{Nash-Regret}(T)\le C\sqrt{\frac{\kappa_{\rho,\nu}(\Phi^T-\Phi^0)(\nu)}{\alpha T(1-\gamma)^2}}$; at "
    r"$\alpha=\frac1{2L_\nu}$ this is of order $\min(d,S)^{5/4}$",
    repairs="ding2022.mpg-regret",
    proof="ding2022-q-ascent#q-ascent-regret",
)
def mpg_regret_repaired(run, reference=None):
    """Mean gap against the bound at the start distribution `reference`, $\\nu$ (default: $\\rho$).

    Parameters
    ----------
    run : Run
    reference : array (..., S), optional
        $\\nu$, with full support.
    """
    game, step_size = run.game, run.parameters["step_size"]
    kappa = evaluate.mismatch(ascent.restarted(game, reference))
    bound, rounding = ascent.run_bound(run, evaluate.mismatch(game, reference), reference)
    unmet = "" if game.agents == 1 else ascent.above(step_size, 1 / ascent.smoothness(game, kappa))
    constant = ascent.leading_constant(game, step_size, kappa)
    return Sides(ascent.regret(run), constant * bound, unmet=unmet, rounding=constant * rounding + ascent.gap_rounding(game))


@registry.claim(
    "ding2022.cooperative-regret",
    "Regret in cooperative games",
    r"$\text{Nash-Regret}(T)\lesssim\sqrt{d_c}\sqrt{\frac{AN}T}$; hidden factor $\frac{2.27}{(1-\gamma)^2}$ at $\alpha=\frac{1-\gamma}{2NA}$, "
    r"$r\in[0,1]$ (derived, not printed)",
)
def cooperative_regret(run):
    """Mean gap against the printed rate times the derived factor, $d_c=\\sum_s\\sup_\\pi d_\\rho^\\pi(s)$."""
    game, step_size = run.game, run.parameters["step_size"]
    bound = cooperative_rate(game, evaluate.free_mismatch(game), run.parameters["iterations"])
    trivial, rounding = 1 / (1 - game.discount), ascent.gap_rounding(game)
    return Sides(ascent.regret(run), bound, trivial, _cooperative(game, step_size), rounding)


@registry.claim(
    "ding2022.cooperative-regret-repaired",
    "Regret in cooperative games, with constants",
    r"$c=1-\frac{\alpha\beta A(N-1)}{2(1-\gamma)}>0$: $\text{Nash-Regret}(T)\le\frac{\sqrt2+\alpha\beta\sqrt A/(1-\gamma)}{\sqrt c}"
    r"\sqrt{\frac{d_c(V^T-V^0)(\nu^\star)}{\alpha T(1-\gamma)^2}}$, $\nu^\star\propto\sup_\pi d_\rho^\pi$",
    repairs="ding2022.cooperative-regret",
    proof="ding2022-q-ascent#q-ascent-regret",
)
def cooperative_regret_repaired(run):
    """Mean gap against the bound at the best start distribution; every step size with $c>0$."""
    game, step_size = run.game, run.parameters["step_size"]
    peaks = evaluate.peak_visitation(game)
    best = peaks / peaks.sum(-1, keepdims=True)
    share = ascent.cooperative_share(game, step_size)
    bound, rounding = ascent.run_bound(run, peaks.sum(-1), best)
    constant = ascent.per_step(game, step_size) / np.sqrt(np.maximum(share, 1e-300))
    _common_reward(game)
    unmet = "" if np.all(share > 0) else "c is not positive"
    return Sides(ascent.regret(run), constant * bound, unmet=unmet, rounding=constant * rounding + ascent.gap_rounding(game))


@registry.claim(
    "ding2022.cooperative-improvement",
    "One-step improvement in cooperative games (derived here)",
    r"Any start $\nu$: $V^{t+1}(\nu)-V^t(\nu)\ge\frac c{\alpha(1-\gamma)}\sum_{s,i}d_\nu^{\pi^{t+1}}(s)\Vert\pi_i^{t+1}-\pi_i^t\Vert^2$, "
    r"$c=1-\frac{\alpha\beta A(N-1)}{2(1-\gamma)}$",
    proof="ding2022-q-ascent#q-ascent-regret",
)
def cooperative_improvement(run, reference=None):
    """$c$ against the rise of the value in units of the squared step lengths, at the start `reference`: (T, ...)."""
    game, step_size = ascent.restarted(run.game, reference), run.parameters["step_size"]
    _common_reward(game)
    visits = evaluate.visitation(game, [p[1:] for p in run.trajectory])
    lengths, risen = ascent.step_lengths(run.trajectory), ascent.rises(game, run.trajectory)
    bound, rounding = ascent.improvement(game, step_size, visits, lengths, risen)
    return Sides(ascent.cooperative_share(game, step_size), bound, rounding=rounding)


@registry.claim(
    "ding2022.no-state-dependence",
    "No explicit dependence on the state space",
    r"Q-ascent in cooperative games: some $t\le T$ has $\text{NE-gap}(\pi^t)\le\varepsilon$ for $T=\frac{2.27^2\,d_cAN}{(1-\gamma)^4\varepsilon^2}$, without $S$ (constants derived)",
)
def no_state_dependence(run, tolerance, kappa):
    """Iterations until the gap is at most `tolerance`, against the count that does not know $S$.

    Parameters
    ----------
    run : Run
        Of `q_ascent` on a cooperative game with `tolerance`.
    tolerance : float
        $\\varepsilon$.
    kappa : float
        $d_c$, e.g. of the base game that was replicated.
    """
    game = run.game
    reached = np.where(run.gaps <= tolerance, run.checkpoints, np.inf).min(-1)
    allowed = (CONSTANT / tolerance) ** 2 * kappa * game.agents * ascent.actions(game) / (1 - game.discount) ** 4
    return Sides(reached, allowed, unmet=_cooperative(game, run.parameters["step_size"]))


@registry.claim(
    "ding2022.projected-gradient-regret",
    "Regret of projected policy gradient (derived here)",
    r"$\eta\le\frac1{2L\max\rho}$: $\text{Nash-Regret}(T)\le C_1\kappa\sqrt{\frac{2S(\Phi^T-\Phi^0)}{\eta T(1-\gamma)^2}}$, "
    r"$C_1=\sqrt2+\frac{\eta\kappa\beta\sqrt A\max\rho}{(1-\gamma)^2}$",
    proof="ding2022-state-dependence#state-dependence-where",
)
def projected_gradient_regret(run):
    """Mean gap of direct policy gradient against its bound: the explicit $S$, and the step size that cancels it."""
    game, step_size = run.game, run.parameters["step_size"]
    kappa, peak = evaluate.mismatch(game), game.initial.max(-1)
    constant = ascent.per_step(game, step_size * kappa * peak / (1 - game.discount)) * np.sqrt(2 * game.states * kappa)
    bound, rounding = ascent.run_bound(run, kappa)
    cap = 1 / (2 * ascent.smoothness(game, kappa) * peak)
    rounding = constant * rounding + ascent.gap_rounding(game)
    return Sides(ascent.regret(run), constant * bound, unmet=ascent.above(step_size, cap), rounding=rounding)


def cooperative_rate(game, kappa, iterations):
    r"""$\frac{2.27}{(1-\gamma)^2}\sqrt{\kappa NA/T}$."""
    return CONSTANT / (1 - game.discount) ** 2 * np.sqrt(kappa * game.agents * ascent.actions(game) / iterations)


def _cooperative(game, step_size):
    """What the derived cooperative constant assumes and this run does not meet, in words."""
    _common_reward(game)
    if ascent.half_range(game) != 0.5:
        return "rewards are not all in [0, 1]"
    return ascent.other_than(step_size, (1 - game.discount) / (2 * game.agents * ascent.actions(game)))


def _common_reward(game):
    if np.ptp(game.rewards, axis=len(game.batch)).max() > 0:
        raise ValueError(f"game is {game!r} with rewards that differ between agents, expected a common reward.")
