"""Exact equilibria: no pure deviation gains, the closed form agrees with the linear programme, and known values."""

import sys
import types

import numpy as np
import pytest
import strategies
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose

from marlpaper import equilibrium, evaluate, games, learners

small_integers = hnp.arrays(np.int64, (2, 2), elements=st.integers(-2, 2))


def assert_saddle(payoffs, tolerance=1e-9):
    """Distributions, and no pure deviation of either player gains."""
    rows, columns, values = equilibrium.matrix_games(payoffs)
    scale = tolerance * (1 + np.abs(payoffs).max())
    for policy in (rows, columns):
        assert np.all(policy >= 0)
        assert_allclose(policy.sum(-1), 1, rtol=0, atol=1e-12)
    for index in np.ndindex(np.shape(payoffs)[:-2]):
        matrix, x, y = payoffs[index], rows[index], columns[index]
        assert max(matrix[a] @ y for a in range(len(matrix))) <= values[index] + scale
        assert min(x @ matrix[:, b] for b in range(matrix.shape[1])) >= values[index] - scale


def linear_value(payoffs):
    """The value by the linear programme, also for 2×2: padded with a dominated row, which changes nothing."""
    padded = np.vstack([payoffs, payoffs.min(0) - 1.0])
    return equilibrium.matrix_games(padded)[2]


@given(small_integers)
@example(np.zeros((2, 2)))
@example(np.array([[1, 1], [1, 0]]))
@example(np.array([[2, 2], [1, 1]]))
@example(np.array([[0.1, 0.1 + 1e-17], [0.3 - 0.2, 0.1]]))
def test_closed_form_on_degenerate_matrices(payoffs):
    """Small integers: ties, constant matrices and dominated rows are common."""
    payoffs = np.asarray(payoffs, dtype=float)
    assert_saddle(payoffs)
    assert_allclose(equilibrium.matrix_games(payoffs)[2], linear_value(payoffs), rtol=0, atol=1e-9)


@settings(max_examples=30)
@given(strategies.generators(), st.sampled_from([1e-6, 1.0, 1e4]))
def test_closed_form_on_random_matrices(rng, scale):
    payoffs = scale * rng.normal(size=(6, 2, 2))
    assert_saddle(payoffs)
    for matrix, value in zip(payoffs, equilibrium.matrix_games(payoffs)[2], strict=True):
        assert value == pytest.approx(linear_value(matrix / scale) * scale, rel=1e-8, abs=1e-9 * scale)


@settings(max_examples=30)
@given(strategies.generators(), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_linear_programme(rng, rows, columns, degenerate):
    payoffs = rng.integers(-1, 2, (4, rows, columns)).astype(float) if degenerate else rng.normal(size=(4, rows, columns))
    assert_saddle(payoffs, 1e-8)


UNITS = st.integers(-12, 12).map(lambda exponent: 10.0**exponent)


@settings(max_examples=40)
@given(strategies.generators(), st.sampled_from([(2, 2), (3, 2), (4, 4)]), UNITS, st.floats(-2, 2), st.booleans())
def test_neither_units_nor_a_shift_change_an_equilibrium(rng, shape, unit, shift, degenerate):
    payoffs = rng.integers(-1, 2, shape).astype(float) if degenerate else rng.normal(size=shape)
    spread = np.ptp(payoffs)
    moved = unit * (payoffs + shift * spread)
    assert_saddle_to_scale(moved)
    value = equilibrium.matrix_games(payoffs)[2]
    assert_allclose(equilibrium.matrix_games(moved)[2], unit * (value + shift * spread), rtol=0, atol=1e-9 * unit * max(spread, 1e-3))


def assert_saddle_to_scale(payoffs, tolerance=1e-9):
    """As `assert_saddle`, relative to the spread of one matrix."""
    x, y, value = equilibrium.matrix_games(payoffs)
    scale = tolerance * np.ptp(payoffs) + 1e-14 * np.abs(payoffs).max()
    assert min(x.min(), y.min()) >= 0
    assert_allclose([x.sum(), y.sum()], 1, rtol=1e-12)
    assert (payoffs @ y).max() - scale <= value <= (x @ payoffs).min() + scale


@pytest.mark.parametrize("spread", [1e-6, 1e-9])
def test_large_games_that_are_nearly_tied(spread):
    """As they are, the solver gives up on some of these or answers wrongly: its tolerances are absolute."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert_saddle_to_scale(0.5 + spread * rng.random((200, 200)))


def test_compiled_simplex_agrees_and_what_it_misses_is_solved_again(monkeypatch):
    """A stand-in solves pennies as it should and nothing else, so the test needs no package and has no time to compile."""
    asked = []

    def minmax(matrix):
        asked.append(matrix)
        return 0.0, np.full(3, 1 / 3), np.full(3, 1 / 3)

    monkeypatch.setitem(sys.modules, "quantecon", types.ModuleType("quantecon"))
    monkeypatch.setitem(sys.modules, "quantecon.optimize", types.SimpleNamespace(minmax=minmax))
    drawn = np.random.default_rng(5).normal(size=(3, 3))
    payoffs = np.stack([[[0, -1, 1], [1, 0, -1], [-1, 1, 0]], drawn])
    for found, expected in zip(equilibrium.matrix_games(payoffs, "quantecon"), equilibrium.matrix_games(payoffs), strict=True):
        assert_allclose(found, expected, atol=1e-9)
    assert len(asked) == 2 and np.ptp(asked[1]) == 1


def test_quantecon_where_it_is_installed():
    pytest.importorskip("quantecon")
    payoffs = 1e-9 * np.random.default_rng(6).normal(size=(20, 5, 4))
    for found, expected in zip(equilibrium.matrix_games(payoffs, "quantecon"), equilibrium.matrix_games(payoffs), strict=True):
        assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_unknown_solver():
    with pytest.raises(ValueError, match=r"^solver is 'simplex', expected 'highs' or 'quantecon'\.$"):
        equilibrium.matrix_games(np.eye(3), "simplex")


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 2)])
def test_a_constant_matrix_has_its_entry_as_value(shape):
    assert_saddle_to_scale(np.full(shape, 0.3))
    assert equilibrium.matrix_games(np.full(shape, 0.3))[2] == 0.3


@pytest.mark.parametrize("unit", [1e-13, 1e-9, 1e9])
def test_a_small_mixed_game_is_no_pure_saddle(unit):
    x, y, value = equilibrium.matrix_games(unit * np.array([[3.0, -1], [-2, 4]]))
    assert_allclose([x, y], [[0.6, 0.4], [0.5, 0.5]])
    assert value == pytest.approx(unit, rel=1e-12, abs=0)


def test_more_games_than_one_programme_takes():
    payoffs = np.random.default_rng(0).normal(size=(equilibrium.CHUNK + 3, 3, 2))
    assert_saddle(payoffs, 1e-8)
    assert_allclose(equilibrium.matrix_games(payoffs[-2:])[2], equilibrium.matrix_games(payoffs)[2][-2:], atol=1e-9)


def test_known_matrix_games():
    pennies = [[1, -1], [-1, 1]]
    scissors = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
    for payoffs in (pennies, scissors):
        x, y, value = equilibrium.matrix_games(payoffs)
        assert value == pytest.approx(0, abs=1e-12)
        assert_allclose([x, y], 1 / len(payoffs), atol=1e-12)
    x, y, value = equilibrium.matrix_games([[3, -1], [-2, 4]])
    assert value == pytest.approx(1.0)
    assert_allclose([x, y], [[0.6, 0.4], [0.5, 0.5]])
    assert equilibrium.matrix_games([[5.0, 7.0]])[2] == pytest.approx(5)
    assert equilibrium.matrix_games([[5.0], [7.0]])[2] == pytest.approx(7)


def test_table_1():
    game = games.load("table-1")
    policy, values = equilibrium.solve_zero_sum(game)
    assert values[0, 0] == pytest.approx(2.6046065603, abs=5e-11)
    assert evaluate.nash_gap(game, policy) == pytest.approx(0, abs=1e-12)
    assert evaluate.nash_gap(game, game.uniform_policy()) == pytest.approx(3.875, abs=1e-12)


@settings(max_examples=20)
@given(strategies.markov_games(discounted=False, zero_sum=True, actions=(1, 3)))
def test_no_gap_at_the_equilibrium_of_a_markov_game(game):
    policy, values = equilibrium.solve_zero_sum(game)
    assert_allclose(evaluate.nash_gap(game, policy), 0, atol=1e-8)
    assert_allclose(np.moveaxis(evaluate.state_values(game, policy), -3, 0)[0], values, atol=1e-8)
    gain = evaluate.best_response_values(game, policy) - evaluate.state_values(game, policy)
    assert np.abs(gain).max() < 1e-8, "an equilibrium at every state and step, not just at the start"
    for index in np.ndindex(game.batch):
        if game.batch:
            assert_allclose(equilibrium.solve_zero_sum(game[index])[1], values[index], atol=1e-9)


def test_transposed_kernel_gives_another_value():
    rng = np.random.default_rng(1)
    drawn = strategies.cyclic_game(rng, 3, (2, 2))
    game = games.zero_sum(drawn.agent_rewards(0), drawn.transitions)
    swapped = games.zero_sum(drawn.agent_rewards(0), strategies.transposed(drawn).transitions)
    policy, _ = equilibrium.solve_zero_sum(swapped)
    assert evaluate.nash_gap(game, policy) > 1e-3


@pytest.mark.parametrize("actions", [(2, 2), (3, 2)])
def test_equilibria_of_stages_never_move(actions):
    """Mirror descent that starts every stage at an equilibrium of its matrix plays that equilibrium throughout."""
    rng = np.random.default_rng(3)
    drawn = strategies.cyclic_game(rng, 4, actions)
    game = games.zero_sum(drawn.agent_rewards(0), drawn.transitions)
    stages = len(learners.stage_lengths(60, 4))
    start = equilibrium.of_stages(game, stages)
    run = learners.optimistic_mirror_descent(game, 60, 0.1, start, record=True)
    for player in (0, 1):
        assert start[player].shape == (stages, 4, 3, actions[player])
        assert_allclose(run.stages.averages[player], start[player], atol=1e-9)
        assert_allclose(run.stages.regrets[player], 0, atol=1e-9)
    assert_allclose(start[0][4:], np.broadcast_to(equilibrium.solve_zero_sum(game)[0][0], start[0][4:].shape), atol=1e-9)


@pytest.mark.parametrize("name", ["general", "river"])
def test_games_it_cannot_solve(name):
    game = games.load("table-2") if name == "general" else games.load("river-endgame")
    expected = "game of two agents" if name == "general" else "game with a table of transitions"
    with pytest.raises(ValueError, match=rf"^game is \w+\(.*\), expected a zero-sum (or constant-sum )?{expected}\.$"):
        equilibrium.solve_zero_sum(game)


@pytest.mark.parametrize(
    ("payoffs", "message"),
    [
        ([[1, 2], [float("nan"), 0]], "payoffs[1, 0] is nan, expected a finite number."),
        ([[1, 2, 3], [0, float("inf"), 0]], "payoffs[1, 1] is inf, expected a finite number."),
        ([1.0, 2.0], "payoffs has shape (2,), expected (..., A, B)."),
    ],
)
def test_bad_payoffs(payoffs, message):
    with pytest.raises(ValueError) as raised:
        equilibrium.matrix_games(payoffs)
    assert str(raised.value) == message


# Coarse correlated equilibria of matrix games.

CHICKEN = np.array([[[0.7, 0.3], [1, 0]], [[0.7, 1], [0.3, 0]]])


def test_correlated_equilibria_of_chicken_by_hand():
    """The traffic light is one, with both sides gaining; (swerve, swerve) is not: deviating to straight earns 1 for 0.7."""
    constraints = equilibrium.cce_polytope(CHICKEN)
    assert constraints.shape == (4, 4)
    light, polite = np.array([0, 0.5, 0.5, 0]), np.array([1.0, 0, 0, 0])
    assert (constraints @ light).max() == pytest.approx(0.5 - 0.65)
    assert (constraints @ polite).max() == pytest.approx(0.3)


def test_largest_row_is_the_gap_of_a_one_step_game():
    rng = np.random.default_rng(0)
    for actions in ((2, 3), (2, 2, 2), (3,)):
        payoffs, joint = rng.random((len(actions), *actions)), rng.dirichlet(np.ones(np.prod(actions))).reshape(actions)
        game = games.MarkovGame(payoffs[:, None, None], np.ones((1, 1, *actions, 1)))
        policy = learners.CertifiedPolicy(np.array([1]), len(actions), joint[None, None, None])
        assert (equilibrium.cce_polytope(payoffs) @ joint.ravel()).max() == pytest.approx(evaluate.cce_gap(game, policy))


def test_welfare_range():
    values, found = equilibrium.cce_extremes(CHICKEN, CHICKEN.sum(0))
    constraints = equilibrium.cce_polytope(CHICKEN)
    for value, joint in zip(values, found, strict=True):
        assert joint.min() >= 0 and joint.sum() == pytest.approx(1) and (constraints @ joint.ravel()).max() < 1e-9
        assert (joint * CHICKEN.sum(0)).sum() == pytest.approx(value)
    mixed = np.full((2, 2), 0.25)
    assert (constraints @ mixed.ravel()).max() < 1e-12, "half and half is the mixed equilibrium"
    assert values[0] <= (mixed * CHICKEN.sum(0)).sum() <= values[1]


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_change_no_correlated_equilibrium(unit):
    payoffs = CHICKEN * np.array([unit, 1])[:, None, None]
    values, found = equilibrium.cce_extremes(payoffs, unit * CHICKEN.sum(0))
    expected, joints = equilibrium.cce_extremes(CHICKEN, CHICKEN.sum(0))
    assert_allclose(values, unit * expected, rtol=1e-9)
    assert_allclose(found, joints, atol=1e-9)


def test_learned_play_lies_in_the_polytope_up_to_its_regret():
    game = games.load("jordan", horizon=1)
    run = learners.correlated_mirror_descent(game, 2000, 0.3, record=True)
    joint = run.certified.means[-1, 0, 0]
    regret = max(part[-2, 0, 0] for part in run.stages.regrets)
    assert (equilibrium.cce_polytope(game.rewards[:, 0, 0]) @ joint.ravel()).max() == pytest.approx(regret, abs=1e-9)


@pytest.mark.parametrize(
    ("payoffs", "objective", "message"),
    [
        (np.zeros((3, 2, 2)), np.zeros((2, 2)), r"payoffs has shape \(3, 2, 2\), expected \(N, A_1, ..., A_N\)"),
        (CHICKEN, np.zeros((2, 3)), r"objective has shape \(2, 3\), expected \(2, 2\)"),
    ],
)
def test_bad_correlated_input_is_named(payoffs, objective, message):
    with pytest.raises(ValueError, match=message):
        equilibrium.cce_extremes(payoffs, objective)


def test_a_programme_that_the_solver_gives_up_is_solved_in_halves(monkeypatch, rng=np.random.default_rng(0)):
    from scipy import optimize

    payoffs, solve, sizes = rng.random((7, 3, 2)), optimize.linprog, []

    def fickle(cost, **options):
        sizes.append(len(cost) // 4)
        result = solve(cost, **options)
        result.success = result.success and sizes[-1] <= 2
        return result

    expected = equilibrium.matrix_games(payoffs)[2]
    monkeypatch.setattr(optimize, "linprog", fickle)
    np.testing.assert_allclose(equilibrium.matrix_games(payoffs)[2], expected, atol=1e-12)
    assert max(sizes) == 7 and min(sizes) <= 2
    monkeypatch.setattr(optimize, "linprog", lambda cost, **options: optimize.OptimizeResult(success=False, message="no"))
    with pytest.raises(ArithmeticError, match="linear programme of a matrix game was not solved: no"):
        equilibrium.matrix_games(payoffs)
