r"""From the worst instance to one that a person can read: fewer states, actions and stages, round numbers.

Greedy: every simplification is tried, and kept if the instance still shows what it was found for. It goes on until nothing helps.
"""

from dataclasses import replace

import numpy as np

from marlpaper import validation
from marlpaper.falsifier.arrays import fit, normalised
from marlpaper.falsifier.assignments import assigned
from marlpaper.falsifier.kinds import KINDS, check_settings, sizes

REMOVABLE = ("games", "horizon", "states", "rows")
COUNTED = ("iterations", "inner", "power")
DIGITS = (0, 1, 2, 3)
PLAIN = (0.0, 1.0, 0.5, 0.9)
ITERATIONS = 2_000_000
SIMPLER = {"start": ("uniform", "constant"), "first_values": (False,)}
"""Words that make a smaller instance, simplest first."""


def shrink(instance, attempts=None, keep=()):
    """The smallest and roundest instance that still shows what this one does.

    If the claim is violated, it stays violated: at least half of the excess of the ratio over 1 is kept, of an infinite ratio that it
    is at least 2, and a tenth of the measured side. If it holds, 98 % of the ratio is kept.

    Parameters
    ----------
    instance : Case
    attempts : int, optional
        Checks, at most. Default: 1000, or so many that all of them run `ITERATIONS` iterations, if these are fewer.
    keep : sequence of str
        Settings that stay as they are, e.g. `("iterations",)`.

    Returns
    -------
    Case
    """
    if attempts is None:
        settings = instance.settings
        attempts = max(min(1000, ITERATIONS // (settings.get("iterations", 1) * settings.get("games", 1))), 10)
    keeps = _Keeps(instance, validation.whole("attempts", attempts, 1), {name: instance.settings[name] for name in keep})
    before = None
    while before is not instance and keeps.left:
        before = instance
        for simpler in (_without_entries, _with_smaller_counts, _with_rounder_settings, _with_plainer_arrays, _with_rounder_entries):
            instance = simpler(instance, keeps)
    return instance


class _Keeps:
    """Whether a candidate still shows what the first instance does; counts how often it was asked."""

    def __init__(self, instance, attempts, fixed):
        check = instance.check()
        self.left, self.fixed, self.violated = attempts, fixed, not check.holds
        excess = min(check.ratio - 1, 2.0)
        self.ratio = 1 + excess / 2 if self.violated else 0.98 * check.ratio
        self.measured = check.measured / 10 if self.violated else -np.inf

    def __call__(self, candidate):
        if not self.left or any(candidate.settings[name] != value for name, value in self.fixed.items()) or _too_short(candidate):
            return False
        self.left -= 1
        try:
            check_settings(KINDS[candidate.kind], candidate.settings)
            check = candidate.check()
        except (ValueError, TypeError, ArithmeticError, FloatingPointError, np.linalg.LinAlgError):
            return False  # the simplification made no instance of it
        return not check.unmet and check.holds != self.violated and check.ratio >= self.ratio and check.measured >= self.measured


def _too_short(instance):
    """Whether it has fewer iterations or games than the search draws for this claim."""
    options, settings = assigned(instance.claim).options, instance.settings
    shortest = options.get("shortest", lambda horizon: 1)
    return settings.get("iterations", np.inf) < shortest(settings.get("horizon", 1)) or settings.get("games", np.inf) < options.get("fewest", 1)


def _first_kept(instance, candidates, keeps):
    return next((candidate for candidate in candidates if keeps(candidate)), None)


def _descend(instance, candidates_of, keeps):
    """Replace the instance by its first candidate that keeps, as long as there is one."""
    while (found := _first_kept(instance, candidates_of(instance), keeps)) is not None:
        instance = found
    return instance


def _without_entries(instance, keeps):
    """Remove one state, step, action or game after the other."""
    return _descend(instance, _smaller, keeps)


def _smaller(instance):
    lengths = sizes(instance.settings)
    for axis in [name for name in lengths if name in REMOVABLE or name.startswith("actions")]:
        for index in reversed(range(lengths[axis])) if lengths[axis] > 1 else ():
            yield _removed(instance, axis, index)


def _removed(instance, axis, index):
    settings = dict(instance.settings)
    if axis.startswith("actions"):
        agent = int(axis.removeprefix("actions"))
        settings["actions"] = [count - (position == agent) for position, count in enumerate(settings["actions"])]
    else:
        settings[axis] -= 1
    return _resettled(instance, settings, lambda values, array: _delete(values, array, axis, index))


def _delete(values, array, axis, index):
    for position, name in enumerate(array.axes):
        if name == axis:
            values = np.delete(values, index, position)
    return values


def _resettled(instance, settings, change=lambda values, array: values):
    """The instance with other settings, its arrays cut or continued to fit; settings that need further arrays change nothing."""
    expected, lengths = KINDS[instance.kind].arrays(settings), sizes(settings)
    if set(expected) - set(instance.arrays):
        return instance
    arrays = {name: fit(change(instance.arrays[name], array), array, lengths) for name, array in expected.items()}
    return replace(instance, settings=settings, arrays=arrays)


def _with_smaller_counts(instance, keeps):
    """Fewer iterations or copies."""

    def candidates(item):
        for name in COUNTED:
            count = item.settings.get(name, 1)
            for smaller in sorted({1, 2, 3, count // 2, count - 1} & set(range(1, count))):
                yield _resettled(item, item.settings | {name: smaller})

    return _descend(instance, candidates, keeps)


def _with_rounder_settings(instance, keeps):
    """Simpler words and rounder numbers among the settings."""
    for name, value in instance.settings.items():
        candidates = (_resettled(instance, instance.settings | {name: option}) for option in _simpler_values(name, value))
        instance = _first_kept(instance, candidates, keeps) or instance
    return instance


def _simpler_values(name, value):
    """Values of a setting that are simpler than the present one, simplest first."""
    options = SIMPLER.get(name, ())
    if isinstance(value, float) and name != "low":  # the range of the rewards is not a number to round
        options = tuple(dict.fromkeys([*PLAIN, *(round(value, digits) for digits in DIGITS)]))
    return options[: options.index(value)] if value in options else options


def _with_plainer_arrays(instance, keeps):
    """Whole arrays: all 0, all 1, all uniform, else rounded to as few digits as possible."""
    expected = KINDS[instance.kind].arrays(instance.settings)
    for name, array in expected.items():
        values = instance.arrays[name]
        options = [_rounded(values, array, digits) for digits in DIGITS]
        if array.holds == "simplex":
            options.insert(0, np.full(values.shape, 1 / values.shape[-1]))
        else:
            options[:0] = [np.full(values.shape, number) for number in (0.0, 1.0) if array.holds == "real" or array.low <= number <= array.high]
        instance = _simplest(instance, name, options, keeps)
    return instance


def _simplest(instance, name, options, keeps):
    """The instance with the first option that keeps and differs; options after the present value are not simpler."""
    for option in options:
        if np.array_equal(option, instance.arrays[name]):
            return instance
        candidate = replace(instance, arrays=instance.arrays | {name: option})
        if keeps(candidate):
            return candidate
    return instance


def _with_rounder_entries(instance, keeps):
    """Entry by entry, or row by row of distributions."""
    for name, array in KINDS[instance.kind].arrays(instance.settings).items():
        shape = instance.arrays[name].shape
        places = np.ndindex(shape[:-1] if array.holds == "simplex" else shape)
        for place in places:
            options = []
            for part in _plain_parts(instance.arrays[name][place], array):
                values = instance.arrays[name].copy()
                values[place] = part
                options.append(values)
            instance = _simplest(instance, name, options, keeps)
    return instance


def _plain_parts(part, array):
    """Simpler forms of an entry or of a row, simplest first."""
    if array.holds == "simplex":
        vertices = np.eye(len(part))[np.argsort(-part, kind="stable")]
        return [*vertices[:1], np.full(len(part), 1 / len(part)), *vertices[1:], *(_rounded(part, array, digits) for digits in DIGITS[1:])]
    numbers = [0.0, 1.0, -1.0, 0.5, *(np.round(part, digits) for digits in DIGITS)]
    return [number for number in numbers if array.holds == "real" or array.low <= number <= array.high]


def _rounded(values, array, digits):
    """Rounded; of a distribution the largest entry takes what is left."""
    rounded = np.round(values, digits) + 0.0
    if array.holds != "simplex":
        return rounded
    largest = np.argmax(values, -1)[..., None]
    np.put_along_axis(rounded, largest, 0.0, -1)
    rest = 1 - rounded.sum(-1, keepdims=True)
    np.put_along_axis(rounded, largest, np.round(rest, max(digits, 1)), -1)
    return normalised(np.maximum(rounded, 0))
