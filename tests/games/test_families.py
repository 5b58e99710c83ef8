"""Families of games: the counterexample chain entry by entry, and what random games promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import equilibrium, evaluate, games

GOOD, BAD = 0, 1


@pytest.mark.parametrize("horizon", [2, 3, 4, 10, 13])
def test_chain_by_its_definition(horizon):
    game = games.delayed_reward_chain(horizon)
    assert game.horizon == horizon
    assert game.initial.tolist() == [1, 0]
    assert game.is_zero_sum
    for step in range(1, horizon + 1):
        early = step <= 2 * horizon // 3
        for a in (0, 1):
            for b in (0, 1):
                small = 0.01 * (1 - step / (2 * horizon)) if a == 0 else 0
                earned = 0.9 * (small if early else 1) + 0.1 * b
                assert game.rewards[0, step - 1, GOOD, a, b] == pytest.approx(earned, abs=1e-15)
                assert game.rewards[0, step - 1, BAD, a, b] == pytest.approx(0.1 * b, abs=1e-15)
                leaves = early and a == 0
                assert game.transitions[step - 1, GOOD, a, b].tolist() == ([0, 1] if leaves else [1, 0])
                assert game.transitions[step - 1, BAD, a, b].tolist() == [0, 1]


def test_chain_pays_late():
    """At the equilibrium the max-player waits in Good, and the min-player plays its dominant action."""
    game = games.delayed_reward_chain(9)
    (rows, columns), values = equilibrium.solve_zero_sum(game)
    assert values[0, GOOD] == pytest.approx(0.9 * 3)
    assert np.all(rows[:6, GOOD, 1] == 1)
    assert np.all(columns[..., 0] == 1)
    greedy = (np.broadcast_to([1.0, 0.0], (9, 2, 2)), columns)
    assert evaluate.state_values(game, greedy)[0, 0, GOOD] < 0.01


def test_chain_needs_two_steps():
    with pytest.raises(ValueError, match=r"^horizon is 1, expected a whole number of at least 2\.$"):
        games.delayed_reward_chain(1)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.sampled_from([(), (3,)]))
def test_random_games(seed, states, reach, zero_sum, batch):
    rng = np.random.default_rng(seed)
    actions = (2, 3) if zero_sum else (2, 1, 3)
    support = min(reach, states)
    game = games.random_game(rng, 2, states, actions, batch, zero_sum=zero_sum, support=support)
    assert (game.states, game.actions, game.batch, game.horizon) == (states, actions, batch, 2)
    assert game.is_zero_sum == zero_sum
    rewards = game.agent_rewards(0) if zero_sum else game.rewards
    assert rewards.min() >= 0
    assert rewards.max() <= 1
    assert np.all((game.transitions > 0).sum(-1) == support)


def test_random_games_come_from_the_generator():
    first, again, other = (games.random_game(np.random.default_rng(seed), 3, 3) for seed in (0, 0, 1))
    assert np.array_equal(first.rewards, again.rewards)
    assert np.array_equal(first.transitions, again.transitions)
    assert not np.array_equal(first.transitions, other.transitions)
    assert not np.allclose(first.transitions, np.swapaxes(first.transitions, 1, -1)), "an asymmetric kernel"
    assert games.random_game(np.random.default_rng(0), discount=0.5).discount == 0.5
    assert_allclose(first.transitions.sum(-1), 1)


@pytest.mark.parametrize("timing", [{}, {"horizon": 2, "discount": 0.5}])
def test_random_game_needs_a_horizon_or_a_discount(timing):
    """Without this a batch of two games would be read as two steps."""
    with pytest.raises(ValueError, match=r"^horizon is .* and discount is .*, expected exactly one of them\.$"):
        games.random_game(np.random.default_rng(0), batch=(2,), **timing)
