"""The same game in other units, with other digits, in other types: the same kind, the same equilibria, gaps in its
own units."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import equilibrium, evaluate, games, learners, validation
from marlpaper import solve as solving
from strategies import generators, markov_games

UNITS = st.integers(-40, 40).map(lambda power: 2.0**power) | st.integers(-15, 15).map(lambda power: 10.0**power)
SHIFTS = st.sampled_from([0.0, 1.0, -3.0, 1e3, 1e6, -1e9])
ROCK = np.array([[0.0, -1, 2], [1, 0, -1], [-2, 1, 0]])


def table(rewards, transitions=None, **time):
    """A game of one state and one step from payoffs (N, A_1, ..., A_N)."""
    rewards = np.asarray(rewards)
    return games.MarkovGame(rewards[:, None], np.ones((1, *rewards.shape[1:], 1)), **(time or {"horizon": 1}))


def in_units(game, units, shifts):
    """`game` with each agent's rewards times its unit, and its constant added in that unit."""
    shape = (game.agents,) + (1,) * (game.rewards.ndim - 1)
    rewards = np.reshape(units, shape) * (game.rewards + np.reshape(shifts, shape))
    return games.MarkovGame(rewards, game.transitions, game.initial, game.discount)


@given(generators(), UNITS, SHIFTS, st.sampled_from([(2, 2), (3, 3), (2, 4), (5, 3)]))
def test_matrix_games_have_the_same_gap_in_any_unit(rng, unit, shift, shape):
    base = rng.normal(size=shape)
    payoffs = unit * (base + shift)
    x, y, value = equilibrium.matrix_games(payoffs)
    gap = ((payoffs @ y).max() - (x @ payoffs).min()) / unit
    assert abs(gap) <= 1e-9 + 1e-14 * abs(shift)
    assert_allclose(value / unit - shift, equilibrium.matrix_games(base)[2], atol=1e-8 + 1e-14 * abs(shift))


@given(UNITS, SHIFTS)
def test_the_extremes_of_correlated_equilibria_are_the_same_in_any_unit(unit, shift):
    payoffs = np.stack([ROCK, np.array([[1.0, 0, 2], [0, 1, 0], [0.5, 0, 1]])])
    expected = equilibrium.cce_extremes(payoffs, payoffs.sum(0))[0]
    found = equilibrium.cce_extremes(unit * (payoffs + shift), unit * payoffs.sum(0))[0]
    assert_allclose(found / unit, expected, atol=1e-6)


@given(markov_games(batches=((),), actions=(2, 3), horizon=(1, 2)), UNITS, SHIFTS)
def test_the_kind_is_the_same_in_any_unit(game, unit, shift):
    assume(all(np.ptp(own) > 0.1 for own in np.moveaxis(game.rewards, 0, 0)))
    kind = solving.kind_of(game, np.random.default_rng(0))
    other = solving.kind_of(in_units(game, [unit] * game.agents, [shift] * game.agents), np.random.default_rng(0))
    assume(kind.potential_defect == 0 or kind.potential_defect > 1e-4)
    assert (kind.zero_sum, kind.common_reward, kind.potential) == (other.zero_sum, other.common_reward, other.potential)


@given(generators(), UNITS, SHIFTS, st.booleans())
def test_potential_games_stay_potential_games_and_others_do_not_become_ones(rng, unit, shift, potential):
    game = games.congestion(rng) if potential else games.moving_congestion(rng)
    other = in_units(game, [unit] * game.agents, shift * np.arange(game.agents))
    assert solving.kind_of(other, np.random.default_rng(1)).potential == potential


@given(
    generators(),
    UNITS,
    st.sampled_from([1.0, 1e3, 1e9]),
    st.sampled_from(["exact", "separate", "float32", "nine digits"]),
)
def test_tables_that_cancel_up_to_their_own_rounding_are_zero_sum(rng, unit, cost, how):
    share = rng.uniform(size=(3, 3))
    first, second = cost * share - cost / 2, cost * (1 - share) - cost / 2
    if how == "exact":
        second = -first
    if how == "float32":
        first, second = first.astype(np.float32), second.astype(np.float32)
    if how == "nine digits":
        first = np.round(first / cost, 9)
        second = -first
    unit = 1.0 if how == "float32" else unit
    game = table(unit * np.stack([first, second]))
    assert game.is_zero_sum
    general = table(unit * np.stack([first, second + 1e-4 * cost * rng.uniform(size=(3, 3))]))
    assert how == "nine digits" or not general.is_zero_sum
    assert general.constant_sum is None or how == "nine digits"


@given(generators(), UNITS)
def test_small_general_games_are_neither_zero_sum_nor_common(rng, unit):
    kind = solving.kind_of(table(1e-13 * unit * rng.normal(size=(2, 3, 3))), np.random.default_rng(0))
    assert not kind.zero_sum and not kind.common_reward


@given(generators(), UNITS, SHIFTS, st.sampled_from([None, 0.0, 0.8]))
def test_constant_sum_games_are_solved_as_zero_sum(rng, unit, total, discount):
    base = games.random_game(rng, None if discount is not None else 2, 2, (2, 3), discount=discount)
    game = in_units(base, [unit, unit], [0.0, total])
    policy, values = equilibrium.solve_zero_sum(game)
    assert game.constant_sum is not None and (total == 0) == game.is_zero_sum
    assert_allclose(values / unit, equilibrium.solve_zero_sum(base)[1], atol=1e-6 * solving.spread(base))
    assert evaluate.nash_gap(game, policy) <= (1e-7 + 1e-13 * abs(total)) * solving.spread(game)


def test_the_shares_of_three_by_hand():
    first = np.array([[3.0, 0], [0, 1]])
    policy, values = equilibrium.solve_zero_sum(table([first, 3 - first]))
    assert_allclose(policy[0][0, 0], [0.25, 0.75])
    assert values[0, 0] == pytest.approx(0.75)
    found = solving.solve(table([first, 3 - first]), iterations=10)
    assert found.learner == "optimistic-mirror-descent" and str(found.kind).startswith(
        "constant-sum: zero-sum after a shift"
    )


def test_sums_that_differ_between_states_are_not_constant():
    rewards = np.zeros((2, 2, 2, 2))
    rewards[0] = ROCK[:2, :2]
    rewards[1] = -rewards[0]
    rewards[1, 1] += 1
    game = games.MarkovGame(rewards, np.full((2, 2, 2, 2), 0.5), discount=0.5)
    assert game.constant_sum is None
    with pytest.raises(ValueError, match=r"expected a zero-sum or constant-sum game of two agents\.$"):
        equilibrium.solve_zero_sum(game)


# Discounted zero-sum games


@given(
    generators(),
    UNITS,
    SHIFTS,
    st.sampled_from([0.0, 0.3, 0.9, 0.99]),
    st.sampled_from([(2, 2), (3, 2), (3, 3)]),
    st.sampled_from([(), (2,)]),
)
def test_values_of_discounted_games_are_enclosed_by_best_responses(rng, unit, shift, discount, actions, batch):
    game = games.random_game(rng, None, 3, actions, discount=discount, batch=batch)
    game = games.zero_sum(unit * (game.agent_rewards(0) + shift), game.transitions, game.initial, discount)
    policy, values = equilibrium.solve_zero_sum(game)
    best = evaluate.best_response_values(game, policy)
    allowed = (1e-8 + 1e-14 * abs(shift)) * solving.spreads(game)[0] * 2
    assert (best[..., 0, :] - values <= allowed).all() and (values + best[..., 1, :] <= allowed).all()
    again = values
    for _ in range(3):  # Shapley's operator leaves them where they are
        q = game.agent_rewards(0) + discount * np.einsum("...sabt,...t->...sab", game.transitions, again)
        again = equilibrium.matrix_games(q)[2]
    assert_allclose(again, values, atol=4 * allowed, rtol=0)


def test_no_value_without_its_guarantee(monkeypatch):
    game = games.random_game(np.random.default_rng(0), None, 2, (3, 3), discount=0.9)
    monkeypatch.setattr(
        equilibrium,
        "matrix_games",
        lambda payoffs, solver: (np.full((2, 3), 1 / 3), np.full((2, 3), 1 / 3), np.zeros(2)),
    )
    with pytest.raises(
        ArithmeticError,
        match=r"are known within .* of the spread of returns only, expected 1\.0e-08: allow a larger tolerance\.$",
    ):
        equilibrium.solve_zero_sum(game)


# Almost stochastic rows


def rounded(kernel, how):
    return kernel.astype(np.float32) if how == "float32" else np.round(kernel, how)


@given(
    generators(),
    st.sampled_from(["float32", 7, 8, 9, 12]),
    st.sampled_from([0.5, 0.999, 1 - 1e-6, 1 - 1e-9]),
    st.integers(2, 5),
)
def test_rows_typed_with_few_digits_are_renormalised(rng, how, discount, states):
    kernel = rounded(rng.dirichlet(np.ones(states), (states, 2, 2)), how)
    game = games.MarkovGame(np.ones((2, states, 2, 2)), kernel, discount=discount)
    assert np.abs(game.transitions.sum(-1) - 1).max() <= 1e-15
    values = evaluate.state_values(game, game.uniform_policy())
    assert_allclose(values * (1 - discount), 1, atol=1e-14 + 1e-15 * states / (1 - discount))
    assert np.abs(game.transitions - kernel).max() <= 2e-6


@given(generators(), st.floats(2e-6, 0.5), st.booleans())
def test_rows_further_off_are_refused(rng, off, more):
    kernel = rng.dirichlet(np.ones(3), (3, 2, 2))
    kernel[1, 0, 1] *= 1 + off if more else 1 - off
    with pytest.raises(
        ValueError, match=r"^transitions\[1, 0, 1\] sums to .*, expected a distribution that sums to 1\.$"
    ):
        games.MarkovGame(np.ones((2, 3, 2, 2)), kernel, discount=0.5)


@given(generators(), st.sampled_from(["float32", 9]))
def test_starts_and_policies_too(rng, how):
    game = games.random_game(rng, 2)
    policy = [rounded(p, how) for p in game.random_policy(rng)]
    for part in game.check_policy(policy):
        assert np.abs(part.sum(-1) - 1).max() <= 1e-15
    start = rounded(rng.dirichlet(np.ones(game.states)), how)
    assert games.MarkovGame(game.rewards, game.transitions, start).initial.sum() == pytest.approx(1, abs=1e-15)


def test_rows_that_sum_to_one_are_left_as_they_are_and_shared_kernels_stay_shared():
    row = np.full((1, 4), 0.25)
    assert validation.distributions("p", row) is row
    shared = np.broadcast_to(np.full((1, 4), 0.25 + 1e-9), (1000, 4))
    found = validation.distributions("p", shared)
    assert found.strides[0] == 0 and (found == 0.25).all()


@settings(max_examples=20)
@given(generators(), UNITS)
def test_games_of_agents_that_move_on_their_own_too(rng, unit):
    kernels = [rng.dirichlet(np.ones(2), (2, 2)) for _ in range(2)]
    state, action = rng.normal(size=(2, 4)), [rng.normal(size=(2, 2)) for _ in range(2)]
    made = [games.ProductGame(kernels, u * state, [u * own for own in action], 0, 0.8) for u in (1.0, unit)]
    policy = made[0].random_policy(rng)
    expected, found = (evaluate.agent_gaps(game, policy) for game in made)
    assert_allclose(found / unit, expected, rtol=1e-9, atol=1e-10)


# Agents in different units


@given(
    generators(),
    st.lists(UNITS, min_size=2, max_size=2),
    SHIFTS,
    st.sampled_from(["correlated-mirror-descent", "q-ascent", "policy-gradient"]),
)
def test_each_agent_learns_in_its_own_unit(rng, units, shift, learner):
    game = games.random_game(rng, 2, 2, (2, 3), zero_sum=False)
    ranges = solving.spreads(game)
    same = solving.solve(in_units(game, ranges.max() / ranges, [0, 0]), learner, 20)
    other = solving.solve(
        in_units(game, np.array(units) * ranges.max() / ranges, [0, shift if abs(shift) < 1e6 else 0]), learner, 20
    )
    assert_allclose(other.relative_gaps, same.relative_gaps, atol=1e-7)
    for own, expected in zip(other.policy, same.policy, strict=True):
        assert_allclose(own, expected, atol=1e-6)


def test_a_step_for_each_agent_is_that_step_in_its_unit():
    game = games.random_game(np.random.default_rng(3), 2, zero_sum=False)
    other = in_units(game, [1, 1e-3], [0, 0])
    for learn in (learners.q_ascent, learners.policy_gradient, learners.correlated_mirror_descent):
        first, second = learn(game, 30, 0.1), learn(other, 30, (0.1, 100.0))
        for own, expected in zip(second.policy, first.policy, strict=True):
            assert_allclose(own, expected, atol=1e-9)
        with pytest.raises(ValueError, match=r"^step_size has 1 numbers, expected one for each of the 2 agents\.$"):
            learn(game, 2, (0.1,))


def test_a_gap_that_is_small_only_in_its_unit_does_not_look_small():
    game = in_units(games.load("fishery"), [1, 1e-6], [0, 0])
    found = solving.solve(game, "q-ascent", 1)
    expected = (evaluate.agent_gaps(game, found.run.trajectory) / solving.spreads(game)).max(-1)
    assert_allclose(found.relative_gaps, expected)
    assert found.step_size[1] == pytest.approx(1e6 * found.step_size[0])


# Extreme equilibria


@given(UNITS, SHIFTS)
def test_extreme_equilibria_of_a_coordination_game(unit, shift):
    pytest.importorskip("quantecon")
    base = np.stack([np.diag([2.0, 1.0]), np.diag([1.0, 2.0])])
    found, complete = equilibrium.bimatrix_equilibria(unit * (base + shift))
    expected = [([1, 0], [1, 0]), ([2 / 3, 1 / 3], [1 / 3, 2 / 3]), ([0, 1], [0, 1])]
    assert complete and len(found) == 3
    for pair, wanted in zip(found, expected, strict=True):
        assert_allclose(pair, wanted, atol=1e-6)


def test_degenerate_games_say_so():
    pytest.importorskip("quantecon")
    assert not equilibrium.bimatrix_equilibria([[[2, 0], [0, 1]], [[1, 1], [0, 2]]])[1]


def test_without_quantecon_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "quantecon", None)
    with pytest.raises(
        ModuleNotFoundError,
        match=r"^bimatrix_equilibria needs quantecon, which is not installed: pip install quantecon\.$",
    ):
        equilibrium.bimatrix_equilibria(np.ones((2, 2, 2)))
    with pytest.raises(
        ValueError,
        match=r"^payoffs has shape \(2, 11, 2\), expected \(2, A, B\) with 1 to 10 actions of each player\.$",
    ):
        equilibrium.bimatrix_equilibria(np.ones((2, 11, 2)))
