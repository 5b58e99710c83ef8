"""What the pins share: both sides of a claim, whole arrays of them, against a formula that is typed anew from the papers."""

import importlib

import numpy as np

from marlpaper.claims import registry
from marlpaper.claims.check import Sides

PINNED = {}
"""Claim id to the function that computes both sides anew."""

CALLS = []
"""What `assert_pinned` was called with, and what it expected: id, arguments, keywords, both sides, assumptions met, what is trivial."""


def pin(*ids):
    """Decorator: the function computes (measured, bound) of these claims by a formula of its own."""

    def register(function):
        for id in ids:
            full, code = id if id.startswith("ding2022") else f"mao2023.{id}", function.__code__
            other = PINNED.setdefault(full, function).__code__
            assert (other.co_filename, other.co_firstlineno) == (code.co_filename, code.co_firstlineno), f"{full} is pinned twice"
            PINNED[full] = function
        return function

    return register


def assert_pinned(id, *arguments, met=True, trivial=None, **keywords):
    """The claim's arrays are those of the formula.

    `met` says whether the instance meets the assumptions (None: whatever), `trivial` what the claim says is true anyway.
    """
    sides = Sides(*registry[id].function(*arguments, **keywords))
    expected = [np.asarray(side, float) for side in PINNED[id](*arguments, **keywords)]
    CALLS.append((id, arguments, keywords, expected, met, trivial))
    assert_same(id, sides, expected, met, trivial)
    return sides


def assert_unmet(id, *arguments):
    """The instance does not meet the claim's assumptions, whatever its sides are."""
    CALLS.append((id, arguments, {}, None, False, None))
    with np.errstate(all="ignore"):
        assert Sides(*registry[id].function(*arguments)).unmet, id


def assert_met(id, *arguments):
    """The instance meets the claim's assumptions, whatever its sides are."""
    CALLS.append((id, arguments, {}, None, True, None))
    assert not Sides(*registry[id].function(*arguments)).unmet, id


def assert_value(name, *arguments, expected):
    """A helper of the claims, `module:function` below `marlpaper.claims`, returns what is expected."""
    CALLS.append((name, arguments, {}, expected, None, None))
    assert_same(name, value_of(name, *arguments), expected, None, None)


def value_of(name, *arguments):
    """What a helper of the claims returns."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(f"marlpaper.claims.{module}"), function)(*arguments)


def assert_same(id, sides, expected, met, trivial):
    """Both sides are those expected, entry by entry, and assumptions are met or not."""
    if ":" in id:
        np.testing.assert_allclose(np.asarray(sides, float), expected, rtol=1e-9, err_msg=id)
        return
    for name, found, wanted in zip(("measured", "bound"), sides[:2], expected or (), strict=bool(expected)):
        found = np.asarray(found, float)
        assert found.shape == wanted.shape, (id, name, found.shape, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-13, err_msg=f"{id}, {name}")
    assert met is None or met == (not sides.unmet), (id, sides.unmet)
    if trivial is not None:
        np.testing.assert_allclose(sides.trivial, trivial, rtol=1e-9, err_msg=f"{id}, trivial")


def kl(p, q):
    """The divergence of two rows, term by term."""
    return sum(x * np.log(x / y) for x, y in zip(p, q, strict=True) if x > 0)


def mix(x, alpha):
    """[x]_alpha of a row."""
    return [(1 - alpha) * part + alpha / len(x) for part in x]
