"""Random games and policies for Hypothesis, in every shape that a `MarkovGame` may have.

Hypothesis draws the shape and a seed; the numbers come from the seed, so that a failing example is short to print.
"""

import numpy as np
from hypothesis import strategies as st

from marlpaper import games

KERNELS = ("dense", "sparse", "deterministic")
BATCHES = ((), (2,), (2, 1))


def generators():
    """Random generators, each a function of a drawn seed."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def random_kernel(rng, shape, kind="dense"):
    """Random distributions over the last axis of `shape`.

    `dense`: Dirichlet rows; `sparse`: about half of the next states impossible; `deterministic`: one next state.
    """
    kernel = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    if kind == "deterministic":
        return np.eye(shape[-1])[kernel.argmax(-1)]
    if kind == "sparse":
        kernel = np.where((rng.random(shape) < 0.5) | (kernel == kernel.max(-1, keepdims=True)), kernel, 0)
    return kernel / kernel.sum(-1, keepdims=True)


def random_arrays(rng, batch, time, states, actions, kind="dense", zero_sum=False):
    """Rewards (*batch, N, *time, S, *actions), in [-1, 1], and transitions (*batch, *time, S, *actions, S)."""
    body = (*time, states, *actions)
    rewards = rng.uniform(-1, 1, (*batch, len(actions), *body))
    if zero_sum:
        first = rewards[(slice(None),) * len(batch) + (0,)]
        rewards = np.stack([first, -first], len(batch))
    return rewards, random_kernel(rng, (*batch, *body, states), kind)


@st.composite
def markov_games(draw, agents=(1, 3), states=(1, 3), actions=(1, 3), horizon=(1, 3), batches=BATCHES, discounted=None, zero_sum=False):
    """Random `MarkovGame`s: asymmetric kernels, time-dependent, any start distribution.

    Parameters
    ----------
    agents, states, actions, horizon : pair of int
        Smallest and largest number; each agent has its own number of actions.
    batches : sequence of tuple
        Batch shapes to choose from; where there is a batch, half of the games share one kernel.
    discounted : bool, optional
        Whether there is a discount (up to 0.9) in place of a horizon; default: either.
    zero_sum : bool
        Two agents with rewards that cancel.
    """
    rng = draw(generators())
    count = 2 if zero_sum else draw(st.integers(*agents))
    size = draw(st.integers(*states))
    widths = tuple(draw(st.lists(st.integers(*actions), min_size=count, max_size=count)))
    batch = draw(st.sampled_from(batches))
    endless = draw(st.booleans()) if discounted is None else discounted
    time = () if endless else (draw(st.integers(*horizon)),)
    rewards, transitions = random_arrays(rng, batch, time, size, widths, draw(st.sampled_from(KERNELS)), zero_sum)
    if batch and draw(st.booleans()):
        transitions = transitions[(0,) * len(batch)]
    start = draw(st.one_of(st.integers(0, size - 1), st.just(rng.dirichlet(np.ones(size)))))
    return games.MarkovGame(rewards, transitions, start, draw(st.floats(0, 0.9)) if endless else None)


def random_policy(rng, game, leading=None, vertices=False):
    """A policy with the given leading axes (default: the game's batch), deterministic if `vertices`."""
    leading = game.batch if leading is None else leading
    shape = (*leading, *game.time, game.states)
    mixed = [rng.dirichlet(np.ones(count), shape) for count in game.actions]
    return tuple(np.eye(x.shape[-1])[x.argmax(-1)] if vertices else x for x in mixed)


def cyclic_game(rng, horizon=None, actions=(2, 2), discount=None, states=3):
    """A game whose transposed kernel is a valid kernel too, and a different one: mixtures of cyclic shifts.

    An evaluation that reads $P(s|s')$ for $P(s'|s)$ gets wrong numbers on it, not an error.
    """
    time = () if horizon is None else (horizon,)
    shifts = np.stack([np.roll(np.eye(states), k, axis=1) for k in range(states)])
    mixture = rng.dirichlet(np.full(states, 0.5), (*time, *actions))
    kernel = np.moveaxis(np.einsum("...k,kst->...st", mixture, shifts), -2, len(time))
    rewards = rng.uniform(-1, 1, (len(actions), *time, states, *actions))
    return games.MarkovGame(rewards, kernel, rng.dirichlet(np.ones(states)), discount)


def transposed(game):
    """The same game with P(s|s') in place of P(s'|s); for `cyclic_game`s only."""
    kernel = np.swapaxes(game.transitions, len(game.time), -1)
    return games.MarkovGame(game.rewards, kernel, game.initial, game.discount)
