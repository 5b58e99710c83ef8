"""Every claim of the ledger has a kind of instances, and what the kind draws is something that the claim can be checked on."""

import numpy as np
import pytest

from marlpaper import claims, falsifier
from marlpaper.falsifier.assignments import ASSIGNED
from marlpaper.falsifier.kinds import KINDS, sizes
from marlpaper.falsifier.search import scores

COVERED = [id for id, claim in claims.all().items() if claim.function is not None]


def drawn(claim, seed, count):
    """Settings and `count` instances of a claim."""
    rng, assignment = np.random.default_rng(seed), falsifier.assigned(claim)
    kind = KINDS[assignment.kind]
    settings = kind.settings(rng, {name: value for name, value in assignment.options.items() if name != "long"})
    lengths = sizes(settings)
    return kind, settings, {name: array.draw(rng, count, lengths) for name, array in kind.arrays(settings).items()}


def test_every_covered_claim_has_a_kind_and_every_kind_a_claim():
    assert set(ASSIGNED) == set(COVERED)
    assert {assignment.kind for assignment in ASSIGNED.values()} == set(KINDS)


def test_a_claim_without_a_kind_is_named(monkeypatch):
    monkeypatch.delitem(ASSIGNED, "mao2023.lemma8")
    with pytest.raises(ValueError, match=r"claim 'mao2023.lemma8' has no kind of instances to search"):
        falsifier.assigned("mao2023.lemma8")
    with pytest.raises(KeyError, match="did you mean 'mao2023.lemma9'"):
        falsifier.assigned("mao2023.lemma99")


@pytest.mark.parametrize("claim", COVERED)
def test_what_is_drawn_decides_the_claim(claim):
    kind, settings, arrays = drawn(claim, 1, 7 if kind_of(claim).games_axis else 2)
    _, _, decided = scores(claim, kind, settings, arrays)
    assert decided.any()


def kind_of(claim):
    return KINDS[falsifier.assigned(claim).kind]


@pytest.mark.parametrize("claim", [claim for claim in COVERED if kind_of(claim).games_axis])
def test_side_by_side_is_as_one_by_one(claim):
    kind, settings, arrays = drawn(claim, 2, 7)
    ratios, _, decided = scores(claim, kind, settings, arrays)
    for game in range(7):
        single = {name: values[game] for name, values in arrays.items()}
        instance = falsifier.Case(claim, kind.name, settings, single)
        if decided[game]:
            expected = instance.check().ratio
            assert ratios[game] == pytest.approx(expected, rel=1e-6, abs=1e-9) or np.isinf(ratios[game]) and np.isinf(expected)


@pytest.mark.parametrize("name", KINDS)
def test_arrays_stay_what_they_are_when_changed(name):
    claim = next(claim for claim, assignment in ASSIGNED.items() if assignment.kind == name)
    for seed in range(4):
        kind, settings, arrays = drawn(claim, seed, 15)
        rng, lengths = np.random.default_rng(seed), sizes(settings)
        for label, array in kind.arrays(settings).items():
            changed = array.change(rng, arrays[label], 0.5)
            assert changed.shape == arrays[label].shape
            for values in (*arrays[label], *changed):
                array.check(label, values, lengths)
            assert array.holds == "simplex" and array.shape(lengths)[-1] == 1 or (changed != arrays[label]).any()
