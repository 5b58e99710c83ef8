"""A default instance for every claim, so that `marlpaper check ID` runs without further input."""

import functools

import numpy as np

from marlpaper import claims, games, learners

EXAMPLES = {}
"""Claim-id prefixes (or whole ids) to a function `id -> (arguments, words)`; the longest prefix wins."""


def example(*prefixes):
    """Decorator: the function makes the default instance of the claims whose id starts with a prefix."""

    def register(function):
        EXAMPLES.update(dict.fromkeys(prefixes, function))
        return function

    return register


def run(id):
    """Check the claim `id` on its default instance.

    Returns
    -------
    Check

    Raises
    ------
    KeyError
        If the id is unknown.
    ValueError
        If the claim is not covered yet.
    """
    claims.registry.find(id)
    matching = [prefix for prefix in EXAMPLES if id.startswith(prefix)]
    if not matching:
        raise ValueError(f"the claim {id!r} is not covered yet, expected one with a default instance.")
    arguments, words = EXAMPLES[max(matching, key=len)](id)
    return claims.check(id, *arguments, instance=words)


@example("mao2023.stage-count", "mao2023.lemma7", "mao2023.lemma8", "mao2023.lemma9", "mao2023.lemma10", "mao2023.lemma11", "mao2023.theorem1")
def random_zero_sum_run(id):
    """A recorded run of Algorithm 1 on a random game, with the order and step size that the claim is about."""
    game = games.random_game(np.random.default_rng(0), horizon=4, states=3, actions=(3, 2))
    printed = ("repaired" not in id and "precise" not in id and "free" not in id) or "printed-order" in id
    step_size = 1 / (8 * 4**2) if printed else 1 / (4 * 4)
    recorded = _recorded(game, step_size, "printed" if printed else "repaired")
    return (recorded,), "random game, 3 states, 3×2 actions, H=4, T=300, uniform start"


@functools.cache
def _recorded(game, step_size, order):
    return learners.optimistic_mirror_descent(game, 300, step_size, order=order, record=True)
