"""Time of one optimistic iteration of `mao2023` Algorithm 1, beside Python loops and compiled loops."""

import numpy as np
import pandas as pd

from benchmarks import harness, loops, report

CASES = ((200, 2, 2), (1, 100, 10), (1, 625, 3))
HORIZON = 10


def run(cases=CASES, horizon=HORIZON, **options):
    """Compare the methods of `loops` on critics drawn from [0, H].

    Parameters
    ----------
    cases : sequence of (games, states, actions)
    horizon : int
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rng = np.random.default_rng(0)
    rows = []
    for batch, states, actions in cases:
        critic = horizon * rng.random((batch, horizon, states, actions, actions))
        case = {"case": f"{batch} game{'s' * (batch > 1)}, S={states}, A={actions}, H={horizon}"}
        methods = {name: lambda method=method: method(critic).step for name, method in loops.METHODS.items()}
        answers = {name: lambda method=method: _answer(method(critic)) for name, method in loops.METHODS.items()}
        rows += harness.compare(case, methods, answers, "microseconds", **options)
    table = pd.DataFrame(rows)
    return table, report.bars(table, "microseconds", "One optimistic iteration, one thread")


def _answer(method, iterations=5):
    for _ in range(iterations):
        method.step()
    return method.answer()
