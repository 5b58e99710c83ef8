"""OpenSpiel's games written out: the same plays, the same values and the same equilibria as in OpenSpiel itself."""

import importlib
import itertools
import re
import tracemalloc

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import equilibrium, evaluate, games
from marlpaper.lookup import UnknownNameError

GAMES = [
    "matrix_rps",
    "matrix_shapleys_game",
    "matching_pennies_3p",
    "goofspiel(num_cards=3,points_order=descending,returns_type=point_difference)",
    "goofspiel(num_cards=3,points_order=random)",
    "goofspiel(num_cards=3,points_order=ascending,returns_type=total_points,players=3)",
    "goofspiel(num_cards=4,points_order=descending)",
    "oshi_zumo(coins=3,size=1,horizon=4)",
    "markov_soccer(horizon=3)",
    "nim(pile_sizes=1;2)",
]


def replayed(game, state, rng):
    """Play OpenSpiel's `state` to its end at random, following the same play in `game`: probability and return in both."""
    chance, reward, theirs, number, h = 1.0, np.zeros(game.agents), 1.0, None, 0
    while not state.is_terminal():
        if state.is_chance_node():
            outcomes, chances = zip(*state.chance_outcomes(), strict=True)
            drawn = rng.integers(len(outcomes))
            theirs *= chances[drawn]
            state.apply_action(outcomes[drawn])
            continue
        now = game.state_names[h].index(str(state))
        chance *= game.initial[now] if h == 0 else game.transitions[h - 1][(number, *joint, now)]
        number = now
        legal = [state.legal_actions(player) or [0] for player in range(game.agents)]
        for mask, own in zip(game.legal_actions, legal, strict=True):
            assert np.flatnonzero(mask[h, number]).tolist() == own
        joint = tuple(int(rng.choice(own)) for own in legal)
        reward += game.rewards[(slice(None), h, number, *joint)]
        state.apply_actions(list(joint)) if state.is_simultaneous_node() else state.apply_action(joint[state.current_player()])
        h += 1
    return chance, theirs, reward, state.returns()


@pytest.mark.parametrize("name", GAMES)
def test_random_plays_are_as_likely_and_as_paid(name):
    game, rng = games.from_openspiel(name), np.random.default_rng(0)
    last_is_chance = 0
    for _ in range(100):
        chance, theirs, reward, returns = replayed(game, pyspiel.load_game(name).new_initial_state(), rng)
        if chance != pytest.approx(theirs):  # a draw after the last move has no state of its own: rewards are its mean
            assert chance > theirs
            last_is_chance += 1
        else:
            assert_allclose(reward, returns, atol=1e-12)
    assert last_is_chance == 0 or name.startswith("markov_soccer")


def expected_returns(state, policy):
    """OpenSpiel's game tree under a policy (state, player) -> {action: chance}, walked from `state`: mean returns."""
    if state.is_terminal():
        return np.array(state.returns())
    if state.is_chance_node():
        return sum(p * expected_returns(state.child(outcome), policy) for outcome, p in state.chance_outcomes())
    total = 0.0
    rows = [policy(state, player) if state.legal_actions(player) else {0: 1.0} for player in range(state.num_players())]
    for joint in itertools.product(*rows):
        child = state.clone()
        child.apply_actions(list(joint)) if state.is_simultaneous_node() else child.apply_action(joint[state.current_player()])
        total = total + np.prod([row[a] for row, a in zip(rows, joint, strict=True)]) * expected_returns(child, policy)
    return total


def legal_policy(game, rng):
    """A random policy that plays legal actions only."""
    weights = [mask * (0.1 + rng.random(mask.shape)) + 1e-300 for mask in game.legal_actions]
    return tuple(w / w.sum(-1, keepdims=True) for w in weights)


def depth(state):
    """How often players have moved: the step that `state` is in, counted from 0."""
    return sum(move.player == 0 for move in state.full_history()) if state.get_game().get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS else len(state.history())


@pytest.mark.parametrize("name", [name for name in GAMES if "num_cards=4" not in name])  # whose histories are too many to walk
def test_values_of_random_policies(name):
    game = games.from_openspiel(name)
    policy = legal_policy(game, np.random.default_rng(1))

    def row(state, player):
        h = depth(state)
        chances = policy[player][h, game.state_names[h].index(str(state))]
        return {a: chances[a] for a in state.legal_actions(player)}

    found = evaluate.initial_value(game, evaluate.state_values(game, policy))
    assert_allclose(found, expected_returns(pyspiel.load_game(name).new_initial_state(), row), atol=1e-10)


def as_openspiel(game, name, policy):
    """The turn-based form of a game, and the policy in it, one row for each information state."""
    turns, rows = pyspiel.load_game_as_turn_based(name), {}

    def walk(state, simultaneous, h):
        if state.is_terminal():
            return
        if state.is_chance_node():
            for outcome, _ in state.chance_outcomes():
                walk(state.child(outcome), simultaneous.child(outcome), h)
            return
        number = game.state_names[h].index(str(simultaneous))
        first = state.legal_actions(0)
        for a in first:
            after = state.child(a)
            for b in after.legal_actions(1):
                for player, node in ((0, state), (1, after)):
                    rows[node.information_state_string(player)] = [(x, policy[player][h, number, x]) for x in node.legal_actions(player)]
                child = simultaneous.clone()
                child.apply_actions([a, b])
                walk(after.child(b), child, h + 1)

    walk(turns.new_initial_state(), pyspiel.load_game(name).new_initial_state(), 0)
    return turns, pyspiel.TabularPolicy(rows)


SOLVED = [
    "matrix_brps",
    "goofspiel(num_cards=3,points_order=descending,returns_type=point_difference)",
    "goofspiel(num_cards=3,points_order=random)",
    "oshi_zumo(coins=3,size=1,horizon=4)",
    "oshi_zumo(coins=4,size=1,horizon=5,min_bid=1)",
]


@pytest.mark.parametrize("name", SOLVED)
def test_openspiel_finds_nothing_to_gain_on_our_equilibria(name):
    game = games.from_openspiel(name)
    nash, _ = equilibrium.solve_zero_sum(game)
    legal = tuple(np.stack([repaired(p, mask, h) for h, (p, mask) in enumerate(zip(part, masks, strict=True))]) for part, masks in zip(nash, game.legal_actions, strict=True))
    turns, policy = as_openspiel(game, name, legal)
    assert pyspiel.nash_conv(turns, policy) == pytest.approx(0, abs=1e-8)


def repaired(policy, mask, step):
    """The same policy with each illegal action's chance given to the legal action that it stands for."""
    result = np.zeros_like(policy)
    for s in range(len(policy)):
        legal = np.flatnonzero(mask[s])
        for a, chance in enumerate(policy[s]):
            if len(legal):
                result[s, a if mask[s, a] else legal[a % len(legal)]] += chance
    return result


@pytest.mark.parametrize("name", SOLVED)
def test_openspiels_best_responses_gain_what_ours_do(name):
    game = games.from_openspiel(name)
    policy = legal_policy(game, np.random.default_rng(2))
    turns, theirs = as_openspiel(game, name, policy)
    gap = evaluate.nash_gap(game, policy)
    assert gap > 0.05
    assert pyspiel.nash_conv(turns, theirs) == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("name", [SOLVED[1], SOLVED[3]])
def test_counterfactual_regret_approaches_our_value(name):
    turns = pyspiel.load_game_as_turn_based(name)
    solver = pyspiel.CFRPlusSolver(turns)
    for _ in range(200):
        solver.evaluate_and_update_policy()
    average = solver.average_policy()
    tolerance = pyspiel.nash_conv(turns, average)
    assert tolerance < 0.05
    game = games.from_openspiel(name)
    value = equilibrium.solve_zero_sum(game)[1][0] @ game.initial
    theirs = expected_turns(turns.new_initial_state(), average)
    assert abs(value - theirs) <= tolerance + 1e-9


def expected_turns(state, policy):
    if state.is_terminal():
        return state.returns()[0]
    pairs = state.chance_outcomes() if state.is_chance_node() else policy.action_probabilities(state).items()
    return sum(p * expected_turns(state.child(a), policy) for a, p in pairs if p > 0)


def test_a_game_in_turns_has_its_known_value():
    """Nim with piles 1, 2, 3 is lost for the first player, with 1, 2 it is won (whoever takes the last one loses)."""
    for piles, value in (("1;2;3", -1), ("1;2", 1)):
        game = games.from_openspiel(f"nim(pile_sizes={piles})")
        assert equilibrium.solve_zero_sum(game)[1][0] @ game.initial == pytest.approx(value)


def test_illegal_actions_repeat_legal_ones():
    game = games.from_openspiel("goofspiel(num_cards=4,points_order=descending)")
    checked = 0
    for h, names in enumerate(game.state_names):
        for s in range(len(names)):
            legal = np.flatnonzero(game.legal_actions[0][h, s])
            for a in set(range(4)) - set(legal):
                same = legal[a % len(legal)]
                assert np.array_equal(game.transitions[h, s, a], game.transitions[h, s, same])
                assert np.array_equal(game.rewards[:, h, s, a], game.rewards[:, h, s, same])
                checked += 1
    assert checked > 100


def test_paths_that_end_early_wait():
    game = games.from_openspiel("oshi_zumo(coins=3,size=1,horizon=4)")
    for h, names in enumerate(game.state_names):
        if "over" in names:
            over = names.index("over")
            assert (game.rewards[:, h, over] == 0).all()
            assert not game.legal_actions[0][h, over].any()
            if h + 1 < game.horizon:
                assert (game.transitions[h, over, ..., game.state_names[h + 1].index("over")] == 1).all()
    assert "over" in game.state_names[-1]


def test_games_already_loaded():
    loaded = pyspiel.load_game("matrix_rps")
    game = games.from_openspiel(loaded)
    assert repr(game) == "MarkovGame(agents=2, states=1, actions=(3, 3), horizon=1)"
    assert game.source == "matrix_rps()"
    assert game.rewards[0, 0, 0].tolist() == [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("goofspeil", UnknownNameError, "There is no OpenSpiel game 'goofspeil'; did you mean 'goofspiel'?"),
        (
            "goofspiel(cards=3)",
            ValueError,
            "game is 'goofspiel(cards=3)', which OpenSpiel does not load: Unknown parameter 'cards'.",
        ),
        (
            "kuhn_poker",
            ValueError,
            "game is 'kuhn_poker()' with imperfect information, expected one whose players see everything but each "
            "other's next move.",
        ),
        (
            "goofspiel(imp_info=True,num_cards=3)",
            ValueError,
            "game is 'goofspiel(imp_info=True,num_cards=3)' with imperfect information, ",
        ),
        ("mfg_crowd_modelling", ValueError, "game is 'mfg_crowd_modelling()', "),
        ("markov_soccer", ValueError, "game is 'markov_soccer()', in which at least "),
        (
            "goofspiel(num_cards=4)",
            ValueError,
            "game is 'goofspiel(num_cards=4)', which has 2832 states of up to 16 joint actions in step 3, and at "
            "least 3.9e+08 entries, expected at most 2.0e+07: choose smaller parameters or raise size_limit.",
        ),
        (3, TypeError, "game is 3, expected the name of an OpenSpiel game, with its parameters in parentheses."),
    ],
)
def test_games_that_do_not_fit(name, error, sentence):
    with pytest.raises(error) as raised:
        games.from_openspiel(name)
    assert type(raised.value) is error
    assert str(raised.value).startswith(sentence)


def test_the_limit_can_be_moved():
    with pytest.raises(ValueError, match="expected at most 1.0e\\+02: choose smaller"):
        games.from_openspiel("goofspiel(num_cards=3,points_order=descending)", size_limit=100)
    assert games.from_openspiel("goofspiel(num_cards=3,points_order=descending)", size_limit=2000).states == 9


def test_keys_that_do_not_tell_states_apart():
    with pytest.raises(ValueError, match=r"two states with the key 'the same' that differ in their legal actions"):
        games.from_openspiel("goofspiel(num_cards=4,points_order=descending)", key=lambda state: "the same")
    with pytest.raises(ValueError, match=r"^key is 'words', expected one of 'history', 'information', 'text'\.$"):
        games.from_openspiel("matrix_rps", key="words")
    with pytest.raises(ValueError, match=r"^key is 'information', which 'markov_soccer\(.*\)' does not provide"):
        games.from_openspiel("markov_soccer(horizon=2)", key="information")


@pytest.mark.parametrize("key", ["text", "information"])
@pytest.mark.parametrize(
    "name", ["goofspiel(num_cards=3,points_order=random)", "goofspiel(num_cards=4,points_order=descending)"]
)
def test_keys_that_tell_all_make_the_game_of_the_histories(name, key):
    first, second = (
        equilibrium.solve_zero_sum(game)[1][0] @ game.initial
        for game in (games.from_openspiel(name), games.from_openspiel(name, key=key))
    )
    assert first == pytest.approx(second, abs=1e-9)


def minimax(state):
    if state.is_terminal():
        return state.returns()[0]
    if state.is_chance_node():
        return sum(chance * minimax(state.child(outcome)) for outcome, chance in state.chance_outcomes())
    return (max if state.current_player() == 0 else min)(
        minimax(state.child(action)) for action in state.legal_actions()
    )


@settings(max_examples=15)
@given(
    st.integers(1, 1000),
    st.floats(0.01, 0.9),
    st.sampled_from(
        ["nim(pile_sizes=1;2)", "nim(pile_sizes=2;2)", "nim(pile_sizes=1;1;2)", "dots_and_boxes(num_rows=1,num_cols=1)"]
    ),
)
def test_a_state_is_its_history_where_its_text_does_not_tell_what_is_paid(seed, noise, name):
    name = f"add_noise(epsilon={noise:.3f},seed={seed},game={name})"
    game = games.from_openspiel(name)
    value = equilibrium.solve_zero_sum(game)[1][0] @ game.initial
    assert value == pytest.approx(minimax(pyspiel.load_game(name).new_initial_state()), abs=1e-9)
    assert all(len(set(names)) == len(names) for names in game.state_names)


class Doomed:
    """A game of one player and chance, as far as `from_openspiel` looks: with chance 1/4 it ends with 8 before anyone
    moves."""

    def __init__(self, real, path=()):
        self.real, self.path = real, path

    def num_players(self):
        return 2

    def is_chance_node(self):
        return self.path == ()

    def chance_outcomes(self):
        return [(0, 0.25), (1, 0.75)]

    def child(self, outcome):
        return Doomed(self.real, (*self.path, outcome))

    clone = lambda self: Doomed(self.real, self.path)

    def is_terminal(self):
        return self.path == (0,) or len(self.path) == 2

    def is_simultaneous_node(self):
        return False

    def current_player(self):
        return 0

    def legal_actions(self, player):
        return [0, 1] if player == 0 and not self.is_terminal() else []

    def apply_action(self, action):
        self.path = (*self.path, action)

    def returns(self):
        paid = {(0,): 8.0, (1, 0): 1.0, (1, 1): 2.0}.get(self.path, 0.0)
        return [paid, -paid]

    def history(self):
        return list(self.path)

    __str__ = lambda self: "nothing to see"


def test_chance_may_end_a_game_before_anyone_moves():
    class Game:
        def __init__(self):
            self.kind = pyspiel.load_game("nim").get_type()

        get_type = lambda self: self.kind
        num_players = lambda self: 2
        new_initial_state = lambda self: Doomed(self)
        max_utility, min_utility = (lambda self: 8.0), (lambda self: -8.0)

    from marlpaper.games import openspiel

    layers, initial = openspiel._layers(Game(), 10**6, openspiel._history)
    openspiel._pay(pyspiel, Game(), layers)
    layers, initial = openspiel._merged(Game(), layers, initial)
    game = openspiel._written_out(Game(), layers, initial)
    assert game.initial.tolist() == [0.25, 0.75]
    assert equilibrium.solve_zero_sum(game)[1][0] @ game.initial == pytest.approx(0.25 * 8 + 0.75 * 2)


@pytest.mark.parametrize("name", ["chess", "connect_four", "tic_tac_toe", "markov_soccer"])
def test_what_would_be_too_large_is_refused_before_it_is_there(name):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"entries, expected at most 2\.0e\+07: .*raise size_limit\.$|different histories"):
        games.from_openspiel(name)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("limit", [1, 17, 100, 2000])
def test_the_limit_counts_what_is_allocated(limit):
    for name in (
        "matrix_rps",
        "nim(pile_sizes=1;2)",
        "goofspiel(num_cards=3,points_order=descending)",
        "oshi_zumo(coins=3,size=1,horizon=4)",
    ):
        try:
            game = games.from_openspiel(name, size_limit=limit)
        except ValueError:
            full = games.from_openspiel(name)
            assert full.transitions.size + full.rewards.size > limit
        else:
            assert game.transitions.size + game.rewards.size <= limit


def test_the_examples_of_the_documentation_load():
    names = re.findall(r'`"([a-z_]+(?:\([^)]*\))?)"`', games.from_openspiel.__doc__)
    assert len(names) >= 4
    for name in names:
        games.from_openspiel(name)


def test_normal_form_games_load():
    for kind in pyspiel.registered_games():
        if kind.dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS and kind.short_name.startswith("matrix_"):
            assert games.from_openspiel(kind.short_name).horizon == 1
    own = pyspiel.create_matrix_game([[1, 0], [0, 3]], [[2, 0], [0, 1]])
    assert games.from_openspiel(own).rewards[:, 0, 0].tolist() == [[[1, 0], [0, 3]], [[2, 0], [0, 1]]]


def test_without_openspiel(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"^from_openspiel needs OpenSpiel, which is not installed: pip install 'marlpaper\[games\]'\.$"):
        games.from_openspiel("matrix_rps")
