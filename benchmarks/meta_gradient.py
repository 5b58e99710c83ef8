"""MAML's exact meta-gradient by Hessian-vector products, beside Hessian matrices, and beside the inner stage alone."""

import numpy as np
import pandas as pd

from benchmarks import harness, report
from marlpaper import evaluate, games, learners
from marlpaper.evaluate import softmax

CASES = ((5, 5, 3), (5, 20, 5))
EXPLICIT = "explicit Hessian matrices"
INNER = "gradients of the inner stage alone"
STEP_SIZE = 0.1


def run(cases=CASES, **options):
    """Compare the methods on one random cooperative game of two agents.

    Parameters
    ----------
    cases : sequence of (inner steps, states, actions)
    **options
        Of `harness.interleaved`.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rng = np.random.default_rng(0)
    rows = []
    for steps, states, actions in cases:
        game = games.common_reward(rng, states, (actions, actions), 0.9, batch=(1,))
        theta = tuple(rng.standard_normal((states, actions)) for _ in range(2))
        answers = {
            EXPLICIT: lambda game=game, theta=theta, steps=steps: [explicit(game, theta, steps)],
            harness.OURS: lambda game=game, theta=theta, steps=steps: [
                softmax.flatten(learners.meta_gradient(game, theta, steps, STEP_SIZE))
            ],
        }
        case = {"case": f"T={steps}, N=2, S={states}, A={actions}"}
        methods = {method: lambda call=call: call for method, call in answers.items()}
        methods[INNER] = lambda game=game, theta=theta, steps=steps: lambda: gradients(game, theta, steps)
        rows += _rows(case, methods, answers, options)
    table = pd.DataFrame(rows)
    return table, report.bars(table, "milliseconds", "One exact meta-gradient, one thread")


def explicit(game, theta, steps):
    """The product of eq. (46) with a Hessian matrix for every inner step."""
    path = learners.adapt(game, theta, steps, STEP_SIZE)
    points = [tuple(part[t] for part in path) for t in range(steps + 1)]
    vector = softmax.flatten(evaluate.softmax_gradient(game, points[-1]))
    for place in reversed(points[:-1]):
        vector = vector + STEP_SIZE * (evaluate.policy_hessian(game, place) @ vector[..., None])[..., 0]
    return vector.mean(0)


def gradients(game, theta, steps):
    """The T gradients of the inner stage and the one at its end, without any derivative of them."""
    arrays = softmax.tables(game)
    for _ in range(steps + 1):
        slope = softmax.gradient_at(softmax.point(arrays, theta))
        theta = tuple(x + STEP_SIZE * g for x, g in zip(theta, slope, strict=True))
    return theta


def _rows(case, methods, answers, options):
    """As `harness.compare`, with methods that have no answer to compare."""
    seconds = harness.interleaved(methods, **options)
    reference = answers[harness.OURS]()
    rows = []
    for name in methods:
        gap = harness.difference(answers[name](), reference) if name in answers else "not the same task"
        measured = {"milliseconds": 1e3 * seconds[name], "times ours": seconds[name] / seconds[harness.OURS]}
        rows.append({**case, "method": name, **measured, "largest difference": gap})
    return rows
