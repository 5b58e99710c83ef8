"""Evaluating many policies: all games in one call, beside one call for each game."""

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import evaluate, games

CASES = ((200, 2, 2), (20, 20, 4))
SINGLY = f"{harness.OURS}, one game at a time"


def run(cases=CASES, horizon=10, **options):
    """Compare `evaluate.nash_gap` and `evaluate.averaged_q` on a batch and on its games one by one.

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
        game = games.random_game(rng, horizon, states, (actions, actions), (batch,))
        policy = game.random_policy(rng)
        single = [(game[k], [part[k] for part in policy]) for k in range(batch)]
        for name in ("nash_gap", "averaged_q"):
            function = getattr(evaluate, name)
            case = {"case": f"{name}, {batch} games, S={states}, A={actions}, H={horizon}"}
            answers = {SINGLY: _singly(function, single), harness.OURS: _together(function, game, policy)}
            methods = {method: lambda call=call: call for method, call in answers.items()}
            rows += harness.compare(case, methods, answers, "milliseconds", **options)
    table = pd.DataFrame(rows)
    return table, report.bars(table, "milliseconds", "Evaluating many policies, one thread")


def _together(function, game, policy):
    return lambda: _arrays(function(game, policy))


def _singly(function, single):
    return lambda: [np.stack(parts) for parts in zip(*(_arrays(function(*pair)) for pair in single), strict=True)]


def _arrays(answer):
    return answer if isinstance(answer, tuple) else (answer,)
