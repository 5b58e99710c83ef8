r"""Numbers that know their own error: rationals as balls of `python-flint`, and what is computed from them.

A ball is a midpoint and a radius. Every operation returns a ball that contains the true result, so that $x<y$ is only said when it is certain.
"""

import decimal
import functools
from fractions import Fraction

DIGITS = 12
"""Significant digits of an enclosure in a file."""


@functools.cache
def flint():
    """The package `flint`.

    Raises
    ------
    ImportError
        If it is not installed; the sentence says how to get it.
    """
    try:
        import flint as module
    except ImportError:
        raise ImportError("python-flint is not installed: pip install 'marlpaper[test]' brings it.") from None
    return module


def ball(number):
    """A rational as a ball: exact if it fits the precision, else as wide as the last bit."""
    if isinstance(number, flint().arb):
        return number
    number = Fraction(number)
    return flint().arb(number.numerator) / number.denominator


def total(numbers):
    """Their sum."""
    return sum(numbers, flint().arb(0))


def largest(numbers):
    """A ball that contains the largest of them."""
    return functools.reduce(lambda one, other: one.max(other), numbers)


def smallest(numbers):
    """A ball that contains the smallest of them."""
    return functools.reduce(lambda one, other: one.min(other), numbers)


def divergence(p, q):
    r"""$\sum_ap_a\log\frac{p_a}{q_a}$, with $0\log0=0$; infinite is refused.

    Raises
    ------
    ArithmeticError
        If `q` has no mass where `p` has some.
    """
    terms = []
    for x, y in zip(map(ball, p), map(ball, q), strict=True):
        if x.is_zero():
            continue
        if y.is_zero():
            raise ArithmeticError("a divergence is infinite, expected an instance with a finite bound.")
        terms.append(x * (x / y).log())
    return total(terms)


def mixed(row, alpha):
    r"""$[x]_\alpha=(1-\alpha)x+\frac\alpha d$, entry by entry."""
    return [(1 - alpha) * ball(x) + alpha / len(row) for x in row]


def enclosure(number):
    """Two decimal strings below and above the ball, rounded outwards."""
    return [_outwards(number.lower(), -1), _outwards(number.upper(), 1)]


def _outwards(end, sign):
    """A decimal of `DIGITS` digits beyond the exact number `end` on the side of `sign`."""
    mantissa, exponent = end.mid().man_exp()
    exact = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    if exact == 0:
        return "0"
    power = len(str(abs(exact.numerator))) - len(str(exact.denominator)) - DIGITS
    scaled = exact / Fraction(10) ** power
    digits = -(-scaled.numerator // scaled.denominator) if sign > 0 else scaled.numerator // scaled.denominator
    return str(decimal.Decimal(digits).scaleb(power).normalize())
