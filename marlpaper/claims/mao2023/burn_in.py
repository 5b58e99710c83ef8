r"""The counterexample to Theorem 1's first claim as an experiment: the delayed-reward chain from an oracle's start.

Every stage starts at an exact equilibrium of its own matrix, so all divergences are 0 and nothing moves; what is
left of the gap is the burn-in of the first stages.
"""

import numpy as np

from marlpaper import equilibrium, games, learners
from marlpaper.claims.mao2023 import quantities


def chain_run(horizon, iterations, step_size=None, order="printed", checkpoints=None):
    r"""Recorded run of Algorithm 1 on the chain, stages started at their equilibria.

    Parameters
    ----------
    horizon, iterations : int
        $H\ge2$, $T\ge1$.
    step_size : float, optional
        Default $1/(8H^2)$; nothing depends on it, because nothing moves.
    order, checkpoints
        As in `learners.optimistic_mirror_descent`.
    """
    game = games.load("delayed-reward-chain", horizon=horizon)
    starts = equilibrium.of_stages(game, len(learners.stage_lengths(iterations, horizon)))
    return learners.optimistic_mirror_descent(
        game, iterations, step_size or 1 / (8 * horizon**2), starts, order=order, checkpoints=checkpoints, record=True
    )


def burn_in_curve(run):
    r"""$\mathcal B=\frac2T\sum_h\min(S_h,T)\,\mathrm{sp}(Q_h^1-Q_h^\star)$ at the run's checkpoints $T$: (..., C)."""
    horizon = run.game.horizon
    h = np.arange(1, horizon + 1)
    span = quantities.value_errors(run)[1][..., 0, :]
    weight = np.minimum.outer(run.checkpoints, h * horizon + h * (h - 1) / 2)
    return 2 / run.checkpoints * (weight * span[..., None, :]).sum(-1)
