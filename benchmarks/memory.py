"""Peak memory of a run of `mao2023` Algorithm 1 against its length T, with and without records."""

import tracemalloc

import numpy as np
import pandas as pd

from marlpaper import figures, games, learners

ITERATIONS = (100, 200, 400, 800, 1600, 3200)
SERIES = {"without records": False, "recorded": True}


def run(iterations=ITERATIONS, states=20, actions=4, horizon=10):
    """Measure on one random game.

    Parameters
    ----------
    iterations : sequence of int
    states, actions, horizon : int

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    game = games.random_game(np.random.default_rng(0), horizon, states, (actions, actions))
    tables = [_measure(game, iterations, series) for series in SERIES]
    table = pd.concat(tables, ignore_index=True)
    return table, _figure(table, f"Peak memory of a run: S={states}, A={actions}, H={horizon}")


def _measure(game, iterations, series):
    settings = {"step_size": 0.02, "record": SERIES[series]}
    peaks = [peak(lambda t=t: learners.optimistic_mirror_descent(game, t, **settings)) / 1e6 for t in iterations]
    columns = {"run": series, "T": iterations, "peak megabytes": peaks, "times shortest": np.divide(peaks, peaks[0])}
    return pd.DataFrame(columns)


def peak(function):
    """Most bytes that `function` holds at a time, beyond what was there before; the game itself is not counted."""
    function()  # caches filled by a first call do not belong to the run
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _figure(table, title):
    figure, axes = figures.canvas()
    for series, part in table.groupby("run", sort=False):
        axes.plot(part["T"], part["peak megabytes"], marker="o", linestyle="--" if SERIES[series] else "-", label=series)
    axes.set(xscale="log", ylim=(0, None), xlabel="iterations T", ylabel="peak megabytes", title=title)
    axes.legend()
    return figure
