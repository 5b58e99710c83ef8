"""Q-ascent's parts: the projection beside POT's and a loop, many games in one call, the structured kernel beside the dense one."""

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import evaluate, games, simplex

PROJECTIONS = ((4000, 2), (4000, 10), (400, 100))
BATCH = (200, 10, 2, 2)
STATES = (16, 256)
SINGLY = f"{harness.OURS}, one game at a time"


def run(projections=PROJECTIONS, batch=BATCH, states=STATES, **options):
    """Compare `simplex.project`, the feedback of a batch of games, and that of games with a low-rank kernel.

    Parameters
    ----------
    projections : sequence of (points, actions)
    batch : (games, horizon, states, actions)
    states : sequence of int
        Even numbers of states of a replicated game.
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rng = np.random.default_rng(0)
    cases = {f"projection of {n} points, A={a}": projection(rng.standard_normal((n, a))) for n, a in projections}
    cases[f"feedback of {batch[0]} games, H={batch[1]}, S={batch[2]}, A={batch[3]}"] = batched(rng, *batch)
    cases |= {f"feedback, S={size}, kernel of 2 components": structured(rng, size) for size in states}
    rows = []
    for name, answers in cases.items():
        methods = {method: _method(method, call) for method, call in answers.items()}
        rows += harness.compare({"case": name}, methods, answers, "milliseconds", **options)
    table = pd.DataFrame(rows)
    return table, report.bars(table, "milliseconds", "Parts of an iteration of Q-ascent, one thread")


def projection(points):
    """Methods that project the rows of `points` on the simplex."""
    return {
        harness.OURS: lambda: [simplex.project(points)],
        "POT": lambda: [harness.peer("ot").utils.proj_simplex(points.T).T],
        "loop over points": lambda: [np.stack([_project_one(point) for point in points])],
    }


def _project_one(point):
    """Projection of one point, by the same rule, the way it is written for one point."""
    descending = np.sort(point)[::-1]
    total = 0.0
    for count, value in enumerate(descending, 1):
        total += value
        if value > (total - 1) / count:
            threshold = (total - 1) / count
    return np.maximum(point - threshold, 0)


def batched(rng, count, horizon, states, actions):
    """The feedback of a batch of finite-horizon games together, and one after the other."""
    game = games.random_game(rng, horizon, states, (actions, actions), (count,), zero_sum=False)
    policy = game.random_policy(rng)
    together = evaluate.feedback(game, policy)
    single = [(evaluate.feedback(game[k], [p[k] for p in policy]), [p[k] for p in policy]) for k in range(count)]
    return {
        harness.OURS: lambda: together(policy),
        SINGLY: lambda: [np.stack(parts) for parts in zip(*(oracle(part) for oracle, part in single), strict=True)],
    }


def structured(rng, states):
    """The feedback of a replicated game from its two components, and from the dense kernel."""
    base = games.common_reward(rng, 2, (2, 2), 0.9)
    game = games.replicated(base, states // 2, rng)
    policy, dense = game.random_policy(rng), game.dense()
    return {
        harness.OURS: lambda: evaluate.averaged_q(game, policy),
        f"{harness.OURS}, dense kernel": lambda: evaluate.averaged_q(dense, policy),
    }


def _method(name, call):
    def start():
        if name == "POT":
            harness.peer("ot")
        return call

    return start
