"""Q-ascent and policy gradients against loops, finite differences and each other."""

import numpy as np
import pytest
from hypothesis import given, settings

from marlpaper import evaluate, games, learners
from marlpaper.learners.policy_gradient import gradient
from tests import oracles, strategies


def projected(point):
    """Projection on the simplex by bisection on the threshold."""
    low, high = point.min() - 1, point.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(point - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(point - low, 0)


@settings(max_examples=20)
@given(strategies.markov_games(agents=(1, 2), states=(1, 2), actions=(1, 3), horizon=(1, 2), batches=((),)), strategies.generators())
def test_one_step_against_loops(game, rng):
    start = strategies.random_policy(rng, game)
    run = learners.q_ascent(game, 1, 0.3, initial=start)
    for agent in range(game.agents):
        q = oracles.looped_q(game, start, agent)
        for index in np.ndindex(*game.time, game.states):
            expected = projected(start[agent][index] + 0.3 * q[index])
            np.testing.assert_allclose(run.policy[agent][index], expected, atol=1e-9)


def test_agents_move_at_once():
    """Agent 2's step uses agent 1's old policy."""
    game = games.MarkovGame([[[[0, 0], [0, 1]]]] * 2, np.ones((1, 2, 2, 1)), 0, 0.0)
    first, second = learners.q_ascent(game, 1, 1.0).policy
    np.testing.assert_allclose([first[0], second[0]], [[0.25, 0.75], [0.25, 0.75]])


@pytest.mark.parametrize("discount", [0.0, 0.9])
def test_gradient_against_differences(discount):
    rng = np.random.default_rng(0)
    game = strategies.cyclic_game(rng, actions=(2, 3), discount=discount)
    policy = game.random_policy(rng, 5.0)
    slopes = gradient(game, policy)
    for agent, slope in enumerate(slopes):
        for index in np.ndindex(game.states, game.actions[agent] - 1):
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in policy]
                moved[agent][index[0], index[1]] += sign * 1e-5
                moved[agent][index[0], -1] -= sign * 1e-5
                ends.append(evaluate.initial_value(game, evaluate.state_values(game, moved))[agent])
            exact = slope[index] - slope[index[0], -1]
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(exact, abs=1e-6)
    wrong = gradient(strategies.transposed(game), policy)
    assert discount == 0 or max(np.abs(a - b).max() for a, b in zip(slopes, wrong, strict=True)) > 1e-2


def test_direct_gradient_is_q_ascent_with_the_visitation_in_the_step():
    rng = np.random.default_rng(1)
    game = games.shaped(rng)
    start = game.random_policy(rng)
    step = learners.policy_gradient(game, 1, 0.01, "direct", initial=start)
    visits = evaluate.visitation(game, start) / (1 - game.discount)
    for agent in range(2):
        for state in range(game.states):
            alone = learners.q_ascent(game, 1, 0.01 * visits[state], initial=start).policy[agent][state]
            np.testing.assert_allclose(step.policy[agent][state], alone, atol=1e-14)


def test_softmax_step_against_differences_in_logits():
    rng = np.random.default_rng(2)
    game = games.common_reward(rng, 2, (3, 2), 0.8)
    logits = [rng.standard_normal((2, n)) for n in game.actions]

    def policy_of(logits):
        weights = [np.exp(x) for x in logits]
        return [w / w.sum(-1, keepdims=True) for w in weights]

    moved = [x.copy() for x in logits]
    for agent in range(2):
        for index in np.ndindex(logits[agent].shape):
            ends = []
            for sign in (1, -1):
                nudged = [x.copy() for x in logits]
                nudged[agent][index] += sign * 1e-5
                ends.append(evaluate.initial_value(game, evaluate.state_values(game, policy_of(nudged)))[agent])
            moved[agent][index] += 0.5 * (ends[0] - ends[1]) / 2e-5
    run = learners.policy_gradient(game, 1, 0.5, "softmax", initial=policy_of(logits))
    for found, expected in zip(run.policy, policy_of(moved), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_natural_step_is_multiplicative_weights():
    rng = np.random.default_rng(3)
    game = games.common_reward(rng, discount=0.8)
    start = game.random_policy(rng, 3.0)
    run = learners.policy_gradient(game, 1, 0.1, "natural", initial=start)
    for p, q, found in zip(start, evaluate.averaged_q(game, start), run.policy, strict=True):
        weights = p * np.exp(0.1 * q / 0.2)
        np.testing.assert_allclose(found, weights / weights.sum(-1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("learner", [learners.q_ascent, learners.policy_gradient])
def test_a_batch_is_its_games(learner):
    """Games with step sizes of their own, run at once or one after the other."""
    rng = np.random.default_rng(4)
    batch, sizes = games.action_free(rng, batch=(3,)), np.array([0.01, 0.02, 0.03])
    start = batch.random_policy(rng)
    together = learner(batch, 5, sizes, initial=start, checkpoints=range(6), record=True)
    for k in range(3):
        alone = learner(batch[k], 5, sizes[k], initial=[p[k] for p in start], checkpoints=range(6))
        np.testing.assert_allclose(together.gaps[k], alone.gaps, atol=1e-12)
        np.testing.assert_allclose(together.values[k], alone.values, atol=1e-12)
        np.testing.assert_allclose(together.trajectory[0][5, k], alone.policy[0], atol=1e-12)


def test_checkpoints_hold_the_policies_of_their_time():
    game = games.load("table-2")
    run = learners.q_ascent(game, 4, 0.05, checkpoints=[0, 2, 4], record=True, aggregate="mean")
    half = learners.q_ascent(game, 2, 0.05)
    assert run.checkpoints.tolist() == [0, 2, 4]
    assert np.array_equal(run.trajectory[0][0], run.initial[0]) and np.array_equal(run.initial[0], game.uniform_policy()[0])
    np.testing.assert_array_equal(run.trajectory[1][1], half.policy[1])
    np.testing.assert_array_equal(run.trajectory[1][2], run.policy[1])
    assert run.gaps[1] == evaluate.nash_gap(game, half.policy, "mean")


def test_tolerance_stops_every_game_of_the_batch():
    rng = np.random.default_rng(5)
    game = games.common_reward(rng, discount=0.5, batch=(3,))
    run = learners.q_ascent(game, 5000, 0.1, checkpoints=range(5001), tolerance=0.01)
    assert (run.gaps[:, -1] <= 0.01).all() and (run.gaps[:, :-1] > 0.01).any(0).all()
    assert run.parameters["iterations"] == run.checkpoints[-1] < 5000


def test_all_methods_find_an_equilibrium_of_a_cooperative_game():
    game = games.common_reward(np.random.default_rng(6), discount=0.5)
    assert learners.q_ascent(game, 1500, 0.1, checkpoints=[1500]).gaps[0] < 1e-6
    for parametrization in ("direct", "softmax", "natural"):
        assert learners.policy_gradient(game, 1500, 0.1, parametrization, checkpoints=[1500]).gaps[0] < 0.02


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"iterations": 0}, "iterations is 0"),
        ({"step_size": 0.0}, "step_size is 0.0, expected a positive"),
        ({"step_size": -1.0}, "step_size is -1.0, expected a positive"),
        ({"step_size": [0.1, 0.1]}, "step_size has shape \\(2,\\), expected a number or one for each game, \\(3,\\)"),
        ({"step_size": [0.1, 0.0, 0.1]}, "step_size\\[1\\] is 0"),
        ({"checkpoints": [6]}, "checkpoints has 6, expected iterations in 0..5"),
        ({"aggregate": "median"}, "aggregate is 'median'"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"initial": [np.full((3, 2), 0.6)] * 2}, "initial\\[0\\]\\[0\\] sums to 1.2"),
    ],
)
def test_bad_settings_are_named(options, words):
    game = games.common_reward(np.random.default_rng(0), batch=(3,))
    for learner in (learners.q_ascent, learners.policy_gradient):
        with pytest.raises(ValueError, match=words):
            learner(game, **{"iterations": 5, "step_size": 0.1, "checkpoints": [0], **options})


def test_softmax_refuses_zeros_and_unknown_parametrizations():
    game = games.load("two-state-trap")
    with pytest.raises(ValueError, match=r"initial\[0\]\[0, 1\] is 0, expected a positive probability"):
        learners.policy_gradient(game, 1, 0.1, "softmax", initial=[[[1, 0], [1, 0]]])
    with pytest.raises(ValueError, match="parametrization is 'tabular'"):
        learners.policy_gradient(game, 1, 0.1, "tabular")


@settings(max_examples=30)
@given(strategies.markov_games(), strategies.generators())
def test_repeated_feedback_is_averaged_q(game, rng):
    """The learner's fast oracle, on policies with the game's batch axes and with more of them."""
    for leading in (game.batch, (2, *game.batch)):
        policy = strategies.random_policy(rng, game, leading)
        for fast, plain in zip(evaluate.feedback(game, policy)(policy), evaluate.averaged_q(game, policy), strict=True):
            assert fast.shape == plain.shape
            np.testing.assert_allclose(fast, plain, atol=1e-11)
