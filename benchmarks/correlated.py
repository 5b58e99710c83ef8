"""Time of a whole run of `mao2023` Algorithm 2 against the number of players and of actions: tables grow like $A^N$."""

import numpy as np
import pandas as pd

from benchmarks import harness
from marlpaper import figures, games, learners

PLAYERS = (2, 3, 4, 5)
ACTIONS = (2, 3, 4, 6)
SIZES = {"H": 3, "S": 2, "T": 1000}
LARGEST = 2000


def run(players=PLAYERS, actions=ACTIONS, sizes=SIZES, largest=LARGEST, **options):
    """Time random general-sum games with A actions for each of N players.

    Parameters
    ----------
    players, actions : sequence of int
        N and A.
    sizes : dict of str -> int
        Horizon, states and iterations.
    largest : int
        Joint actions at most; larger combinations are left out.
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    cases = [(count, width) for count in players for width in actions if width**count <= largest]
    methods = {case: _start(*case, sizes) for case in cases}
    seconds = harness.interleaved(methods, **{"repeats": 3, "most": 3, **options})
    rows = [{"N": count, "A": width, "joint actions": width**count, "seconds": seconds[count, width]} for count, width in cases]
    table = pd.DataFrame(rows)
    return table, _figure(table, sizes)


def _start(players, actions, sizes):
    game = games.random_game(np.random.default_rng(0), sizes["H"], sizes["S"], (actions,) * players, zero_sum=False)
    return lambda: lambda: learners.correlated_mirror_descent(game, sizes["T"], 0.1)


def _figure(table, sizes):
    figure, axes = figures.canvas()
    for marker, (count, part) in zip("osD^v", table.groupby("N", sort=False), strict=False):
        axes.plot(part["joint actions"], part["seconds"], marker=marker, label=f"N={count}")
    words = ", ".join(f"{name}={size}" for name, size in sizes.items())
    axes.set(xscale="log", yscale="log", title=f"Algorithm 2, one game, {words}")
    axes.set(xlabel="joint actions $A^N$", ylabel="processor seconds for one run")
    axes.legend()
    return figure
