r"""Kinds of instances: a run of a learner on a game, a sequence of games, matrices, logits.

A kind draws *settings* (whole numbers, step sizes, names), says which arrays belong to them, and makes of both what a claim's
function takes. Arrays may carry a leading axis of games: thousands go through a claim in one call.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marlpaper import validation

KINDS = {}
"""Name of a kind to the `Kind`."""

LARGEST = {"horizon": 12, "states": 12, "games": 64, "iterations": 2**20, "inner": 12, "agents": 6, "samples": 1000, "power": 40}
"""The largest whole numbers that a file may ask for: an instance is small by definition."""


@dataclass(frozen=True)
class Kind:
    """How instances of one kind are made.

    Attributes
    ----------
    name : str
    settings : callable
        `(rng, options)` to a dict of plain values, drawn at random; `options` are what a claim's assumptions fix.
    arrays : callable
        Settings to a dict of `Array`.
    build : callable
        `(settings, arrays)` to the arguments of the claim's function; arrays may have a leading axis.
    refine : callable, optional
        `(settings, arrays)` to other arrays: starts nearer to an equilibrium.
    games_axis : bool
        Whether `build` takes a leading axis of games; else instances are checked one by one.
    """

    name: str
    settings: Callable
    arrays: Callable
    build: Callable
    refine: Callable | None = None
    games_axis: bool = True


def kind(name, settings, arrays, refine=None, games_axis=True):
    """Decorator: the function builds the arguments of claims of this kind."""

    def register(build):
        KINDS[name] = Kind(name, settings, arrays, build, refine, games_axis)
        return build

    return register


def in_the_long_run(rng, settings, options):
    """The settings, or in an eighth of the draws those of a long run of a tiny game: one step, one state, and what `options["long"]` lists.

    Some claims fail only after thousands of iterations, which cost too much on anything but a single matrix.
    """
    long = options.get("long")
    if not long or rng.random() > 1 / 8:
        return settings
    return settings | {"horizon": 1, "states": 1, "actions": [2, 2]} | {name: one_of(rng, values) for name, values in long.items()}


def sizes(settings):
    """Length of every axis that the settings name: actions0, actions1, ... for the agents, and the number of stages."""
    lengths = {name: settings[name] for name in ("horizon", "states", "games", "rows") if name in settings}
    lengths |= {f"actions{agent}": count for agent, count in enumerate(settings.get("actions", ()))}
    lengths |= {"agents": len(settings.get("actions", ())), "own": max(settings.get("actions", (1,)))}
    if "horizon" in settings and "iterations" in settings:
        from marlpaper.learners import stage_lengths

        lengths["stages"] = len(stage_lengths(settings["iterations"], settings["horizon"]))
    return lengths


def one_of(rng, values):
    """One of the values, as a plain Python object."""
    return values[int(rng.integers(len(values)))]


def check_settings(kind, settings):
    """Settings from a file, validated.

    Raises
    ------
    TypeError, ValueError
        One sentence that names the setting and what was expected.
    """
    expected = kind.settings(np.random.default_rng(0), {})
    if not isinstance(settings, dict) or set(settings) != set(expected):
        given = sorted(settings) if isinstance(settings, dict) else type(settings).__name__
        raise ValueError(f"settings is {given}, expected {sorted(expected)} for the kind {kind.name!r}.")
    return {name: _checked(name, value, expected[name]) for name, value in settings.items()}


def _checked(name, value, like):
    """`value`, of the type of the value `like` that the kind draws itself."""
    if isinstance(like, bool):
        return validation.choice(name, value, (True, False)) and True
    if isinstance(like, str):
        return validation.choice(name, value, WORDS[name])
    if isinstance(like, list):
        if not isinstance(value, list) or not 1 <= len(value) <= LARGEST["agents"]:
            raise ValueError(f"{name} is {value!r}, expected a list of 1 to {LARGEST['agents']} whole numbers.")
        return [_whole(f"{name}[{index}]", part, 12) for index, part in enumerate(value)]
    if isinstance(like, int):
        return _whole(name, value, LARGEST.get(name, 64))
    number = float(validation.array(name, value))
    low, high = RANGES.get(name, (0, np.inf))
    if not low <= number <= high:
        raise ValueError(f"{name} is {number:g}, expected a number in [{low:g}, {high:g}].")
    return number


def _whole(name, value, high):
    value = validation.whole(name, value, 1)
    if value > high:
        raise ValueError(f"{name} is {value}, expected a whole number in 1..{high}.")
    return value


WORDS = {
    "order": ("printed", "repaired"),
    "start": ("uniform", "constant", "by stage"),
    "structure": ("common", "action-free"),
}
"""The values that settings made of words may have; kinds add theirs."""

RANGES = {"low": (-1, 0), "discount": (0, 0.9999), "factor": (1e-12, 1e6), "alpha": (0, 1), "apart": (0, 10), "tolerance": (1e-6, 1e3), "exploration": (0, 1)}
"""Ranges of the settings that are numbers."""
