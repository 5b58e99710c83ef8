r"""Independent policy gradient, the baselines of the table in `ding2022`, as one family.

Three parametrizations of the same ascent on $V_i(\rho)$ with step size $\eta$:

- `direct`, projected gradient (Leonardos et al. 2022; Zhang et al. 2021): $P_\Delta\big(\pi_i+\frac{\eta\,d_\rho(s)}{1-\gamma}\bar Q_i\big)$;
- `softmax` (Zhang et al. 2022): logits step $\frac{\eta\,d_\rho(s)}{1-\gamma}\,\pi_i(\bar Q_i-\langle\pi_i,\bar Q_i\rangle)$;
- `natural`, softmax preconditioned by its Fisher matrix, which removes $d_\rho$ and $\pi_i$: logits step $\frac\eta{1-\gamma}\bar Q_i$.

In finite-horizon games $d_\rho(s)/(1-\gamma)$ is $P(s_h=s)$.
"""

import numpy as np

from marlpaper import evaluate, simplex, validation
from marlpaper.learners.ascent import ascend, checked_start

PARAMETRIZATIONS = ("direct", "softmax", "natural")
SMALLEST = 1e-300
"""Keeps logits finite: a softmax policy has no zeros."""


def policy_gradient(
    game,
    iterations,
    step_size,
    parametrization="direct",
    initial=None,
    checkpoints=None,
    record=False,
    aggregate="max",
    tolerance=None,
):
    r"""Run independent policy gradient ascent with exact gradients.

    Parameters
    ----------
    game, iterations, initial, checkpoints, record, aggregate, tolerance
        As in `q_ascent`. The learner sees `evaluate.averaged_q` and, except for `natural`, `evaluate.visitation`.
    step_size : float, array (...) or tuple of N floats
        $\eta>0$; an array gives every game of the batch its own, a tuple every agent, whose rewards may be in units
        of their own.
    parametrization : {"direct", "softmax", "natural"}
        See the module's description. The last two need a start without zeros.

    Returns
    -------
    Run
        The output is the last policy.

    Raises
    ------
    TypeError, ValueError
        If $T<1$, $\eta\le0$, the parametrization is unknown, or the start does not fit.
    """
    validation.choice("parametrization", parametrization, PARAMETRIZATIONS)
    iterations, step_size, shaped, policy = checked_start(game, iterations, step_size, initial)
    if parametrization != "direct":
        _without_zeros(policy)
    step = {"direct": _direct_step, "softmax": _softmax_step, "natural": _natural_step}[parametrization]
    parameters = {"algorithm": "policy-gradient", "parametrization": parametrization}
    parameters |= {"iterations": iterations, "step_size": step_size}

    def update(policy):
        return step(game, policy, shaped)

    return ascend(game, policy, update, parameters, checkpoints, record, aggregate, tolerance)


def gradient(game, policy):
    r"""$\nabla_{\pi_i(a_i|s)}V_i(\rho)=\frac1{1-\gamma}d_\rho^\pi(s)\bar Q_i^\pi(s,a_i)$, the direct policy gradient.

    Returns
    -------
    tuple of N arrays (..., H, S, A_i)
        Without the `H` axis in discounted games.
    """
    visits = (evaluate.visitation(game, policy) * _scale(game))[..., None]
    return tuple(visits * q for q in evaluate.averaged_q(game, policy))


def _scale(game):
    return 1.0 if game.discount is None else 1 / (1 - game.discount)


def _direct_step(game, policy, step_size):
    slopes = gradient(game, policy)
    return tuple(simplex.project(p + step * slope) for p, slope, step in zip(policy, slopes, step_size, strict=True))


def _softmax_step(game, policy, step_size):
    result = []
    for p, slope, step in zip(policy, gradient(game, policy), step_size, strict=True):
        centred = p * (slope - (p * slope).sum(-1, keepdims=True))
        result.append(_multiplied(p, step * centred))
    return tuple(result)


def _natural_step(game, policy, step_size):
    rates = [step * _scale(game) for step in step_size]
    return tuple(
        _multiplied(p, rate * q) for p, q, rate in zip(policy, evaluate.averaged_q(game, policy), rates, strict=True)
    )


def _multiplied(policy, logits):
    r"""$\pi_a\propto\pi_ae^{x_a}$ over the last axis."""
    weights = np.maximum(policy * np.exp(logits - logits.max(-1, keepdims=True)), SMALLEST)
    return weights / weights.sum(-1, keepdims=True)


def _without_zeros(policy):
    for agent, p in enumerate(policy):
        if (p <= 0).any():
            index = np.argwhere(p <= 0)[0].tolist()
            raise ValueError(f"initial[{agent}]{index} is 0, expected a positive probability: softmax policies have no zeros.")
