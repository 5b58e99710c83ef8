"""Exact equilibrium of a zero-sum Markov game by backward induction, beside solvers of one matrix game at a time."""

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import equilibrium, games


CASES = ((50, 10, 10), (50, 40, 10), (1000, 2, 10))
NASHPY = "nashpy, linear programmes"
QUANTECON = "quantecon, compiled simplex"
SIMPLEX = 'marlpaper, solver="quantecon"'


def run(cases=CASES, **options):
    """Solve one random game of each case with each method.

    Parameters
    ----------
    cases : sequence of (states, actions, horizon)
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rows = []
    for states, actions, horizon in cases:
        game = games.random_game(np.random.default_rng(0), horizon, states, (actions, actions))
        solvers = {NASHPY: _nashpy, QUANTECON: _quantecon}
        methods = {name: lambda solver=solver: _bound(game, solver()) for name, solver in solvers.items()}
        methods[SIMPLEX] = lambda: _ours(game, "quantecon")
        methods[harness.OURS] = lambda: _ours(game, "highs")
        answers = {name: lambda start=start: [start()()] for name, start in methods.items()}
        case = {"case": f"S={states}, A={actions}, H={horizon}"}
        rows += harness.compare(case, methods, answers, "milliseconds", **{"repeats": 3, **options})
    table = pd.DataFrame(rows)
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


def _ours(game, solver):
    if solver != "highs":
        harness.peer(solver)
    return lambda: equilibrium.solve_zero_sum(game, solver)[1]


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
