"""Games of this package as environments of PettingZoo, for learners that see samples instead of tables."""

import importlib

from marlpaper import validation


def to_pettingzoo(game, strict=False):
    r"""A game as a PettingZoo `ParallelEnv`.

    Agents are called `agent_0`, `agent_1`, ...; they all observe the state, and in a game with a horizon also the step, and choose among
    their actions. A game with a discount ends after each step with probability $1-\gamma$, and rewards are paid in full: expected sums of rewards are
    the values of this package, in both kinds of games.

    Parameters
    ----------
    game : MarkovGame
        A single game.
    strict : bool
        Whether an action that the mask forbids is an error. Otherwise it does what the game's table says, in a
        `SpielGame` the same as a legal one.

    Returns
    -------
    pettingzoo.ParallelEnv
        `reset(seed=...)` starts the random numbers anew. Observations: the state, `Discrete(S)`; with a horizon, step and state,
        `MultiDiscrete([H + 1, S])`, where step $H$ (counted from 0) is seen once all is over. `info["action_mask"]`
        says which actions are legal in the state that is seen: all, unless the game has `legal_actions`.
        `action_space(agent).sample(mask)` draws from them. A step with an action that is not in the action space is a
        `ValueError`.

    Raises
    ------
    ModuleNotFoundError
        If PettingZoo is not installed.
    TypeError, ValueError
        If `game` is not a single game.
    """
    validation.game("game", game)
    if game.batch:
        raise ValueError(f"game has batch axes {game.batch}, expected a single game.")
    try:
        parallel = importlib.import_module("marlpaper.games._parallel")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pettingzoo", "gymnasium"):
            raise
        raise ModuleNotFoundError("to_pettingzoo needs PettingZoo, which is not installed: pip install 'marlpaper[games]'.", name=error.name) from None
    return parallel.GameEnvironment(game, bool(strict))
