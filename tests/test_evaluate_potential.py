"""Mismatch, similarity and the 4-cycle test against listing all deterministic policies."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from marlpaper import evaluate, games
from tests import strategies


def joint_policies(game):
    """Every deterministic joint policy, as a reduction to one agent with joint actions: arrays (S, A)."""
    count = int(np.prod(game.actions))
    for choice in itertools.product(range(count), repeat=game.states):
        yield np.eye(count)[list(choice)]


def as_one_agent(game, reward):
    """The same process run by one player who chooses the joint action."""
    count = int(np.prod(game.actions))
    return games.MarkovGame(np.reshape(reward, (1, game.states, count)), game.transitions.reshape(game.states, count, -1), game.initial, game.discount)


def listed_visitation(game):
    """The largest visitation of each state over all deterministic joint policies."""
    single = as_one_agent(game, np.zeros((game.states, *game.actions)))
    return np.max([evaluate.visitation(single, [p]) for p in joint_policies(game)], 0)


@settings(max_examples=25)
@given(strategies.markov_games(agents=(1, 2), states=(1, 3), actions=(1, 2), batches=((),), discounted=True))
def test_peak_visitation_against_listing(game):
    peaks = listed_visitation(game)
    np.testing.assert_allclose(evaluate.peak_visitation(game), peaks, atol=1e-10)
    assert evaluate.free_mismatch(game) == pytest.approx(peaks.sum())


def test_mismatch_against_listing():
    rng = np.random.default_rng(0)
    for _ in range(5):
        game = games.common_reward(rng, 3, (2, 2), 0.8)
        reference = rng.dirichlet(np.ones(3))
        peaks = listed_visitation(game)
        assert evaluate.mismatch(game) == pytest.approx((peaks / game.initial).max())
        assert evaluate.mismatch(game, reference) == pytest.approx((peaks / reference).max())
        best = peaks / peaks.sum()
        assert evaluate.mismatch(game, best) == pytest.approx(evaluate.free_mismatch(game))
        assert evaluate.mismatch(game, reference) >= evaluate.free_mismatch(game) - 1e-12


def test_mismatch_of_a_batch_is_that_of_its_games():
    batch = games.common_reward(np.random.default_rng(1), 3, (2, 2), 0.9, batch=(4,))
    assert np.allclose(evaluate.mismatch(batch), [evaluate.mismatch(batch[k]) for k in range(4)])


def test_mismatch_of_the_trap_is_one_plus_discount():
    for discount in (0.0, 0.5, 0.99):
        assert evaluate.mismatch(games.two_state_trap(discount)) == pytest.approx(1 + discount)


def test_mismatch_without_full_support_is_infinite_unless_nothing_gets_there():
    game = games.MarkovGame(np.zeros((1, 2, 1)), np.full((2, 1, 2), 0.5), 0, 0.9)
    assert evaluate.mismatch(game) == np.inf
    assert evaluate.mismatch(game, [1.0, 0.0]) == np.inf
    assert evaluate.mismatch(game, [0.5, 0.5]) == pytest.approx(2 * 0.55)
    rare = games.MarkovGame(np.zeros((1, 2, 1)), [[[1 - 1e-15, 1e-15]], [[0, 1]]], 0, 0.9)
    assert evaluate.mismatch(rare) == np.inf, "however rarely it gets there"
    myopic = games.MarkovGame(np.zeros((1, 2, 1)), np.full((2, 1, 2), 0.5), 0, 0.0)
    assert evaluate.mismatch(myopic) == 1
    stuck = games.MarkovGame(np.zeros((1, 2, 1)), np.eye(2)[:, None], 0, 0.9)
    assert evaluate.mismatch(stuck) == pytest.approx(1)  # state 1 is never reached, 0/0 = 0


def test_mismatch_wants_a_discount():
    with pytest.raises(ValueError, match="expected a discounted game"):
        evaluate.mismatch(games.load("table-2"))


def test_similarity_against_listing():
    rng = np.random.default_rng(2)
    base = games.common_reward(rng, 2, (2, 2), 0.7)
    sequence = games.perturb(base, (4, 2), 0.3, rng)
    for seed in range(2):
        total = 0.0
        for k in range(3):
            difference = as_one_agent(base, sequence.rewards[k, seed, 0] - sequence.rewards[k + 1, seed, 0])
            total += max(evaluate.state_values(difference, [p])[0] @ base.initial for p in joint_policies(base))
        assert evaluate.similarity(sequence)[seed] == pytest.approx(total)


def test_similarity_of_identical_games_is_zero_and_order_matters():
    rng = np.random.default_rng(3)
    base = games.common_reward(rng, 2, (2, 2), 0.7)
    assert abs(evaluate.similarity(games.perturb(base, 5, 0.0, rng))) < 1e-12
    assert evaluate.similarity(games.perturb(base, 1, 0.1, rng)).tolist() == 0
    pair = games.perturb(base, 2, 0.3, rng)
    assert evaluate.similarity(pair) != pytest.approx(evaluate.similarity(games.stack([pair[1], pair[0]])))


def test_similarity_refuses_kernels_that_differ():
    with pytest.raises(ValueError, match="transitions differ along the sequence"):
        evaluate.similarity(games.common_reward(np.random.default_rng(0), batch=(3,)))


def test_extreme_values_bound_every_policy():
    rng = np.random.default_rng(4)
    for game in (games.load("table-2"), games.common_reward(rng)):
        reward = game.rewards[0]
        low, high = evaluate.extreme_values(game, reward)
        values = [evaluate.initial_value(game, evaluate.state_values(game, game.random_policy(rng, 0.1)))[0] for _ in range(50)]
        assert low < min(values) and max(values) < high


def test_potential_reward_needs_a_potential():
    rng = np.random.default_rng(5)
    assert np.array_equal(evaluate.potential_reward(games.load("table-2")), games.load("table-2").rewards[0])
    with pytest.raises(ValueError, match="without a common reward"):
        evaluate.potential_reward(games.random_game(rng, discount=0.9))


def test_the_defect_of_general_games():
    rng = np.random.default_rng(6)
    assert evaluate.potential_defect(games.load("table-2"), rng) < 1e-13  # finite horizon, common reward
    assert evaluate.potential_defect(games.load("table-1"), rng) > 1e-2
    assert evaluate.potential_defect(games.random_game(rng, discount=0.9, zero_sum=False), rng) > 1e-3
    single = games.MarkovGame(rng.random((1, 3, 2)), rng.dirichlet(np.ones(3), (3, 2)), 0, 0.9)
    assert evaluate.potential_defect(single, rng) == 0
    with pytest.raises(ValueError, match="draws is 0"):
        evaluate.potential_defect(single, rng, draws=0)


def test_matching_pennies_has_the_largest_defect_at_vertices():
    """One state, no discount: second differences are those of the payoff matrix, (4 - (-4)) / 2 at deterministic policies."""
    pennies = games.zero_sum([[[1, -1], [-1, 1]]], np.ones((1, 2, 2, 1)), 0, 0.0)
    found = evaluate.potential_defect(pennies, np.random.default_rng(0), draws=300)
    assert 3 < found <= 4
