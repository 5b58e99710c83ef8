"""The search finds what is false, spares what is true, and finds the same with any number of processes."""

import numpy as np
import pytest

from marlpaper import claims, falsifier
from marlpaper.claims import Sides
from marlpaper.claims.check import Claim
from marlpaper.falsifier.kinds import KINDS, sizes
from marlpaper.falsifier.search import scores


def same(first, second):
    """Whether two searches found the same, to the last bit."""
    one, two = first.instance, second.instance
    equal = one.settings == two.settings and all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)
    return equal and first.check == second.check and (first.games, first.violations) == (second.games, second.violations)


FALSE = "theorem1 lemma9 prop1 theorem5 lemma8-sum theorem2 equation33 equation35 theorem6 equation72".split()


@pytest.mark.parametrize("claim", [f"mao2023.{name}" for name in FALSE])
def test_false_claims_are_falsified(claim):
    found = falsifier.search(claim, 100_000, first=True)
    assert found.violations > 0 and not found.check.holds and not found.check.unmet


@pytest.mark.parametrize(
    "claim", ["mao2023.theorem1-repaired", "mao2023.lemma9-repaired", "mao2023.prop1-repaired", "mao2023.theorem5-repaired", "mao2023.theorem1-free-energy"]
)
def test_repaired_claims_survive(claim):
    found = falsifier.search(claim, 4000, seed=1)
    assert found.violations == 0 and found.check.holds
    assert found.check.ratio > 0.1  # the search comes near enough to notice a bound ten times too small


def test_processes_do_not_matter():
    assert same(falsifier.search("mao2023.lemma8", 1500, seed=3), falsifier.search("mao2023.lemma8", 1500, seed=3, jobs=2))


def test_seeds_matter():
    assert not same(falsifier.search("mao2023.lemma8", 1000, seed=1), falsifier.search("mao2023.lemma8", 1000, seed=2))


def test_guidance_helps():
    """Rounds of changes end above what as many random draws find."""
    guided = [falsifier.search("mao2023.lemma6", 1000, seed=seed).check.ratio for seed in range(6)]
    kind = KINDS["matrix in blocks"]
    drawn = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        settings = kind.settings(rng, {})
        arrays = {name: array.draw(rng, 1004, sizes(settings)) for name, array in kind.arrays(settings).items()}
        drawn.append(scores("mao2023.lemma6", kind, settings, arrays)[0].max())
    assert np.mean(guided) > 1.05 * np.mean(drawn)


@pytest.fixture
def mutant(monkeypatch):
    """Put another function in the place of a claim's."""

    def replace(id, change):
        old = claims.registry[id]

        def function(*arguments):
            return change(Sides(*old.function(*arguments)))

        monkeypatch.setitem(claims.registry, id, Claim(old.id, old.title, old.statement, function, old.repairs))

    return replace


@pytest.mark.parametrize(
    ("claim", "factor"),
    [("mao2023.theorem1-repaired-b", 0.2), ("mao2023.prop1-repaired", 0.7), ("mao2023.lemma18-repaired", 0.6), ("mao2023.lemma1-repaired", 0.2)],
)
def test_a_wrong_constant_is_found(claim, factor, mutant):
    assert falsifier.search(claim, 4000).violations == 0
    mutant(claim, lambda sides: sides._replace(bound=factor * np.asarray(sides.bound)))
    assert falsifier.search(claim, 4000).violations > 0


def test_a_budget_ends_the_search_after_the_first_chunk():
    found = falsifier.search("mao2023.lemma8", 50_000, budget=1e-9)
    assert found.games == 1004


def test_sides_that_are_no_numbers_decide_nothing(mutant):
    mutant("mao2023.lemma8", lambda sides: sides._replace(measured=np.full_like(sides.measured, np.nan)))
    with pytest.raises(ValueError, match="none of 1004 instances decides the claim 'mao2023.lemma8'"):
        falsifier.search("mao2023.lemma8", 100)


def test_assumptions_that_are_not_met_decide_nothing(mutant):
    mutant("mao2023.lemma8", lambda sides: sides._replace(unmet="never"))
    with pytest.raises(ValueError, match="none of 1004 instances decides"):
        falsifier.search("mao2023.lemma8", 100)


def test_settings_can_be_fixed():
    found = falsifier.search("mao2023.theorem1", 1000, iterations=40, actions=[2, 2])
    assert found.instance.settings["iterations"] == 40 and found.instance.settings["actions"] == [2, 2]
    with pytest.raises(ValueError, match="height is fixed, expected a setting of the kind 'zero-sum run'"):
        falsifier.search("mao2023.theorem1", 1000, height=3)


@pytest.mark.parametrize(("name", "value"), [("trials", 0), ("jobs", 0), ("seed", -1), ("budget", 0.0)])
def test_bad_numbers_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        falsifier.search("mao2023.lemma8", **{"trials": 10, name: value})
