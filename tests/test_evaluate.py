"""Evaluation against plain loops over trajectories and deterministic policies, and against OpenSpiel."""

import itertools

import numpy as np
import oracles
import pytest
import strategies
from hypothesis import given, settings
from numpy.testing import assert_allclose

from marlpaper import evaluate, games

TINY = {"states": (1, 2), "actions": (1, 2), "horizon": (1, 2), "batches": ((),)}
close = {"rtol": 0, "atol": 1e-11}

SHAPES = [(actions, horizon) for actions in ((2,), (2, 3), (2, 2, 2)) for horizon in (2, None)]


def cyclic(actions, horizon, seed=0):
    """A game of three states whose transposed kernel is another valid kernel, and a policy for it."""
    rng = np.random.default_rng(seed)
    game = strategies.cyclic_game(rng, horizon, actions, None if horizon else 0.8)
    return game, strategies.random_policy(rng, game)


def evaluations(game, policy):
    """All that `evaluate` says of a single game."""
    return {
        "state_values": evaluate.state_values(game, policy),
        "averaged_q": np.concatenate([q.ravel() for q in evaluate.averaged_q(game, policy)]),
        "best_response_values": evaluate.best_response_values(game, policy),
        "agent_gaps": evaluate.agent_gaps(game, policy),
    }


def looped(game, policy):
    """The same by the loops of `oracles`."""
    return {
        "state_values": oracles.looped_values(game, policy),
        "averaged_q": np.concatenate([oracles.looped_q(game, policy, agent).ravel() for agent in range(game.agents)]),
        "best_response_values": oracles.enumerated_best_response(game, policy),
        "agent_gaps": oracles.enumerated_gaps(game, policy),
    }


@settings(max_examples=30)
@given(strategies.markov_games(**TINY), strategies.generators())
def test_values_q_and_best_responses_match_enumeration(game, rng):
    policy = strategies.random_policy(rng, game, vertices=rng.random() < 0.3)
    expected = looped(game, policy)
    for name, value in evaluations(game, policy).items():
        assert_allclose(value, expected[name], **close, err_msg=name)


@pytest.mark.parametrize(("actions", "horizon"), SHAPES)
def test_asymmetric_kernel_and_its_transpose(actions, horizon):
    game, policy = cyclic(actions, horizon)
    expected = looped(game, policy)
    mutated = evaluations(strategies.transposed(game), policy)
    for name, value in evaluations(game, policy).items():
        assert_allclose(value, expected[name], **close, err_msg=name)
        assert not np.allclose(mutated[name], expected[name], rtol=0, atol=1e-4), f"{name} does not notice a transposed kernel"


@pytest.mark.parametrize("actions", [(2,), (2, 2), (2, 1, 2)])
def test_trajectories(actions):
    game, policy = cyclic(actions, 3, seed=1)
    values, visits = oracles.trajectory_values(game, policy), oracles.trajectory_visitation(game, policy)
    assert_allclose(evaluate.state_values(game, policy), values, **close)
    assert_allclose(oracles.looped_values(game, policy), values, **close)
    assert_allclose(evaluate.visitation(game, policy), visits, **close)
    mutated = strategies.transposed(game)
    assert not np.allclose(evaluate.state_values(mutated, policy), values, rtol=0, atol=1e-4)
    assert not np.allclose(evaluate.visitation(mutated, policy), visits, rtol=0, atol=1e-4)


@settings(max_examples=20)
@given(strategies.markov_games(discounted=True, batches=((),)), strategies.generators())
def test_discounted_visitation_is_the_discounted_sum(game, rng):
    policy = strategies.random_policy(rng, game)
    now, visits = game.initial.tolist(), np.zeros(game.states)
    for time in range(oracles.SWEEPS):
        visits += (1 - game.discount) * game.discount**time * np.array(now)
        if game.discount**time < 1e-17:
            break
        after = [0.0] * game.states
        for s, joint in itertools.product(range(game.states), oracles.joint_actions(game)):
            chance = now[s] * oracles.chance_of(policy, s, joint)
            for following in range(game.states):
                after[following] += chance * game.transitions[(s, *joint, following)]
        now = after
    assert_allclose(evaluate.visitation(game, policy), visits, **close)


@pytest.mark.parametrize("horizon", [2, None])
def test_discounted_visitation_notices_a_transposed_kernel(horizon):
    game, policy = cyclic((2, 2), horizon, seed=2)
    assert np.abs(evaluate.visitation(game, policy) - evaluate.visitation(strategies.transposed(game), policy)).max() > 1e-3


@settings(max_examples=15)
@given(strategies.markov_games(**TINY), strategies.generators())
def test_the_three_aggregates_of_the_gap(game, rng):
    policy = strategies.random_policy(rng, game)
    gaps = oracles.enumerated_gaps(game, policy)
    for aggregate, value in {"sum": sum(gaps), "max": max(gaps), "mean": sum(gaps) / len(gaps)}.items():
        assert_allclose(evaluate.nash_gap(game, policy, aggregate), value, **close)
    assert evaluate.nash_gap(game, policy) == evaluate.nash_gap(game, policy, "sum")


@settings(max_examples=20)
@given(strategies.markov_games(discounted=False, zero_sum=True), strategies.generators())
def test_zero_sum_gap_is_the_gap_of_the_paper(game, rng):
    policy = strategies.random_policy(rng, game)
    attack, defence = np.moveaxis(evaluate.initial_value(game, evaluate.best_response_values(game, policy)), -1, 0)
    assert_allclose(evaluate.nash_gap(game, policy), attack + defence, rtol=0, atol=1e-10)
    assert np.all(evaluate.nash_gap(game, policy) >= -1e-12)


@settings(max_examples=30)
@given(strategies.markov_games(), strategies.generators())
def test_batched_equals_single(game, rng):
    policy = strategies.random_policy(rng, game)
    whole = evaluations_batched(game, policy)
    for index in np.ndindex(game.batch):
        single = game[index] if game.batch else game
        alone = evaluations_batched(single, [part[index] for part in policy])
        for name, value in alone.items():
            assert_allclose(whole[name][index], value, rtol=0, atol=1e-12, err_msg=name)


@settings(max_examples=30)
@given(strategies.markov_games(batches=((), (2,))), strategies.generators())
def test_extra_leading_policy_axes(game, rng):
    policy = strategies.random_policy(rng, game, leading=(3, *game.batch))
    whole = evaluations_batched(game, policy)
    for k in range(3):
        for name, value in evaluations_batched(game, [part[k] for part in policy]).items():
            broadcast = np.broadcast_to(whole[name], (3, *value.shape)) if whole[name].shape == value.shape else whole[name]
            assert_allclose(broadcast[k], value, rtol=0, atol=1e-12, err_msg=name)


def evaluations_batched(game, policy):
    """What `evaluate` says, in arrays whose leading axes are the batch."""
    values = {f"averaged_q[{agent}]": q for agent, q in enumerate(evaluate.averaged_q(game, policy))}
    for name in ("state_values", "best_response_values", "visitation", "agent_gaps", "nash_gap"):
        values[name] = getattr(evaluate, name)(game, policy)
    return values


def test_large_discount_ends_and_matches_the_bellman_equation():
    rng = np.random.default_rng(3)
    game = games.random_game(rng, states=6, actions=(4, 3), batch=(5,), discount=0.999, zero_sum=False)
    policy = game.random_policy(rng)
    best = evaluate.best_response_values(game, policy)
    for agent in (0, 1):
        rewards, kernel = evaluate.decision_process(game, policy, agent)
        backup = (rewards + game.discount * np.einsum("ksat,kt->ksa", kernel, best[:, agent])).max(-1)
        assert_allclose(backup, best[:, agent], rtol=1e-10)


def test_unknown_aggregate():
    game = games.load("table-1")
    with pytest.raises(ValueError, match=r"^aggregate is 'median', expected one of 'sum', 'max', 'mean'\.$"):
        evaluate.nash_gap(game, game.uniform_policy(), "median")


def test_decision_process_averages_the_others_out():
    game, policy = cyclic((2, 3, 2), 2, seed=4)
    rewards, kernel = evaluate.decision_process(game, policy, 1)
    h, s, mine = 1, 2, 0
    weights = {(x, z): policy[0][h, s, x] * policy[2][h, s, z] for x in range(2) for z in range(2)}
    assert_allclose(rewards[h, s, mine], sum(w * game.rewards[1, h, s, x, mine, z] for (x, z), w in weights.items()))
    assert_allclose(kernel[h, s, mine], sum(w * game.transitions[h, s, x, mine, z] for (x, z), w in weights.items()))


# The finite-horizon game unrolled into an extensive form, for OpenSpiel.


def unrolled(game):
    """The game as a Gambit EFG text.

    Agents move one after another without seeing what the others do now, but knowing all that happened before; the
    name of an information set is `agent:h:s:history`, so that a Markov policy can be looked up by (h, s).
    """
    players = " ".join(f'"player {agent}"' for agent in range(game.agents))
    lines, numbers, ends = [f'EFG 2 R "unrolled" {{ {players} }}', '""'], itertools.count(1), itertools.count(1)
    sets = [{} for _ in range(game.agents)]

    def chance(probabilities, children):
        possible = [(s, p) for s, p in enumerate(probabilities) if p > 0]
        branches = " ".join(f'"s{s}" {float(p)!r}' for s, p in possible)
        lines.append(f'c "" {next(numbers)} "" {{ {branches} }} 0')
        for s, _ in possible:
            children(s)

    def move(h, s, history, earned, joint):
        agent = len(joint)
        if agent == game.agents:
            return settle(h, s, history, earned, joint)
        label = f"{agent}:{h}:{s}:{history}"
        number = sets[agent].setdefault(label, len(sets[agent]) + 1)
        actions = " ".join(f'"a{a}"' for a in range(game.actions[agent]))
        lines.append(f'p "" {agent + 1} {number} "{label}" {{ {actions} }} 0')
        for action in range(game.actions[agent]):
            move(h, s, history, earned, (*joint, action))

    def settle(h, s, history, earned, joint):
        earned = [total + game.rewards[(agent, h, s, *joint)] for agent, total in enumerate(earned)]
        past = f"{history}/{s}-{''.join(map(str, joint))}"
        if h + 1 == game.horizon:
            lines.append(f't "" {next(ends)} "" {{ {" ".join(repr(float(total)) for total in earned)} }}')
        else:
            chance(game.transitions[(h, s, *joint)], lambda following: move(h + 1, following, past, earned, ()))

    chance(game.initial, lambda s: move(0, s, "", [0.0] * game.agents, ()))
    return "\n".join(lines) + "\n"


def open_spiel_gain(game, policy):
    """OpenSpiel's `nash_conv` of the Markov policy, and every agent's part in it."""
    pyspiel = pytest.importorskip("pyspiel", reason="OpenSpiel is not installed (pip install marlpaper[test]).")
    from open_spiel.python import policy as spiel_policy
    from open_spiel.python.algorithms import exploitability

    class Markov(spiel_policy.Policy):
        def action_probabilities(self, state, player_id=None):
            label = state.information_state_string().split("-", 3)[3]
            agent, h, s = map(int, label.split(":")[:3])
            return dict(zip(state.legal_actions(), policy[agent][h, s].tolist(), strict=True))

    tree = pyspiel.load_efg_game(unrolled(game))
    result = exploitability.nash_conv(tree, Markov(tree, list(range(game.agents))), return_only_nash_conv=False)
    return result.nash_conv, np.array(result.player_improvements)


@pytest.mark.parametrize(
    ("horizon", "states", "actions"),
    [(1, 2, (3, 2)), (2, 3, (2, 3)), (3, 2, (2, 2)), (4, 2, (2, 2)), (4, 2, (2,)), (2, 2, (2, 2, 2)), (3, 1, (2, 1, 2))],
)
def test_gap_against_open_spiel(horizon, states, actions):
    rng = np.random.default_rng([horizon, states, *actions])
    rewards, transitions = strategies.random_arrays(rng, (), (horizon,), states, actions)
    game = games.MarkovGame(rewards, transitions, rng.dirichlet(np.ones(states)))
    policy = strategies.random_policy(rng, game)
    total, gains = open_spiel_gain(game, policy)
    assert_allclose(evaluate.nash_gap(game, policy, "sum"), total, rtol=0, atol=1e-9)
    assert_allclose(evaluate.agent_gaps(game, policy), gains, rtol=0, atol=1e-9)


def test_open_spiel_notices_a_transposed_kernel():
    game, policy = cyclic((2, 2), 3, seed=5)
    total, _ = open_spiel_gain(game, policy)
    assert_allclose(evaluate.nash_gap(game, policy), total, rtol=0, atol=1e-9)
    assert abs(evaluate.nash_gap(strategies.transposed(game), policy) - total) > 1e-3
