r"""Random and guided search for the largest ratio of a claim's two sides.

A search is cut into *chunks*. Each draws settings once and games by the hundred, keeps the worst tenth, and tries random changes of
these in further rounds, smaller from round to round. A chunk has a seed of its own, spawned from the search's, and the best chunk is the first
with the largest ratio: the same instance is found by any number of processes.
"""

import contextlib
import time
from dataclasses import dataclass

import numpy as np

from marlpaper import parallel, validation
from marlpaper.claims import registry
from marlpaper.claims.check import Check, Sides, compare
from marlpaper.falsifier.assignments import assigned
from marlpaper.falsifier.instances import Case
from marlpaper.falsifier.kinds import KINDS, sizes

SIDE_BY_SIDE = 251
"""Games in one call: a prime that no other axis is as long as, so that the axis of games is found by its length."""

WIDE = 1009
"""Games in one call of a run of `LONG` iterations or more: an iteration costs little more for a thousand games than for a hundred."""

LONG = 4096
ONE_BY_ONE = 23
SCALES = (0.5, 0.2, 0.05)
"""Size of the changes in the rounds after the first."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    instance : Case
        The worst one, as drawn: see `shrink`.
    check : Check
        Of the claim on it.
    games : int
        How many instances were tried.
    violations : int
        How many of them violate the claim.
    undecided : int
        How many do not meet its assumptions, or leave a side that is no number.
    """

    instance: Case
    check: Check
    games: int
    violations: int
    undecided: int


@dataclass(frozen=True)
class _Best:
    """The worst instance of a chunk: ratio, and what breaks ties between infinite ones."""

    score: tuple
    settings: dict
    arrays: dict
    games: int
    violations: int
    undecided: int


def all_trials(claim, trials):
    """How many instances of a claim are tried where `trials` of every claim are meant: a fiftieth if they are checked one by one."""
    return trials if KINDS[assigned(claim).kind].games_axis else max(trials // 50, 1)


def search(claim, trials=10_000, seed=0, budget=None, jobs=1, scheduler=None, first=False, **fixed):
    """Search for the largest measured/bound of a claim.

    Parameters
    ----------
    claim : str
    trials : int
        Instances to try, rounded up to whole chunks.
    seed : int
    budget : float, optional
        Seconds after which no further chunk is begun; what is found then depends on the speed of the machine.
    jobs : int
        Processes; the result does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, in place of `jobs`; the result is the same.
    first : bool
        Whether to stop after the first round of a chunk that has a violation.
    **fixed
        Settings that every instance shall have, e.g. `iterations=1000`.

    Returns
    -------
    Found

    Raises
    ------
    UnknownNameError, ValueError
        If the claim is unknown, has no kind of instances, or no instance decides it; if a fixed setting is none of the kind's.
    """
    trials, jobs = validation.whole("trials", trials, 1), validation.whole("jobs", jobs, 1)
    budget = np.inf if budget is None else validation.positive("budget", budget)
    kind = KINDS[assigned(claim).kind]
    unknown = sorted(set(fixed) - set(kind.settings(np.random.default_rng(0), {})))
    if unknown:
        raise ValueError(f"{unknown[0]} is fixed, expected a setting of the kind {kind.name!r}.")
    rounds, width = len(SCALES) + 1, SIDE_BY_SIDE if kind.games_axis else ONE_BY_ONE
    chunks = -(-trials // (rounds * width))
    tasks = [(claim, seed, width, fixed, first) for seed in np.random.SeedSequence(validation.whole("seed", seed, 0)).spawn(chunks)]
    found = parallel.ordered(_chunk, _in_time(tasks, budget), min(jobs, chunks), scheduler)
    with contextlib.closing(found):
        return _collect(claim, found, rounds * width * chunks, {"seed": seed}, first)


def _collect(claim, found, total, origin, first):
    """The best of all chunks, in their order; counts added up."""
    best, games, violations, undecided = None, 0, 0, 0
    from tqdm import tqdm

    with tqdm(total=total, unit="game", unit_scale=True, disable=None) as bar:
        for chunk in found:
            if best is None or chunk.score > best.score:
                best = chunk
            games, violations, undecided = games + chunk.games, violations + chunk.violations, undecided + chunk.undecided
            bar.update(chunk.games)
            if first and violations:
                break
    if best is None or best.score[0] < 0:
        raise ValueError(f"none of {games} instances decides the claim {claim!r}.")
    search = origin | {"games": games, "violations": violations}
    instance = Case(claim, assigned(claim).kind, best.settings, best.arrays, search)
    return Found(instance, instance.check(), games, violations, undecided)


def _in_time(tasks, budget):
    """The tasks, as long as the budget lasts (the first one always)."""
    end = time.monotonic() + budget
    for number, task in enumerate(tasks):
        if number and time.monotonic() > end:
            return
        yield task


def _chunk(task):
    """One chunk: settings, random games, rounds of changes to the worst of them."""
    claim, seed, width, fixed, first = task
    rng, assignment = np.random.default_rng(seed), assigned(claim)
    kind = KINDS[assignment.kind]
    settings = kind.settings(rng, assignment.options) | fixed
    if kind.games_axis and settings.get("iterations", 0) >= LONG:
        width = WIDE
    expected, lengths = kind.arrays(settings), sizes(settings)
    arrays = {name: array.draw(rng, width, lengths) for name, array in expected.items()}
    pool, counts, rounds = None, np.zeros(2, int), 0
    for scale in (None, *SCALES):
        if scale is not None:
            arrays = _changed(rng, kind, settings, expected, pool[2], scale, width)
        ratios, excess, decided = scores(claim, kind, settings, arrays)
        counts += [(excess > 0).sum(), (~decided).sum()]
        pool = _worst(pool, ratios, excess, arrays, max(width // 10, 2))
        rounds += 1
        if first and counts[0]:
            break
    ratios, excess, arrays = pool
    worst = {name: values[0] for name, values in arrays.items()}
    tried = (width if worst else 1) * rounds
    return _Best((ratios[0], excess[0]), settings, worst, tried, *map(int, counts))


def _changed(rng, kind, settings, expected, parents, scale, width):
    """Random changes of the worst games so far; in every second round of a third of them with starts nearer to an equilibrium."""
    count = len(next(iter(parents.values()))) if parents else 0
    chosen = rng.integers(0, count, width) if count else None
    arrays = {name: expected[name].change(rng, values[chosen], scale) for name, values in parents.items()}
    if kind.refine is None:
        return arrays
    nearer = kind.refine(settings, arrays)
    share = rng.random(width) < 1 / 3
    return {name: np.where(share.reshape((-1,) + (1,) * (values.ndim - 1)), nearer[name], values) for name, values in arrays.items()}


def _worst(pool, ratios, excess, arrays, keep):
    """The worst games of the pool and of a round, worst first; earlier games win ties."""
    if pool is not None:
        ratios, excess = np.concatenate([pool[0], ratios]), np.concatenate([pool[1], excess])
        arrays = {name: np.concatenate([pool[2][name], values]) for name, values in arrays.items()}
    order = np.lexsort((-excess, -ratios))[:keep]
    return ratios[order], excess[order], {name: values[order] for name, values in arrays.items()}


def scores(claim, kind, settings, arrays):
    """Ratio, violation and whether it decides, of every instance of a batch.

    Returns
    -------
    ratios : array (games,)
        Largest ratio; -1 where the instance decides nothing.
    excess : array (games,)
        How far the measured side is above the bound beyond rounding, 0 where the claim holds.
    decided : array of bool (games,)
    """
    count = len(next(iter(arrays.values()))) if arrays else 1
    if kind.games_axis:
        return _scores_of(_sides(claim, kind, settings, arrays), count)
    singles = [_sides(claim, kind, settings, {name: values[index] for name, values in arrays.items()}) for index in range(count)]
    parts = [_scores_of(sides and tuple(side[..., None] for side in sides), 1) for sides in singles]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _sides(claim, kind, settings, arrays):
    """Both sides and how well they are known, broadcast; None if the assumptions are not met."""
    with np.errstate(all="ignore"):
        sides = Sides(*registry.find(claim).function(*kind.build(settings, arrays)))
    if sides.unmet:
        return None
    return np.broadcast_arrays(*(np.asarray(side, float) for side in (sides.measured, sides.bound, sides.rounding)))


def _scores_of(sides, count):
    """Scores from both sides, whose axis of games is the one as long as there are games."""
    if sides is None or sides[0].size == 0:
        return np.full(count, -1.0), np.zeros(count), np.zeros(count, bool)
    measured, bound, rounding = (_games_last(side, count) for side in sides)
    found = compare(measured, bound, rounding)
    valid = ~(np.isnan(measured) | np.isnan(bound)).any(0) & ~found.close.all(0)
    # What is too close to tell leads no search, and hides no entry that tells.
    ratios = np.where(found.shown, found.ratio, -1.0).max(0)
    with np.errstate(all="ignore"):
        above = np.where(found.fails, measured - bound, 0).max(0)
    return np.where(valid, ratios, -1.0), np.where(valid, above, 0.0), valid


def _games_last(side, count):
    """(entries, games); a side without an axis of games is the same for all of them."""
    if count not in side.shape:
        return np.broadcast_to(side.reshape(-1, 1), (side.size, count))
    return np.moveaxis(side, side.shape.index(count), -1).reshape(-1, count)
