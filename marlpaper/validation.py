"""Bad input, told in one sentence: which parameter, which entry, what was expected.

Every public entry calls these at its edge; inside, arrays are trusted.
"""

import numbers

import numpy as np

PROBABILITY_TOLERANCE = 1e-8


def _first(mask):
    """Index of the first true entry, printed like `[0, 3]` (empty for a scalar)."""
    index = np.argwhere(mask)[0]
    return f"[{', '.join(map(str, index))}]" if index.size else ""


def array(name, value):
    """A float array without NaN or infinity.

    Raises
    ------
    TypeError
        If `value` is not numeric.
    ValueError
        If an entry is NaN or infinite.
    """
    try:
        result = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__} that NumPy cannot convert.") from None
    bad = ~np.isfinite(result)
    if bad.any():
        raise ValueError(f"{name}{_first(bad)} is {result[bad].flat[0]}, expected a finite number.")
    return result


def within(name, value, low, high):
    """`value` unchanged if all entries lie in [low, high] (up to rounding).

    Raises
    ------
    ValueError
        Naming the first entry outside the range.
    """
    bad = (value < low - PROBABILITY_TOLERANCE) | (value > high + PROBABILITY_TOLERANCE)
    if np.any(bad):
        raise ValueError(f"{name}{_first(bad)} is {value[bad].flat[0]:.6g}, expected a number in [{low:g}, {high:g}].")
    return value


def distributions(name, value):
    """`value` unchanged if its last axis holds probability distributions.

    Raises
    ------
    ValueError
        Naming the first negative entry or the first row that does not sum to 1.
    """
    negative = value < 0
    if negative.any():
        raise ValueError(f"{name}{_first(negative)} is {value[negative].flat[0]:.6g}, expected a probability (at least 0).")
    totals = value.sum(-1)
    off = np.abs(totals - 1) > PROBABILITY_TOLERANCE
    if off.any():
        raise ValueError(f"{name}{_first(off)} sums to {totals[off].flat[0]:.9g}, expected a distribution that sums to 1.")
    return value


def broadcast(name, value, shape):
    """A view of `value` with the given shape.

    Raises
    ------
    ValueError
        If the axes do not fit.
    """
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {np.shape(value)}, expected one that broadcasts to {shape}.") from None


def whole(name, value, low):
    """`value` as an int of at least `low`.

    Raises
    ------
    TypeError, ValueError
        If it is not a whole number, or smaller than `low`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {value!r}, expected a whole number of at least {low}.")
    if value < low:
        raise ValueError(f"{name} is {value}, expected a whole number of at least {low}.")
    return int(value)


def positive(name, value):
    """`value` as a float above 0.

    Raises
    ------
    TypeError, ValueError
        If it is not a number, not finite, or not positive.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}, expected a positive number.")
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}, expected a positive, finite number.")
    return float(value)


def choice(name, value, options):
    """`value` unchanged if it is one of `options`.

    Raises
    ------
    ValueError
        Listing what was expected.
    """
    if value not in options:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, options))}.")
    return value
