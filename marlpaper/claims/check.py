r"""A claim is a printed inequality; a check compares its two sides once.

A claim's function returns both sides, entry by entry (stages, steps, states, games); `check` finds the entry where
the inequality is tightest and says whether it holds there. Nothing else decides a verdict.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from marlpaper.lookup import require

ROUNDING = 1e-12
"""What long sums and products of doubles leave uncertain, relative to the largest number that went into them."""

RESOLVED = 1e-6
"""A ratio is shown only where its bound is known this well, relative to itself."""

VERDICTS = (
    "holds on all runs",
    "holds with a restriction",
    "fails as printed — repaired",
    "fails as printed",
    "vacuous here",
    "not decided by these runs",
    "states no constant",
    "not covered yet",
)


class Sides(NamedTuple):
    """The two sides of a claim, entry by entry; shapes broadcast.

    Attributes
    ----------
    measured, bound : array
    trivial : array, optional
        What is true anyway; a bound above it is vacuous.
    unmet : str
        The assumption of the claim that this instance does not meet ("" if it meets all): such a check decides nothing.
    rounding : array
        How well the difference of the sides is known, in their own units, where they come from larger numbers that cancel: mostly
        `ROUNDING` times these numbers. Entries that differ by less decide nothing. (Whatever it is, no side is known better than
        `ROUNDING` times itself.)
    """

    measured: np.ndarray
    bound: np.ndarray
    trivial: np.ndarray | None = None
    unmet: str = ""
    rounding: np.ndarray | float = 0.0


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, or our repair of one.

    Attributes
    ----------
    id : str
        `paper.name`, e.g. `mao2023.lemma8`.
    title, statement : str
        Plain words, and the inequality in Markdown with LaTeX.
    function : callable or None
        Returns `Sides`; `None` if no notebook covers the claim yet.
    repairs : str or None
        The id of the printed claim that this one mends.
    restricts : str or None
        The id of the claim of which this one is the part that holds.
    scope : str
        With `restricts`: where that claim fails and where it holds, e.g. "fails at T = 1, holds for T ≥ 2".
    proof : str or None
        Where this claim is proved: a chapter and a label in it, e.g. "mao2023-theorem-1#theorem-1-repaired".
    constant : bool
        Whether the claim names all its constants; one that does not cannot be decided by runs.
    """

    id: str
    title: str
    statement: str
    function: Callable | None = None
    repairs: str | None = None
    restricts: str | None = None
    scope: str = ""
    proof: str | None = None
    constant: bool = True

    @property
    def paper(self):
        """The paper's key, `mao2023` or `ding2022`."""
        return self.id.split(".")[0]


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes
    ----------
    claim : str
    instance : str
        What it was checked on, in words.
    parameters : dict
    measured, bound : float
        The two sides where the claim is tightest.
    ratio : float
        `measured / bound`; above 1 means violated.
    holds : bool
        Whether measured ≤ bound in every entry, up to rounding.
    vacuous : bool
        Whether the bound is above what is trivially true, in every entry.
    unmet : str
        The assumption that the instance does not meet, "" if it meets all.
    """

    claim: str
    instance: str
    measured: float
    bound: float
    ratio: float
    holds: bool
    vacuous: bool = False
    unmet: str = ""
    parameters: dict = field(default_factory=dict)

    def as_dict(self):
        """Plain dictionary, as written to `checks.json`."""
        return asdict(self)


class Registry(dict):
    """All claims by id; `registry.claim(...)` registers a function as the claim of an id."""

    def claim(self, id, title, statement, **further):
        """Decorator: the function computes both sides of the claim `id`; further attributes as in `Claim`."""

        def register(function):
            self.add(id, title, statement, function, **further)
            return function

        return register

    def add(self, id, title, statement, function=None, **further):
        """Register a claim; without a function it is listed as not covered yet."""
        if id in self:
            raise ValueError(f"the claim {id!r} is registered twice.")
        self[id] = Claim(id, title, statement, function, **further)

    def find(self, id):
        """The claim `id`.

        Raises
        ------
        UnknownNameError
            If there is none; the sentence names the closest id.
        """
        require("claim", id, self)
        return self[id]


registry = Registry()


class Comparison(NamedTuple):
    """Two sides compared entry by entry; every entry fails, is too close to tell, or holds.

    Attributes
    ----------
    ratio : array
        `measured / bound`, above 1 exactly where the entry fails: infinite where a bound of 0 or less is exceeded, 0 where the
        measured side is no more than rounding, at most 1 where the sides are too close to tell.
    fails, close : arrays of bool
        Whether measured > bound beyond the rounding error of both; whether they differ by no more than that.
    shown : array of bool
        Whether the ratio means something: entries not too close to tell, and those that are because the bound is attained.
    """

    ratio: np.ndarray
    fails: np.ndarray
    close: np.ndarray
    shown: np.ndarray


def compare(measured, bound, rounding=0.0):
    """Compare two sides, entry by entry; no number is absolute, so units do not matter.

    Parameters
    ----------
    measured, bound : arrays
        Shapes broadcast. An infinite bound holds.
    rounding : array
        As in `Sides`.

    Returns
    -------
    Comparison
    """
    measured, bound, rounding = np.broadcast_arrays(*(np.asarray(side, float) for side in (measured, bound, rounding)))
    size = np.maximum(*(np.abs(np.where(np.isfinite(side), side, 0)) for side in (measured, bound)))
    allowed = np.maximum(ROUNDING * size, rounding)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        difference = np.where(bound == np.inf, -np.inf, measured - bound)
        quotient = np.nan_to_num(measured / bound, posinf=np.inf)
    fails, close = difference > allowed, (np.abs(difference) <= allowed) & (allowed > 0)
    inside = np.where((measured > rounding) & (bound > 0), np.minimum(quotient, 1), 0)
    shown = ~close | (rounding <= RESOLVED * np.abs(bound))
    return Comparison(np.where(fails, np.where(bound > 0, quotient, np.inf), inside), fails, close, shown)


def check(id, *arguments, instance="", parameters=None, **keywords):
    """Evaluate the claim `id` and compare its two sides.

    Parameters
    ----------
    id : str
        E.g. `mao2023.lemma8`.
    *arguments, **keywords
        What the claim's function takes: mostly a recorded run.
    instance : str
        What this is, in words, for the tables.
    parameters : dict, optional
        Numbers that identify the instance.

    Returns
    -------
    Check
        Of the entry with the largest ratio. Sides without entries (a run too short to have any) decide nothing.

    Raises
    ------
    UnknownNameError
        If the id is unknown.
    ValueError
        If the claim has no function, or one of its sides is NaN.
    """
    claim = registry.find(id)
    if claim.function is None:
        problem = "is not covered yet" if claim.constant else "names no constant, so no instance decides it"
        raise ValueError(f"the claim {id!r} {problem}, expected one with a function.")
    sides = Sides(*claim.function(*arguments, **keywords))
    measured, bound, rounding = (np.asarray(side, float) for side in (sides.measured, sides.bound, sides.rounding))
    for name, side in (("measured", measured), ("bound", bound)):
        if np.isnan(side).any():
            raise ValueError(f"{name} side of {id} is NaN at entry {np.argwhere(np.isnan(side))[0].tolist()}.")
    unmet = sides.unmet
    measured, bound, rounding = np.broadcast_arrays(measured, bound, rounding)
    if measured.size == 0:
        measured = bound = rounding = np.zeros(())
        unmet = unmet or "there is no entry to compare"
    found = compare(measured, bound, rounding)
    if found.close.all():
        unmet = unmet or f"the sides {measured.flat[0]:.4g} and {bound.flat[0]:.4g} are too close to tell"
    worst = _worst(found)
    decided = ~found.close | found.close.all()
    return Check(
        claim=id,
        instance=instance,
        measured=_known(measured[worst], rounding[worst]),
        bound=_known(bound[worst], rounding[worst]),
        ratio=float(found.ratio[worst]),
        holds=not found.fails.any(),
        vacuous=sides.trivial is not None and bool(np.all((bound >= sides.trivial)[decided])),
        unmet=unmet,
        parameters=dict(parameters or {}),
    )


def _worst(found):
    """Index of the entry to report: the worst of those that fail, else of those whose ratio means something."""
    candidates = next((some for some in (found.fails, found.shown) if some.any()), np.ones(found.ratio.shape, bool))
    largest = found.ratio[candidates].max()
    # Ties up to rounding go to the first, so that every processor names the same one.
    leading = np.isposinf(found.ratio) if np.isinf(largest) else found.ratio >= largest * (1 - 1e-6)
    return np.unravel_index(np.argmax(leading & candidates), found.ratio.shape)


def _known(value, rounding):
    """A float, 0 where it is only rounding: the last digits differ from one processor to the next."""
    return float(value) if abs(value) > rounding else 0.0


def ledger(checks_by_notebook):
    """One row for each claim: its verdict over all checks, and the tightest ratio seen.

    Parameters
    ----------
    checks_by_notebook : dict of str to list of dict
        As read from the notebooks' `checks.json`.

    Returns
    -------
    list of dict
        Keys claim, paper, statement, title, repairs, restricts, scope (of a claim that holds with a restriction: where it fails and where it
        holds), function (its full name), notebook (the one that checks it most often, other than on what a search found), verdict, stands_on
        (what is behind a verdict that holds: `STANDS_ON`), proof, attacked (how many instances a search tried), worst_ratio (None for a claim
        that fails outside its scope only), searched_ratio (the largest of what a search found), instances.
    """
    rows = []
    for claim in registry.values():
        found = [(name, item) for name, items in checks_by_notebook.items() for item in items if item["claim"] == claim.id]
        items = [item for _, item in found]
        searched = [item for item in items if item.get("parameters", {}).get("searched")]
        words = verdict(claim, items)
        restricted = words == "holds with a restriction"
        notebooks = [name for name, item in found if item not in searched] or [name for name, _ in found]
        rows.append(
            {
                "claim": claim.id,
                "paper": claim.paper,
                "title": claim.title,
                "statement": claim.statement,
                "repairs": claim.repairs,
                "restricts": claim.restricts,
                "scope": next(other.scope for other in registry.values() if other.restricts == claim.id) if restricted else "",
                "function": f"{claim.function.__module__}.{claim.function.__qualname__}" if claim.function else None,
                "notebook": max(notebooks, key=notebooks.count, default=None),  # the first of those with most checks
                "verdict": words,
                "stands_on": stands_on(claim, items),
                "proof": claim.proof,
                "attacked": max((item["parameters"].get("games", 0) for item in searched), default=0),
                "worst_ratio": None if restricted else _largest_ratio(items),
                "searched_ratio": None if restricted else _largest_ratio(searched),
                "instances": len(items),
            }
        )
    return rows


def _largest_ratio(items):
    """The largest ratio of those that decide anything, None if there are none."""
    return max((float(item["ratio"]) for item in items if not item.get("unmet")), default=None)


STANDS_ON = ("proved here", "attacked", "runs only")
"""What is behind a claim that holds: a proof in this book, else a search for a violation, else the runs of the chapters."""


def stands_on(claim, checks):
    """The strongest of `STANDS_ON`, "" if the claim does not hold on all checks."""
    if verdict(claim, checks) not in ("holds on all runs", "vacuous here"):
        return ""
    if claim.proof:
        return "proved here"
    return "attacked" if any(item.get("parameters", {}).get("games") for item in checks) else "runs only"


def verdict(claim, checks):
    """The ledger's words for a list of checks of one claim, computed from them alone."""
    if not claim.constant:
        return "states no constant"
    if not checks:
        return "not covered yet"
    checks = [item for item in checks if not item.get("unmet")]
    if not checks:
        return "not decided by these runs"
    if not all(item["holds"] for item in checks):
        if any(other.restricts == claim.id for other in registry.values()):
            return "holds with a restriction"
        repaired = any(other.repairs == claim.id for other in registry.values())
        return "fails as printed — repaired" if repaired else "fails as printed"
    if all(item.get("vacuous") for item in checks):
        return "vacuous here"
    return "holds on all runs"
