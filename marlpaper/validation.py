"""Bad input, told in one sentence: which parameter, which entry, what was expected.

Every public entry calls these at its edge; inside, arrays are trusted.
"""

import numbers
import os

import numpy as np

PROBABILITY_TOLERANCE = 1e-6
"""How far a row may be from summing to 1: what nine typed digits and float32 leave. It is divided by its sum."""
RANGE_TOLERANCE = 1e-8
"""How far an entry may be outside its range: all ranges are of length 1 or 2, or endless."""
SUM_ROUNDING = 8 * np.finfo(float).eps
"""Rows that sum to 1 up to this are left as they are."""
SIZE_LIMIT = 1_000_000
LARGEST = 1e100
"""Numbers beyond this overflow as soon as they are multiplied, and are taken for mistakes."""


def _first(mask):
    """Index of the first true entry, printed like `[0, 3]` (empty for a scalar)."""
    index = np.argwhere(mask)[0]
    return f"[{', '.join(map(str, index))}]" if index.size else ""


def array(name, value):
    """A float array without NaN, infinity, or numbers beyond 1e100.

    Raises
    ------
    TypeError
        If `value` is not numeric; text is not, even where it spells a number.
    ValueError
        If an entry is NaN, infinite or too large.
    """
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "biufO":
            raise TypeError
        result = given.astype(float, copy=False)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__} that NumPy cannot convert.") from None
    except OverflowError:
        raise ValueError(f"{name} has a whole number that is too large, expected at most {LARGEST:g} in size.") from None
    bad = ~(np.abs(result) <= LARGEST)
    if bad.any():
        first = result[bad].flat[0]
        expected = f"at most {LARGEST:g} in size" if np.isfinite(first) else "a finite number"
        raise ValueError(f"{name}{_first(bad)} is {first}, expected {expected}.")
    return result


def ending(name, value, shape):
    """`value` as an `array` whose last axes have the given shape; leading axes are free.

    Raises
    ------
    TypeError, ValueError
        If it is not an array of finite numbers, or the last axes differ.
    """
    result = array(name, value)
    if result.shape[-len(shape) :] != tuple(shape):
        raise ValueError(f"{name} has shape {result.shape}, expected (..., {', '.join(map(str, shape))}).")
    return result


def within(name, value, low, high):
    """`value` unchanged if all entries lie in [low, high] (up to rounding).

    Raises
    ------
    ValueError
        Naming the first entry outside the range.
    """
    bad = (value < low - RANGE_TOLERANCE) | (value > high + RANGE_TOLERANCE)
    if np.any(bad):
        raise ValueError(f"{name}{_first(bad)} is {value[bad].flat[0]:.6g}, expected a number in [{low:g}, {high:g}].")
    return value


def distributions(name, value):
    """`value` if its last axis holds probability distributions, divided by their sums if those are 1 but for typed
    digits.

    Parameters
    ----------
    name : str
    value : array (..., n)
        Rows that sum to 1 within PROBABILITY_TOLERANCE: of nine digits, or float32.

    Returns
    -------
    array (..., n)
        Rows that sum to 1 up to rounding. `value` itself if they already do.

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
    if not (np.abs(totals - 1) > SUM_ROUNDING).any():
        return value
    once = _once(value)  # many games may share one kernel, which stays one
    return np.broadcast_to(once / once.sum(-1, keepdims=True), value.shape)


def _once(value):
    """A view of `value` in which axes along which it repeats itself have length 1."""
    return value[
        tuple(
            slice(0, 1) if stride == 0 and axis < value.ndim - 1 else slice(None)
            for axis, stride in enumerate(value.strides)
        )
    ]


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


def whole(name, value, low, high=1_000_000_000):
    """`value` as an int of at least `low` and at most `high`, by default what no loop would ever get through.

    Raises
    ------
    TypeError, ValueError
        If it is not a whole number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {value!r}, expected a whole number of at least {low}.")
    if value < low:
        raise ValueError(f"{name} is {_brief(value)}, expected a whole number of at least {low}.")
    if value > high:
        raise ValueError(f"{name} is {_brief(value)}, expected a whole number of at most {high}.")
    return int(value)


def number(name, value, low, high):
    """`value` as a float in [low, high].

    Raises
    ------
    TypeError, ValueError
        If it is not a number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {_brief(value)}, expected a number in [{low:g}, {high:g}].")
    if not low <= value <= high:
        raise ValueError(f"{name} is {_brief(value)}, expected a number in [{low:g}, {high:g}].")
    return float(value)


def positive(name, value):
    """`value` as a float above 0.

    Raises
    ------
    TypeError, ValueError
        If it is not a number, not finite, or not positive.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}, expected a positive number.")
    if not value > 0 or value == np.inf:
        raise ValueError(f"{name} is {value}, expected a positive, finite number.")
    if value > LARGEST:
        raise ValueError(f"{name} is {_brief(value)}, expected a positive number of at most {LARGEST:g}.")
    return float(value)


def generator(name, value):
    """`value` unchanged if it is a `numpy.random.Generator`.

    Raises
    ------
    TypeError
        If it is anything else, a seed for instance.
    """
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} is {_brief(value)}, expected a numpy.random.Generator, e.g. numpy.random.default_rng(0).")
    return value


def game(name, value):
    """`value` unchanged if it is a game: it has agents, actions and a check of policies.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if not all(hasattr(value, part) for part in ("agents", "actions", "check_policy")):
        raise TypeError(f"{name} is {_brief(value)}, expected a game.")
    return value


def sizes(name, value):
    """`value` as a tuple of whole numbers of at least 1, e.g. numbers of actions or the shape of a batch.

    Raises
    ------
    TypeError, ValueError
        If it is not a tuple or list, or an entry is out of range.
    """
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name} is {_brief(value)}, expected a tuple of whole numbers.")
    return tuple(whole(f"{name}[{k}]", entry, 1, SIZE_LIMIT) for k, entry in enumerate(value))


def family(rng, states, actions, batch):
    """What every family of random games is asked for: numbers of states and actions and the shape of the batch, validated.

    Raises
    ------
    TypeError, ValueError
        If `rng` is no generator, or a number is out of range.
    """
    generator("rng", rng)
    return whole("states", states, 1, SIZE_LIMIT), sizes("actions", actions), sizes("batch", batch)


def discount(value):
    """`value` as a float in [0, 1).

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not (isinstance(value, numbers.Real) and 0 <= value < 1):
        raise ValueError(f"discount is {_brief(value)}, expected a number in [0, 1).")
    return float(value)


def group(name, value, count, of):
    """`value` as a tuple, one entry for each of `count` agents.

    Raises
    ------
    TypeError, ValueError
        If it cannot be iterated over, or has another number of entries.
    """
    if isinstance(value, str | dict) or not hasattr(value, "__len__"):
        raise TypeError(f"{name} is {_brief(value)}, expected a sequence of {of}, one for each of the {count} agents.")
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} {of}, expected one for each of the {count} agents.")
    return tuple(value)


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


def memory_limit():
    """Bytes that one record may need: the environment variable MARLPAPER_MEMORY, else this machine's physical memory.

    Returns
    -------
    int or None
        `None` where the system does not say.

    Raises
    ------
    ValueError
        If the variable is set to anything but a positive whole number.
    """
    given = os.environ.get("MARLPAPER_MEMORY")
    if given is not None:
        if not (given.isascii() and given.isdigit() and int(given) > 0):
            raise ValueError(f"MARLPAPER_MEMORY is {_brief(given)}, expected a positive whole number of bytes.")
        return int(given)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def recordable(size):
    """Refuse a record that cannot fit, before anything runs.

    Parameters
    ----------
    size : int
        Bytes of the finished record. Twice as much is needed while its parts are joined.

    Raises
    ------
    ValueError
        Naming what is needed and the limit, `memory_limit`.
    """
    limit = memory_limit()
    if limit is not None and 2 * size > limit:
        raise ValueError(
            f"record=True needs {2 * size / 2**30:.3g} GiB for what it keeps, expected at most {limit / 2**30:.3g} GiB "
            "(the machine's memory, or the bytes in MARLPAPER_MEMORY)."
        )


def _brief(value):
    """How a sentence shows a value that may be of any kind and length."""
    try:
        shown = repr(value)
    except ValueError:  # whole numbers of thousands of digits
        shown = "a number of thousands of digits"
    shown = " ".join(shown.split())
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
