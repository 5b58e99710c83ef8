"""How the time of a whole run of `mao2023` Algorithm 1 grows with S, A, H, T and the number of games."""

import numpy as np
import pandas as pd

from benchmarks import harness
from marlpaper import figures, games, learners

BASE = {"S": 20, "A": 3, "H": 10, "T": 100, "games": 1}
AXES = {
    "S": (10, 20, 40, 80, 160, 320),
    "A": (2, 4, 8, 16, 32, 64),
    "H": (5, 15, 45, 135, 405, 1215),
    "T": (100, 200, 400, 800, 1600, 3200),
    "games": (1, 4, 16, 64, 256, 1024),
}


def run(axes=AXES, base=BASE, **options):
    """Time random games that differ from `base` in one size at a time, and fit exponents.

    Parameters
    ----------
    axes : dict of str -> sequence of int
        Sizes to vary, each over its values.
    base : dict of str -> int
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    tables = [_along(name, sizes, base, {"repeats": 3, "most": 5, **options}) for name, sizes in axes.items()]
    table = pd.concat(tables, ignore_index=True)
    return table, _figure(table, base)


def _along(name, sizes, base, options):
    methods = {size: _start({**base, name: size}) for size in sizes}
    seconds = harness.interleaved(methods, **options)
    slope = harness.exponent(list(seconds), list(seconds.values()))
    rows = [{"varied": name, "size": size, "seconds": seconds[size], "exponent": slope} for size in sizes]
    return pd.DataFrame(rows)


def _start(sizes):
    actions = (sizes["A"], sizes["A"])
    game = games.random_game(np.random.default_rng(0), sizes["H"], sizes["S"], actions, (sizes["games"],))
    return lambda: lambda: learners.optimistic_mirror_descent(game, sizes["T"], 0.02)


def _figure(table, base):
    figure, axes = figures.canvas()
    for marker, (name, part) in zip("osD^v", table.groupby("varied", sort=False), strict=False):
        label = f"{name}: exponent {part['exponent'].iloc[0]:.2f}"
        axes.plot(part["size"] / part["size"].iloc[0], part["seconds"], marker=marker, label=label)
    sizes = ", ".join(f"{name}={size}" for name, size in base.items())
    axes.set(xscale="log", yscale="log", title=f"One size varied from {sizes}")
    axes.set(xlabel="size / smallest size", ylabel="processor seconds for one run")
    axes.legend()
    return figure
