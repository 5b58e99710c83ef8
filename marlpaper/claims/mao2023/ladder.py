r"""The proofs of Theorems 1 and 5 as ladders: each rung is one inequality, from the measured gap up to the printed bound.

The quotient of neighbouring rungs is what that step of the proof gives away on the run at hand.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims.mao2023 import correlated as printed
from marlpaper.claims.mao2023 import correlated_quantities as correlated
from marlpaper.claims.mao2023 import quantities
from marlpaper.claims.mao2023.correlated import unrolled
from marlpaper.claims.mao2023.correlated_repaired import sharper_bound, theorem5_bound
from marlpaper.claims.mao2023.zero_sum import diagonal_sums, gap, uniform_bound
from marlpaper.claims.mao2023.zero_sum_repaired import constants, repaired_bound, unrolled_spans


def printed_ladder(run):
    r"""Rungs of the printed proof at its step size $\eta=1/(8H^2)$, as {label: value (...)}.

    A rung below its predecessor shows a step that does not hold: the value errors of the first stages
    are not bounded by divergences (Lemma 9).
    """
    first, second = run.stages.regrets
    delta, _ = quantities.value_errors(run)
    distance, _ = quantities.distances(run)
    step, iterations, horizon = run.parameters["step_size"], run.parameters["iterations"], run.game.horizon
    share = run.stages.lengths[:, None] / iterations
    errors = 4 * _total(share * delta)
    divergences = 2 / (step * iterations) * _total(distance)
    return {
        "NE-gap, measured": gap(run),
        "deviations at Q*, step by step": 2 * local_gaps(run).sum(-1),
        "Lemma 7: regrets and errors": 2 * _total(share * (first + second).max(-1)) + errors,
        "Lemma 8: regrets to KL": divergences + errors,
        "Lemma 9: errors to KL": divergences + 48 / (step * iterations) * _total(diagonal_sums(distance)),
        "Theorem 1: one constant, 192H³": 192 * horizon**3 / iterations * _total(distance),
        "uniform start: 768H⁵ log T log(AB)/T": _uniform(run, 768, 5),
    }


def repaired_ladder(run):
    r"""Rungs of the repaired proof (form b), as {label: value (...)}."""
    first, second = run.stages.regrets
    _, hat = quantities.distances(run)
    step, iterations, horizon = run.parameters["step_size"], run.parameters["iterations"], run.game.horizon
    lengths = run.stages.lengths[:, None]
    share = lengths / iterations
    regrets = 2 * _total(share * (first + second).max(-1))
    _, span = quantities.value_errors(run)
    r = 1.5 * (step * horizon) ** 2
    propagated = (1 + r) / (1 - r) / step * _total(lengths * diagonal_sums(hat / lengths))
    per_step = quantities.coefficients(horizon, step, hat=True)
    return {
        "NE-gap, measured": gap(run),
        "deviations at Q*, step by step": 2 * local_gaps(run).sum(-1),
        "Lemma 7 with spans": regrets + 2 * _total(share * span),
        "Lemma 9 with its terminal error": regrets + 2 * _total(share * unrolled_spans(run)),
        "regrets to KL": 2 / iterations * (_total(hat) / step + propagated) + quantities.burn_in(run),
        "one coefficient a step": repaired_bound(run, per_step, hat=True),
        "one constant, 4.2H": repaired_bound(run, constants(run, hat=True), hat=True),
        "uniform start: 29H⁴ log T log(AB)/T": _uniform(run, 29, 4),
    }


def table(rungs, variant):
    """Rungs as a tidy table: mean over the run's games, and the factor that each rung adds.

    Parameters
    ----------
    rungs : dict of str to array (...)
        From `printed_ladder` or `repaired_ladder`.
    variant : str

    Returns
    -------
    DataFrame
        Columns variant, series, x, mean, factor.
    """
    import pandas as pd  # here: `marlpaper check` does without

    means = [float(np.mean(value)) for value in rungs.values()]
    result = pd.DataFrame({"variant": variant, "series": list(rungs), "x": range(len(rungs)), "mean": means})
    return result.assign(factor=result["mean"] / result["mean"].shift(1))


def local_gaps(run):
    r"""$\max_s[\max_\mu\mu^\top Q_h^\star\bar\nu_h-\min_\nu\bar\mu_h^\top Q_h^\star\nu](s)$ of the output, (..., H)."""
    critic = quantities.equilibrium_critic(run.game)
    first, second = run.average_policy
    best = np.einsum("...ab,...b->...a", critic, second).max(-1)
    worst = np.einsum("...ab,...a->...b", critic, first).min(-1)
    return (best - worst).max(-1)


def _total(entries):
    return entries.sum((-2, -1))


def _uniform(run, constant, power):
    return np.broadcast_to(uniform_bound(run, constant, power), run.game.batch)


def certified_ladder(run):
    r"""Rungs of the repaired proof of Theorem 5 for a recorded run of Algorithm 2 from uniform starts, as {label: value (...)}."""
    own, best = evaluate.certified_values(run.game, run.certified)
    gains = np.einsum("...ins,...s->...in", (best - own)[..., 0, :], run.game.initial)
    weights = run.certified.weights
    regrets = unrolled(correlated.regrets(run), first=2)[..., 0]
    steps = correlated.burn_in_steps(run.game.horizon, len(weights))[:, 0]
    return {
        "CCE-gap, signal hidden": evaluate.cce_gap(run.game, run.certified, "hidden"),
        "signal revealed": (gains @ weights).max(-1),
        "another agent in every stage": gains.max(-2) @ weights,
        "another state in every stage": correlated.delta_gap(run),
        "Lemma 19: regrets and burn-in": (regrets + steps) @ weights,
        "regrets to free energy": theorem5_bound(run, free_energy=True),
        "free energy to KL: Theorem 5": theorem5_bound(run),
        "uniform start, with log T": np.broadcast_to(sharper_bound(run), run.game.batch),
    }


def printed_certified_ladder(run):
    """Rungs of the printed Theorem 5, from the gap to the bound for a uniform start."""
    lemma17 = printed.lemma17(run).bound
    regrets = unrolled(lemma17.max((0, -1)))[..., 0]
    theorem = printed.theorem5(run)
    return {
        "CCE-gap, signal hidden": theorem.measured,
        "another agent and state": correlated.delta_gap(run),
        "Lemma 17: KL and variation": regrets @ run.certified.weights,
        "Theorem 5, first claim": theorem.bound,
        "uniform start, with log T": np.broadcast_to(printed.theorem5_uniform(run).bound, run.game.batch),
    }
