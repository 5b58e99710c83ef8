"""Claims on learning without knowing the game: closed forms, random games, and the plain algorithm, which must fail."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marlpaper import claims, equilibrium, games, learners
from marlpaper.claims.game_agnostic import _saddles, running_regret
from tests import strategies

ONE_STATE = "ding2022.game-agnostic-one-state"
CYCLES = "ding2022.plain-ascent-cycles"


def recorded(learner, game, iterations, step_size, initial=None, **options):
    return learner(game, iterations, step_size, initial=initial, checkpoints=range(iterations + 1), **options)


def matrix_game(reward, zero_sum=True, discount=0.5):
    reward = np.asarray(reward, float)[..., None, :, :]
    kernel, initial = np.ones((*reward.shape, 1)), np.ones((*reward.shape[:-3], 1))
    return games.MarkovGame(np.stack([reward, -reward if zero_sum else reward], -4), kernel, initial, discount)


@settings(max_examples=25)
@given(strategies.generators(), st.booleans(), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([1, 0.3, 0.01]))
def test_one_state_holds_from_every_start(rng, zero_sum, discount, factor):
    """Starts at vertices included, from which it takes of the order of one over the step size to move."""
    reward = rng.integers(0, 3, (8, 2, 3)) / 2
    game = matrix_game(reward, zero_sum, discount)
    middle = (reward.max((-2, -1)) + reward.min((-2, -1)))[:, None, None] / 2
    step_size = factor / (4 * np.linalg.norm(reward - middle, 2, (-2, -1)).max() or 1)
    start = [np.eye(count)[rng.integers(0, count, (8, 1))] for count in (2, 3)]
    check = claims.check(ONE_STATE, recorded(learners.optimistic_q_ascent, game, 100, step_size, start))
    assert check.holds and "above" not in check.unmet, check


def test_one_state_has_the_constants_of_its_proof():
    """A lone choice between 0 and 1, half range 1/2, one state: both bounds typed anew."""
    reward = np.array([[0.0, 0.0], [1.0, 1.0]])
    step_size, time = 0.2, np.arange(1, 21)
    start = [[[1, 0]], [[1, 0]]]
    for zero_sum in (True, False):
        run = recorded(learners.optimistic_q_ascent, matrix_game(reward, zero_sum, 0.5), 20, step_size, start)
        sides = claims.registry[ONE_STATE].function(run)
        if zero_sum:
            bound = 3.32 * (2**0.5 / 0.2 + 0.5 * 2**0.5) / time**0.5
        else:
            bound = (2**0.5 / 0.2 + 2 * 0.5 * 2**0.5) * (1.6 * 0.2 * 1.0 / time) ** 0.5
        np.testing.assert_allclose(sides.bound, 2 * bound, rtol=1e-12)
        np.testing.assert_allclose(sides.measured, np.cumsum(run.gaps[:20]) / time, rtol=1e-12)
    fast = recorded(learners.optimistic_q_ascent, matrix_game(reward), 20, 0.26, start)
    assert "step size is 0.26, above 0.25" in claims.check(ONE_STATE, fast).unmet


def test_no_constant_of_ours_makes_the_printed_rate_true():
    """From a vertex the first step of size α takes 1/α iterations: the regret stays at its largest while t^(-1/6) falls."""
    reward = np.array([[0.0, 1.0], [0.0, 1.0]])
    for step_size, least in ((0.1, 1.1), (0.01, 1.6)):
        run = recorded(learners.optimistic_q_ascent, matrix_game(reward, False, 0.0), 400, step_size, [[[1, 0]], [[1, 0]]])
        assert (running_regret(run) * np.arange(1, 401) ** (1 / 6)).max() > least


@pytest.mark.parametrize("id", ["ding2022.game-agnostic", "ding2022.game-agnostic-last-iterate"])
def test_what_names_no_constant_is_listed_as_that(id):
    (row,) = [row for row in claims.ledger({}) if row["claim"] == id]
    assert row["verdict"] == "states no constant"


def test_assumptions_that_are_not_met_are_told():
    rng = np.random.default_rng(0)
    for game, words in (
        (games.random_game(rng, discount=0.8, zero_sum=False), "neither agree nor cancel"),
        (games.common_reward(rng, 2, (2, 2, 2)), "the game has 3 players, not 2"),
    ):
        run = recorded(learners.optimistic_q_ascent, game, 5, 0.1)
        assert words in claims.check(ONE_STATE, run).unmet
        assert "not zero-sum with 2×2 actions" in claims.check(CYCLES, run).unmet
    moving = recorded(learners.q_ascent, games.load("uneven-pennies"), 5, 0.1)
    assert claims.check(CYCLES, moving).unmet == "actions move the state"
    pure = games.zero_sum([[[1.0, 0.5], [0.4, 0.0]]], np.ones((1, 2, 2, 1)), 0, 0.5)
    assert claims.check(CYCLES, recorded(learners.q_ascent, pure, 5, 0.1)).unmet == "an equilibrium is not inside the square"
    with pytest.raises(ValueError, match="checkpoints, expected every iteration"):
        claims.check(ONE_STATE, learners.q_ascent(pure, 5, 0.1, checkpoints=[0, 5]))
    two = recorded(learners.optimistic_q_ascent, games.load("uneven-pennies"), 5, 0.1)
    assert claims.check(ONE_STATE, two).unmet == "the game has 2 states, not 1"


# Plain Q-ascent cycles.


def interior_games(rng, count, discount):
    """Zero-sum 2×2 games whose one-shot games have their equilibrium inside the square, on kernels that no action moves."""
    kernel = np.broadcast_to(rng.dirichlet(np.ones(2), (count, 2))[:, :, None, None], (count, 2, 2, 2, 2))
    low, high = rng.uniform(0, 0.4, (count, 2, 2)), rng.uniform(0.6, 1, (count, 2, 2))
    reward = np.stack([np.stack([high[..., 0], low[..., 0]], -1), np.stack([low[..., 1], high[..., 1]], -1)], -2)
    reward = np.where(rng.random((count, 2, 1, 1)) < 0.5, reward, reward[..., ::-1])
    return games.zero_sum(reward, kernel, rng.dirichlet(np.ones(2), count), discount)


@settings(max_examples=15)
@given(strategies.generators(), st.sampled_from([0.0, 0.5, 0.9]), st.floats(0.01, 3))
def test_the_cycle_bound_holds_on_random_games(rng, discount, step_size):
    game = interior_games(rng, 6, discount)
    check = claims.check(CYCLES, recorded(learners.q_ascent, game, 200, step_size, game.random_policy(rng)))
    assert check.holds and not check.unmet, check


def test_the_cycle_bound_is_attained_by_a_start_that_only_one_player_left():
    game = games.load("matching-pennies")
    start = [[[0.75, 0.25]] * 2, [[0.5, 0.5]] * 2]
    run = learners.q_ascent(game, 1, 0.1, initial=start, checkpoints=[0])
    check = claims.check(CYCLES, run)
    assert check.ratio < 1 - 1e-9, "one player's gap is the sum of both, the bound is half of it"
    both = claims.check(CYCLES, learners.q_ascent(game, 1, 0.1, initial=[[[0.75, 0.25], [0.5, 0.5]], [[0.5, 0.5], [0.75, 0.25]]], checkpoints=[0]))
    assert both.holds and both.ratio == pytest.approx(1, abs=1e-12)


def test_the_cycle_bound_fails_for_whoever_converges():
    game = games.load("matching-pennies")
    start = [[[0.9, 0.1]] * 2, [[0.5, 0.5]] * 2]
    assert claims.check(CYCLES, recorded(learners.q_ascent, game, 400, 0.2, start)).holds
    assert not claims.check(CYCLES, recorded(learners.optimistic_q_ascent, game, 400, 0.2, start)).holds
    # A start at the equilibrium is an equilibrium for ever: the bound is 0, and so is the gap.
    still = claims.check(CYCLES, recorded(learners.q_ascent, game, 50, 0.2))
    assert still.holds and still.measured == still.bound == 0


def test_the_equilibria_of_the_bound_are_those_of_the_linear_programme():
    game = interior_games(np.random.default_rng(1), 20, 0.5)
    cross, centre, unmet = _saddles(game)
    rows, columns, _ = equilibrium.matrix_games(game.agent_rewards(0))
    assert not unmet and (cross > 0).all()
    np.testing.assert_allclose(centre, np.stack([rows[..., 0], columns[..., 0]], -1), atol=1e-12)
