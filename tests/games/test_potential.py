"""Families that claim a potential have it, near misses do not, and low-rank games are the games they stand for."""

import numpy as np
import pytest

from marlpaper import evaluate, games

EXACT = [games.common_reward, games.action_free, games.shaped]


def value_of(game, policy):
    """The value of the carried potential reward at the start."""
    return evaluate.joint_value(game, game.potential, policy)


@pytest.mark.parametrize("family", EXACT)
@pytest.mark.parametrize("actions", [(3,), (2, 3), (2, 3, 2)])
def test_families_have_the_potential_that_they_carry(family, actions):
    rng = np.random.default_rng(1)
    game = family(rng, 3, actions, 0.8, batch=(4,))
    assert evaluate.potential_defect(game, rng).max() < 1e-13
    policy, reference = game.random_policy(rng), game.random_policy(rng)
    expected = value_of(game, policy) - value_of(game, reference)
    np.testing.assert_allclose(evaluate.potential_difference(game, policy, reference), expected, atol=1e-12)
    assert game.rewards.min() >= 0 and game.rewards.max() <= 1


@pytest.mark.parametrize(("agents", "facilities"), [(2, 3), (4, 2)])
def test_congestion_is_a_potential_game(agents, facilities):
    rng = np.random.default_rng(2)
    game = games.congestion(rng, 2, agents, facilities, 0.7, batch=(2,))
    assert evaluate.potential_defect(game, rng).max() < 1e-13
    policy, reference = game.random_policy(rng), game.random_policy(rng)
    expected = value_of(game, policy) - value_of(game, reference)
    np.testing.assert_allclose(evaluate.potential_difference(game, policy, reference), expected, atol=1e-12)


def test_congestion_pays_less_where_more_agents_are():
    game = games.congestion(np.random.default_rng(0), 1, 3, 2, 0.5)
    alone, shared, crowded = game.rewards[0, 0, 0, 1, 1], game.rewards[0, 0, 0, 0, 1], game.rewards[0, 0, 0, 0, 0]
    assert alone > shared > crowded
    assert game.potential[0, 0, 0, 0] == pytest.approx(alone + shared + crowded)


def test_the_carried_potential_is_told_from_a_wrong_one():
    """Adding a term that an agent's own action moves breaks the identity."""
    rng = np.random.default_rng(3)
    game = games.action_free(rng)
    wrong = games.PotentialGame(game.rewards, game.transitions, game.initial, 0.9, potential=game.potential + rng.random((3, 2, 2)))
    policy, reference = game.random_policy(rng), game.random_policy(rng)
    exact = evaluate.potential_difference(game, policy, reference)
    assert abs(value_of(game, policy) - value_of(game, reference) - exact) < 1e-12
    assert abs(value_of(wrong, policy) - value_of(wrong, reference) - exact) > 1e-3


def test_near_misses_are_not_potential_games():
    """Potentials in every state are not enough once actions move the kernel."""
    rng = np.random.default_rng(4)
    assert evaluate.potential_defect(games.moving_congestion(rng, batch=(3,)), rng).min() > 1e-3
    assert evaluate.potential_defect(games.load("gate"), rng) > 1e-3
    still = games.moving_congestion(rng)
    kernel = np.broadcast_to(still.transitions[:, :1, :1, :1], still.transitions.shape)
    assert evaluate.potential_defect(games.MarkovGame(still.rewards, kernel, still.initial, 0.9), rng) < 1e-13


def test_the_gate_has_the_values_of_its_description():
    game, rng = games.load("gate"), np.random.default_rng(5)
    first, second = policy = game.random_policy(rng)
    values = evaluate.state_values(game, policy)
    assert values[0, 0] == pytest.approx(0.9 * first[0, 1] * second[1, 1])
    assert values[1].tolist() == [0, 0, 0]


def test_indexing_a_batch_keeps_the_potential():
    batch = games.shaped(np.random.default_rng(0), batch=(3, 2))
    assert batch[1].potential.shape == (2, 3, 2, 2)
    assert np.array_equal(batch[1][0].potential, batch.potential[1, 0])


def low_rank_games():
    rng = np.random.default_rng(6)
    base = games.common_reward(rng, 3, (2, 3), 0.8)
    return [games.replicated(base, 4, rng), games.product_states(2, rng), games.product_states(1, rng, agents=3)]


@pytest.mark.parametrize("game", low_rank_games(), ids=["replicated", "product", "three agents"])
@pytest.mark.parametrize("leading", [(), (5,), (2, 3)])
def test_low_rank_evaluation_is_the_dense_one(game, leading):
    rng = np.random.default_rng(7)
    policy = [rng.dirichlet(np.ones(n), (*leading, game.states)) for n in game.actions]
    dense = game.dense()
    for function in (evaluate.state_values, evaluate.best_response_values, evaluate.visitation, evaluate.nash_gap):
        exact = function(dense, policy)
        assert function(game, policy).shape == exact.shape
        np.testing.assert_allclose(function(game, policy), exact, atol=1e-12)
    for q, exact in zip(evaluate.averaged_q(game, policy), evaluate.averaged_q(dense, policy), strict=True):
        np.testing.assert_allclose(q, exact, atol=1e-12)


def test_copies_do_not_change_the_mismatch():
    rng = np.random.default_rng(8)
    base = games.common_reward(rng, 3, (2, 2), 0.9)
    for copies in (1, 2, 5):
        game = games.replicated(base, copies, rng).dense()
        assert evaluate.mismatch(game) == pytest.approx(evaluate.mismatch(base))
        assert evaluate.free_mismatch(game) == pytest.approx(evaluate.free_mismatch(base))


def test_more_bits_do_not_change_the_mismatch():
    rng = np.random.default_rng(9)
    found = [evaluate.mismatch(games.product_states(bits, rng)) for bits in (1, 2, 3)]
    assert np.ptp(found) < 1e-12 and found[0] > 2


def test_product_states_move_independently():
    """The joint kernel is the product of its marginals, and the first bit follows the own action only."""
    game = games.product_states(2, np.random.default_rng(0))
    kernel = game.transitions.reshape(16, 2, 2, 4, 4)
    own = kernel.sum(-1), kernel.sum(-2)
    np.testing.assert_allclose(kernel, own[0][..., :, None] * own[1][..., None, :], atol=1e-15)
    assert own[0][0, 1, 0].tolist() == pytest.approx([0.1, 0.1, 0.4, 0.4])
    assert np.ptp(own[0], axis=2).max() < 1e-15


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mixture": np.ones((2, 2, 1))}, "mixture has shape|expected \\(N, S"),
        ({"components": [[0.5, 0.6]]}, "components\\[0\\] sums to 1.1"),
        ({"initial": [1.0, 0.0, 0.0]}, "initial has shape \\(3,\\)"),
        ({"discount": 1.0}, "discount is 1.0"),
        ({"rewards": [[[np.nan, 0], [0, 0]]]}, "rewards\\[0, 0, 0\\] is nan"),
    ],
)
def test_bad_low_rank_games_are_named(change, words):
    given = {"rewards": np.zeros((1, 2, 2)), "mixture": np.full((2, 2, 2), 0.5), "components": np.eye(2), "initial": [0.5, 0.5], "discount": 0.9}
    games.LowRankGame(**given)
    with pytest.raises(ValueError, match=words):
        games.LowRankGame(**{**given, **change})


def test_a_potential_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match="potential has shape"):
        games.PotentialGame(np.zeros((1, 2, 2)), np.full((2, 2, 2), 0.5), 0, 0.5, potential=np.zeros((2, 3)))
