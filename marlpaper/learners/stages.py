r"""The stage schedule that `mao2023` Algorithms 1 and 2 share, and what a stage leaves behind.

Stage lengths $L_1=H$, $L_{\tau+1}=\lfloor(1+\frac1H)L_\tau\rfloor=L_\tau+\lfloor L_\tau/H\rfloor$, in whole numbers: the floating-point
floor is wrong from $H=11$ on.
"""

import math
from dataclasses import dataclass

import numpy as np

from marlpaper import validation


def stage_lengths(iterations, horizon):
    r"""Actual lengths of the stages of $T$ iterations.

    Parameters
    ----------
    iterations : int
        $T\ge1$.
    horizon : int
        $H\ge1$.

    Returns
    -------
    array of int (stages,)
        Sums to $T$; only the last stage may be cut short.

    Examples
    --------
    >>> stage_lengths(100, 10).tolist()
    [10, 11, 12, 13, 14, 15, 16, 9]
    """
    iterations = validation.whole("iterations", iterations, 1)
    horizon = validation.whole("horizon", horizon, 1)
    lengths, length, left = [], horizon, iterations
    while left > 0:
        lengths.append(min(length, left))
        left -= lengths[-1]
        length += length // horizon
    return np.array(lengths)


@dataclass(frozen=True, eq=False)
class Stages:
    r"""What a recorded run keeps of every stage $\tau$, one array for each agent; arrays (..., stages, H, S, ·).

    Attributes
    ----------
    lengths : array (stages,)
        $L_\tau$.
    starts : tuple of arrays (..., stages, H, S, A_i)
        Initial policies $\tilde\mu_h^\tau,\tilde\nu_h^\tau$.
    averages : tuple of arrays (..., stages, H, S, A_i)
        Mean policies of the stage.
    best_responses : tuple of arrays (..., stages, H, S, A_i)
        $\mu_h^{\tau,\dagger},\nu_h^{\tau,\dagger}$, ties resolved towards the start.
    gains : tuple of arrays (..., stages, H, S, A_i)
        Each action's mean gain against what the other played, $[Q_h^\tau\bar\nu_h^\tau](s,\cdot)$ and $-[\bar\mu_h^{\tau\top}Q_h^\tau](s,\cdot)$.
    regrets : tuple of arrays (..., stages, H, S)
        $\mathrm{reg}^\tau_{h,i}(s)$.
    variations : tuple of arrays (..., stages, H, S)
        $\sum_j\|\mu_h^j-\mu_h^{j-1}\|_1^2$ over the stage.
    q : array (..., stages, H, S, A, B) or None
        $Q_h^\tau$, the matrix that the stage plays; of Algorithm 2 (..., stages, N, H, S, A_1, ..., A_N), one for each agent. `None` in games
        without a table.
    largest_moves, largest_moves_of_others : tuple of arrays (..., stages, H, S) or None
        $\max_j\|\pi_{h,i}^j-\pi_{h,i}^{j-1}\|_1$ and $\max_j\|\pi_{h,-i}^j-\pi_{h,-i}^{j-1}\|_1$ over the stage, of Algorithm 2.
    """

    lengths: np.ndarray
    starts: tuple
    averages: tuple
    best_responses: tuple
    gains: tuple
    regrets: tuple
    variations: tuple
    q: np.ndarray | None = None
    largest_moves: tuple | None = None
    largest_moves_of_others: tuple | None = None


def record_bytes(game, stages, tables, moves=False):
    """Bytes of the `Stages` of a run, from the sizes alone.

    Parameters
    ----------
    game : MarkovGame or RiverGame
    stages : int
        Number of stages.
    tables : int
        How many tables of joint actions each step and state keeps in `q`: 0, 1, or one for each agent.
    moves : bool
        Whether `largest_moves` and `largest_moves_of_others` are kept.

    Returns
    -------
    int
    """
    policies = 4 * sum(game.actions)  # starts, averages, best responses, gains
    numbers = (4 if moves else 2) * game.agents  # regrets and variations; largest moves
    places = math.prod(game.batch) * game.horizon * game.states
    entries = places * (policies + numbers + tables * math.prod(game.actions))
    return 8 * stages * (1 + entries)
