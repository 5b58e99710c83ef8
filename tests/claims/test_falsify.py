"""The worst-case search: it climbs, it is repeatable, and what it kept can be checked again."""

import dataclasses

import numpy as np
import pytest

from marlpaper.claims import falsify
from marlpaper.claims.mao2023 import worst_cases

SETTINGS = {"actions": [2, 2], "states": 1}


def searched(**options):
    return falsify.worst_case("mao2023.lemma12-iii", "logits", SETTINGS, np.random.default_rng(0), **options)


def test_climbing_finds_the_best_constant():
    started, climbed = searched(starts=20, climbs=0), searched(starts=20, climbs=2)
    assert started.check().ratio < climbed.check().ratio
    assert climbed.check().ratio == pytest.approx(np.sqrt(2) / (36 * np.sqrt(3)), rel=2e-3)
    assert climbed == searched(starts=20, climbs=2)


def test_a_false_claim_is_falsified():
    settings = {"actions": [2, 2], "states": 2, "discount": 0.5}
    found = falsify.worst_case("mao2023.lemma15", "common-reward", settings, np.random.default_rng(0), starts=2, climbs=0)
    assert not found.check().holds and found.check().measured > 1e-4


def test_instances_survive_the_file(tmp_path):
    found = searched(starts=3, climbs=0)
    falsify.save(tmp_path / "worst.json", [found, found])
    again = falsify.load(tmp_path / "worst.json")
    assert again == [found, found] and again[0].check() == found.check()


def test_kept_instances_hold_and_are_tight_where_the_book_says_so():
    known = worst_cases.known()
    checks = [item.check() for item in known]
    assert all(check.holds and not check.unmet for check in checks)
    assert {item.claim for item in known} == {*worst_cases.LOGITS, *worst_cases.HESSIANS, *worst_cases.METAS}
    worst = {id: max(check.ratio for check in checks if check.claim == id) for id in {check.claim for check in checks}}
    for id in ("mao2023.lemma12-i", "mao2023.lemma12-sharper", "mao2023.lemma13-sharper-gradient"):
        assert worst[id] > 0.99
    assert worst["mao2023.lemma13-ii"] < 0.1


def test_a_new_search_keeps_what_is_worse(monkeypatch):
    problem = ("mao2023.lemma12-iii", "logits", SETTINGS)
    monkeypatch.setattr(worst_cases, "problems", lambda: [problem])
    good, poor = searched(starts=20, climbs=2), searched(starts=1, climbs=0)
    (kept,) = worst_cases.search(np.random.default_rng(1), [good], starts=1, climbs=0)
    assert kept == good
    (kept,) = worst_cases.search(np.random.default_rng(1), [poor], starts=20, climbs=2)
    assert kept.check().ratio > poor.check().ratio


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"vector has shape \(3,\), expected \(8,\) for theta, direction"):
        dataclasses.replace(searched(starts=1, climbs=0), vector=(0.0, 1.0, 2.0)).check()
    with pytest.raises(KeyError, match="There is no family 'logit'; did you mean 'logits'"):
        falsify.worst_case("mao2023.lemma12-i", "logit", SETTINGS, np.random.default_rng(0))
    with pytest.raises(ValueError, match="starts is 0"):
        searched(starts=0)
    path = tmp_path / "broken.json"
    for text in ("{", '[{"claim": 1}]'):
        path.write_text(text)
        with pytest.raises(ValueError, match="broken.json holds no instances"):
            falsify.load(path)
