r"""What the statements of `mao2023` Section 5 are about, computed from a recorded run of Algorithm 2.

Arrays carry (..., stages, H) after the maximum over agents and states. $r=1+1/H$, $H_h=H-h+1$.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims.check import ROUNDING
from marlpaper.claims.mao2023 import quantities

DEPENDENCE = 9 / 32
"""$\\kappa$ of the repaired theorem; $1/8$ where $(N-1)\\eta H\\le1$."""


def largest(parts):
    """Maximum over agents and states of one array (..., stages, H, S) for each agent: (..., stages, H)."""
    return np.max(np.stack(parts), 0).max(-1)


def divergences(run, free_energy=False):
    r"""$\max_{i,s}\mathrm{KL}(\pi_{h,i}^{\tau\dagger}\|\tilde\pi_{h,i}^\tau)$, or of the free energy: (..., stages, H)."""
    return largest(quantities.free_energies(run) if free_energy else quantities.start_divergences(run))


def regrets(run):
    r"""$\max_{i,s}\mathrm{reg}_{h,i}^\tau(s)$, (..., stages, H)."""
    return largest(run.stages.regrets)


def local_gaps(run):
    r"""$\max_{i,s}(V_{h,i}^{\dagger,\tau}-V_{h,i}^\tau)(s)$, the paper's $\delta_h^t$ of any $t$ in stage $\tau$: (..., stages, H)."""
    own, best = evaluate.certified_values(run.game, run.certified)
    return (best - own).max((-4, -1))


def delta_gap(run, policy=None):
    r"""$\Gamma_\delta=\sum_\tau w_\tau\max_{i,s}d_i^\tau(s)$, which no CCE-gap of the output exceeds: (...)."""
    return local_gaps(run)[..., 0] @ (policy or run.certified).weights


def burn_in_steps(horizon, stages):
    r"""$b_h(\tau)$: $H_h$ for $\tau=1$, $\max(0,H_h+2-\tau)$ after; array (stages, H). Column 1 is $b(\tau)$."""
    number = np.arange(1, stages + 1)[:, None]
    left = np.arange(horizon, 0, -1)
    return np.where(number == 1, left, np.maximum(0, left + 2 - number))


def burn_in(run):
    r"""$B_T/T=\frac1T\sum_\tau c_\tau b(\tau)$."""
    return float(run.certified.weights @ burn_in_steps(run.game.horizon, len(run.stages.lengths))[:, 0])


def full_burn_in(horizon):
    r"""$T_0=\frac32H(H+1)$, after which $B_T=B=H^2+\frac13H(H+1)(2H+1)$: the pair $(T_0,B)$."""
    return 3 * horizon * (horizon + 1) // 2, horizon**2 + horizon * (horizon + 1) * (2 * horizon + 1) / 3


def kappa(run):
    r"""$\frac18$ if $(N-1)\eta H\le1$, else $\frac9{32}$."""
    return 1 / 8 if (run.game.agents - 1) * run.parameters["step_size"] * run.game.horizon <= 1 else DEPENDENCE


def variation_price(run, power=4):
    r"""$\kappa(N-1)^2\eta^3H_h^4$ for each step, (H,)."""
    left = np.arange(run.game.horizon, 0, -1.0)
    return kappa(run) * (run.game.agents - 1) ** 2 * run.parameters["step_size"] ** 3 * left**power


def growth(horizon):
    r"""$r^h$, (H,)."""
    return (1 + 1 / horizon) ** np.arange(1, horizon + 1)


def trivial_gap(game):
    r"""What no CCE-gap exceeds: the largest $\sum_h\mathrm{sp}(r_{h,i})$ of an agent. (...)"""
    axes = tuple(range(-1 - game.agents, 0))
    return np.ptp(game.rewards, axes).sum(-1).max(-1)


def value_rounding(game):
    r"""How well a difference of values is known, from $\sum_h\max|r_{h,i}|$ of the agent for whom that is largest: (...)."""
    axes = tuple(range(-1 - game.agents, 0))
    return ROUNDING * np.abs(game.rewards).max(axes).sum(-1).max(-1)


def unmet(run, order=None, uniform=False, step_size=None):
    """The first assumption of a claim that the run does not meet, as a sentence; "" if it meets all.

    Parameters
    ----------
    run : Run
    order : str, optional
        The order of steps that the claim is about.
    uniform : bool
        Whether the claim needs uniform starts.
    step_size : float, optional
        The step size that the claim is about.
    """
    reward, settings = run.game.rewards, run.parameters
    if reward.min() < -1e-12 or reward.max() > 1 + 1e-12:
        return f"rewards reach from {reward.min():.3g} to {reward.max():.3g}, the claim needs [0, 1]"
    if order is not None and settings["order"] != order:
        return f"the steps are taken in the {settings['order']} order, the claim is about the {order} one"
    if uniform and not all(np.allclose(start, 1 / start.shape[-1], rtol=ROUNDING, atol=0) for start in run.stages.starts):
        return "the initial policies are not uniform"
    if step_size is not None and not np.isclose(settings["step_size"], step_size, rtol=1e-9, atol=0):
        return f"the step size is {settings['step_size']:.6g}, the claim is about {step_size:.6g}"
    return ""


def printed_step(horizon, iterations, agents):
    r"""$\eta=H^{-2/3}T^{-1/3}(N-1)^{-2/3}$ of Theorem 5; $N\ge2$."""
    return horizon ** (-2 / 3) * iterations ** (-1 / 3) * (agents - 1) ** (-2 / 3)


def sharper_step(horizon, iterations, agents):
    r"""$\eta=H^{-3/4}T^{-1/4}(N-1)^{-1/2}$ of the repaired theorem; $N\ge2$."""
    return horizon ** (-3 / 4) * iterations ** (-1 / 4) * (agents - 1) ** (-1 / 2)
