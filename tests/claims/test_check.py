"""What a check decides, what it does not, and the words of the ledger."""

import importlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from marlpaper import claims
from marlpaper.lookup import UnknownNameError

module = importlib.import_module("marlpaper.claims.check")  # the package's attribute of that name is the function
numbers = st.one_of(st.floats(-10, 10), st.floats(-1e-8, 1e-8), st.sampled_from([0.0, 1.0, np.inf, -np.inf]))
sides = hnp.arrays(float, 6, elements=numbers)


@pytest.fixture
def registry(monkeypatch):
    """An empty registry in place of the papers' one."""
    fresh = module.Registry()
    monkeypatch.setattr(module, "registry", fresh)
    return fresh


@pytest.fixture
def compare(registry):
    """A check of two given sides."""
    registry.add("paper.claim", "Claim", "measured is at most bound", lambda *given: given)
    return lambda *given, **options: claims.check("paper.claim", *given, **options)


def test_the_tightest_entry_is_reported(compare):
    check = compare(np.array([[1.0, 3.0], [0.5, 0.0]]), np.array([[4.0, 4.0], [1.0, 2.0]]))
    assert (check.measured, check.bound, check.ratio, check.holds) == (3.0, 4.0, 0.75, True)
    assert (check.vacuous, check.unmet, check.claim) == (False, "", "paper.claim")
    assert type(check.holds) is bool


def test_one_violated_entry_is_enough(compare):
    check = compare(np.array([1.0, 3.0, 1.0]), np.array([4.0, 2.0, 1.0]))
    assert (check.measured, check.bound, check.ratio, check.holds) == (3.0, 2.0, 1.5, False)


@pytest.mark.parametrize("mutate", [lambda m, b: (m, 0.5 * b), lambda m, b: (2.1 * m, b), lambda m, b: (b, m), lambda m, b: (m, -b)])
def test_a_check_can_fail(compare, mutate):
    """A dropped factor or a flipped sign turns a bound that is attained to 80 % into one that fails."""
    measured, bound = np.array([0.8, 0.1]), np.array([1.0, 1.0])
    assert compare(measured, bound).holds
    assert not compare(*mutate(measured, bound)).holds
    assert compare(*mutate(measured, bound)).ratio > 1


def test_the_reported_entry_is_one_that_fails(compare):
    check = compare(np.array([1.0, 1.0]), np.array([1 + 1e-10, 1 - 5e-7]))
    assert not check.holds and check.ratio > 1 and check.bound == 1 - 5e-7


def test_entries_known_too_coarsely_decide_nothing(compare):
    measured, bound = np.array([1.01, 3.0]), np.array([1.0, 4.0])
    check = compare(measured, bound, None, "", np.array([0.1, 0.0]))
    assert check.holds and not check.unmet and (check.measured, check.bound) == (3.0, 4.0)
    check = compare(measured, bound, None, "", np.array([0.001, 0.0]))
    assert not check.holds and not check.unmet and check.measured == 1.01
    check = compare(measured, bound, None, "", np.array([0.1, 2.0]))
    assert "too close to tell" in check.unmet
    check = compare(measured, bound, np.array([9.0, 3.5]), "", np.array([0.1, 0.0]))
    assert check.vacuous, "of the entries that decide"


def test_sides_broadcast(compare):
    check = compare(np.array([[0.1], [0.6]]), np.array([1.0, 0.8]))
    assert (check.measured, check.bound) == (0.6, 0.8)
    assert compare(0.5, 1).ratio == 0.5


@given(sides, sides, st.floats(0, 1e-6))
def test_ratio_above_one_means_that_it_fails(measured, bound, rounding):
    found = module.compare(measured, bound, rounding)
    assert not np.isnan(found.ratio).any() and np.all(found.ratio >= 0)
    assert np.array_equal(found.ratio > 1, found.fails)
    assert not (found.fails & found.close).any()
    assert np.all(found.shown | found.close)


@given(sides, sides, st.floats(1e-6, 1))
def test_worse_sides_are_not_better(measured, bound, more):
    finite = np.where(np.isfinite(measured), measured, 0)
    worse, found = module.compare(finite + more, bound), module.compare(finite, bound)
    assert np.all(worse.ratio >= found.ratio - 1e-11)
    assert np.all(worse.fails >= found.fails)


@given(sides, sides, st.floats(0, 1e-6), st.sampled_from([2.0**-40, 2.0**-30, 2.0**30, 2.0**200]))
def test_units_decide_nothing(measured, bound, rounding, unit):
    """A power of two, so that no digit changes."""
    found, other = module.compare(measured, bound, rounding), module.compare(unit * measured, unit * bound, unit * rounding)
    usual = (np.abs(bound) > 1e-200) | (bound == 0)  # below, a quotient leaves the range of doubles
    assert np.array_equal(np.where(usual, found.ratio, 0), np.where(usual, other.ratio, 0))
    assert np.array_equal(found.fails, other.fails) and np.array_equal(found.close, other.close)


@pytest.mark.parametrize(
    ("measured", "bound", "ratio", "holds"),
    [
        (0.0, 0.0, 0.0, True),
        (1e-300, 0.0, np.inf, False),
        (1e-6, 0.0, np.inf, False),
        (0.0, 1.0, 0.0, True),
        (-1.0, 1.0, 0.0, True),
        (-1.0, -2.0, np.inf, False),
        (-3.0, -2.0, 0.0, True),
        (1 + 1e-13, 1.0, 1.0, True),
        (1 + 1e-10, 1.0, 1 + 1e-10, False),
        (1e12 + 0.1, 1e12, 1.0, True),
        (1e-18 + 1e-31, 1e-18, 1.0, True),
        (2e-18, 1e-18, 2.0, False),
        (1.0, np.inf, 0.0, True),
        (np.inf, np.inf, 0.0, True),
        (np.inf, 5.0, np.inf, False),
        (1.0, -np.inf, np.inf, False),
    ],
)
def test_rounding_and_limits(compare, measured, bound, ratio, holds):
    check = compare(measured, bound)
    assert check.ratio == pytest.approx(ratio, rel=1e-12)
    assert check.holds is holds


def test_a_violation_outranks_rounding_of_tiny_numbers(compare):
    """Both sides about 1e-9 would have a large quotient, but are known to 1e-8 only and decide nothing."""
    rounding = np.array([1e-8, 0])
    check = compare(np.array([1.05e-9, 2.0]), np.array([1e-10, 1.0]), None, "", rounding)
    assert (check.measured, check.ratio, check.holds) == (2.0, 2.0, False)
    check = compare(np.array([1.05e-9, 0.5]), np.array([1e-10, 1.0]), None, "", rounding)
    assert (check.measured, check.ratio, check.holds) == (0.5, 0.5, True)
    assert not compare(np.array([1.05e-9, 0.5]), np.array([1e-10, 1.0])).holds, "known exactly they are a violation"


def test_an_attained_bound_is_shown_and_decides_only_with_others(compare):
    check = compare(np.array([0.5, 2.0]), np.array([1.0, 2.0]))
    assert (check.measured, check.ratio, check.holds, check.unmet) == (2.0, 1.0, True, "")
    check = compare(np.array([2.0]), np.array([2.0]))
    assert check.unmet == "the sides 2 and 2 are too close to tell"
    check = compare(np.array([0.5, 1e-13]), np.array([1.0, 1e-13]), None, "", 1e-12)
    assert check.ratio == 0.5, "a quotient of two roundings is none"


def test_vacuous(compare):
    assert compare(1.0, 5.0, 4.0).vacuous
    assert compare(1.0, 4.0, 4.0).vacuous
    assert not compare(1.0, 3.0, 4.0).vacuous
    assert not compare(np.ones(2), np.array([5.0, 3.0]), 4.0).vacuous, "one bound that says something"
    assert not compare(1.0, 5.0, None).vacuous
    assert type(compare(1.0, 5.0, 4.0).vacuous) is bool


def test_unmet_assumption(compare):
    assert compare(1.0, 5.0, None, "eta <= 1/8").unmet == "eta <= 1/8"


def test_no_entries_decide_nothing(compare):
    check = compare(np.zeros((0, 3)), np.zeros((0, 3)))
    assert check.unmet == "there is no entry to compare"
    assert (check.measured, check.bound, check.ratio) == (0, 0, 0)
    assert compare(np.zeros(0), np.zeros(0), None, "eta <= 1/8").unmet == "eta <= 1/8"


@pytest.mark.parametrize(("measured", "bound", "name"), [([1, np.nan], [2, 2], "measured"), ([1, 1], [2, np.nan], "bound")])
def test_nan(compare, measured, bound, name):
    with pytest.raises(ValueError) as raised:
        compare(np.array(measured, float), np.array(bound, float))
    assert str(raised.value) == f"{name} side of paper.claim is NaN at entry [1]."


def test_what_a_check_carries(compare):
    check = compare(1.0, 2.0, instance="a game", parameters={"H": 3})
    assert check.as_dict() == {
        "claim": "paper.claim",
        "instance": "a game",
        "measured": 1.0,
        "bound": 2.0,
        "ratio": 0.5,
        "holds": True,
        "vacuous": False,
        "unmet": "",
        "parameters": {"H": 3},
    }
    assert json.loads(json.dumps(check.as_dict())) == check.as_dict()


def test_arguments_reach_the_function(registry):
    @registry.claim("paper.sum", "Sum", "$x+y\\le z$", repairs="paper.old")
    def both(x, y, *, z):
        return claims.Sides(x + y, z)

    assert both(1, 2, z=3).measured == 3, "the function stays what it is"
    assert claims.check("paper.sum", 1, 2, z=6).ratio == 0.5
    claim = registry["paper.sum"]
    assert (claim.id, claim.paper, claim.repairs, claim.function) == ("paper.sum", "paper", "paper.old", both)


def test_unknown_id(registry):
    registry.add("paper.lemma8", "Lemma 8", "...")
    with pytest.raises(UnknownNameError) as raised:
        claims.check("paper.lemma88")
    assert str(raised.value) == "There is no claim 'paper.lemma88'; did you mean 'paper.lemma8'?"
    with pytest.raises(UnknownNameError) as raised:
        claims.check("zzz")
    assert str(raised.value) == "There is no claim 'zzz'; there are: paper.lemma8."


def test_claims_without_function_and_twice(registry):
    registry.add("paper.open", "Open", "...")
    with pytest.raises(ValueError, match=r"^the claim 'paper\.open' is not covered yet, expected one with a function\.$"):
        claims.check("paper.open")
    with pytest.raises(ValueError, match=r"^the claim 'paper\.open' is registered twice\.$"):
        registry.add("paper.open", "Open", "...")


# The ledger.


def item(claim="paper.a", ratio=0.5, holds=True, vacuous=False, unmet=""):
    return {"claim": claim, "ratio": ratio, "holds": holds, "vacuous": vacuous, "unmet": unmet}


GOOD, BAD, EMPTY, UNMET = item(), item(ratio=2.0, holds=False), item(vacuous=True), item(ratio=9.0, holds=False, unmet="eta")


@pytest.mark.parametrize(
    ("checks", "repaired", "words"),
    [
        ([], False, "not covered yet"),
        ([GOOD], False, "holds on all runs"),
        ([GOOD, EMPTY, UNMET], False, "holds on all runs"),
        ([GOOD, BAD], False, "fails as printed"),
        ([GOOD, BAD], True, "fails as printed — repaired"),
        ([GOOD], True, "holds on all runs"),
        ([EMPTY, BAD], False, "fails as printed"),
        ([EMPTY, EMPTY], False, "vacuous here"),
        ([EMPTY, UNMET], False, "vacuous here"),
        ([UNMET], False, "not decided by these runs"),
        ([UNMET], True, "not decided by these runs"),
    ],
)
def test_verdicts(registry, checks, repaired, words):
    registry.add("paper.a", "A", "...")
    if repaired:
        registry.add("paper.a-repaired", "A, repaired", "...", repairs="paper.a")
    (row, *_) = claims.ledger({"notebook": checks})
    assert row["verdict"] == words
    assert words in module.VERDICTS


def test_ledger_rows(registry):
    registry.add("paper.a", "A", "statement a")
    registry.add("paper.b", "B", "statement b", repairs="paper.a")
    rows = claims.ledger({"two": [item(ratio=0.75)], "one": [item(ratio=0.25), item("paper.other", 9.0), UNMET]})
    assert rows == [
        {
            "claim": "paper.a",
            "paper": "paper",
            "title": "A",
            "statement": "statement a",
            "repairs": None,
            "restricts": None,
            "scope": "",
            "function": None,
            "notebook": "one",
            "verdict": "holds on all runs",
            "stands_on": "runs only",
            "proof": None,
            "attacked": 0,
            "worst_ratio": 0.75,
            "searched_ratio": None,
            "instances": 3,
        },
        {
            "claim": "paper.b",
            "paper": "paper",
            "title": "B",
            "statement": "statement b",
            "repairs": "paper.a",
            "restricts": None,
            "scope": "",
            "function": None,
            "notebook": None,
            "verdict": "not covered yet",
            "stands_on": "",
            "proof": None,
            "attacked": 0,
            "worst_ratio": None,
            "searched_ratio": None,
            "instances": 0,
        },
    ]


def test_a_claim_that_fails_only_outside_a_part_of_it_says_so(registry):
    registry.add("paper.a", "A", "...")
    registry.add("paper.a-restricted", "A from T=2 on", "...", restricts="paper.a", scope="fails at T = 1, holds for T ≥ 2", proof="one#a")
    whole, part = claims.ledger({"one": [item(ratio=2.0, holds=False), item("paper.a-restricted")]})
    assert (whole["verdict"], whole["stands_on"]) == ("holds with a restriction", "")
    assert (part["verdict"], part["stands_on"], part["restricts"]) == ("holds on all runs", "proved here", "paper.a")
    assert (whole["scope"], part["scope"]) == ("fails at T = 1, holds for T ≥ 2", "")
    assert whole["worst_ratio"] is None, "no headline from a case out of scope"


def test_what_stands_behind_a_claim_that_holds(registry):
    registry.add("paper.a", "A", "...")
    searched = item() | {"parameters": {"searched": True, "games": 1000}}
    assert [claims.ledger({"one": items})[0]["stands_on"] for items in ([GOOD], [GOOD, searched], [BAD])] == ["runs only", "attacked", ""]
    assert claims.ledger({"one": [searched]})[0]["attacked"] == 1000


def test_a_claim_without_a_constant_is_not_decided_by_runs(registry):
    registry.add("paper.a", "A", "...", constant=False)
    assert claims.ledger({"one": [BAD]})[0]["verdict"] == "states no constant"
    with pytest.raises(ValueError, match=r"'paper\.a' names no constant, so no instance decides it"):
        claims.check("paper.a")


def test_of_equally_many_checks_the_earlier_chapter_counts(registry):
    registry.add("paper.a", "A", "...")
    assert [claims.ledger({first: [GOOD], second: [GOOD]})[0]["notebook"] for first, second in ("ab", "ba")] == ["a", "b"]


def test_ledger_rows_tell_what_a_search_found(registry):
    registry.add("paper.a", "A", "...", registry.add)
    searched = item(ratio=2.0, holds=False) | {"parameters": {"searched": True}}
    (row,) = claims.ledger({"falsifier": [searched], "one": [GOOD]})
    assert (row["notebook"], row["worst_ratio"], row["searched_ratio"]) == ("one", 2.0, 2.0)
    assert row["function"] == "marlpaper.claims.check.Registry.add"
    (row,) = claims.ledger({"falsifier": [searched]})
    assert row["notebook"] == "falsifier"


def test_the_papers_claims():
    """Every claim is either covered by a function or listed; what a claim repairs exists; ids name their paper."""
    everything = claims.all()
    assert everything is not claims.registry
    assert {claim.paper for claim in everything.values()} == {"mao2023", "ding2022"}
    for id, claim in everything.items():
        assert claim.id == id
        assert claim.title
        assert claim.statement
        assert claim.repairs is None or claim.repairs in everything
        assert claim.function is None or callable(claim.function)
    assert callable(everything["mao2023.theorem1"].function)
    assert everything["mao2023.theorem1-repaired"].repairs == "mao2023.theorem1"
