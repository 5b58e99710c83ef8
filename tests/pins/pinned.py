"""What the pins share: both sides of a claim, whole arrays of them, against a formula that is typed anew from the papers."""

import numpy as np

from marlpaper.claims import registry
from marlpaper.claims.check import Sides

PINNED = {}
"""Claim id to the function that computes both sides anew."""

CALLS = []
"""What `assert_pinned` was called with, and what it expected: id, arguments, keywords, both sides, whether the assumptions are met."""


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


def assert_pinned(id, *arguments, met=True, **keywords):
    """The claim's arrays are those of the formula; its assumptions are met, if the instance is meant to meet them."""
    sides = Sides(*registry[id].function(*arguments, **keywords))
    expected = [np.asarray(side, float) for side in PINNED[id](*arguments, **keywords)]
    CALLS.append((id, arguments, keywords, expected, met))
    assert_same(id, sides, expected, met)
    return sides


def assert_same(id, sides, expected, met):
    """Both sides are those expected, entry by entry, and no assumption is broken if all are to be met."""
    for name, found, wanted in zip(("measured", "bound"), sides[:2], expected, strict=True):
        found = np.asarray(found, float)
        assert found.shape == wanted.shape, (id, name, found.shape, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-13, err_msg=f"{id}, {name}")
    assert not (met and sides.unmet), (id, sides.unmet)


def kl(p, q):
    """The divergence of two rows, term by term."""
    return sum(x * np.log(x / y) for x, y in zip(p, q, strict=True) if x > 0)


def mix(x, alpha):
    """[x]_alpha of a row."""
    return [(1 - alpha) * part + alpha / len(x) for part in x]
