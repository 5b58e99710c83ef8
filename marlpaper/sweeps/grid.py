"""Grids of parameters, as they are typed: ``seed=0:200``, ``iterations=100,1000``, ``rule=best,last``.

Values are separated by commas; ``a:b`` and ``a:b:step`` are whole numbers from a up to but without b, as in Python's `range`.
`true` and `false` are truth values however they are spelled, and what is no Python literal is a string. Several
parameters make the product of their values, the last one running fastest.
"""

import itertools
import re

from marlpaper.lookup import UnknownNameError, literal

__all__ = ["LARGEST", "points", "values"]

LARGEST = 100_000
"""Points of a grid: each is a run of a notebook, hence a second at least."""

QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")


def values(text):
    """Read one parameter and its values.

    Parameters
    ----------
    text : str
        ``name=values``.

    Returns
    -------
    name : str
    values : list
        At least one, none twice.

    Raises
    ------
    UnknownNameError
        Saying which part of the text is not understood.

    Examples
    --------
    >>> values("seed=0:3,10")
    ('seed', [0, 1, 2, 10])
    >>> values("copies=(1,2),(4,8)")
    ('copies', [(1, 2), (4, 8)])
    """
    name, sign, listed = text.partition("=")
    if not sign or not name.isidentifier():
        raise UnknownNameError(f"{text!r} is given, but name=a:b or name=value,value was expected.")
    found = []
    for position, piece in enumerate(_pieces(listed), start=1):
        if not piece.strip():
            raise UnknownNameError(f"Value {position} of {name!r} is empty in {listed!r}, but a value or a range a:b was expected.")
        found += _range(name, piece.strip()) or [literal(piece.strip())]
    for position, value in enumerate(found):
        if repr(value) in map(repr, found[:position]):
            raise UnknownNameError(f"{name!r} has the value {value!r} twice, but each point of a grid is run once.")
    return name, found


def points(texts):
    """Return all points of a grid.

    Parameters
    ----------
    texts : sequence of str
        One ``name=values`` for each parameter.

    Returns
    -------
    list of dict
        The product, in the order of nested loops, the first parameter outermost.

    Raises
    ------
    UnknownNameError
        If a text is not understood, a parameter is named twice, there is none, or there are more than `LARGEST` points.

    Examples
    --------
    >>> points(["seed=0:2", "T=10"])
    [{'seed': 0, 'T': 10}, {'seed': 1, 'T': 10}]
    """
    if not texts:
        raise UnknownNameError("A sweep needs a grid: name at least one --param, e.g. --param seed=0:20.")
    axes, count = {}, 1
    for name, found in map(values, texts):
        if name in axes:
            raise UnknownNameError(f"{name!r} is given twice, but all values of a parameter belong in one --param.")
        axes[name] = found
        count *= len(found)
    if count > LARGEST:
        raise UnknownNameError(f"The grid has {count} points, but at most {LARGEST} were expected.")
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())]


def _pieces(text):
    """Split at the commas outside brackets and quotation marks."""
    pieces = []
    for part in text.split(","):
        if pieces and _is_open(pieces[-1]):
            pieces[-1] += f",{part}"
        else:
            pieces.append(part)
    return pieces


def _is_open(text):
    bare = QUOTED.sub("", text)
    return sum(map(bare.count, "([{")) > sum(map(bare.count, ")]}")) or "'" in bare or '"' in bare


def _range(name, piece):
    """The numbers of ``a:b`` or ``a:b:step``, none if the piece is no range."""
    if not re.fullmatch(r"[-\d\s]*:[-\d:\s]*", piece):
        return None
    bounds = RANGE.fullmatch(piece)
    if not bounds or bounds[3] == "0":
        raise UnknownNameError(f"{name!r} has the range {piece!r}, but a:b or a:b:step of whole numbers was expected, e.g. 0:20.")
    numbers = range(*(int(bound) for bound in bounds.groups() if bound is not None))
    if not 0 < len(numbers) <= LARGEST:
        raise UnknownNameError(f"{name!r} has the range {piece!r} of {len(numbers)} values, but 1 to {LARGEST} were expected.")
    return list(numbers)
