"""The feedback of a river endgame for both players beside dense products and a compiled loop; whole iterations beside OpenSpiel's."""

import functools
import math

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import evaluate, games
from marlpaper.evaluate.river import Advantages
from marlpaper.games import showdown
from marlpaper.learners import cfr
from marlpaper.learners.loop import starts_by_stage
from marlpaper.learners.mirror_descent import stage_loop

GAMES = (1, 10)
DENSE = "dense 1081 × 1081 product"
PLAIN = f"{harness.OURS}, array operations"
LOOP = "compiled loop, one game at a time"
PEER = "OpenSpiel MCCFR, one sampled deal"
PEER_GAME = {
    "betting": "nolimit",
    "numPlayers": 2,
    "numRounds": 1,
    "blind": "100 100",
    "firstPlayer": "1",
    "stack": "300 300",
    "numSuits": 4,
    "numRanks": 13,
    "numHoleCards": 2,
    "numBoardCards": "5",
    "bettingAbstraction": "fcpa",
}
"""Its nearest game: one round on an open board, pot 200, 200 behind, so that a bet of the pot is all in."""
SMALL_DECKS = {"OpenSpiel CFR": {"numRanks": 6, "boardCards": "2c3d4c5d7h"}, "OpenSpiel NashConv": {"numRanks": 4, "boardCards": "2c2d3c3d4h"}}
"""Its exact methods walk through a tree of all deals. With 24 and 16 cards that takes about a second."""
GAP = f"{harness.OURS}, gap of a policy"


def run(counts=GAMES, **options):
    """Compare what both players are told in an iteration, computed in several ways, and whole iterations.

    Parameters
    ----------
    counts : sequence of int
        Numbers of games in the batch.
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rows = []
    for count in counts:
        answers = feedbacks(count)
        methods = {name: functools.partial(_started, answer) for name, answer in answers.items()}
        rows += harness.compare({"case": f"feedback of {count} game{'s' * (count > 1)}"}, methods, answers, "microseconds", **options)
    table = pd.DataFrame(rows + iterations(**options))
    return table, report.bars(table, "microseconds", "Feedback of a river endgame for both players, one thread")


def _started(answer):
    answer()
    return answer


def iterations(**options):
    """Rows with the time of one iteration: mirror descent and CFR+ on all deals, and OpenSpiel's on one sampled deal."""
    methods = {harness.OURS: _descent, f"{harness.OURS}, CFR+": _regret, PEER: _sampled, _named("OpenSpiel CFR"): _tree, GAP: _gap}
    methods[_named("OpenSpiel NashConv")] = _deviations
    present = {name: start for name, start in methods.items() if harness._starts(start)}
    seconds = harness.interleaved(present, **options)
    rows = []
    for name in methods:
        row = dict.fromkeys(("microseconds", "times ours"), harness.MISSING)
        if name in present:
            row = {"microseconds": 1e6 * seconds[name], "times ours": seconds[name] / seconds[harness.OURS]}
        rows.append({"case": "one iteration", "method": name, **row, "largest difference": "not compared"})
    return rows


def _descent():
    game = games.load("river-endgame")
    loop = stage_loop(game, starts_by_stage(game, None, 2), 0.02, False, "printed", None, False)
    loop.begin(0)
    loop.end(1, last=False)
    loop.begin(1)
    return loop.iterate


def _regret():
    solver = cfr._Solver(games.load("river-endgame"), "cfr+")
    return lambda: solver.iterate(10)


def deals(cards):
    """Ordered pairs of hands that five board cards leave of a deck."""
    return math.comb(cards - 5, 2) * math.comb(cards - 7, 2)


def _named(method):
    cards = PEER_GAME["numSuits"] * SMALL_DECKS[method]["numRanks"]
    return f"{method}, {deals(cards):,} deals of {cards} cards"


def _small(pyspiel, method):
    return pyspiel.load_game("universal_poker", {**PEER_GAME, "potSize": 200, **SMALL_DECKS[method]})


def _tree():
    pyspiel = harness.peer("pyspiel")
    return pyspiel.CFRSolver(_small(pyspiel, "OpenSpiel CFR")).evaluate_and_update_policy


def _deviations():
    pyspiel = harness.peer("pyspiel")
    game = _small(pyspiel, "OpenSpiel NashConv")
    return functools.partial(pyspiel.nash_conv, game, pyspiel.UniformRandomPolicy(game))


def _gap():
    game = games.load("river-endgame")
    return functools.partial(evaluate.nash_gap, game, game.uniform_policy())


def _sampled():
    pyspiel = harness.peer("pyspiel")
    return pyspiel.ExternalSamplingMCCFRSolver(pyspiel.load_game("universal_poker", PEER_GAME), 0).run_iteration


def feedbacks(count):
    """Ways to the advantages (n, 2, games) of going in, hands by strength."""
    game = games.load("river-endgame", count=count, stack_noise=0.5)
    entering = np.random.default_rng(0).random((game.states, 2, count))
    return {
        harness.OURS: _sums(game, entering, compiled=True),
        PLAIN: _sums(game, entering, compiled=False),
        LOOP: _one_by_one(game, entering),
        DENSE: _dense(game, entering),
    }


def _sums(game, entering, compiled):
    """The package's own, with the compiled pass or without it."""
    told, out = Advantages(game), np.empty_like(entering)
    if not compiled:
        factors = [part.ravel() for part in np.moveaxis(game.payoffs[:, 3], 1, 0)]
        told._combine = functools.partial(game.showdown._combined, *factors)

    def answer():
        told(entering, out)
        return [out]

    return answer


def _one_by_one(game, entering):
    """The compiled pass over one game after the other."""
    told = [Advantages(game[k : k + 1]) for k in range(game.batch[0])]
    parts = [np.ascontiguousarray(entering[..., k : k + 1]) for k in range(game.batch[0])]
    outs = [np.empty_like(part) for part in parts]

    def answer():
        if showdown._compiled(columns=2) is None:
            raise ImportError(f"numba is {harness.MISSING}")
        for one, part, out in zip(told, parts, outs, strict=True):
            one(part, out)
        return [np.concatenate(outs, -1)]

    return answer


def _dense(game, entering):
    """Two products with the matrices of all pairs, the same for all games, which differ in the factors of their stacks."""
    order = game.showdown.by_strength
    met, beaten = (np.ascontiguousarray(part[np.ix_(order, order)]) for part in game.showdown.pairs())
    told = Advantages(game)
    both = np.moveaxis(game.payoffs[:, 3], 1, 0)
    if len(np.unique(game.stack)) == 1:  # one game: one matrix for each player
        matrices = [both[0, player, 0] * met + both[1, player, 0] * beaten for player in range(2)]

    def answer():
        result = []
        for player in range(2):
            weighted = told.reach[:, player] * entering[:, 1 - player]
            if len(game.stack) == 1:
                product = matrices[player] @ weighted
            else:
                product = both[0, player] * (met @ weighted) + both[1, player] * (beaten @ weighted)
            result.append(told.weight[:, player] * product + told.constant[:, player])
        return [np.stack(result, 1)]

    return answer
