"""How the time of one iteration of Q-ascent grows with the number of states, with a structured and with a dense kernel."""

import numpy as np
import pandas as pd

from benchmarks import harness
from marlpaper import evaluate, figures, games
from marlpaper.learners.q_ascent import q_ascent_step

SIZES = {"2 components": (64, 256, 1024, 4096, 16384, 65536), "dense": (8, 16, 32, 64, 128, 256)}


def run(sizes=SIZES, **options):
    """Time iterations on replicated games and fit exponents.

    Parameters
    ----------
    sizes : dict of str -> sequence of int
        Numbers of states for "2 components" and "dense".
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    tables = [_along(kernel, states, {"repeats": 3, "most": 50, **options}) for kernel, states in sizes.items()]
    table = pd.concat(tables, ignore_index=True)
    return table, _figure(table)


def _along(kernel, sizes, options):
    seconds = harness.interleaved({size: _start(kernel, size) for size in sizes}, **options)
    slope = harness.exponent(list(seconds), list(seconds.values()))
    rows = [{"kernel": kernel, "S": size, "milliseconds": 1e3 * seconds[size], "exponent": slope} for size in sizes]
    return pd.DataFrame(rows)


def _start(kernel, states):
    rng = np.random.default_rng(0)
    base = games.common_reward(rng, 2, (2, 2), 0.9)
    game = games.replicated(base, states // 2, rng)
    game = game.dense() if kernel == "dense" else game
    policy = game.random_policy(rng)
    oracle = evaluate.feedback(game, policy)
    return lambda: lambda: q_ascent_step(policy, oracle(policy), 0.01)


def _figure(table):
    figure, axes = figures.canvas()
    for marker, (kernel, part) in zip("os", table.groupby("kernel", sort=False), strict=True):
        axes.plot(part["S"], part["milliseconds"], marker=marker, label=f"{kernel}: exponent {part['exponent'].iloc[0]:.2f}")
    axes.set(xscale="log", yscale="log", xlabel="number of states S", title="One iteration of Q-ascent, 2×2 actions")
    axes.set_ylabel("milliseconds of processor time")
    axes.legend()
    return figure
