"""What a game is, in each of its shapes, all validated on construction."""

from marlpaper.games.families import delayed_reward_chain, random_game
from marlpaper.games.named import describe, load, names, perturb
from marlpaper.games.tabular import MarkovGame, stack, unit_rewards, zero_sum

__all__ = ["MarkovGame", "delayed_reward_chain", "describe", "load", "names", "perturb", "random_game", "stack", "unit_rewards", "zero_sum"]
