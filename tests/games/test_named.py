"""Named games: what the files say, sequences of similar games, and broken files."""

import os
import tomllib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from marlpaper import games
from marlpaper.lookup import UnknownNameError

TABLE_1 = {"s0": [[0.5, 0], [-1, 0.5]], "s1": [[0.5, 0], [0.2, 1]]}
TABLE_2 = {"s0": [[0.1, 0.5], [0.5, 1]], "s1": [[0.8, 0.2], [0.2, 0.8]]}


@pytest.mark.parametrize(("name", "table"), [("table-1", TABLE_1), ("table-2", TABLE_2)])
def test_the_tables_of_the_paper(name, table):
    game = games.load(name)
    assert (game.agents, game.states, game.actions, game.horizon) == (2, 2, (2, 2), 10)
    assert game.initial.tolist() == [1, 0]
    for step in range(10):
        for s, state in enumerate(table):
            assert game.rewards[0, step, s].tolist() == table[state]
            sign = -1 if name == "table-1" else 1
            assert game.rewards[1, step, s].tolist() == (sign * np.array(table[state])).tolist()
            for a in (0, 1):
                for b in (0, 1):
                    stay = 0.9 if a == b else 0.1
                    assert game.transitions[step, s, a, b, s] == stay
                    assert game.transitions[step, s, a, b, 1 - s] == pytest.approx(1 - stay)


def test_names_and_descriptions():
    assert {"table-1", "table-2", "delayed-reward-chain"} <= set(games.names())
    assert games.names() == sorted(games.names())
    for name in games.names():
        described = games.describe(name)
        assert {"title", "source"} <= set(described)
        assert games.load(name).agents >= 1
    assert games.describe("table-1")["experiment"] == {"games": 10, "noise": 0.1, "iterations": 1000, "step_size": 0.02}


def test_family_parameters():
    assert games.load("delayed-reward-chain").horizon == 10
    longer = games.load("delayed-reward-chain", horizon=14)
    assert np.array_equal(longer.rewards, games.delayed_reward_chain(14).rewards)


# Sequences of similar games.


def test_perturbed_zero_sum_games():
    base = games.load("table-1")
    sequence = games.perturb(base, 500, 0.1, np.random.default_rng(0))
    assert sequence.batch == (500,)
    assert sequence.is_zero_sum
    noise = sequence.agent_rewards(0) - base.agent_rewards(0)
    assert np.ptp(noise, axis=1).max() < 1e-12, "rewards that do not depend on the step keep so"
    entries = noise[:, 0].reshape(500, -1)
    assert_allclose(entries.mean(0), 0, atol=0.02)
    assert_allclose(entries.std(0), 0.1, atol=0.015)
    assert np.abs(np.corrcoef(entries.T) - np.eye(8)).max() < 0.2, "independent entries"
    assert np.shares_memory(sequence.transitions, base.transitions)


def test_perturbed_common_rewards_stay_common():
    base = games.load("table-2")
    sequence = games.perturb(base, (4, 3), 0.1, np.random.default_rng(1))
    assert sequence.batch == (4, 3)
    assert np.array_equal(sequence.agent_rewards(0), sequence.agent_rewards(1))
    assert len(np.unique(sequence.rewards[..., 0, 0, 0, 0, 0])) == 12


def test_perturbed_general_games():
    rng = np.random.default_rng(2)
    base = games.random_game(rng, 3, zero_sum=False)
    sequence = games.perturb(base, 200, 0.1, rng)
    noise = sequence.rewards - base.rewards
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert np.abs(np.corrcoef(noise[:, 0, 0, 0, 0, 0], noise[:, 1, 0, 0, 0, 0])[0, 1]) < 0.3, "each agent its own noise"
    assert np.abs(np.corrcoef(noise[:, 0, 0, 0, 0, 0], noise[:, 0, 1, 0, 0, 0])[0, 1]) < 0.3, "each step its own noise"
    discounted = games.random_game(rng, discount=0.7, zero_sum=False)
    assert games.perturb(discounted, 3, 0.1, rng).rewards.shape == (3, 2, 2, 2, 2)


def test_no_noise_no_change():
    base = games.load("table-1")
    assert np.array_equal(games.perturb(base, 2, 0, np.random.default_rng(3)).rewards, np.stack([base.rewards] * 2))


def test_same_generator_same_games():
    one, same = (games.perturb(games.load("table-1"), 3, 0.1, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one.rewards, same.rewards)


@pytest.mark.parametrize(
    ("count", "scale", "message"),
    [
        (0, 0.1, "count is 0, expected a whole number of at least 1."),
        (2.5, 0.1, "count is 2.5, expected a whole number of at least 1."),
        (2, -0.1, "scale is -0.1, expected a standard deviation of at least 0."),
        (2, float("nan"), "scale is nan, expected a standard deviation of at least 0."),
        (2, "wide", "scale is 'wide', expected a standard deviation of at least 0."),
    ],
)
def test_bad_perturbations(count, scale, message):
    with pytest.raises((TypeError, ValueError)) as raised:
        games.perturb(games.load("table-1"), count, scale, np.random.default_rng(5))
    assert str(raised.value) == message


def test_perturbing_a_batch():
    sequence = games.perturb(games.load("table-1"), 3, 0.1, np.random.default_rng(6))
    with pytest.raises(ValueError, match=r"^game has batch axes \(3,\), expected a single game to perturb\.$"):
        games.perturb(sequence, 2, 0.1, np.random.default_rng(6))


# Files.


GOOD = """
title = "A game"
horizon = 2
states = ["left", "right"]
initial = "right"
actions = [["a", "b"], ["c"]]

[zero_sum_reward]
left = [[1.0], [0.0]]
right = [[0.5], [0.25]]

[transitions]
left = [[{ left = 1.0 }], [{ left = 0.5, right = 0.5 }]]
right = [[{ left = 1.0 }], [{ right = 1.0 }]]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MARLPAPER_GAMES", str(tmp_path))
    return tmp_path


def message_of(folder, text):
    """The error of a file with this text."""
    (folder / "broken.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError) as raised:
        games.load("broken")
    assert "\n" not in str(raised.value).strip()
    return str(raised.value)


def test_a_file_of_ones_own(folder):
    (folder / "mine.toml").write_text(GOOD.replace('actions = [["a", "b"], ["c"]]', ""))
    assert games.names() == ["mine"]
    game = games.load("mine")
    assert repr(game) == "MarkovGame(agents=2, states=2, actions=(2, 1), horizon=2)"
    assert game.initial.tolist() == [0, 1]
    assert game.transitions[0, 0, 1, 0].tolist() == [0.5, 0.5]
    assert game.transitions[1, 1, 0, 0].tolist() == [1, 0]
    assert game.rewards[:, 0, 1, 1, 0].tolist() == [0.25, -0.25]


def test_other_kinds_of_reward_tables(folder):
    changed = GOOD.replace("horizon = 2", "discount = 0.5").replace('initial = "right"', "initial = [0.25, 0.75]")
    (folder / "common.toml").write_text(changed.replace("zero_sum_reward", "common_reward"))
    common = games.load("common")
    assert (common.discount, common.horizon) == (0.5, None)
    assert common.initial.tolist() == [0.25, 0.75]
    assert np.array_equal(common.rewards[0], common.rewards[1])
    own = tomllib.loads(GOOD)["zero_sum_reward"]
    tables = "\n".join(f"[[rewards]]\nleft = {own['left']}\nright = [[{k}.0], [2.0]]" for k in (5, 6))
    start, end = changed.index("[zero_sum_reward]"), changed.index("[transitions]")
    (folder / "each.toml").write_text(changed[:start] + tables + "\n" + changed[end:])
    assert games.load("each").rewards[:, 1, 0, 0].tolist() == [5, 6]


LEAD = "broken.toml does not describe a game: "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('states = ["left", "right"]\n', "", LEAD + "it lacks 'states'"),
        ('states = ["left", "right"]', "states = []", LEAD + "states is [], expected a list of names."),
        ('states = ["left", "right"]', "states = 2", LEAD + "states is 2, expected a list of names."),
        ("left = [[1.0], [0.0]]\n", "", LEAD + "zero_sum_reward lacks the state 'left'."),
        ("left = [[1.0], [0.0]]\n", "left = [[1.0], [0.0]]\nup = [[1.0], [0.0]]\n", LEAD + "zero_sum_reward has the state 'up', expected one of left, right."),
        ('states = ["left", "right"]', 'states = ["left", "left"]', LEAD + "states is ['left', 'left'], expected names that differ."),
        ("[transitions]", "[moves]", LEAD + "it lacks 'transitions'"),
        ("[transitions]", "[[transitions]]", LEAD + "transitions is [{"),
        ('actions = [["a", "b"], ["c"]]', "actions = 2", LEAD + "actions is 2, expected one list of names for each agent."),
        ("[zero_sum_reward]", "[reward]", LEAD + "it has 0 reward tables, expected one of zero_sum_reward, common_reward, rewards."),
        ("left = [[1.0], [0.0]]", "left = [[1.0], [nan]]", LEAD + "zero_sum_reward of left[1, 0] is nan, expected a finite number."),
        ("left = [[1.0], [0.0]]", "left = [[1.0], [0.0, 2.0]]", LEAD + "zero_sum_reward of left must be an array of numbers, got list that NumPy cannot convert."),
        ("left = [[1.0], [0.0]]", "left = [[1.0]]", LEAD + "zero_sum_reward of right has shape (2, 1), expected (1, 1) as for left."),
        ("left = [[{ left = 1.0 }], [{ left = 0.5, right = 0.5 }]]\n", "", LEAD + "transitions lacks the state 'left'."),
        ("right = 0.5 }", "up = 0.5 }", LEAD + "transitions of left leads to 'up', expected one of left, right."),
        ("right = 0.5 }", "right = 0.6 }", LEAD + "transitions[0, 1, 0] sums to 1.1, expected a distribution that sums to 1."),
        ("right = 0.5 }", 'right = "half" }', LEAD + "transitions of left has 'half', expected a probability."),
        ("left = [[{ left = 1.0 }], [{ left = 0.5, right = 0.5 }]]", 'left = "right"', LEAD + "transitions of left has 'right', expected { state = probability } for each joint action."),
        ("left = [[{ left = 1.0 }], [{ left = 0.5, right = 0.5 }]]", "left = [[0.5], [0.5]]", LEAD + "transitions of left has 0.5, expected { state = probability } for each joint action."),
        ("left = [[{ left = 1.0 }], [{ left = 0.5, right = 0.5 }]]", "left = [[{ left = 1.0 }]]", LEAD + "transitions of right has shape (2, 1, 2), expected (1, 1, 2) as for left."),
        ('initial = "right"', 'initial = "up"', LEAD + "initial is 'up', expected one of 'left', 'right'."),
        ("horizon = 2", "horizon = 0", LEAD + "horizon is 0, expected a whole number of at least 1."),
        ("horizon = 2", "", LEAD + "it has neither a horizon nor a discount, expected one of them."),
        ('actions = [["a", "b"], ["c"]]', 'actions = [["a", "b"], ["c", "d"]]', LEAD + "actions name (2, 2) actions of the agents, but the rewards have (2, 1)."),
        ("horizon = 2", 'family = "no_such_family"', LEAD + "family is 'no_such_family', expected one of "),
        ("horizon = 2", "family = 3", LEAD + "family is 3, expected one of "),
        ("horizon = 2", 'family = "np"', LEAD + "family is 'np', expected one of "),
    ],
)
def test_broken_files(folder, old, new, message):
    assert old in GOOD
    assert message_of(folder, GOOD.replace(old, new)).startswith(message)


def test_not_toml(folder):
    assert message_of(folder, "horizon = = 2").startswith("broken.toml is not a readable TOML file: ")
    assert message_of(folder, b"title = '\xff\xfe'").startswith("broken.toml is not a readable TOML file: ")
    assert message_of(folder, "x = " + "[" * 100_000).startswith("broken.toml is not a readable TOML file: ")


def test_too_large(folder):
    path = folder / "broken.toml"
    path.touch()
    os.truncate(path, 10_000_001)
    with pytest.raises(ValueError) as raised:
        games.load("broken")
    assert str(raised.value) == "broken.toml has 10000001 bytes, expected at most 10000000."


def test_unknown_name(folder):
    (folder / "mine.toml").write_text(GOOD)
    with pytest.raises(UnknownNameError) as raised:
        games.load("mime")
    assert str(raised.value) == "There is no game 'mime'; did you mean 'mine'?"
    with pytest.raises(UnknownNameError, match="There is no game '../mine'"):
        games.load("../mine")


def test_parameters_that_do_not_fit(folder):
    (folder / "mine.toml").write_text(GOOD)
    with pytest.raises(ValueError) as raised:
        games.load("mine", length=3)
    assert str(raised.value) == LEAD.replace("broken", "mine") + "it is a table and takes horizon, discount, initial as parameters, got length."
    assert games.load("mine", horizon=3).horizon == 3
    assert games.load("mine", discount=0.5).discount == 0.5
    assert games.load("mine", initial="left").initial.tolist() == [1, 0]
    (folder / "chain.toml").write_text('family = "delayed_reward_chain"')
    assert games.load("chain").horizon == 10
    with pytest.raises(ValueError, match=r"^chain\.toml does not describe a game: horizon is 1, expected a whole number of at least 2\.$"):
        games.load("chain", horizon=1)
    with pytest.raises(ValueError, match=r"^chain\.toml does not describe a game: .*unexpected keyword argument 'length'$"):
        games.load("chain", length=3)
