"""Instances survive their file, files are checked entry by entry, and shrinking keeps what was found."""

import json

import numpy as np
import pytest

from marlpaper import cli, falsifier
from marlpaper.falsifier.shrink import shrink

CLAIMS = ("mao2023.lemma9", "mao2023.prop1", "mao2023.lemma12-iii", "mao2023.equation35", "ding2022.mismatch-order")


@pytest.fixture(scope="module")
def found():
    return {claim: falsifier.search(claim, 1000, seed=1).instance for claim in CLAIMS}


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_file_gives_the_instance_back(claim, found, tmp_path):
    path = falsifier.path_of(claim, tmp_path)
    falsifier.save(path, found[claim])
    again = falsifier.load(path, claim)
    assert again.check() == found[claim].check()
    assert falsifier.known(tmp_path).keys() == {claim}


@pytest.mark.parametrize("claim", CLAIMS)
def test_shrinking_keeps_the_finding_and_takes_the_rest(claim, found, tmp_path):
    before, small = found[claim].check(), shrink(found[claim], 80)
    after = small.check()
    assert after.holds == before.holds and small.entries <= found[claim].entries
    assert after.ratio >= (min(before.ratio, 2) + 1) / 2 if not before.holds else after.ratio >= 0.98 * before.ratio
    falsifier.save(tmp_path / "small.json", small)  # what is left is still a valid instance
    assert falsifier.load(tmp_path / "small.json").check() == after


def test_the_smallest_counterexample_to_lemma9_is_one_step_of_one_state():
    small = shrink(falsifier.search("mao2023.lemma9", 1000).instance)
    assert small.settings["horizon"] == small.settings["states"] == 1
    assert small.settings["iterations"] == 2, "a single stage is no fair instance of a claim on all of them"
    assert small.entries <= 4 and set(small.arrays["reward"].ravel()) <= {0.0, 1.0}


def test_settings_can_be_kept():
    found = falsifier.search("mao2023.theorem1", 1000, iterations=20, horizon=2, states=1, start="by stage", actions=[2, 2]).instance
    small = shrink(found, keep=("iterations",))
    assert not small.check().holds and small.settings["iterations"] == 20 and small.settings["horizon"] == 1


def test_shrinking_asks_no_more_often_than_allowed(found, monkeypatch):
    asked = []
    check = falsifier.Case.check
    monkeypatch.setattr(falsifier.Case, "check", lambda self, words=None: asked.append(1) or check(self, words))
    shrink(found["mao2023.equation35"], 20)
    assert 1 < len(asked) <= 21  # once before it begins


GOOD = {
    "claim": "mao2023.lemma9",
    "kind": "zero-sum run",
    "settings": {
        "horizon": 1, "states": 1, "actions": [2, 1], "iterations": 1, "order": "printed", "step": "1/(8H²)", "factor": 1.0,
        "start": "constant", "first_values": False,
    },
    "arrays": {"reward": [[[[1.0], [0.0]]]], "kernel": [[[[[1.0]], [[1.0]]]]], "first_state": [1.0], "start0": [[[0.5, 0.5]]], "start1": [[[1.0]]]},
    "search": {"seed": 0},
}  # fmt: skip


def broken(*path, value):
    """The good instance with another value somewhere."""
    data = json.loads(json.dumps(GOOD))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return data


def test_the_good_file_is_good(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    assert falsifier.load(tmp_path / "a.json").check().measured == 1.0


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "it holds list, expected claim, kind"),
        ({"claim": "mao2023.lemma9"}, r"it holds \['claim'\], expected claim, kind"),
        (broken("claim", value=3), "claim is 3, expected the id of a claim"),
        (broken("claim", value="mao2023.lemma99"), "There is no claim 'mao2023.lemma99'; did you mean"),
        (broken("kind", value="ascent run"), "kind is 'ascent run', expected 'zero-sum run'"),
        (broken("settings", value=4), "settings is int, expected"),
        (broken("settings", "horizon", value=0), "horizon is 0, expected a whole number of at least 1"),
        (broken("settings", "horizon", value=13), "horizon is 13, expected a whole number in 1..12"),
        (broken("settings", "horizon", value=1.5), "horizon is 1.5, expected a whole number"),
        (broken("settings", "iterations", value=10**9), r"iterations is 1000000000, expected a whole number in 1..1048576"),
        (broken("settings", "actions", value=2), "actions is 2, expected a list"),
        (broken("settings", "actions", value=[2, "x"]), r"actions\[1\] is 'x', expected a whole number"),
        (broken("settings", "order", value="other"), "order is 'other', expected one of 'printed', 'repaired'"),
        (broken("settings", "factor", value=0), r"factor is 0, expected a number in \[1e-12, 1e\+06\]"),
        (broken("settings", "first_values", value=2), "first_values is 2, expected one of True, False"),
        (broken("settings", "further", value=2), "expected .*'factor', 'first_values'"),
        (broken("arrays", value={}), r"arrays is \[\], expected"),
        (broken("arrays", "first_state", value=[1.0, 0.0]), r"first_state has shape \(2,\), expected \(1,\), one entry for each of states"),
        (broken("arrays", "first_state", value=["x"]), "first_state must be an array of numbers"),
        (broken("arrays", "reward", value=[[[[2.0], [0.0]]]]), r"reward\[0, 0, 0, 0\] is 2, expected a number in \[0, 1\]"),
        (broken("arrays", "start0", value=[[[0.5, 0.6]]]), r"start0\[0, 0\] sums to 1.1"),
        (broken("search", value={"note": "x" * 100}), "search is .*, expected an object with seed, games, violations"),
    ],
)
def test_broken_files_give_one_sentence(data, sentence, tmp_path, capsys):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=f"broken.json holds no instance: .*{sentence}") as caught:
        falsifier.load(path)
    assert "\n" not in str(caught.value)
    assert cli.main(["check", "mao2023.lemma9", "--instance", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_unreadable_files_give_one_sentence(tmp_path):
    path = tmp_path / "broken.json"
    with pytest.raises(ValueError, match="broken.json holds no instance: there is no such file"):
        falsifier.load(path)
    for text, sentence in [("{", "Expecting"), ("[" * 100_000, ""), ("[NaN" + "x" * 250_000, "it has 250004 bytes, expected at most 200000")]:
        path.write_text(text)
        with pytest.raises(ValueError, match=f"broken.json holds no instance: .*{sentence}"):
            falsifier.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="broken.json holds no instance"):
        falsifier.load(path)


def test_another_claims_instance_is_refused(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(GOOD))
    with pytest.raises(ValueError, match=r"claim is 'mao2023.lemma9', expected 'mao2023.lemma8'"):
        falsifier.load(tmp_path / "a.json", "mao2023.lemma8")


def test_commands(tmp_path, capsys):
    words = ["falsify", "mao2023.lemma9", "--trials", "1000", "--jobs", "1", "--output", str(tmp_path)]
    assert cli.main(words) == 1
    written = capsys.readouterr().out
    assert "1004 instances" in written and "mao2023.lemma9: does not hold on found by search: zero-sum run" in written
    assert cli.main(["check", "mao2023.lemma9", "--instance", str(tmp_path / "mao2023.lemma9.json")]) == 1
    assert capsys.readouterr().out.splitlines() == written.splitlines()[1:]
    assert cli.main(["falsify", "mao2023.lemma77"]) == 2
    assert cli.main(["falsify", "mao2023.lemma3", "--trials", "100", "--jobs", "1", "--output", str(tmp_path)]) == 0


def test_an_instance_outside_the_assumptions_is_not_decided(tmp_path, capsys):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(broken("settings", "factor", value=5.0)))
    assert cli.main(["check", "mao2023.lemma9", "--instance", str(path)]) == 1
    assert "not decided by" in capsys.readouterr().out


def test_kept_instances_are_valid_and_small():
    known = falsifier.known()
    assert len(known) > 90
    for claim, instance in known.items():
        check = instance.check()
        assert check.claim == claim and not check.unmet and np.isfinite(check.measured), claim
