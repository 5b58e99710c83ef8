"""Our games as environments: PettingZoo's own tests, and the same values when they are played."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pettingzoo.test import parallel_api_test, parallel_seed_test

from marlpaper import evaluate, games


def examples():
    rng = np.random.default_rng(0)
    return [
        games.load("table-1"),
        games.load("gate"),
        games.random_game(rng, 3, 4, (2, 3, 2), zero_sum=False),
        games.random_game(rng, None, 3, (3, 2), discount=0.6, zero_sum=False),
        games.from_openspiel("goofspiel(num_cards=3,points_order=random)"),
        games.replicated(games.common_reward(rng, discount=0.5), 2, rng),
    ]


@pytest.mark.parametrize("game", examples(), ids=repr)
def test_pettingzoos_own_tests(game, recwarn):
    environment = games.to_pettingzoo(game)
    parallel_api_test(environment, num_cycles=100)
    parallel_seed_test(lambda: games.to_pettingzoo(game), num_cycles=20)
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("game", examples()[2:4], ids=repr)
def test_played_returns_are_the_values(game):
    rng = np.random.default_rng(1)
    policy, environment, returns = game.random_policy(rng), games.to_pettingzoo(game), []
    observations, _ = environment.reset(seed=2)
    for _ in range(1000):
        total = np.zeros(game.agents)
        while environment.agents:
            actions = {}
            for i, agent in enumerate(environment.agents):
                row = policy[i][tuple(np.atleast_1d(observations[agent]))]
                actions[agent] = int(rng.choice(len(row), p=row))
            observations, rewards, *_ = environment.step(actions)
            total += [rewards[agent] for agent in environment.possible_agents]
        returns.append(total)
        observations, _ = environment.reset()
    error = np.std(returns, axis=0) / np.sqrt(len(returns))
    exact = evaluate.initial_value(game, evaluate.state_values(game, policy))
    assert (np.abs(np.mean(returns, axis=0) - exact) <= 4 * error + 1e-12).all()


def test_spaces_and_the_last_step():
    environment = games.to_pettingzoo(games.load("table-1", horizon=2))
    assert environment.possible_agents == ["agent_0", "agent_1"]
    assert environment.action_space("agent_1").n == 2
    assert environment.observation_space("agent_0").nvec.tolist() == [3, 2]
    observations, _ = environment.reset(seed=0)
    assert observations["agent_0"].tolist() == [0, 0]
    for step in (1, 2):
        observations, _, over, cut, _ = environment.step({"agent_0": 0, "agent_1": 0})
        assert observations["agent_1"][0] == step
    assert over == {"agent_0": True, "agent_1": True}
    assert cut == {"agent_0": False, "agent_1": False}
    assert environment.agents == []


def test_one_game_only():
    with pytest.raises(ValueError, match=r"^game has batch axes \(2,\), expected a single game\.$"):
        games.to_pettingzoo(games.random_game(np.random.default_rng(0), 2, batch=(2,)))
    with pytest.raises(TypeError, match=r"^game is 'table-1', expected a game\.$"):
        games.to_pettingzoo("table-1")


def test_without_pettingzoo(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'gymnasium'", name="gymnasium.spaces")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"^to_pettingzoo needs PettingZoo, which is not installed: pip install 'marlpaper\[games\]'\.$"):
        games.to_pettingzoo(games.load("table-1"))


ACTIONS = (
    st.integers(-5, 9)
    | st.floats(-3, 9)
    | st.booleans()
    | st.sampled_from([None, "1", np.int64(-1), np.array([0, 1]), np.float32(1.0), float("nan")])
)


@given(ACTIONS, st.booleans())
def test_an_action_that_is_none_is_an_error_in_words(action, strict):
    environment = games.to_pettingzoo(games.load("table-1"), strict)
    environment.reset(seed=0)
    fits = isinstance(action, (int, np.integer)) and not isinstance(action, bool) and 0 <= action < 2
    if fits:
        environment.step({"agent_0": action, "agent_1": 0})
    else:
        with pytest.raises(ValueError, match=r"^actions\['agent_0'\] is .*, expected a whole number from 0 to 1\.$"):
            environment.step({"agent_0": action, "agent_1": 0})
        assert environment.step_number == 0, "nothing was played"


def test_steps_without_an_action_or_an_episode():
    environment = games.to_pettingzoo(games.load("table-1", horizon=1))
    with pytest.raises(ValueError, match=r"^the episode is over, expected a call of reset before the next step\.$"):
        environment.step({"agent_0": 0, "agent_1": 0})
    environment.reset(seed=0)
    with pytest.raises(
        ValueError, match=r"^actions lacks 'agent_1', expected one action for each of agent_0, agent_1\.$"
    ):
        environment.step({"agent_0": 0})


@settings(max_examples=20)
@given(
    st.sampled_from(
        ["goofspiel(num_cards=4,points_order=descending)", "nim(pile_sizes=1;2)", "oshi_zumo(coins=3,size=1,horizon=4)"]
    ),
    st.integers(0, 1000),
)
def test_masks_are_the_legal_actions_of_the_state_that_is_seen(name, seed):
    game = games.from_openspiel(name)
    environment, rng = games.to_pettingzoo(game, strict=True), np.random.default_rng(seed)
    seen, infos = environment.reset(seed=seed)
    while environment.agents:
        h, s = seen["agent_0"]
        actions = {}
        for i, agent in enumerate(environment.agents):
            mask, legal = infos[agent]["action_mask"], game.legal_actions[i][h, s]
            assert mask.dtype == np.int8 and (mask == (legal if legal.any() else 1)).all()
            actions[agent] = environment.action_space(agent).sample(mask)
            if not mask.all() and rng.random() < 0.2:
                illegal = int(np.flatnonzero(mask == 0)[0])
                others = {other: int(np.argmax(infos[other]["action_mask"])) for other in environment.agents}
                with pytest.raises(
                    ValueError,
                    match=rf"^actions\['{agent}'\] is {illegal}, which is not legal in state {s}, expected one of ",
                ):
                    environment.step({**others, agent: illegal})
        seen, _, _, _, infos = environment.step(actions)
