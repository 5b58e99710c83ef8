r"""A game of one's own: what kind it is, which learner suits it, and how far from equilibrium that learner gets.

`solve` puts the pieces of the package together with defaults that suit most games; each piece is there to be used on its own.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marlpaper import evaluate, learners, validation
from marlpaper.games.potential import PotentialGame
from marlpaper.games.tabular import MarkovGame, shifted
from marlpaper.lookup import require

POTENTIAL_TOLERANCE = 1e-10
"""Below this the 4-cycle defect is rounding, unless the rewards themselves have fewer digits."""
DEFECT_ROUNDING = 16
"""How often the rounding of single rewards goes into the 4-cycle defect, which adds up many."""
CHECKPOINTS = 8
SAME_RANGE = 1e-6
"""Ranges of payoffs that differ by a smaller part are the same."""


@dataclass(frozen=True)
class Kind:
    """What is special about a game.

    Attributes
    ----------
    zero_sum, common_reward : bool
        Two agents whose rewards cancel, perhaps after a shift; all agents with the same reward.
    potential_defect : float
        `evaluate.potential_defect`, 0 up to rounding iff the game is a Markov potential game.
    rounding : float
        The rounding of single rewards, as a part of their spread.
    constant_sum : bool
        Zero-sum only after a shift: the rewards of two agents add up to a constant at each step.
    """

    zero_sum: bool
    common_reward: bool
    potential_defect: float
    rounding: float = 0.0
    constant_sum: bool = False

    @property
    def potential(self):
        """Whether the 4-cycle test finds a Markov potential game."""
        return self.potential_defect <= max(POTENTIAL_TOLERANCE, DEFECT_ROUNDING * self.rounding)

    def __str__(self):
        cancel = "constant-sum: zero-sum after a shift" if self.constant_sum else "zero-sum"
        special = [name for name, holds in ((cancel, self.zero_sum), ("common reward", self.common_reward)) if holds]
        defect = "0 up to rounding" if self.potential else f"{self.potential_defect:.2g}"
        special.append(f"{'a' if self.potential else 'not a'} Markov potential game (4-cycle defect {defect})")
        return ", ".join(special)


@dataclass(frozen=True)
class Method:
    """A learner as `solve` knows it.

    Attributes
    ----------
    learn : callable
        `learn(game, iterations, step_size, checkpoints=...)` returns a `Run`.
    unsuited : callable
        From a game to the reason why it does not fit, or `None`.
    step_size : callable
        From a game to the default step size of agents whose returns have a spread of 1.
    rule : str
        The default step size in words.
    gap, output : str
        What `Run.gaps` measures, and of what.
    covered : callable
        From a game and its `Kind` to whether a theorem of the papers covers the learner there.
    agent_gaps : callable or None
        From a `Run` to what each agent gains by its best deviation at the checkpoints, (C, N), of which the gap is
        the largest. `None` for two agents whose ranges are the same, as they are in zero-sum games.
    """

    learn: Callable
    unsuited: Callable
    step_size: Callable
    rule: str
    gap: str
    output: str
    covered: Callable
    agent_gaps: Callable | None


@dataclass(frozen=True, eq=False)
class Solution:
    """What `solve` leaves.

    Attributes
    ----------
    game : MarkovGame
    kind : Kind
    learner : str
    step_size : float or tuple of N floats
        A tuple if the agents' payoffs have ranges of their own.
    run : Run
        Evaluated at about eight iterations, the last one included.
    policy : tuple of N arrays (H, S, A_i)
        The learner's output; for `correlated-mirror-descent` each agent's own average, as the certified policy
        (`run.certified`) is correlated.
    ranges : array (N,)
        The `spreads` of the agents' returns.
    relative_gaps : array (C,)
        The gaps at the checkpoints with every agent's gain as a part of its own range of returns.
    """

    game: MarkovGame
    kind: Kind
    learner: str
    step_size: float | tuple
    run: learners.Run
    policy: tuple
    ranges: np.ndarray
    relative_gaps: np.ndarray

    @property
    def gap(self):
        """The gap at the last checkpoint, in the units of the rewards."""
        return float(self.run.gaps[-1])


def kind_of(game, rng):
    """What kind of game a single game is.

    Parameters
    ----------
    game : MarkovGame
        Without batch axes.
    rng : numpy.random.Generator
        Draws the policies of the 4-cycle test.

    Returns
    -------
    Kind
    """
    _single(game)
    defect = float(evaluate.potential_defect(game, validation.generator("rng", rng)))
    common = game.agents > 1 and bool(np.ptp(game.rewards, axis=0).max() <= game.rounding)
    constant = not game.is_zero_sum and game.constant_sum is not None
    widest = np.ptp(game.rewards.reshape(game.agents, -1), axis=1).max()
    return Kind(
        game.is_zero_sum or constant, common, defect, float(game.rounding / widest) if widest > 0 else 0.0, constant
    )


def spreads(game):
    r"""The largest possible difference of two returns of each agent: $(\max r_i-\min r_i)\,H$, or $/(1-\gamma)$; 1
    for an agent whose rewards all are equal.

    Parameters
    ----------
    game : MarkovGame
        A single game or a batch, of which all games count.

    Returns
    -------
    array (N,)
    """
    length = game.horizon if game.discount is None else 1 / (1 - game.discount)
    own = np.ptp(np.moveaxis(game.rewards, len(game.batch), 0).reshape(game.agents, -1), axis=1)
    return np.where(own > 0, own, 1 / length) * length


def spread(game):
    """The largest of `spreads`, over agents whose rewards are not all equal; 1 if all are."""
    varied = np.ptp(np.moveaxis(game.rewards, len(game.batch), 0).reshape(game.agents, -1), axis=1) > 0
    return float(spreads(game)[varied].max()) if varied.any() else 1.0


def default_learner(game, kind):
    """The learner that a theorem of the papers covers on this kind of game, else the nearest to one."""
    if kind.zero_sum and game.horizon is not None:
        return "optimistic-mirror-descent"
    if kind.zero_sum and _tabular(game) is None:
        return "optimistic-q-ascent"
    return "q-ascent" if kind.potential or game.horizon is None else "correlated-mirror-descent"


def solve(game, learner=None, iterations=1000, step_size=None, rng=None):
    """Run a learner on a game from the uniform policy.

    Parameters
    ----------
    game : MarkovGame
        A single game.
    learner : str, optional
        One of `METHODS`; default: `default_learner`.
    iterations : int
        At least 1.
    step_size : float or tuple of N floats, optional
        Positive; default: the rule of the learner, a part of each agent's own `spreads`, which works on most games,
        in whatever units, and is much larger than what the theorems assume.
    rng : numpy.random.Generator, optional
        For the 4-cycle test of `kind_of`; default: seed 0.

    Returns
    -------
    Solution

    Raises
    ------
    UnknownNameError
        If there is no such learner.
    TypeError, ValueError
        If the learner does not suit the game, or a setting is out of range.
    """
    game = _single(game)
    iterations = validation.whole("iterations", iterations, 1)
    kind = kind_of(game, np.random.default_rng(0) if rng is None else rng)
    learner = default_learner(game, kind) if learner is None else learner
    require("learner", learner, METHODS)
    method = METHODS[learner]
    played = shifted(game) if kind.constant_sum else game
    reason = method.unsuited(played)
    if reason:
        fitting = [name for name, other in METHODS.items() if not other.unsuited(played)]
        raise ValueError(f"learner is {learner!r}, which needs {reason}, but the game is {game!r}: expected one of {', '.join(fitting)}.")
    ranges = spreads(game)
    if step_size is None:
        step_size = _default_step(method, game, ranges)
    elif not isinstance(step_size, tuple):
        step_size = validation.positive("step_size", step_size)
    run = method.learn(played, iterations, step_size, checkpoints=checkpoints(iterations))
    policy = run.policy if run.average_policy is None else run.average_policy
    relative = run.gaps / ranges[0] if method.agent_gaps is None else (method.agent_gaps(run) / ranges).max(-1)
    return Solution(game, kind, learner, step_size, run, policy, ranges, relative)


def _default_step(method, game, ranges):
    """One number, or one for each agent where their ranges differ by more than rounding; what all pay alike needs no
    step."""
    varied = np.ptp(game.rewards.reshape(game.agents, -1), axis=1) > 0
    if not varied.any() or np.ptp(ranges[varied]) <= SAME_RANGE * ranges[varied].max():
        return method.step_size(game) / spread(game)
    return tuple(float(step) for step in method.step_size(game) / ranges)


def checkpoints(iterations, count=CHECKPOINTS):
    """About `count` iterations from 1 to the last, evenly spread on a logarithmic scale."""
    return sorted({int(t) for t in np.rint(np.geomspace(1, iterations, count))})


def _single(game):
    validation.game("game", game)
    if getattr(game, "batch", ()):
        raise ValueError(f"game has batch axes {game.batch}, expected a single game.")
    if not hasattr(game, "rewards"):
        raise ValueError(
            f"game is {game!r}, expected one with a table of rewards: learners.optimistic_mirror_descent learns "
            f"river endgames."
        )
    return game


def _zero_sum(game):
    return None if game.is_zero_sum and game.horizon is not None else "a zero-sum game with a finite horizon"


def _finite(game):
    return None if game.horizon is not None else "a game with a finite horizon"


def _tabular(game):
    fits = game.discount is not None and type(game) in (MarkovGame, PotentialGame)
    return None if fits else "a discounted game with a transition table"


def _any(game):
    return None


def _always(game, kind):
    return True


def _on_potential_games(game, kind):
    return kind.potential


def _on_two_player_games(game, kind):
    return game.agents == 2 and (kind.zero_sum or kind.common_reward)


def _mirror_step(game):
    return 4


def _optimistic_step(game):
    return 1


def _ascent_step(game):
    return 1 / game.agents


def _gradient_step(game):
    return _ascent_step(game) * (1 if game.discount is None else 1 - game.discount)


def _gains(run):
    return evaluate.agent_gaps(run.game, run.trajectory)


def _gains_of_certified(run):
    return np.stack([evaluate.agent_cce_gaps(run.game, run.certified.after(t)) for t in run.checkpoints])


LARGEST_GAP = "NE-gap, largest of the agents"
METHODS = {
    "optimistic-mirror-descent": Method(
        learners.optimistic_mirror_descent,
        _zero_sum,
        _mirror_step,
        "4 / spread of returns",
        "NE-gap, summed over the agents",
        "average policy",
        _always,
        None,
    ),
    "correlated-mirror-descent": Method(
        learners.correlated_mirror_descent,
        _finite,
        _mirror_step,
        "4 / spread of returns",
        "CCE-gap, largest of the agents",
        "certified correlated policy",
        _always,
        _gains_of_certified,
    ),
    "optimistic-q-ascent": Method(
        functools.partial(learners.optimistic_q_ascent, record=True),
        _tabular,
        _optimistic_step,
        "1 / spread of returns",
        LARGEST_GAP,
        "last policy",
        _on_two_player_games,
        _gains,
    ),
    "q-ascent": Method(
        functools.partial(learners.q_ascent, record=True),
        _any,
        _ascent_step,
        "1 / (agents x spread of returns)",
        LARGEST_GAP,
        "last policy",
        _on_potential_games,
        _gains,
    ),
    "policy-gradient": Method(
        functools.partial(learners.policy_gradient, record=True),
        _any,
        _gradient_step,
        "(1 - discount) / (agents x spread of returns)",
        LARGEST_GAP,
        "last policy",
        _on_potential_games,
        _gains,
    ),
}
"""The learners that `solve` knows, by name."""
