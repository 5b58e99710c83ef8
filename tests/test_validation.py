"""Every error is one sentence that names the parameter, the entry, its value, and what was expected."""

import numpy as np
import pytest

from marlpaper import validation

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: validation.array("q", [[1, NAN], [2, 3]]), ValueError, "q[0, 1] is nan, expected a finite number."),
        (lambda: validation.array("q", [1, -INFINITY]), ValueError, "q[1] is -inf, expected a finite number."),
        (lambda: validation.array("q", NAN), ValueError, "q is nan, expected a finite number."),
        (lambda: validation.array("q", ["x"]), TypeError, "q must be an array of numbers, got list that NumPy cannot convert."),
        (lambda: validation.array("q", [[1], [1, 2]]), TypeError, "q must be an array of numbers, got list that NumPy cannot convert."),
        (lambda: validation.within("r", np.array([0, 1.5]), 0, 1), ValueError, "r[1] is 1.5, expected a number in [0, 1]."),
        (lambda: validation.within("r", np.array([[-2.0]]), -1, 1), ValueError, "r[0, 0] is -2, expected a number in [-1, 1]."),
        (lambda: validation.distributions("p", np.array([[0.5, 0.5], [-0.1, 1.1]])), ValueError, "p[1, 0] is -0.1, expected a probability (at least 0)."),
        (lambda: validation.distributions("p", np.array([[0.5, 0.5], [0.5, 0.4]])), ValueError, "p[1] sums to 0.9, expected a distribution that sums to 1."),
        (lambda: validation.distributions("p", np.array([0.5, 0.4])), ValueError, "p sums to 0.9, expected a distribution that sums to 1."),
        (lambda: validation.broadcast("v", np.zeros((2, 3)), (4, 3)), ValueError, "v has shape (2, 3), expected one that broadcasts to (4, 3)."),
        (lambda: validation.whole("n", 1, 2), ValueError, "n is 1, expected a whole number of at least 2."),
        (lambda: validation.whole("n", 2.0, 2), TypeError, "n is 2.0, expected a whole number of at least 2."),
        (lambda: validation.whole("n", False, 0), TypeError, "n is False, expected a whole number of at least 0."),
        (lambda: validation.positive("eta", 0), ValueError, "eta is 0, expected a positive, finite number."),
        (lambda: validation.positive("eta", INFINITY), ValueError, "eta is inf, expected a positive, finite number."),
        (lambda: validation.positive("eta", NAN), ValueError, "eta is nan, expected a positive, finite number."),
        (lambda: validation.positive("eta", "1"), TypeError, "eta is '1', expected a positive number."),
        (lambda: validation.positive("eta", True), TypeError, "eta is True, expected a positive number."),
        (lambda: validation.array("q", [1, 1e300]), ValueError, "q[1] is 1e+300, expected at most 1e+100 in size."),
        (lambda: validation.array("q", [1, 10**400]), ValueError, "q has a whole number that is too large, expected at most 1e+100 in size."),
        (lambda: validation.array("q", ["1.5"]), TypeError, "q must be an array of numbers, got list that NumPy cannot convert."),
        (lambda: validation.array("q", [1j]), TypeError, "q must be an array of numbers, got list that NumPy cannot convert."),
        (lambda: validation.whole("n", 5, 1, 4), ValueError, "n is 5, expected a whole number of at most 4."),
        (lambda: validation.whole("n", 10**10, 1), ValueError, "n is 10000000000, expected a whole number of at most 1000000000."),
        (lambda: validation.whole("n", 10**5000, 1), ValueError, "n is a number of thousands of digits, expected a whole number of at most 1000000000."),
        (lambda: validation.positive("eta", 1e300), ValueError, "eta is 1e+300, expected a positive number of at most 1e+100."),
        (lambda: validation.number("slip", 1.5, 0, 1), ValueError, "slip is 1.5, expected a number in [0, 1]."),
        (lambda: validation.number("slip", None, 0, 1), TypeError, "slip is None, expected a number in [0, 1]."),
        (lambda: validation.ending("q", np.zeros((4, 2, 3)), (3, 2)), ValueError, "q has shape (4, 2, 3), expected (..., 3, 2)."),
        (lambda: validation.ending("q", np.zeros(2), (3, 2)), ValueError, "q has shape (2,), expected (..., 3, 2)."),
        (lambda: validation.discount(1), ValueError, "discount is 1, expected a number in [0, 1)."),
        (lambda: validation.sizes("batch", 3), TypeError, "batch is 3, expected a tuple of whole numbers."),
        (lambda: validation.sizes("batch", (2, 0)), ValueError, "batch[1] is 0, expected a whole number of at least 1."),
        (lambda: validation.generator("rng", 0), TypeError, "rng is 0, expected a numpy.random.Generator, e.g. numpy.random.default_rng(0)."),
        (lambda: validation.game("game", "table-1"), TypeError, "game is 'table-1', expected a game."),
        (lambda: validation.group("policy", 3, 2, "arrays"), TypeError, "policy is 3, expected a sequence of arrays, one for each of the 2 agents."),
        (lambda: validation.group("policy", [1], 2, "arrays"), ValueError, "policy has 1 arrays, expected one for each of the 2 agents."),
        (lambda: validation.game("game", "x" * 500), TypeError, f"game is '{'x' * 76}..., expected a game."),
        (lambda: validation.choice("rule", "b", ("a", "c")), ValueError, "rule is 'b', expected one of 'a', 'c'."),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    assert str(raised.value) == message


def test_good_input_comes_back():
    assert validation.array("q", [[1, 2]]).tolist() == [[1.0, 2.0]]
    given = np.array([[0.5, 0.5], [1 - 1e-15, 0]])
    assert validation.distributions("p", given) is given
    assert validation.within("p", given, 0, 1) is given
    assert validation.ending("p", given, (2, 2)) is given
    assert validation.broadcast("p", given, (3, 2, 2)).shape == (3, 2, 2)
    assert validation.whole("n", np.int64(3), 3) == 3
    assert type(validation.whole("n", np.int64(3), 3)) is int
    assert validation.positive("eta", np.float64(0.5)) == 0.5
    assert validation.choice("rule", "a", ("a",)) == "a"
