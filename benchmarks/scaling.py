"""How time and memory of whole runs grow with T, K, S, A, N, H and the number of games."""

import numpy as np
import pandas as pd

from benchmarks import harness, memory
from marlpaper import features, figures, games, learners

BASE = {"S": 20, "A": 3, "N": 2, "H": 10, "T": 100, "K": 100, "games": 1}
DESCENT, CORRELATED, SAMPLED = "Algorithm 1", "Algorithm 2", "sampled Q-ascent"
AXES = {
    (DESCENT, "S"): (10, 20, 40, 80, 160, 320),
    (DESCENT, "A"): (2, 4, 8, 16, 32, 64),
    (DESCENT, "H"): (5, 15, 45, 135, 405, 1215),
    (DESCENT, "T"): (100, 200, 400, 800, 1600, 3200),
    (DESCENT, "games"): (1, 4, 16, 64, 256, 1024),
    (CORRELATED, "N"): (2, 3, 4, 5, 6, 7, 8, 9, 10),
    (CORRELATED, "A"): (2, 4, 8, 16, 32, 64, 128),
    (SAMPLED, "K"): (10, 40, 160, 640, 2560),
    (SAMPLED, "T"): (10, 30, 90, 270),
}


def run(axes=AXES, base=BASE, **options):
    """Time random games that differ from `base` in one size at a time, measure their memory, and fit exponents.

    Parameters
    ----------
    axes : dict of (learner, size) -> sequence of int
        Sizes to vary, each over its values.
    base : dict of str -> int
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    settings = {"repeats": 3, "most": 5, **options}
    tables = [_along(learner, name, sizes, base, settings) for (learner, name), sizes in axes.items()]
    table = pd.concat(tables, ignore_index=True)
    return table, _figure(table, base)


def _along(learner, name, sizes, base, options):
    calls = {size: STARTS[learner]({**base, name: size}) for size in sizes}
    methods = {size: lambda call=call: call for size, call in calls.items()}
    seconds = harness.interleaved(methods, **options)
    megabytes = {size: memory.peak(call) / 1e6 for size, call in calls.items()}
    slopes = [harness.exponent(list(measured), list(measured.values())) for measured in (seconds, megabytes)]
    case = {"learner": learner, "varied": name, "size": list(sizes)}
    columns = {"seconds": seconds.values(), "exponent": slopes[0]}
    return pd.DataFrame({**case, **columns, "peak megabytes": megabytes.values(), "exponent of memory": slopes[1]})


def _game(sizes, zero_sum):
    actions = (sizes["A"],) * sizes["N"]
    rng, batch = np.random.default_rng(0), (sizes["games"],)
    return games.random_game(rng, sizes["H"], sizes["S"], actions, batch, zero_sum=zero_sum)


def _descent(sizes):
    game = _game(sizes, True)
    return lambda: learners.optimistic_mirror_descent(game, sizes["T"], 0.02)


def _correlated(sizes):
    game = _game(sizes | {"S": 2, "H": 3}, False)  # tables of all joint actions, so few states
    return lambda: learners.correlated_mirror_descent(game, sizes["T"], 0.02)


def _sampled(sizes):
    game = games.common_reward(np.random.default_rng(0), sizes["S"], (sizes["A"],) * sizes["N"], 0.9)
    maps = features.one_hot(game)

    def call():
        rng = np.random.default_rng(0)
        return learners.sampled_q_ascent(game, sizes["T"], 0.01, sizes["K"], maps, 0.1, 10.0, rng)

    return call


STARTS = {DESCENT: _descent, CORRELATED: _correlated, SAMPLED: _sampled}


def _figure(table, base):
    figure, panels = figures.canvas(2, width=9.6, height=4.6)
    columns = {"seconds": ("exponent", "processor seconds"), "peak megabytes": ("exponent of memory", "peak megabytes")}
    for panel, (column, (slope, label)) in zip(panels, columns.items(), strict=True):
        groups = table.groupby(["learner", "varied"], sort=False)
        for marker, ((learner, name), part) in zip("osD^vP*Xd", groups, strict=False):
            words = f"{learner}, {name}: {part[slope].iloc[0]:.2f}"
            panel.plot(part["size"] / part["size"].iloc[0], part[column], marker=marker, label=words)
        panel.set(xscale="log", yscale="log", xlabel="size / smallest size", ylabel=f"{label} of one run")
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 2}
        panel.legend(fontsize=7, title="fitted exponents", title_fontsize=8, **place)
    sizes = ", ".join(f"{name}={size}" for name, size in base.items())
    figure.suptitle(f"One size varied from {sizes}", fontsize=12)
    return figure
