"""Stage lengths against exact fractions, and the number of stages against its bound."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marlpaper import learners


def exact_lengths(iterations, horizon):
    """L_1 = H, L_{tau+1} = floor((1 + 1/H) L_tau), in fractions, cut at T."""
    lengths, length = [], Fraction(horizon)
    while sum(lengths) < iterations:
        lengths.append(min(int(length), iterations - sum(lengths)))
        length = Fraction(math.floor((1 + Fraction(1, horizon)) * length))
    return lengths


@pytest.mark.parametrize("horizon", [*range(1, 81)])
def test_exact_floor(horizon):
    expected = exact_lengths(100_000, horizon)
    assert learners.stage_lengths(100_000, horizon).tolist() == expected
    assert sum(expected) == 100_000


@given(st.integers(1, 100_000), st.integers(1, 80))
def test_any_number_of_iterations(iterations, horizon):
    assert learners.stage_lengths(iterations, horizon).tolist() == exact_lengths(iterations, horizon)


def test_floating_point_would_be_wrong():
    """The reason for whole numbers: the same rule in floating point has another length from H=11 on."""

    def floating(horizon):
        lengths = [horizon]
        while sum(lengths) < 10_000:
            lengths.append(int(np.floor((1 + 1 / horizon) * lengths[-1])))
        return lengths[:-1]

    wrong = [horizon for horizon in range(1, 81) if floating(horizon) != exact_lengths(10_000, horizon)[: len(floating(horizon))]]
    assert min(wrong) == 11


def test_few_stages():
    """bar tau <= 3 H log T for 2 <= T <= 100,000: it is enough to look where a stage begins."""
    for horizon in range(1, 81):
        starts = 1 + np.cumsum([0, *exact_lengths(100_000, horizon)[:-1]])
        stages = np.arange(1, len(starts) + 1)
        assert np.all(stages <= 3 * horizon * np.log(np.maximum(starts, 2)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 3), ValueError, "iterations is 0, expected a whole number of at least 1."),
        ((-4, 3), ValueError, "iterations is -4, expected a whole number of at least 1."),
        ((2.0, 3), TypeError, "iterations is 2.0, expected a whole number of at least 1."),
        ((True, 3), TypeError, "iterations is True, expected a whole number of at least 1."),
        ((5, 0), ValueError, "horizon is 0, expected a whole number of at least 1."),
        ((5, "3"), TypeError, "horizon is '3', expected a whole number of at least 1."),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error) as raised:
        learners.stage_lengths(*arguments)
    assert str(raised.value) == message
