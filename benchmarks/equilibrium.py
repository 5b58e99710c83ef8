"""Exact equilibrium of a zero-sum Markov game by backward induction, beside solvers of one matrix game at a time."""

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import equilibrium, games


def run(states=50, actions=10, horizon=10, **options):
    """Solve one random game with each method.

    Parameters
    ----------
    states, actions, horizon : int
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    game = games.random_game(np.random.default_rng(0), horizon, states, (actions, actions))
    solvers = {"nashpy, linear programmes": _nashpy, "quantecon, compiled simplex": _quantecon}
    answers = {name: lambda solver=solver: [backward_induction(game, solver())] for name, solver in solvers.items()}
    answers[harness.OURS] = lambda: [equilibrium.solve_zero_sum(game)[1]]
    methods = {name: lambda solver=solver: _bound(game, solver()) for name, solver in solvers.items()}
    methods[harness.OURS] = lambda: lambda: equilibrium.solve_zero_sum(game)
    case = {"case": f"S={states}, A={actions}, H={horizon}"}
    table = pd.DataFrame(harness.compare(case, methods, answers, "milliseconds", **{"repeats": 3, **options}))
    return table, report.bars(table, "milliseconds", "Exact Nash equilibrium by backward induction, one thread")


def backward_induction(game, solve):
    r"""Values $V_h^\star(s)$ with a solver of single matrix games.

    Parameters
    ----------
    game : MarkovGame
        Zero-sum, finite horizon, no batch axes.
    solve : function
        Payoffs (A, B) to (row player's policy, column player's policy, value).

    Returns
    -------
    array (H, S)
    """
    values = np.zeros((game.horizon + 1, game.states))
    for h in reversed(range(game.horizon)):
        q = game.agent_rewards(0)[h] + game.transitions[h] @ values[h + 1]
        values[h] = [solve(payoffs)[2] for payoffs in q]
    return values[:-1]


def _bound(game, solve):
    return lambda: backward_induction(game, solve)


def _nashpy():
    nashpy = harness.peer("nashpy")

    def solve(payoffs):
        row, column = nashpy.Game(payoffs).linear_program()
        return row, column, row @ payoffs @ column

    return solve


def _quantecon():
    harness.peer("quantecon")
    from quantecon.optimize import minmax

    def solve(payoffs):
        value, row, column = minmax(payoffs)
        return row, column, value

    return solve
