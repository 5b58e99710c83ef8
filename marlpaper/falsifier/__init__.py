r"""A search for the largest ratio measured/bound of any claim of the ledger, and for the smallest counterexample.

A *kind* says what a claim takes: which numbers describe it (a `Case`, plain data), how these numbers are drawn, and how they
become the claim's arguments. One table, `assignments.ASSIGNED`, gives every claim its kind and the step size its assumptions need;
nothing else here knows any claim. `search` draws games by the thousand, keeps the worst and improves them by random changes; `shrink`
takes away what the worst instance does not need.
"""

from marlpaper.falsifier.assignments import assigned
from marlpaper.falsifier.instances import Case, load, save
from marlpaper.falsifier.search import Found, all_trials, search
from marlpaper.falsifier.shrink import shrink
from marlpaper.falsifier.store import known, path_of

__all__ = ["Case", "Found", "all_trials", "assigned", "known", "load", "path_of", "save", "search", "shrink"]
