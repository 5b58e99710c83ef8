r"""What the statements of `mao2023` Sections 3 and B are about, computed from a recorded run.

Arrays carry (..., stages, H, S), or (..., stages, H) after the maximum over states.
"""

import functools

import numpy as np

from marlpaper import equilibrium, simplex
from marlpaper.claims.check import ROUNDING


@functools.lru_cache(maxsize=64)
def equilibrium_critic(game):
    r"""$Q_h^\star=r_h+P_hV^\star_{h+1}$ of the exact equilibrium, (..., H, S, A, B). Kept for the last 64 games."""
    _, values = equilibrium.solve_zero_sum(game)
    following = np.concatenate([values[..., 1:, :], np.zeros_like(values[..., :1, :])], -2)
    return game.agent_rewards(0) + np.einsum("...hsabt,...ht->...hsab", game.transitions, following)


def value_errors(run):
    r"""$\delta_h^\tau=\|Q_h^\tau-Q_h^\star\|_\infty$ and $e_h^\tau=\mathrm{sp}(Q_h^\tau-Q_h^\star)$, each (..., stages, H)."""
    reference = np.expand_dims(equilibrium_critic(run.game), -5)
    difference = run.stages.q - reference
    axes = (-3, -2, -1)
    return np.abs(difference).max(axes), np.ptp(difference, axes)


def start_divergences(run):
    r"""$D_1=\mathrm{KL}(\mu_h^{\tau\dagger}\|\tilde\mu_h^\tau)$ and $D_2$ of the min-player, each (..., stages, H, S)."""
    pairs = zip(run.stages.best_responses, run.stages.starts, strict=True)
    return tuple(simplex.kl(best, start) for best, start in pairs)


def largest_divergences(run):
    r"""$D_1,D_2$ with ties among best responses broken against the start: $-\log$ of the least likely best action; each (..., stages, H, S)."""
    size = np.abs(run.stages.q).max((-2, -1))[..., None]
    result = []
    for gains, start in zip(run.stages.gains, run.stages.starts, strict=True):
        tied = gains >= gains.max(-1, keepdims=True) - simplex.TIE_TOLERANCE * size
        with np.errstate(divide="ignore"):
            result.append(-np.log(np.where(tied, start, 1.0).min(-1)))
    return tuple(result)


def free_energies(run):
    r"""$F_i=-\log\sum_a\tilde\mu_a\exp(-\eta L_\tau\,\mathrm{gap}_a)\le\mathrm{KL}$, each (..., stages, H, S).

    $\mathrm{gap}_a$ is how much action $a$ lacks against the opponent's mean in that stage.
    """
    scale = run.parameters["step_size"] * stage_lengths(run)[..., None]
    with np.errstate(divide="ignore"):
        energies = [
            -np.logaddexp.reduce(np.log(start) - scale * (gains.max(-1, keepdims=True) - gains), -1)
            for start, gains in zip(run.stages.starts, run.stages.gains, strict=True)
        ]
    return tuple(np.maximum(energy, 0) for energy in energies)


def stage_lengths(run):
    r"""$L_\tau$ with axes (stages, 1, 1), to be multiplied with (..., stages, H, S)."""
    return run.stages.lengths[:, None, None].astype(float)


def distances(run, free_energy=False):
    r"""$M_h^\tau=\max_s(D_1+D_2)$ and $\hat M_h^\tau=\max_sD_1+\max_sD_2$, each (..., stages, H)."""
    first, second = free_energies(run) if free_energy else start_divergences(run)
    return (first + second).max(-1), first.max(-1) + second.max(-1)


def trivial_gap(game):
    r"""What no NE-gap exceeds: $\sum_h\mathrm{sp}(r_h)$, the range of the value. (...)"""
    axes = tuple(range(-3, 0))
    return np.ptp(game.agent_rewards(0), axes).sum(-1)


def largest_value(game):
    r"""$\sum_h\max|r_h|$, which no value exceeds in size: (...)."""
    return np.abs(game.agent_rewards(0)).max((-3, -2, -1)).sum(-1)


def value_rounding(game):
    """How well a difference of values is known: (...)."""
    return ROUNDING * largest_value(game)


def critic_rounding(game):
    """How well the exact equilibrium's values are known, which linear programmes find for more than two actions: (...)."""
    return (ROUNDING if game.actions == (2, 2) else game.horizon * equilibrium.VALUE_TOLERANCE) * largest_value(game)


def matrix_rounding(run):
    r"""How well differences of entries of $Q_h^\tau(s,\cdot,\cdot)$ are known: (..., stages, H, S)."""
    return ROUNDING * np.abs(run.stages.q).max((-2, -1))


def variation_rounding(run):
    r"""How well both players' $\sum_j\|\mu^j-\mu^{j-1}\|_1^2$ are known, each move up to `ROUNDING`: each (..., stages, H, S)."""
    lengths = stage_lengths(run)
    return tuple(ROUNDING * (2 * np.sqrt(lengths * moved) + ROUNDING * lengths) for moved in run.stages.variations)


def coefficients(horizon, step_size, hat=False):
    r"""$c_h=2+4\rho\sigma_h$ of the repaired Theorem 1 (a), or $2+2q\sigma_h$ of (b); array (H,).

    $r=\frac32\eta^2H^2$, $\rho=\frac1{1-r}$, $q=\frac{1+r}{1-r}$, $\sigma_h=\sum_{j=1}^{h-1}(1+\frac1H)^j$.
    """
    r = 1.5 * (step_size * horizon) ** 2
    growth = (1 + 1 / horizon) ** np.arange(1, horizon)
    sigma = np.concatenate([[0], np.cumsum(growth)])
    return 2 + (2 * (1 + r) if hat else 4) / (1 - r) * sigma


def burn_in(run):
    r"""$\mathcal B=\frac2T\sum_h\min(S_h,T)\,\mathrm{sp}(Q_h^1-Q_h^\star)$, $S_h=hH+\frac{h(h-1)}2$: (...)."""
    horizon, iterations = run.game.horizon, run.parameters["iterations"]
    h = np.arange(1, horizon + 1)
    weight = np.minimum(h * horizon + h * (h - 1) / 2, iterations)
    return 2 / iterations * (weight * value_errors(run)[1][..., 0, :]).sum(-1)


def unmet(run, step_size=np.inf, order=None):
    """The first assumption of a claim that the run does not meet, as a sentence; "" if it meets all.

    Parameters
    ----------
    run : Run
    step_size : float
        The largest step size that the claim allows.
    order : str, optional
        The order of steps that the claim is about.
    """
    game, settings = run.game, run.parameters
    reward = game.agent_rewards(0)
    room = np.arange(game.horizon, 0, -1)[:, None, None, None]
    first = run.stages.q[..., 0, :, :, :, :]
    if reward.min() < -1e-12 or reward.max() > 1 + 1e-12:
        return f"rewards reach from {reward.min():.3g} to {reward.max():.3g}, the claim needs [0, 1]"
    if settings["step_size"] > step_size * (1 + 1e-12):
        return f"the step size is {settings['step_size']:.3g}, the claim needs at most {step_size:.3g}"
    if not settings["restart"]:
        return "the policies continue across stages, the claim needs a restart"
    if order is not None and settings["order"] != order:
        return f"the steps are taken in the {settings['order']} order, the claim is about the {order} one"
    if (first < -1e-12).any() or (first > room + 1e-12).any():
        return "the initial values leave [0, H-h+1]"
    return ""
