"""Stored refutations are decided again to the last digit, and agree with the package's floating point."""

import dataclasses
import json
import pathlib
from fractions import Fraction

import numpy as np
import pytest

from marlpaper import certificates, claims, cli, falsifier, results

pytest.importorskip("flint")

from marlpaper.certificates import ascent, balls, stages
from marlpaper.lookup import UnknownNameError

KNOWN = certificates.known()
LONG = {"mao2023.lemma17"}
EXTRAPOLATED = {"mao2023.theorem2", "mao2023.theorem6"}
"""Two runs stand for more games than the package learns."""
NUMBERS = ("factor", "discount", "low", "apart")


@pytest.mark.parametrize("claim", [pytest.param(claim, marks=[pytest.mark.slow] * (claim in LONG)) for claim in KNOWN])
def test_stored_certificates_are_decided_again(claim):
    stored = KNOWN[claim]
    assert certificates.certify(claim, vars(stored), stored.remark) == stored
    assert Fraction(stored.measured[0]) > Fraction(stored.bound[1]), "the enclosures do not touch"


def in_doubles(values):
    """Nested lists or a number of a certificate as the package reads them."""
    return [in_doubles(part) for part in values] if isinstance(values, list) else float(Fraction(values))


@pytest.mark.parametrize("claim", [claim for claim in KNOWN if claim not in EXTRAPOLATED])
def test_both_sides_are_those_of_the_package(claim):
    """The same instance, in doubles, by the package's learners and claims."""
    stored, kind = KNOWN[claim], falsifier.assigned(claim).kind
    settings = {"alone": False} | {name: float(Fraction(value)) if isinstance(value, str | Fraction) and name in NUMBERS else value for name, value in stored.settings.items()}
    arrays = {name: np.array(in_doubles(values)) for name, values in stored.arrays.items()}
    check = falsifier.Case(claim, kind, settings, arrays).check()
    assert not check.holds and not check.unmet
    for found, (low, high) in ((check.measured, stored.measured), (check.bound, stored.bound)):
        middle, width = (Fraction(low) + Fraction(high)) / 2, Fraction(high) - Fraction(low)
        assert found == pytest.approx(float(middle), rel=1e-9, abs=float(width))


def test_every_claim_that_fails_has_a_certificate():
    rows = results.read(pathlib.Path(__file__).parents[2] / "data" / "results" / "ledger.json")
    failing = {row["claim"] for row in rows if row["verdict"].startswith("fails") or row["verdict"] == "holds with a restriction"}
    assert failing == set(KNOWN)
    assert all(row["certificate"] for row in rows if row["claim"] in failing)


def test_a_claim_that_holds_gets_no_certificate():
    instance = vars(KNOWN["mao2023.lemma9"])
    still = instance | {"arrays": instance["arrays"] | {"reward": [[[[0]]]]}}
    with pytest.raises(ArithmeticError, match=r"'mao2023\.lemma9' holds on this instance, expected one that violates it"):
        certificates.certify("mao2023.lemma9", still)
    with pytest.raises(UnknownNameError, match=r"did you mean 'mao2023\.lemma9'"):
        certificates.certify("mao2023.lemma99", still)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"claim": 1}'])
def test_broken_files_are_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"^a\.json holds no certificate: "):
        certificates.load(path)


def test_a_file_that_was_changed_is_noticed(tmp_path, monkeypatch, capsys):
    stored = KNOWN["mao2023.lemma8"]
    changed = dataclasses.replace(stored, bound=[stored.bound[0], "0.5"])
    certificates.save(changed, tmp_path)
    assert certificates.load(tmp_path / "mao2023.lemma8.json") == changed
    monkeypatch.setattr(certificates, "known", lambda: {"mao2023.lemma8": changed})
    assert cli.main(["certify", "mao2023.lemma8"]) == 1
    assert "mao2023.lemma8: differs from its file" in capsys.readouterr().err


def test_the_command_line_makes_a_certificate_of_an_instance(tmp_path, capsys):
    path = falsifier.path_of("mao2023.lemma9")
    assert cli.main(["certify", "mao2023.lemma9", "--instance", str(path), "--output", str(tmp_path)]) == 0
    assert "mao2023.lemma9: measured ∈ [1, 1], bound ∈ [0, 0]" in capsys.readouterr().out
    assert certificates.load(tmp_path / "mao2023.lemma9.json") == KNOWN["mao2023.lemma9"]
    assert cli.main(["certify", "mao2023.lemma9", "mao2023.lemma8", "--instance", str(path)]) == 2
    assert cli.main(["certify", "mao2023.lemma1"]) == 2


def test_saving_keeps_every_rational(tmp_path):
    for claim, stored in KNOWN.items():
        assert certificates.load(certificates.save(stored, tmp_path)) == stored, claim
        json.loads((tmp_path / f"{claim}.json").read_text())


def test_enclosures_are_rounded_outwards():
    third = balls.ball(Fraction(1, 3))
    low, high = map(Fraction, balls.enclosure(third))
    assert low < Fraction(1, 3) < high and high - low < Fraction(1, 10**11)
    low, high = map(Fraction, balls.enclosure(-third))
    assert low < Fraction(-1, 3) < high
    assert balls.enclosure(balls.ball(0)) == ["0", "0"]


def test_shortened_enclosures_still_do_not_touch():
    for claim, stored in KNOWN.items():
        measured, bound = certificates.shortened(stored)
        assert Fraction(measured[0]) > Fraction(bound[1]), claim
        for short, full in ((measured, stored.measured), (bound, stored.bound)):
            assert Fraction(short[0]) <= Fraction(full[0]) and Fraction(full[1]) <= Fraction(short[1])


def test_actions_that_are_the_same_tie_exactly():
    game = stages.Game(
        rewards=[[[{(0, 0): 1, (1, 0): 1, (2, 0): 0}]], [[{(0, 0): 0, (1, 0): 0, (2, 0): 0}]]],
        kernel=[[{(a, 0): [1] for a in range(3)}]],
        first=[1],
        actions=[3, 1],
    )
    assert game.twins[0][0, 0] == [0, 0, 2]
    (first, second) = stages.learn(game, lambda number: [{(0, 0): [Fraction(1, 3)] * 3}, {(0, 0): [1]}], balls.ball(Fraction(1, 8)), 2, "printed")
    assert first.best(0, (0, 0)) == ([0, 1, 2], True), "nothing is known yet"
    assert second.best(0, (0, 0)) == ([0, 1], True)


def test_projection_on_the_simplex_is_exact(rng=np.random.default_rng(0)):
    for _ in range(50):
        point = [Fraction(int(x), 8) for x in rng.integers(-16, 16, 4)]
        found = ascent.project(point)
        assert sum(found) == 1 and min(found) >= 0
        slopes = [x - y for x, y in zip(point, found, strict=True)]
        assert all(slope == max(slopes) for slope, x in zip(slopes, found, strict=True) if x > 0), "the nearest point: equal shifts where there is mass"


def test_certified_claims_are_claims_that_fail():
    assert all(claim in claims.all() for claim in KNOWN)
