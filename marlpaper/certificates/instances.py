"""From an instance of the search, plain data, to exact numbers: games, starts and step sizes in rationals."""

import itertools
import json
import pathlib
from fractions import Fraction

from marlpaper.certificates.balls import ball
from marlpaper.certificates.stages import Game


def read(path):
    """The JSON file with every number as the rational that its decimals say."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"), parse_float=Fraction)


def rationals(values):
    """Nested lists with every number as a rational."""
    return [rationals(part) for part in values] if isinstance(values, list) else Fraction(values)


def rows(values):
    """Distributions at the innermost lists, made to sum to 1 exactly: decimals of thirds do not."""
    if isinstance(values[0], list):
        return [rows(part) for part in values]
    exact = [Fraction(x) for x in values]
    return [x / sum(exact) for x in exact]


def at(values, indices):
    """The entry of nested lists at several indices."""
    for index in indices:
        values = values[index]
    return values


def step_size(settings):
    r"""The settings' step size times its factor, typed anew from the paper: $\frac1{8H^2}$, $\frac1{4H}$, those of Theorems 5 and 6."""
    horizon, iterations, agents = (ball(x) for x in (settings["horizon"], settings["iterations"], len(settings["actions"])))
    third = ball(Fraction(1, 3))
    rule = {
        "1/(8H²)": lambda: 1 / (8 * horizon**2),
        "1/(4H)": lambda: 1 / (4 * horizon),
        "Theorem 5": lambda: (horizon**2 * iterations * (agents - 1) ** 2) ** -third,
        "Theorem 6": lambda: ball(settings["games"]) ** (-third / 2) * (horizon**2 * iterations * agents**2) ** -third,
    }[settings["step"]]
    return ball(Fraction(settings["factor"])) * rule()


def game(settings, arrays):
    """The game of a run: zero-sum if the reward has no axis of agents."""
    actions = settings["actions"]
    joint = list(itertools.product(*map(range, actions)))
    kernel = rows(arrays["kernel"])
    places = [[{a: at(kernel, (h, s, *a)) for a in joint} for s in range(settings["states"])] for h in range(settings["horizon"])]

    def table(values, sign=1):
        return [[{a: sign * at(values, (h, s, *a)) for a in joint} for s in range(settings["states"])] for h in range(settings["horizon"])]

    reward = rationals(arrays["reward"])
    if _depth(reward) == 2 + len(actions):
        tables = [table(reward), table(reward, -1)]
    else:
        tables = [table(own) for own in reward]
    return Game(tables, places, rows(arrays["first_state"]), actions)


def sequence(settings, arrays):
    """The games of a sequence; rewards may depend on the own action alone."""
    found = []
    for reward in arrays["reward"]:
        if settings.get("alone"):
            reward = [_spread(own, agent, settings) for agent, own in enumerate(reward)]
        found.append(game(settings, arrays | {"reward": reward}))
    return found


def _spread(own, agent, settings):
    """A reward [h][s][a_i] of the own action as one over joint actions."""

    def nested(values, done):
        if len(done) == len(settings["actions"]):
            return values[done[agent]]
        return [nested(values, (*done, a)) for a in range(settings["actions"][len(done)])]

    return [[nested(values, ()) for values in step] for step in own]


def _depth(values):
    return 1 + _depth(values[0]) if isinstance(values, list) else 0


def starts(settings, arrays):
    """Stage number to the initial policies [i][(h, s)]."""
    count, places = len(settings["actions"]), list(itertools.product(range(settings["horizon"]), range(settings["states"])))
    if settings["start"] == "uniform":
        uniform = [{place: [Fraction(1, n)] * n for place in places} for n in settings["actions"]]
        return lambda stage: uniform
    tables = [rows(arrays[f"start{agent}"]) for agent in range(count)]
    staged = settings["start"] == "by stage"
    return lambda stage: [{(h, s): at(table[stage] if staged else table, (h, s)) for h, s in places} for table in tables]
