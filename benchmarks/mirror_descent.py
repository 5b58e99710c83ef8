"""Time of one optimistic iteration of `mao2023` Algorithm 1, beside other ways of writing it: loops, plain arrays, C, JAX."""

import functools

import numpy as np
import pandas as pd

from benchmarks import harness, loops, report

CASES = ((200, 2, 2), (1, 100, 10), (1, 625, 3), (1, 50, 64), (1, 2, 2))
HORIZON = 10
ITERATIONS = 10
"""In one call: the first stage's."""


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
        methods = {name: functools.partial(_started, method, critic) for name, method in loops.METHODS.items()}
        answers = {name: lambda method=method: _answer(method(critic)) for name, method in loops.METHODS.items()}
        rows += harness.compare(case, methods, answers, "microseconds", ITERATIONS, **options)
    table = pd.DataFrame(rows)
    return table, report.bars(table, "microseconds", "One optimistic iteration, one thread")


def _started(method, critic):
    return functools.partial(method(critic).advance, ITERATIONS)


def _answer(method):
    method.advance(ITERATIONS)
    return method.answer()
