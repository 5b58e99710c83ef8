"""Families for the worst-case search of the MAML lemmas, and the worst instances found, kept in `data/worst-cases`.

`python -m marlpaper.claims.mao2023.worst_cases` searches anew (a few minutes) and keeps an instance where it is worse than the old one.
"""

import pathlib
from dataclasses import replace

import numpy as np

from marlpaper import games
from marlpaper.claims import falsify, smoothness
from marlpaper.claims.falsify import family
from marlpaper.evaluate import softmax

APART = 0.01
"""Distance of the two logits of a Lipschitz claim: small, since the ratio is largest where they meet."""

PATH = pathlib.Path(__file__).parents[3] / "data" / "worst-cases" / "mao2023-theorem-4.json"

LOGITS = ("mao2023.lemma12-i", "mao2023.lemma12-ii", "mao2023.lemma12-iii", "mao2023.lemma12-sharper")
HESSIANS = (
    "mao2023.lemma13-i",
    "mao2023.lemma13-ii",
    "mao2023.lemma13-iii",
    "mao2023.lemma13-sharper-gradient",
    "mao2023.lemma13-sharper-hessian",
    "mao2023.lemma13-visitation",
    "mao2023.lemma16",
    "mao2023.lemma16-sharper",
)
METAS = ("mao2023.lemma14", "mao2023.lemma14-sharper")
DISCOUNTS = (0.0, 0.3, 0.6, 0.9)


def _logit_shapes(actions, states):
    width = states * sum(actions)
    return {"theta": (width,), "direction": (width,)}


def _game_shapes(actions, states, discount):
    joint = (states, *actions)
    return {"reward": joint, "kernel": (*joint, states), "start": (states,), **_logit_shapes(actions, states)}


def _meta_shapes(actions, states, discount, steps):
    return _game_shapes(actions, states, discount)


@family("logits", _logit_shapes)
def logits(theta, direction, actions, states):
    r"""Two logits $\theta,\theta'$."""
    like = [np.zeros((states, count)) for count in actions]
    length = max(np.linalg.norm(direction), 1e-9)
    return softmax.unflatten(theta, like), softmax.unflatten(theta + APART * direction / length, like)


@family("common-reward", _game_shapes)
def common_reward(reward, kernel, start, theta, direction, actions, states, discount):
    """A game with the reward tanh(x) in [-1, 1] for all agents and softmax kernel and start, and two logits."""
    (moves, begins) = softmax.softmax_policy([2 * kernel, start])
    game = games.MarkovGame(np.stack([np.tanh(reward)] * len(actions)), moves, begins, discount)
    return (game, *logits(theta, direction, actions, states))


@family("maml", _meta_shapes)
def maml(reward, kernel, start, theta, direction, actions, states, discount, steps):
    """The same game as a set of one, with the inner step size of Lemma 14."""
    game, first, second = common_reward(reward, kernel, start, theta, direction, actions, states, discount)
    return games.stack([game]), first, second, steps, smoothness.inner_step(game)


def known():
    """The worst instances found so far."""
    return falsify.load(PATH)


def problems():
    """What is searched: claims, families and their settings."""
    found = [(claim, "logits", {"actions": actions, "states": 1}) for claim in LOGITS for actions in ((2, 2), (3, 3))]
    for discount in DISCOUNTS:
        found += [(claim, "common-reward", {"actions": (2, 2), "states": 2, "discount": discount}) for claim in HESSIANS]
    found += [(claim, "maml", {"actions": (2, 2), "states": 2, "discount": 0.6, "steps": steps}) for claim in METAS for steps in (1, 3)]
    return [(claim, name, {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}) for claim, name, settings in found]


def search(rng, old=(), **options):
    """Search every problem; instances of one family and setting then compete for all its claims, and old ones with them.

    Parameters
    ----------
    rng : numpy.random.Generator
    old : iterable of Instance
    **options
        Of `falsify.worst_case`.

    Returns
    -------
    list of Instance
    """
    rivals = [*old, *(falsify.worst_case(claim, name, settings, rng, **options) for claim, name, settings in problems())]
    kept = []
    for claim, name, settings in problems():
        same = [replace(item, claim=claim) for item in rivals if (item.family, item.settings) == (name, settings)]
        kept.append(max(same, key=lambda item: item.check().ratio))
    return kept


if __name__ == "__main__":
    found = search(np.random.default_rng(), known() if PATH.exists() else ())
    falsify.save(PATH, found)
    for item in found:
        print(f"{item.check().ratio:.4g}  {item.claim}  {item.settings}")
