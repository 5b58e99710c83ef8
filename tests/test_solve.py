"""A game of one's own: its kind, the learner that suits it, the report and the command line."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from marlpaper import cli, equilibrium, evaluate, games, learners
from marlpaper import solve as solving
from marlpaper.lookup import UnknownNameError


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("game", "words"),
    [
        (games.load("table-1"), "zero-sum, not a Markov potential game (4-cycle defect 0."),
        (games.load("table-2"), "common reward, a Markov potential game (4-cycle defect 0 up to rounding)"),
        (games.congestion(rng(1)), "a Markov potential game (4-cycle defect 0 up to rounding)"),
        (games.load("gate"), "not a Markov potential game (4-cycle defect 0."),
        (games.load("two-state-trap"), "a Markov potential game (4-cycle defect 0 up to rounding)"),
    ],
)
def test_kinds(game, words):
    kind = solving.kind_of(game, rng())
    assert str(kind).startswith(words)
    assert kind.zero_sum == game.is_zero_sum
    assert kind.potential_defect == evaluate.potential_defect(game, rng())


@pytest.mark.parametrize(
    ("game", "learner"),
    [
        (games.load("table-1"), "optimistic-mirror-descent"),
        (games.load("table-2"), "q-ascent"),
        (games.random_game(rng(2), discount=0.5), "optimistic-q-ascent"),
        (games.random_game(rng(2), discount=0.5, zero_sum=False), "q-ascent"),
        (games.common_reward(rng(2), discount=0.5), "q-ascent"),
        (games.random_game(rng(2), 3, zero_sum=False), "correlated-mirror-descent"),
    ],
)
def test_default_learner(game, learner):
    assert solving.solve(game, iterations=2).learner == learner


def test_a_solution_is_the_learners_run():
    game = games.load("table-1", horizon=3)
    found = solving.solve(game, iterations=400)
    same = learners.optimistic_mirror_descent(game, 400, found.step_size)
    for mine, direct in zip(found.policy, same.average_policy, strict=True):
        assert np.array_equal(mine, direct)
    assert found.gap == pytest.approx(float(evaluate.nash_gap(game, found.policy)))
    assert found.run.checkpoints[0] == 1 and found.run.checkpoints[-1] == 400
    assert len(found.run.checkpoints) <= solving.CHECKPOINTS


def test_the_default_step_size_is_scale_free():
    """Ten times the rewards is the same game: same policies, ten times the gap."""
    rewards = np.stack([games.load("gate").rewards[0]] * 2)
    for horizon, learner in ((4, "correlated-mirror-descent"), (4, "q-ascent"), (None, "policy-gradient")):
        kernel = games.load("gate").transitions
        small, large = (
            solving.solve(games.MarkovGame(c * rewards, kernel, 0, None if horizon else 0.8, horizon=horizon), learner, 30) for c in (1, 10)
        )
        assert_allclose(large.policy[0], small.policy[0], atol=1e-12)
        assert_allclose(large.run.gaps, 10 * small.run.gaps, atol=1e-12)


@pytest.mark.parametrize("learner", list(solving.METHODS))
def test_the_default_step_size_learns(learner):
    """A shorter gap after more iterations, on games that the learner is made for."""
    game = games.random_game(rng(3), 3, 3, (3, 3)) if "mirror" in learner else games.common_reward(rng(4), discount=0.8)
    found = solving.solve(game, learner, 2000)
    assert found.gap < 0.05 * solving.spread(game)
    assert found.gap < found.run.gaps[0] / 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_on_discounted_zero_sum_games_the_default_converges(seed, discount):
    """Plain Q-ascent cycles there: after as many iterations it is left far behind."""
    game = games.random_game(rng(seed), states=3, actions=(3, 3), discount=discount)
    found, plain = solving.solve(game, iterations=2000), solving.solve(game, "q-ascent", 2000)
    assert found.learner == "optimistic-q-ascent" and found.step_size == 1 / solving.spread(game)
    assert found.gap < 0.01 * solving.spread(game)
    assert found.gap < plain.gap / 2


def test_games_without_a_table_get_a_learner_that_can_play_them():
    game = games.lq_tracking(2, (-1, 0, 1))
    with pytest.raises(ValueError, match=r"^learner is 'optimistic-q-ascent', which needs a discounted game with a transition table, but the game is ProductGame"):
        solving.solve(game, "optimistic-q-ascent", 2)
    assert solving.solve(game, iterations=2).learner == "q-ascent"


def test_spread_bounds_all_returns():
    for game in (games.random_game(rng(5), 4, zero_sum=False), games.random_game(rng(5), discount=0.7, zero_sum=False)):
        values = [evaluate.state_values(game, game.random_policy(rng(seed), 0.1)) for seed in range(20)]
        assert np.ptp(values) <= solving.spread(game)
    assert solving.spread(games.MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), horizon=2)) == 1


def test_the_exact_value_is_approached():
    game = games.load("table-1", horizon=3)
    found = solving.solve(game, iterations=3000)
    exact = float(equilibrium.solve_zero_sum(game)[1][0] @ game.initial)
    assert abs(found.run.values[-1] - exact) <= found.gap + 1e-12


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"learner": "optimistic-mirror-descent"}, "learner is 'optimistic-mirror-descent', which needs a zero-sum game with a finite horizon, but the game is MarkovGame(agents=2, states=3, actions=(2, 2), discount=0.9): expected one of optimistic-q-ascent, q-ascent, policy-gradient."),
        ({"learner": "correlated-mirror-descent"}, "learner is 'correlated-mirror-descent', which needs a game with a finite horizon, but the game is MarkovGame(agents=2, states=3, actions=(2, 2), discount=0.9): expected one of optimistic-q-ascent, q-ascent, policy-gradient."),
        ({"iterations": 0}, "iterations is 0, expected a whole number of at least 1."),
        ({"step_size": -1}, "step_size is -1, expected a positive, finite number."),
        ({"rng": 3}, "rng is 3, expected a numpy.random.Generator, e.g. numpy.random.default_rng(0)."),
    ],
)
def test_what_does_not_fit(options, sentence):
    with pytest.raises((TypeError, ValueError)) as raised:
        solving.solve(games.load("gate"), **options)
    assert str(raised.value) == sentence


def test_one_game_at_a_time():
    with pytest.raises(ValueError, match=r"^game has batch axes \(2,\), expected a single game\.$"):
        solving.solve(games.random_game(rng(), 2, batch=(2,)))
    with pytest.raises(TypeError, match=r"^game is 'gate', expected a game\.$"):
        solving.solve("gate")
    with pytest.raises(UnknownNameError, match=r"^There is no learner 'q-ascend'; did you mean 'q-ascent'\?$"):
        solving.solve(games.load("gate"), "q-ascend")


# The command line


def test_the_report(capsys):
    assert cli.main(["solve", "fishery", "--iterations", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = solving.solve(games.load("fishery"), iterations=200)
    assert lines[0] == "The fishery: MarkovGame(agents=2, states=2, actions=(2, 2), horizon=6)"
    assert lines[1].startswith("kind: not a Markov potential game (4-cycle defect 0.")
    assert lines[2] == f"learner: correlated-mirror-descent, 200 iterations, step size {found.step_size:.4g}, the default: 4 / spread of returns"
    assert lines[4] == "iteration   of the range   CCE-gap, largest of the agents (certified correlated policy)"
    assert lines[5 + len(found.run.gaps) - 1].split() == ["200", f"{found.relative_gaps[-1]:.2g}", f"{found.gap:.4g}"]
    first = found.policy[0][0, 0]
    assert lines[-11] == "  step 1  plenty  " + "  ".join(f"agent {i}: [spare {first[0]:.3f}, haul {first[1]:.3f}]" for i in (0, 1))


def test_long_policies_are_cut(capsys):
    assert cli.main(["solve", "table-1", "--iterations", "2", "--step-size", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "step size 0.1\n" in printed
    assert printed.rstrip().endswith("... and 7 more rows: --json has all")


def test_no_theorem_no_promise(capsys):
    cli.main(["solve", "gate", "--iterations", "2"])
    assert "note: no theorem of the papers covers this learner on this kind of game" in capsys.readouterr().out
    cli.main(["solve", "table-2", "--iterations", "2"])
    assert "note:" not in capsys.readouterr().out
    for name, noted in (("uneven-pennies", False), ("gate", True)):
        cli.main(["solve", name, "--iterations", "2", "--learner", "optimistic-q-ascent"])
        assert ("note:" in capsys.readouterr().out) == noted


def test_the_report_as_json(capsys):
    assert cli.main(["solve", "table-2", "--json", "--iterations", "50", "--learner", "policy-gradient", "--seed", "3"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = solving.solve(games.load("table-2"), "policy-gradient", 50)
    assert report["kind"] == {"zero_sum": False, "common_reward": True, "potential": True, "potential_defect": report["kind"]["potential_defect"]}
    assert (report["learner"], report["iterations"], report["policy_is"]) == ("policy-gradient", 50, "last policy")
    assert_allclose(report["gaps"], found.run.gaps, rtol=1e-5, atol=1e-12)
    assert_allclose(report["policy"][1], found.policy[1], atol=1e-5)
    assert report["game"] == {"name": "Two-state cooperative game", "agents": 2, "states": 2, "actions": [2, 2], "horizon": 10, "discount": None}


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_plot(tmp_path, suffix):
    path = tmp_path / f"gap{suffix}"
    assert cli.main(["solve", "table-1", "--iterations", "5", "--plot", str(path)]) == 0
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


def test_files_of_ones_own(tmp_path, capsys):
    games.save(games.load("table-1", horizon=2), tmp_path / "mine.npz")
    assert cli.main(["solve", str(tmp_path / "mine.npz"), "--iterations", "5"]) == 0
    assert capsys.readouterr().out.startswith("mine: MarkovGame(agents=2, states=2, actions=(2, 2), horizon=2)\nkind: zero-sum")
    text = (games.named.folder() / "fishery.toml").read_text(encoding="utf-8")
    (tmp_path / "lake.toml").write_text(text.replace("horizon = 6", "horizon = 2"), encoding="utf-8")
    assert cli.main(["solve", str(tmp_path / "lake.toml"), "--iterations", "5"]) == 0
    assert capsys.readouterr().out.startswith("The fishery: MarkovGame(agents=2, states=2, actions=(2, 2), horizon=2)")


def test_names_in_the_file_of_a_family_are_not_trusted(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text('family = "gate"\nstates = ["one"]\nactions = 3\ntitle = 5', encoding="utf-8")
    assert cli.main(["solve", str(tmp_path / "mine.toml"), "--iterations", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("5: MarkovGame(")
    assert "\n  1  agent 0: [" in printed


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nowhere.toml"], 2, "marlpaper: There is no file 'nowhere.toml'."),
        (["tabel-1"], 2, "marlpaper: There is no game 'tabel-1'; did you mean 'table-1'?"),
        (["table-1", "--learner", "sgd"], 2, "marlpaper: There is no learner 'sgd'; there are: "),
        (["table-1", "--plot", "gap.gif"], 1, "marlpaper: plot is 'gap.gif', expected a name that ends in .png, .svg, .pdf."),
        (["table-1", "--step-size", "nan"], 1, "marlpaper: step_size is nan, expected a positive, finite number."),
        (["table-1", "--seed", "-1"], 1, "marlpaper: seed is -1, expected a whole number of at least 0."),
        (["gate", "--learner", "correlated-mirror-descent"], 1, "marlpaper: learner is 'correlated-mirror-descent', which needs "),
    ],
)
def test_wrong_words_to_solve(words, code, sentence, capsys):
    assert cli.main(["solve", *words]) == code
    assert capsys.readouterr().err.startswith(sentence)


def test_a_broken_file_fails_in_one_sentence(tmp_path, capsys):
    (tmp_path / "mine.npz").write_bytes(b"no game")
    assert cli.main(["solve", str(tmp_path / "mine.npz")]) == 1
    assert capsys.readouterr().err == "marlpaper: mine.npz is not a readable game file: File is not a zip file.\n"
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    assert cli.main(["solve", str(tmp_path / "mine.toml")]) == 1
    assert capsys.readouterr().err.startswith("marlpaper: mine.toml is not a readable TOML file: ")
