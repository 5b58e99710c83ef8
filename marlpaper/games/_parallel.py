"""The environment behind `to_pettingzoo`: apart, because it cannot be defined without PettingZoo."""

import numbers

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from pettingzoo import ParallelEnv


class GameEnvironment(ParallelEnv):
    """One game, played by sampling. See `to_pettingzoo`."""

    metadata = {"name": "marlpaper_game_v0", "render_modes": []}
    render_mode = None

    def __init__(self, game, strict):
        self.game, self.strict = game, strict
        self.possible_agents = [f"agent_{i}" for i in range(game.agents)]
        self.agents = []
        seen = Discrete(game.states) if game.horizon is None else MultiDiscrete([game.horizon + 1, game.states])
        self.observation_spaces = dict.fromkeys(self.possible_agents, seen)
        self.action_spaces = {agent: Discrete(count) for agent, count in zip(self.possible_agents, game.actions, strict=True)}
        self.rng = np.random.default_rng()

    def observation_space(self, agent):
        """What an agent may see."""
        return self.observation_spaces[agent]

    def action_space(self, agent):
        """What an agent may do."""
        return self.action_spaces[agent]

    def reset(self, seed=None, options=None):
        """Start an episode; with a seed, one that can be repeated."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self.step_number, self.position = 0, self._drawn(self.game.initial)
        return self._observations(), self._infos()

    def step(self, actions):
        """Play one joint action: observations, rewards, terminations, truncations, infos."""
        if not self.agents:
            raise ValueError("the episode is over, expected a call of reset before the next step.")
        where = (self.position, *(self._checked(actions, agent) for agent in self.agents))
        timed = self.game.horizon is not None
        index = (self.step_number, *where) if timed else where
        rewards = {agent: float(self.game.rewards[(i, *index)]) for i, agent in enumerate(self.agents)}
        self.position = self._drawn(self.game.transitions[index])
        self.step_number += 1
        over = self.step_number == self.game.horizon if timed else self.rng.random() >= self.game.discount
        answer = (
            self._observations(),
            rewards,
            dict.fromkeys(self.agents, bool(over)),
            dict.fromkeys(self.agents, False),
            self._infos(),
        )
        if over:
            self.agents = []
        return answer

    def _checked(self, actions, agent):
        """An agent's action, if it is one of its space and, where that is asked for, legal in this state."""
        if agent not in actions:
            raise ValueError(f"actions lacks {agent!r}, expected one action for each of {', '.join(self.agents)}.")
        given, count = actions[agent], self.action_spaces[agent].n
        value = given.item() if isinstance(given, np.ndarray | np.generic) and given.size == 1 else given
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= value < count:
            raise ValueError(f"actions[{agent!r}] is {given!r}, expected a whole number from 0 to {count - 1}.")
        mask = self._mask(agent)
        if self.strict and not mask[value]:
            legal = ", ".join(map(str, np.flatnonzero(mask)))
            raise ValueError(
                f"actions[{agent!r}] is {value}, which is not legal in state {self.position}, expected one of {legal}."
            )
        return int(value)

    def _mask(self, agent):
        """Which actions are legal now, as PettingZoo wants it: int8 (A_i,); all where the game says nothing, or
        nothing can be done."""
        everything = np.ones(self.action_spaces[agent].n, np.int8)
        known = getattr(self.game, "legal_actions", None)
        if known is None or self.step_number == self.game.horizon:
            return everything
        mask = known[self.possible_agents.index(agent)][self.step_number, self.position].astype(np.int8)
        return mask if mask.any() else everything

    def _infos(self):
        return {agent: {"action_mask": self._mask(agent)} for agent in self.agents}

    def _drawn(self, chances):
        return int(self.rng.choice(len(chances), p=chances / chances.sum()))

    def _observations(self):
        seen = np.int64(self.position) if self.game.horizon is None else np.array([self.step_number, self.position])
        return {agent: seen.copy() for agent in self.agents}
