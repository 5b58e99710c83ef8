"""What a `MarkovGame` is: shapes in all their forms, broadcasting without copies, and one sentence for bad input."""

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import evaluate, games

sizes = st.integers(1, 4)


@st.composite
def shapes(draw):
    """Batch, time, states and actions that are free to coincide."""
    actions = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    return tuple(draw(st.lists(sizes, max_size=2))), tuple(draw(st.lists(sizes, max_size=1))), draw(st.integers(1, 3)), actions


@settings(max_examples=150)
@given(shapes(), st.sampled_from(["both", "rewards", "transitions"]), st.booleans())
def test_number_of_agents_is_recovered(shape, batched, repeated):
    """From the shapes alone, with the whole batch on both arrays, and with one kernel or one reward for all games."""
    batch, time, states, actions = shape
    body = (*time, states, *actions)
    rewards = np.zeros((*(batch if batched != "transitions" else ()), len(actions), *body))
    transitions = np.full((*(batch if batched != "rewards" else ()), *body, states), 1 / states)
    if time:
        game = games.MarkovGame(rewards, transitions)
    elif repeated:
        game = games.MarkovGame(rewards, transitions, horizon=4)
    else:
        game = games.MarkovGame(rewards, transitions, discount=0.5)
    assert game.agents == len(actions)
    assert game.actions == actions
    assert game.states == states
    assert game.batch == batch
    assert game.horizon == (time[0] if time else 4 if repeated else None)
    assert game.rewards.shape == (*batch, len(actions), *game.time, states, *actions)
    assert game.transitions.shape == (*batch, *game.time, states, *actions, states)
    assert game.initial.shape == (*batch, states)


def test_batches_that_merely_broadcast_are_refused():
    """Four games times two kernels of two agents have the shapes of one game of four agents, hence no such reading."""
    kernels = np.full((1, 3, 2, 2, 2, 2), 0.5)
    with pytest.raises(ValueError, match=r"^rewards has shape \(4, 2, 3, 2, 2, 2\) and transitions \(1, 3, 2, 2, 2, 2\), expected"):
        games.MarkovGame(np.zeros((4, 2, 3, 2, 2, 2)), kernels)
    assert games.MarkovGame(np.zeros((4, 2, 3, 2, 2, 2)), kernels[0]).batch == (4,)


@settings(max_examples=25)
@given(strategies.markov_games(discounted=True), st.integers(1, 4), strategies.generators())
def test_horizon_repeats_the_arrays(game, horizon, rng):
    agents = len(game.actions)
    short = games.MarkovGame(game.rewards, game.transitions, game.initial, horizon=horizon)
    explicit = games.MarkovGame(
        np.repeat(np.expand_dims(game.rewards, -agents - 2), horizon, -agents - 2),
        np.repeat(np.expand_dims(game.transitions, -agents - 3), horizon, -agents - 3),
        game.initial,
    )
    assert np.array_equal(short.rewards, explicit.rewards)
    assert np.array_equal(short.transitions, explicit.transitions)
    assert short.horizon == explicit.horizon == horizon
    policy = strategies.random_policy(rng, short)
    assert_allclose(evaluate.nash_gap(short, policy), evaluate.nash_gap(explicit, policy), atol=1e-12)


def test_horizon_and_batches_are_views():
    rng = np.random.default_rng(0)
    rewards, transitions = strategies.random_arrays(rng, (), (), 3, (2, 2))
    game = games.MarkovGame(rewards, transitions, horizon=1_000_000)
    assert np.shares_memory(game.rewards, rewards)
    assert np.shares_memory(game.transitions, transitions)
    many = games.MarkovGame(np.stack([rewards] * 5), transitions, discount=0.5)
    assert np.shares_memory(many.transitions, transitions)
    assert many.transitions.strides[0] == 0


def test_start_state_or_distribution():
    rng = np.random.default_rng(1)
    rewards, transitions = strategies.random_arrays(rng, (4,), (2,), 3, (2,))
    assert games.MarkovGame(rewards, transitions, 2).initial.tolist() == [[0, 0, 1]] * 4
    assert games.MarkovGame(rewards, transitions, [0.5, 0.25, 0.25]).initial.tolist() == [[0.5, 0.25, 0.25]] * 4
    each = rng.dirichlet(np.ones(3), 4)
    assert np.array_equal(games.MarkovGame(rewards, transitions, each).initial, each)


@settings(max_examples=25)
@given(strategies.markov_games(batches=((2,), (2, 3), (3,))))
def test_indexing_a_batch(game):
    index = tuple(0 for _ in game.batch)
    single = game[index]
    assert single.batch == ()
    for name in ("rewards", "transitions", "initial"):
        assert np.array_equal(getattr(single, name), getattr(game, name)[index])
    assert (single.agents, single.states, single.actions) == (game.agents, game.states, game.actions)
    assert (single.horizon, single.discount) == (game.horizon, game.discount)
    assert game[1:].batch == (game.batch[0] - 1, *game.batch[1:])
    assert len(list(game)) == game.batch[0]


def test_zero_sum():
    rng = np.random.default_rng(2)
    for time, options in (((3,), {}), ((), {"horizon": 4}), ((), {"discount": 0.9})):
        for batch in ((), (5,)):
            rewards, transitions = strategies.random_arrays(rng, batch, time, 2, (2, 3), zero_sum=True)
            reward = rewards[(slice(None),) * len(batch) + (0,)]
            game = games.zero_sum(reward, transitions, 1, **options)
            assert game.is_zero_sum
            assert np.array_equal(game.agent_rewards(0), -game.agent_rewards(1))
            assert game.batch == batch
            expected = np.broadcast_to(np.expand_dims(reward, -4), game.agent_rewards(0).shape) if "horizon" in options else reward
            assert np.array_equal(game.agent_rewards(0), expected)


def test_not_zero_sum():
    rng = np.random.default_rng(3)
    assert not games.load("table-2").is_zero_sum
    assert not games.random_game(rng, 2, actions=(2, 2, 2), zero_sum=False).is_zero_sum
    rewards, transitions = strategies.random_arrays(rng, (), (2,), 2, (2, 2), zero_sum=True)
    rewards = rewards.copy()
    rewards[1, 1, 0, 1, 1] += 1e-9
    assert not games.MarkovGame(rewards, transitions).is_zero_sum


@pytest.mark.parametrize("options", [{"horizon": 3}, {"discount": 0.8}])
def test_unit_rewards_are_an_affine_map_of_each_game(options):
    rng = np.random.default_rng(9)
    game = games.random_game(rng, batch=(3,), **options)
    scales = np.array([1.0, 5.0, 0.1])
    moved = games.stack([games.zero_sum(k * one.agent_rewards(0) - k, one.transitions, 0, one.discount) for k, one in zip(scales, game, strict=True)])
    unit = games.unit_rewards(moved)
    axes = tuple(range(1, unit.agent_rewards(0).ndim))
    assert unit.agent_rewards(0).min(axes).tolist() == [0, 0, 0]
    assert unit.agent_rewards(0).max(axes).tolist() == [1, 1, 1]
    policy = game.random_policy(rng)
    width = np.ptp(moved.agent_rewards(0), axis=axes)
    assert_allclose(evaluate.nash_gap(unit, policy) * width, evaluate.nash_gap(moved, policy), atol=1e-12)


def test_unit_rewards_of_other_games():
    with pytest.raises(ValueError, match=r"^game is MarkovGame\(.*\), expected a zero-sum game\.$"):
        games.unit_rewards(games.load("table-2"))
    with pytest.raises(ValueError, match=r"^game has a constant reward table, expected rewards that differ\.$"):
        games.unit_rewards(games.zero_sum(np.ones((3, 2, 2, 2)), TRANSITIONS))


def test_repr():
    assert repr(games.load("table-1")) == "MarkovGame(agents=2, states=2, actions=(2, 2), horizon=10)"
    game = games.random_game(np.random.default_rng(4), actions=(2, 3), batch=(4,), discount=0.9)
    assert repr(game) == "MarkovGame(agents=2, states=2, actions=(2, 3), discount=0.9, batch=(4,))"


@settings(max_examples=25)
@given(strategies.markov_games(), strategies.generators())
def test_policies_that_a_game_makes(game, rng):
    for policy in (game.uniform_policy(), game.random_policy(rng, 0.5)):
        checked = game.check_policy(policy)
        assert [part.shape for part in checked] == [(*game.batch, *game.time, game.states, count) for count in game.actions]
    assert all(np.ptp(part) == 0 for part in game.uniform_policy())


def test_stack():
    rng = np.random.default_rng(5)
    singles = [games.random_game(rng, 3, states=3, actions=(2, 3)) for _ in range(4)]
    whole = games.stack(singles)
    assert whole.batch == (4,)
    for k, game in enumerate(singles):
        assert np.array_equal(whole[k].rewards, game.rewards)
        assert np.array_equal(whole[k].transitions, game.transitions)
    assert games.stack([games.random_game(rng, discount=0.5)] * 2).discount == 0.5


# Bad input.

REWARDS, TRANSITIONS = strategies.random_arrays(np.random.default_rng(6), (), (3,), 2, (2, 2))


def changed(array, index, value):
    result = array.copy()
    result[index] = value
    return result


SHAPES_WANTED = "expected (..., N, H, S, A_1..A_N) and (..., H, S, A_1..A_N, S)."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((REWARDS, changed(TRANSITIONS, (2, 0, 1, 1), [0.5, 0.6])), "transitions[2, 0, 1, 1] sums to 1.1, expected a distribution that sums to 1."),
        ((REWARDS, changed(TRANSITIONS, (1, 0, 1, 0), [-0.25, 1.25])), "transitions[1, 0, 1, 0, 0] is -0.25, expected a probability (at least 0)."),
        ((REWARDS, changed(TRANSITIONS, (1, 1, 1, 0, 1), np.nan)), "transitions[1, 1, 1, 0, 1] is nan, expected a finite number."),
        ((changed(REWARDS, (1, 0, 1, 0, 1), np.nan), TRANSITIONS), "rewards[1, 0, 1, 0, 1] is nan, expected a finite number."),
        ((changed(REWARDS, (0, 2, 1, 1, 1), -np.inf), TRANSITIONS), "rewards[0, 2, 1, 1, 1] is -inf, expected a finite number."),
        ((REWARDS[:1], TRANSITIONS), f"rewards has shape (1, 3, 2, 2, 2) and transitions (3, 2, 2, 2, 2), {SHAPES_WANTED}"),
        ((REWARDS[:, :2], TRANSITIONS), f"rewards has shape (2, 2, 2, 2, 2) and transitions (3, 2, 2, 2, 2), {SHAPES_WANTED}"),
        ((REWARDS[:, 0], TRANSITIONS[0]), f"rewards has shape (2, 2, 2, 2) and transitions (2, 2, 2, 2), {SHAPES_WANTED}"),
        ((np.stack([REWARDS] * 3), np.stack([TRANSITIONS] * 4)), f"rewards has shape (3, 2, 3, 2, 2, 2) and transitions (4, 3, 2, 2, 2, 2), {SHAPES_WANTED}"),
        ((0.0, 1.0), f"rewards has shape () and transitions (), {SHAPES_WANTED}"),
        ((REWARDS, TRANSITIONS, 2), "initial is state 2, expected a state in 0..1 or a distribution over 2 states."),
        ((REWARDS, TRANSITIONS, -1), "initial is state -1, expected a state in 0..1 or a distribution over 2 states."),
        ((REWARDS, TRANSITIONS, 0.5), "initial has shape (), expected a state or a distribution (..., 2)."),
        ((REWARDS, TRANSITIONS, [1, 0, 0]), "initial has shape (3,), expected a state or a distribution (..., 2)."),
        ((REWARDS, TRANSITIONS, [0.7, 0.7]), "initial sums to 1.4, expected a distribution that sums to 1."),
        ((REWARDS, TRANSITIONS, [[1, 0], [0, 1]]), "initial has shape (2, 2), expected one that broadcasts to (2,)."),
        ((REWARDS[:, 0], TRANSITIONS[0], 0, 1.0), "discount is 1.0, expected a number in [0, 1)."),
        ((REWARDS[:, 0], TRANSITIONS[0], 0, -0.1), "discount is -0.1, expected a number in [0, 1)."),
        ((REWARDS[:, 0], TRANSITIONS[0], 0, float("nan")), "discount is nan, expected a number in [0, 1)."),
        ((REWARDS[:, 0], TRANSITIONS[0], 0, "0.9"), "discount is '0.9', expected a number in [0, 1)."),
        ((REWARDS, TRANSITIONS, 0, 0.9), "rewards has shape (2, 3, 2, 2, 2) and transitions (3, 2, 2, 2, 2), expected (..., N, S, A_1..A_N) and (..., S, A_1..A_N, S)."),
    ],
)
def test_bad_game(arguments, message):
    with pytest.raises((TypeError, ValueError)) as raised:
        games.MarkovGame(*arguments)
    assert str(raised.value) == message


def test_bad_horizon():
    with pytest.raises(ValueError, match=r"^horizon is 0, expected a whole number of at least 1\.$"):
        games.MarkovGame(REWARDS[:, 0], TRANSITIONS[0], horizon=0)
    with pytest.raises(ValueError, match=r"^discount and horizon are both given, expected only one"):
        games.MarkovGame(REWARDS[:, 0], TRANSITIONS[0], discount=0.5, horizon=3)


UNIFORM = np.full((3, 2, 2), 0.5)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([UNIFORM], "policy has 1 arrays, expected one for each of the 2 agents."),
        ([UNIFORM, UNIFORM[0]], "policy[1] has shape (2, 2), expected (..., 3, 2, 2)."),
        ([np.full((3, 2, 3), 1 / 3), UNIFORM], "policy[0] has shape (3, 2, 3), expected (..., 3, 2, 2)."),
        ([changed(UNIFORM, (2, 1), [0.5, 0.6]), UNIFORM], "policy[0][2, 1] sums to 1.1, expected a distribution that sums to 1."),
        ([UNIFORM, changed(UNIFORM, (0, 1), [-1, 2])], "policy[1][0, 1, 0] is -1, expected a probability (at least 0)."),
        ([UNIFORM, changed(UNIFORM, (0, 1), np.nan)], "policy[1][0, 1, 0] is nan, expected a finite number."),
    ],
)
def test_bad_policy(policy, message):
    with pytest.raises(ValueError) as raised:
        evaluate.nash_gap(games.MarkovGame(REWARDS, TRANSITIONS), policy)
    assert str(raised.value) == message


def test_policy_of_another_batch():
    game = games.random_game(np.random.default_rng(7), 3, batch=(4,))
    with pytest.raises(ValueError) as raised:
        evaluate.nash_gap(game, [UNIFORM, np.stack([UNIFORM] * 5)])
    assert str(raised.value) == "policy[1] has leading axes (5,), expected ones that broadcast against (4,)."


def test_bad_index_and_stack():
    game = games.MarkovGame(REWARDS, TRANSITIONS)
    with pytest.raises(IndexError, match=r"^this MarkovGame is a single game, it has no batch axes to index\.$"):
        game[0]
    batch = games.stack([game, game])
    with pytest.raises(IndexError, match=r"^index \(0, 1\) has more axes than the batch \(2,\)\.$"):
        batch[0, 1]
    with pytest.raises(IndexError):
        batch[2]
    with pytest.raises(ValueError, match=r"^games is empty, expected at least one MarkovGame\.$"):
        games.stack([])
    other = games.random_game(np.random.default_rng(8), 4)
    with pytest.raises(ValueError, match=r"^games\[1\] is .*horizon=4\), expected the shape and discount of games\[0\], .*horizon=3\)\.$"):
        games.stack([game, other])


def test_bad_zero_sum():
    with pytest.raises(ValueError) as raised:
        games.zero_sum(np.zeros((2, 2, 2)), TRANSITIONS)
    assert str(raised.value) == "reward has shape (2, 2, 2), expected at least 4 axes (..., H, S, A, B)."
