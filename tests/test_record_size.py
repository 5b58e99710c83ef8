"""What a record will need is known before the run, to the byte, and refused where it cannot fit. Nothing large is allocated here."""

import dataclasses
import functools

import numpy as np
import pytest

from marlpaper import games, learners, validation
from marlpaper.learners import ascent, correlated, mirror_descent
from marlpaper.learners.stages import record_bytes, stage_lengths


def kept(stages):
    """Bytes of all arrays of a record."""
    fields = (getattr(stages, field.name) for field in dataclasses.fields(stages))
    arrays = [part for field in fields if field is not None for part in (field if isinstance(field, tuple) else (field,))]
    return sum(part.nbytes for part in arrays)


def zero_sum():
    return games.random_game(np.random.default_rng(0), 3, 4, (2, 5), (2, 3))


def three_players():
    return games.random_game(np.random.default_rng(1), 2, 3, (2, 3, 4), zero_sum=False)


def river():
    return games.load("river-endgame", count=2)


def potential():
    return games.common_reward(np.random.default_rng(2), 3, (2, 3), 0.8)


RUNS = {
    "Algorithm 1": (zero_sum, learners.optimistic_mirror_descent, functools.partial(record_bytes, tables=1)),
    "Algorithm 2": (three_players, learners.correlated_mirror_descent, functools.partial(record_bytes, tables=3, moves=True)),
    "river": (river, learners.optimistic_mirror_descent, functools.partial(record_bytes, tables=0)),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_estimate_is_what_a_run_keeps(name):
    make, learner, estimate = RUNS[name]
    game = make()
    run = learner(game, 12, 0.05, record=True)
    assert estimate(game, len(stage_lengths(12, game.horizon))) == kept(run.stages)


def test_the_estimate_of_a_trajectory():
    game, points = potential(), range(0, 20, 3)
    run = learners.q_ascent(game, 20, 0.01, checkpoints=points, record=True)
    assert ascent._record_bytes(game, run.policy, len(points)) == sum(part.nbytes for part in run.trajectory)


@pytest.mark.parametrize("name", RUNS)
def test_a_record_that_cannot_fit_is_refused_before_the_run(monkeypatch, name):
    make, learner, estimate = RUNS[name]
    game = make()
    needed = 2 * estimate(game, len(stage_lengths(12, game.horizon)))
    monkeypatch.setenv("MARLPAPER_MEMORY", str(needed))
    assert learner(game, 12, 0.05, record=True).stages is not None

    def started(*arguments):
        raise AssertionError("the run has started")

    for module, entry in ((mirror_descent, "stage_loop"), (correlated, "_Loop")):
        monkeypatch.setattr(module, entry, started)
    monkeypatch.setenv("MARLPAPER_MEMORY", str(needed - 1))
    with pytest.raises(ValueError, match=r"^record=True needs .* GiB for what it keeps, expected at most .* GiB \(.*MARLPAPER_MEMORY\)\.$"):
        learner(game, 12, 0.05, record=True)


def test_a_trajectory_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setenv("MARLPAPER_MEMORY", "1000")
    settings = {"checkpoints": range(21), "step_size": 0.01, "iterations": 20}
    assert learners.q_ascent(potential(), **settings).trajectory is None
    with pytest.raises(ValueError, match="record=True needs"):
        learners.q_ascent(potential(), **settings, record=True)


def test_sizes_are_named_in_the_sentence(monkeypatch):
    monkeypatch.setenv("MARLPAPER_MEMORY", str(24 * 2**30))
    validation.recordable(12 * 2**30)
    with pytest.raises(ValueError, match=r"needs 100 GiB for what it keeps, expected at most 24 GiB"):
        validation.recordable(50 * 2**30)


def test_the_limit_is_the_memory_of_the_machine(monkeypatch):
    monkeypatch.delenv("MARLPAPER_MEMORY", raising=False)
    monkeypatch.setattr(validation.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__, raising=False)
    assert validation.memory_limit() == 4_096_000

    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(validation.os, "sysconf", unknown)
    assert validation.memory_limit() is None
    validation.recordable(10**30)


@pytest.mark.parametrize("wrong", ["", "0", "-5", "3.5", "24 GiB"])
def test_a_limit_that_is_no_number_is_said(monkeypatch, wrong):
    monkeypatch.setenv("MARLPAPER_MEMORY", wrong)
    with pytest.raises(ValueError, match="expected a positive whole number of bytes"):
        validation.memory_limit()
