"""Algorithm 1, CFR+ and DCFR on river endgames: against dense transcriptions, and against each other."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from river_games import short_game

from marlpaper import evaluate, games, learners, meta
from marlpaper.games import showdown
from marlpaper.learners import loop, river

ETA = 0.4


def dense_gains(game, x, y):
    """What going in is worth for each hand of each player, weighted by chance, from dense matrices of a single game."""
    met, beaten = game.showdown.pairs()
    joint = game.reach[0][:, None] * game.reach[1] / (game.reach[0] @ met @ game.reach[1])
    _, b, c, e = (joint * (constant * met + factor * beaten) for constant, factor in game.payoffs[0])
    return b.sum(1) + e @ y, -(c.sum(0) + e.T @ x)


def transcribed(game, iterations, starts, restart, order):
    """Algorithm 1 for H = 1: log-odds of going in, stages of 1, 2, 4, ... iterations, the game unknown in the first."""
    plays, length, done, stage = [], 1, 0, 0
    while done < iterations:
        if stage == 0 or restart:
            odds = [np.log(p / (1 - p)) for p in starts[min(stage, len(starts) - 1)]]
            x, y = starts[min(stage, len(starts) - 1)]
        told = dense_gains(game, x, y) if stage else (0 * x, 0 * y)
        for _ in range(min(length, iterations - done)):
            if order == "printed":
                odds = [z + ETA * g for z, g in zip(odds, told, strict=True)]
            x, y = (1 / (1 + np.exp(-z - ETA * g)) for z, g in zip(odds, told, strict=True))
            plays.append((x, y))
            told = dense_gains(game, x, y) if stage else (0 * x, 0 * y)
            if order == "repaired":
                odds = [z + ETA * g for z, g in zip(odds, told, strict=True)]
        done, stage, length = len(plays), stage + 1, 2 * length
    return plays


@pytest.mark.parametrize("betting", ["seq", "sim", "check"])
@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize("restart", [True, False])
def test_algorithm_1_is_the_dense_transcription(restart, order, betting):
    rng = np.random.default_rng(0)
    game = short_game(rng, betting=betting)
    starts = [[rng.uniform(0.1, 0.9, game.states) for _ in range(2)] for _ in range(5)]
    initial = [np.stack([np.stack([1 - s[player], s[player]], -1)[None] for s in starts]) for player in range(2)]
    run = learners.optimistic_mirror_descent(game, 20, ETA, initial, restart, order, checkpoints=[7, 20], record=True)
    plays = transcribed(game, 20, starts, restart, order)
    for player in range(2):
        played = np.array([play[player] for play in plays])
        assert_allclose(run.policy[player][0, :, 1], played[-1], atol=1e-12)
        assert_allclose(run.average_policy[player][0, :, 1], played.mean(0), atol=1e-12)
        assert_allclose(run.stages.averages[player][3, 0, :, 1], played[7:15].mean(0), atol=1e-12)
    assert run.stages.lengths.tolist() == [1, 2, 4, 8, 5] and run.critic is None and run.stages.q is None
    assert run.gaps[-1] == pytest.approx(evaluate.nash_gap(game, run.average_policy))


def test_records_are_those_of_the_plays():
    rng = np.random.default_rng(1)
    game = short_game(rng)
    run = learners.optimistic_mirror_descent(game, 15, ETA, restart=True, record=True)
    starts = [[np.full(game.states, 0.5)] * 2]
    plays = transcribed(game, 15, starts, True, "printed")[7:15]
    x, y = np.mean(plays, 0)
    for player, told in enumerate(dense_gains(game, x, y)):
        gains = run.stages.gains[player][3, 0]
        assert_allclose(gains[:, 1] - gains[:, 0], told, atol=1e-13)
        earned = np.mean([play[player] * dense_gains(game, *play)[player] for play in plays], 0)
        assert_allclose(run.stages.regrets[player][3, 0], np.maximum(told, 0) - earned, atol=1e-13)
        best = run.stages.best_responses[player][3, 0, :, 1]
        assert_allclose(best, np.where(np.abs(told) < 1e-12, 0.5, told > 0))
        # The first stage plays Q = 0, where every action ties: its best response is the start.
        assert_allclose(run.stages.best_responses[player][0], 0.5)


def test_batches_are_single_games():
    game = short_game(np.random.default_rng(2), (2, 3))
    together = learners.optimistic_mirror_descent(game, 40, ETA, checkpoints=[1, 40])
    alone = learners.optimistic_mirror_descent(game[1, 2], 40, ETA, checkpoints=[1, 40])
    assert_allclose(together.gaps[1, 2], alone.gaps, atol=1e-13)
    assert_allclose(together.average_policy[1][1, 2], alone.average_policy[1], atol=1e-13)
    cfr = [learners.counterfactual_regret(g, 40, checkpoints=[40]) for g in (game, game[1, 2])]
    assert_allclose(cfr[0].gaps[1, 2], cfr[1].gaps, atol=1e-12)


def equal_fields(run, expected):
    """All that a run reports, to 1e-12 of the largest number of each array."""
    names = ("starts", "averages", "best_responses", "gains", "regrets", "variations")
    pairs = [(run, expected, ("policy", "average_policy", "gaps", "values")), (run.stages, expected.stages, names)]
    for owner, other, fields in pairs:
        for name in fields:
            ours, theirs = np.asarray(getattr(owner, name)), np.asarray(getattr(other, name))
            assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max(), err_msg=name)


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "plain"])
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
@pytest.mark.parametrize("weighting", ["chance", "hand"])
@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize("restart", [True, False])
def test_compiled_iterations_are_those_of_the_arrays(monkeypatch, restart, order, weighting, batch, plain):
    rng = np.random.default_rng(5)
    game = short_game(rng, batch, weighting=weighting)
    starts = rng.uniform(0.1, 0.9, (2, *batch, 6, 1, game.states))  # a start for each stage
    starts[..., :2] = 0, 1  # vertices are never left
    initial = [np.stack([1 - start, start], -1) for start in starts]
    points = [1, 2, 3, 9, 31, 40]
    if plain:
        monkeypatch.setattr(river, "_compiled", lambda: river.iteration)
        monkeypatch.setattr(showdown, "_compiled", lambda columns: showdown.one_pass)
    solve = functools.partial(
        learners.optimistic_mirror_descent, game, 40, ETA, initial, restart, order, checkpoints=points, record=True
    )
    run = solve()
    monkeypatch.setattr(showdown, "_compiled", lambda columns: None)
    expected = solve()
    equal_fields(run, expected)
    assert run.checkpoints.tolist() == points
    assert (run.policy[0][..., 0, 0, 1] == 0).all() and (run.policy[0][..., 0, 1, 0] == 0).all()
    assert np.abs(run.policy[0] - initial[0][..., -1, :, :, :]).max() > 0.1


def test_long_steps_reach_vertices_without_overflow(monkeypatch):
    game = short_game(np.random.default_rng(6), (2,))
    solve = functools.partial(learners.optimistic_mirror_descent, game, 31, 1e6, checkpoints=[5, 31], record=True)
    run = solve()
    monkeypatch.setattr(showdown, "_compiled", lambda columns: None)
    equal_fields(run, solve())
    assert set(np.unique(run.policy[0])) >= {0, 1}


@pytest.mark.parametrize(
    ("done", "points", "expected"),
    [(0, {1}, [1]), (3, set(), [4]), (3, {3, 4, 6, 7, 8}, [1, 2, 1]), (3, {3, 9}, [4]), (7, {9}, [2, 2])],
)
def test_stretches_end_at_checkpoints(done, points, expected):
    assert loop.stretches(done, sum(expected), points) == expected


def test_small_steps_count_by_their_sum():
    game = games.load("river-endgame")
    gaps = [learners.optimistic_mirror_descent(game, 400 * k, 2 / k, restart=False, checkpoints=[400 * k]).gaps[0] for k in (1, 4)]
    assert gaps[0] == pytest.approx(gaps[1], abs=2e-3) and gaps[0] < 0.45


@pytest.mark.parametrize("betting", ["seq", "sim", "check"])
def test_all_learners_find_the_same_value(betting):
    game = short_game(np.random.default_rng(3), (2,), betting=betting, count=7, levels=8)
    runs = [learners.counterfactual_regret(game, 3000, variant, checkpoints=[30, 3000]) for variant in ("cfr+", "dcfr")]
    runs.append(learners.optimistic_mirror_descent(game, 20000, 20.0, restart=False, checkpoints=[30, 20000]))
    for run in runs:
        assert (run.gaps[:, -1] < 1e-3).all() and (run.gaps[:, 0] > run.gaps[:, -1]).all()
        assert_allclose(run.values[:, -1], runs[0].values[:, -1], atol=1e-3)


@pytest.mark.parametrize("variant", ["cfr+", "dcfr"])
def test_regret_minimisation_is_the_dense_transcription(variant):
    game = short_game(np.random.default_rng(4))
    play, weights = [np.full(game.states, 0.5) for _ in range(2)], []
    regrets, sums = [np.zeros((2, game.states)) for _ in range(2)], [np.zeros(game.states) for _ in range(2)]
    for t in range(1, 31):
        for player in range(2):
            told = dense_gains(game, *play)[player]
            regrets[player] += [-told * play[player], told * (1 - play[player])]
            if variant == "cfr+":
                regrets[player] = regrets[player].clip(0)
            else:
                regrets[player] *= np.where(regrets[player] > 0, t**1.5 / (1 + t**1.5), 0.5)
            positive = regrets[player].clip(0)
            total = positive.sum(0)
            play[player] = np.where(total > 0, positive[1] / np.where(total > 0, total, 1), play[player])
        weights.append(t if variant == "cfr+" else t**2)
        sums = [part + weights[-1] * own for part, own in zip(sums, play, strict=True)]
    run = learners.counterfactual_regret(game, 30, variant)
    assert not run.checkpoints.size
    for player in range(2):
        assert_allclose(run.policy[player][0, :, 1], play[player], atol=1e-9)
        assert_allclose(run.average_policy[player][0, :, 1], sums[player] / sum(weights), atol=1e-9)


def test_sequences_of_river_games():
    sequence = games.load("river-endgame", count=3, stack_noise=0.5)
    learner = functools.partial(learners.optimistic_mirror_descent, iterations=300, step_size=5.0, checkpoints=[2, 300])
    alone = learner(sequence, restart=False)
    individual = meta.learn_sequence(sequence, functools.partial(learner, restart=False), "individual")
    assert_allclose(individual.gaps, alone.gaps, atol=1e-12)
    outputs = meta.learn_sequence(sequence, functools.partial(learner, restart=False), "output-average")
    assert (outputs.gaps[1:, 0] < 0.8 * alone.gaps[1:, 0]).all()
    printed = meta.learn_sequence(sequence, functools.partial(learner, restart=True, record=True), "best-response-average")
    first, second = printed.runs[:2]
    alpha = 1 / np.sqrt(3)
    expected = (1 - alpha) * first.stages.best_responses[0] + alpha / 2
    assert_allclose(second.stages.starts[0], expected, atol=1e-12)
    assert np.ptp(second.stages.starts[0][:, 0, :, 1], axis=0).max() > 0.1  # stages start differently


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: learners.optimistic_mirror_descent(g, 5, 0.1, initial_values=0), "initial_values is given, expected none"),
        (lambda g: learners.counterfactual_regret(g, 0), "iterations is 0"),
        (lambda g: learners.counterfactual_regret(g, 5, "cfr"), "variant is 'cfr', expected one of 'cfr\\+', 'dcfr'"),
        (lambda g: learners.counterfactual_regret(games.load("table-1"), 5), "expected a RiverGame"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(short_game(np.random.default_rng(0)))
