"""River endgames against enumeration of all deals, dense products and a linear programme."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from river_games import deck, short_game
from scipy.optimize import linprog

from marlpaper import evaluate, games
from marlpaper.evaluate.river import Advantages
from marlpaper.games import cards, showdown
from marlpaper.games.river import BETTING, WEIGHTINGS, RiverGame
from marlpaper.games.showdown import Showdown

BOARDS = ("4s8hTc9h2s", "2c7d9hJsKd", "TsJsQsKsAs")


def told(betting, jams, calls, outcome, half, stack):
    """The payoff of player 1 when the two choose, told as the story of the betting."""
    if betting == "seq":
        if not jams:
            return -half
        return outcome * (half + stack) if calls else half
    if betting == "check":
        if not jams:
            return outcome * half
        return outcome * (half + stack) if calls else half
    if jams and calls:
        return outcome * (half + stack)
    return half * (jams - calls)


def enumerated(game, policy):
    """Mean payoff of player 1, and for both players what each action with each hand adds to it, deal by deal."""
    hands, strengths = game.hands, game.showdown.strengths
    n, half, stack = len(hands), float(game.pot) / 2, float(game.stack)
    deals = [(i, j) for i in range(n) for j in range(n) if not set(hands[i]) & set(hands[j])]
    chances = {(i, j): game.reach[0, i] * game.reach[1, j] for i, j in deals}
    total, mean, shares = sum(chances.values()), 0.0, np.zeros((2, n, 2))
    for (i, j), chance in chances.items():
        outcome = np.sign(strengths[i] - strengths[j])
        for jams, calls in itertools.product((0, 1), (0, 1)):
            payoff = chance / total * told(game.betting, jams, calls, outcome, half, stack)
            first, second = policy[0][0, i, jams], policy[1][0, j, calls]
            mean += first * second * payoff
            shares[0, i, jams] += second * payoff
            shares[1, j, calls] -= first * payoff
    return mean, shares


@pytest.mark.parametrize("board", BOARDS)
def test_sums_are_dense_products_on_a_real_board(board):
    strengths = cards.hand_ranks(cards.parse(board))
    held = strengths >= 0
    table = Showdown(cards.HANDS[held], strengths[held])
    assert len(table) == 1081
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((3, 1081)) < 0.3, 0, rng.random((3, 1081)))
    for fast, dense in zip(table.sums(weights), table.pairs(), strict=True):
        assert_allclose(fast, weights @ dense.T, rtol=0, atol=1e-12 * weights.sum(-1).max())


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_sums_of_any_hands(count, levels, seed, compiled):
    rng = np.random.default_rng(seed)
    hands = deck(count)
    hands = 5 * hands[rng.random(len(hands)) < 0.7] + 3
    if not len(hands):
        return
    table = Showdown(hands, rng.integers(-levels, levels, len(hands)))
    columns = int(rng.choice([1, 2, 4]))  # two columns, of one game, have a pass of their own
    weights, meets, beats = rng.random((columns, len(hands))), rng.standard_normal(columns), rng.standard_normal(columns)
    dense = table.pairs()
    for i, j in itertools.product(range(len(hands)), repeat=2):  # blockers, card by card
        assert dense[0][i, j] == (not set(hands[i].tolist()) & set(hands[j].tolist()))
    for fast, slow in zip(table.sums(weights), dense, strict=True):
        assert_allclose(fast, weights @ slow.T, rtol=0, atol=1e-12)
    out, order = np.empty((len(hands), columns)), table.by_strength
    ask = table.combine(meets, beats) if compiled else lambda *arrays: table._combined(meets, beats, *arrays)
    ask(np.ascontiguousarray(weights.T[order]), out)
    expected = meets * (dense[0] @ weights.T) + beats * (dense[1] @ weights.T)
    assert_allclose(out, expected[order], rtol=0, atol=1e-11)


@pytest.mark.parametrize(("columns", "written"), [(2, showdown.one_pass_of_two), (2, showdown.one_pass), (4, showdown.one_pass)])
def test_compiled_and_plain_loops_agree_and_numba_is_optional(monkeypatch, columns, written):
    rng = np.random.default_rng(4)
    table = Showdown(deck(5), rng.integers(0, 3, 10))
    weights, factors = rng.random((10, columns)), rng.standard_normal((2, columns))
    out = [np.empty((10, columns)) for _ in range(3)]
    table.combine(*factors)(weights, out[0])
    monkeypatch.setattr(showdown, "_compiled", lambda columns: written)
    table.combine(*factors)(weights, out[1])
    monkeypatch.setattr(showdown, "_compiled", lambda columns: None)
    table.combine(*factors)(weights, out[2])
    assert_allclose(out[1], out[0], rtol=0, atol=1e-13)
    assert_allclose(out[2], out[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("betting", BETTING)
def test_values_by_enumeration(betting):
    rng = np.random.default_rng(1)
    game = short_game(rng, betting=betting)
    policy = game.random_policy(rng)
    mean, shares = enumerated(game, policy)
    assert_allclose(evaluate.initial_value(game, evaluate.state_values(game, policy)), [mean, -mean], atol=1e-13)
    weighted = np.stack(evaluate.averaged_q(game, policy))[:, 0] * game.prior[..., None]
    assert_allclose(weighted, shares, atol=1e-13)
    gaps = shares.max(-1).sum(-1) - [mean, -mean]
    assert_allclose(evaluate.agent_gaps(game, policy), gaps, atol=1e-13)
    assert gaps.min() > 1e-3


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("betting", BETTING)
def test_feedback_is_what_going_in_adds(betting, weighting):
    rng = np.random.default_rng(2)
    game = short_game(rng, (3,), betting, weighting)
    policy = game.random_policy(rng)
    told_by = Advantages(game, 0.5)
    out = np.empty(told_by.shape)
    told_by(told_by.layout(np.stack([p[..., 0, :, 1] for p in policy], -2)), out)
    q = np.stack(evaluate.averaged_q(game, policy), 1)[:, :, 0]
    expected = 0.5 * (q[..., 1] - q[..., 0])
    if weighting == "chance":
        expected *= np.divide(game.reach * game.meeting, game.meeting, out=np.zeros_like(game.reach), where=game.meeting > 0)
        expected *= game.meeting / (game.reach * game.meeting).sum(-1, keepdims=True)
    assert_allclose(told_by.from_layout(out), expected, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(BETTING)), st.integers(0, 2**32 - 1))
def test_the_sum_is_zero_and_batches_are_single_games(betting, seed):
    rng = np.random.default_rng(seed)
    game = short_game(rng, (2, 2), betting)
    policy = game.random_policy(rng)
    values = evaluate.initial_value(game, evaluate.state_values(game, policy))
    assert_allclose(values.sum(-1), 0, atol=1e-12)
    assert evaluate.nash_gap(game, policy).min() >= -1e-12
    alone = evaluate.nash_gap(game[1, 0], [p[1, 0] for p in policy])
    assert_allclose(evaluate.nash_gap(game, policy)[1, 0], alone, atol=1e-12)
    assert_allclose(game.prior.sum(-1), 1)


def optimum(game):
    """An equilibrium by a linear programme over both probabilities of going in, from dense matrices."""
    met, beaten = game.showdown.pairs()
    joint = game.reach[0][:, None] * game.reach[1] / (game.reach[0] @ met @ game.reach[1])
    a, b, c, e = (joint * (constant * met + factor * beaten) for constant, factor in game.payoffs[0])

    def best(base, own, theirs, both):
        """max over x of the min over y of base + own x + theirs y + x both y, both in [0, 1]^n."""
        n = len(own)
        bounds = [(0, 1)] * n + [(None, 0)] * n  # x, and min(0, what y faces)
        solved = linprog(-np.concatenate([own, np.ones(n)]), np.hstack([-both.T, np.eye(n)]), theirs, bounds=bounds)
        return base - solved.fun, solved.x[:n]

    first, x = best(a.sum(), b.sum(1), c.sum(0), e)
    second, y = best(-a.sum(), -c.sum(0), -b.sum(1), -e.T)
    assert first == pytest.approx(-second, abs=1e-9)
    return first, [np.stack([1 - z, z], -1)[None] for z in (x, y)]


@pytest.mark.parametrize("betting", BETTING)
def test_exploitability_is_zero_at_the_optimum_of_a_linear_programme(betting):
    rng = np.random.default_rng(5)
    game = short_game(rng, betting=betting, count=8, levels=9)
    value, policy = optimum(game)
    assert evaluate.nash_gap(game, policy) == pytest.approx(0, abs=1e-9)
    assert evaluate.initial_value(game, evaluate.state_values(game, policy))[0] == pytest.approx(value, abs=1e-9)
    other = game.random_policy(rng)
    assert evaluate.nash_gap(game, [policy[0], other[1]]) > 1e-3
    # What the best reply to a policy earns is at least the value, on both sides.
    replies = evaluate.initial_value(game, evaluate.best_response_values(game, other))
    assert replies[0] >= value - 1e-12 and replies[1] >= -value - 1e-12


def test_symmetric_endgame_has_value_zero():
    rng = np.random.default_rng(6)
    hands = deck(7)
    reach = np.tile(rng.random(len(hands)), (2, 1))
    game = RiverGame(hands, rng.integers(0, 9, len(hands)), reach, 1.0, betting="sim")
    assert optimum(game)[0] == pytest.approx(0, abs=1e-9)
    same = game.random_policy(rng)[0]
    assert evaluate.initial_value(game, evaluate.state_values(game, [same, same])) == pytest.approx(0, abs=1e-13)
    assert_allclose(*evaluate.agent_gaps(game, [same, same]), atol=1e-13)


def test_hands_that_tie_share_and_hands_without_reach_do_not_count():
    rng = np.random.default_rng(7)
    game = short_game(rng, levels=1)
    assert_allclose(game.equity()[game.meeting > 0], 0.5)
    policy = game.random_policy(rng)
    changed = [np.where((game.reach[player] == 0)[:, None], [1.0, 0.0], part) for player, part in enumerate(policy)]
    assert any((game.reach == 0).ravel())
    assert_allclose(evaluate.agent_gaps(game, policy), evaluate.agent_gaps(game, changed), atol=1e-13)


def test_equity_of_the_nuts():
    game = games.load("river-endgame")
    best = game.showdown.strengths == game.showdown.strengths.max()
    worst = game.showdown.strengths == game.showdown.strengths.min()
    assert game.equity()[:, best].min() > 0.97 and game.equity()[:, worst].max() < 0.03


def test_the_named_game():
    game = games.load("river-endgame")
    assert (game.states, game.batch, game.betting) == (1081, (), "seq") and game.stack == game.pot == 1
    settings = games.describe("river-endgame")["experiment"]
    noise = {name: settings[name] for name in ("stack_noise", "smallest_stack")}
    sequence = games.load("river-endgame", count=settings["games"], **noise)
    assert sequence.batch == (10,) and np.array_equal(sequence[3].reach, game.reach)
    assert sequence.stack.min() >= 0.05 and np.ptp(sequence.stack) > 0.3
    many = games.load("river-endgame", count=20000, stack_noise=0.5).stack
    # E min(s1, s2) = 1 - 0.5/sqrt(pi) without the floor, which adds less than 0.02.
    assert 1 - 0.5 / np.sqrt(np.pi) - 0.01 < many.mean() < 1 - 0.5 / np.sqrt(np.pi) + 0.03


def test_published_ranges_take_the_place_of_synthetic_ones():
    endgame = games.endgames.synthetic(np.random.default_rng(3))
    game = games.river_endgame(endgame=endgame, stack_mean=2.0)
    assert game.states == 1081 and game.stack == 2
    assert np.isin(game.hands, endgame.board).sum() == 0
    assert_allclose(game.reach.sum(), endgame.reach.sum())


HANDS = deck(4)
BAD = [
    (TypeError, {"hands": [[0.5, 1]]}, "hands has shape (1, 2) and type float64"),
    (ValueError, {"hands": [[0, 1], [2, 2]]}, "hands[1] is [2, 2], expected two different cards"),
    (ValueError, {"hands": [[0, 1], [1, 0]]}, "hands holds [0, 1] 2 times"),
    (ValueError, {"strengths": [1, 2]}, "strengths has shape (2,), expected one for each of the 6 hands"),
    (ValueError, {"reach": np.ones(6)}, "reach has shape (6,), expected (..., 2, 6)"),
    (ValueError, {"reach": [[1, 1, 1, 1, 1, 1], [1, 1, -2, 1, 1, 1]]}, "reach[1, 2] is -2, expected at least 0"),
    (ValueError, {"reach": [[0] * 6, [1] * 6]}, "reach[0] is 0 for every hand"),
    (ValueError, {"reach": [[1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]}, "reach leaves no deal"),
    (ValueError, {"stack": 0.0}, "stack is 0, expected a positive number"),
    (ValueError, {"pot": [1.0, -1.0]}, "pot is -1, expected a positive number"),
    (ValueError, {"stack": [1.0, 2.0], "pot": [1.0, 1.0, 1.0]}, "expected ones that broadcast"),
    (ValueError, {"betting": "limit"}, "betting is 'limit', expected one of 'seq', 'sim', 'check'"),
    (ValueError, {"weighting": "none"}, "weighting is 'none', expected one of"),
]


@pytest.mark.parametrize(("kind", "change", "message"), BAD)
def test_bad_input_is_named(kind, change, message):
    arguments = {"hands": HANDS, "strengths": np.arange(6), "reach": np.ones((2, 6)), "stack": 1.0} | change
    with pytest.raises(kind) as error:
        RiverGame(**arguments)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"stack_noise": -1}, "stack_noise is -1"), ({"count": 0}, "count is 0"), ({"board": "4s4s"}, "'4s' a second time")],
)
def test_bad_parameters_of_the_named_game(change, message):
    with pytest.raises(ValueError, match=message):
        games.load("river-endgame", **({"count": 2} | change))


def test_single_games_have_nothing_to_index():
    game = games.load("river-endgame")
    with pytest.raises(IndexError, match="no batch axes"):
        game[0]
    with pytest.raises(IndexError, match="more axes"):
        games.load("river-endgame", count=2)[0, 0]
    with pytest.raises(ValueError, match="policy\\[1\\] has shape"):
        evaluate.nash_gap(game, [game.uniform_policy()[0], np.full((1, 3, 2), 0.5)])


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from(["seq", "sim", "check"]), st.sampled_from(["chance", "hand"]))
def test_hands_that_hold_a_card_of_the_board_are_dealt_in_no_view(seed, betting, weighting):
    rng = np.random.default_rng(seed)
    board = rng.choice(52, 5, replace=False)
    strengths, reach = cards.hand_ranks(board), rng.uniform(size=(2, 1326))
    game = RiverGame(cards.HANDS, strengths, reach, 1.0, betting=betting, weighting=weighting)
    dead = strengths == -1
    assert dead.sum() == 245
    for view in (game.reach, game.prior):
        assert (view[:, dead] == 0).all() and (view[:, ~dead] > 0).all()
    small = RiverGame(cards.HANDS[~dead], strengths[~dead], reach[:, ~dead], 1.0, betting=betting, weighting=weighting)
    assert_allclose(game.prior[:, ~dead], small.prior, atol=1e-15)
    assert_allclose(game.equity()[:, ~dead], small.equity(), atol=1e-12)
    policy = game.random_policy(rng)
    same = tuple(p[:, ~dead] for p in policy)
    for quantity in (evaluate.nash_gap, lambda g, p: evaluate.initial_value(g, evaluate.state_values(g, p))):
        assert_allclose(quantity(game, policy), quantity(small, same), atol=1e-10)


def test_a_range_of_dead_hands_only_is_refused():
    strengths = cards.hand_ranks(range(5))
    with pytest.raises(
        ValueError, match=r"^reach\[1\] is 0 for every hand, expected a range with at least one hand\.$"
    ):
        RiverGame(cards.HANDS, strengths, [np.ones(1326), strengths == -1], 1.0)
