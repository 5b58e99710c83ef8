"""CCE-gaps of certified policies against brute force over all deviations that depend on history, and by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generators

from marlpaper import evaluate, games, learners


def random_policy(game, stages, rng):
    """Correlated means that no learner need have produced."""
    size = int(np.prod(game.actions))
    means = rng.dirichlet(np.full(size, 0.4), (*game.batch, stages, game.horizon, game.states))
    return learners.CertifiedPolicy(rng.integers(1, 6, stages), game.agents, means.reshape(*means.shape[:-1], *game.actions))


def best_by_enumeration(game, policy, agent, hidden):
    """The best deterministic deviation of a two-step, two-agent game: it may use states, the other's past action and, if told, the stage."""
    A, B, S = game.actions[agent], game.actions[1 - agent], range(game.states)
    total = 0.0
    told = [range(len(policy.lengths))] if hidden else [[stage] for stage in range(len(policy.lengths))]
    for group, s in itertools.product(told, S):
        best = -np.inf
        for first, second in itertools.product(range(A), itertools.product(range(A), repeat=B * game.states)):
            value = 0.0
            for stage, b, y, c in itertools.product(group, range(B), S, range(B)):
                early = marginal(policy, stage, 0, s, agent)[b]
                late = marginal(policy, max(stage - 1, 0), 1, y, agent)[c]
                joint, then = order(agent, first, b), order(agent, second[b * game.states + y], c)
                move = game.transitions[(0, s, *joint, y)]
                reward = game.rewards[(agent, 0, s, *joint)] + game.rewards[(agent, 1, y, *then)]
                value += policy.weights[stage] * early * move * late * reward
            best = max(best, value)
        total += game.initial[s] * best
    return total


def marginal(policy, stage, h, s, agent):
    return policy.means[stage, h, s].sum(agent)


def order(agent, own, other):
    return (own, other) if agent == 0 else (other, own)


@settings(max_examples=12)
@given(generators())
def test_gaps_against_all_deviations(rng):
    game = games.random_game(rng, 2, 2, (2, 2), zero_sum=False)
    game = games.MarkovGame(game.rewards, game.transitions, rng.dirichlet([1, 1]))
    policy = random_policy(game, 3, rng)
    own = evaluate.certified_value(game, policy)
    for signal in ("hidden", "revealed"):
        expected = [best_by_enumeration(game, policy, agent, signal == "hidden") - own[agent] for agent in (0, 1)]
        assert evaluate.agent_cce_gaps(game, policy, signal) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30)
@given(generators(), st.integers(1, 3), st.sampled_from([(2, 2), (3, 2), (2, 2, 2), (3,)]), st.sampled_from([(), (3,)]))
def test_hidden_is_at_most_revealed(rng, horizon, actions, batch):
    game = games.random_game(rng, horizon, 2, actions, batch, zero_sum=False)
    policy = random_policy(game, 4, rng)
    assert np.all(evaluate.agent_cce_gaps(game, policy, "hidden") <= evaluate.agent_cce_gaps(game, policy, "revealed") + 1e-12)


def test_one_product_policy_has_its_nash_gap():
    """With one stage and independent players the signal says nothing, and the gap is the ordinary one."""
    rng = np.random.default_rng(0)
    game = games.random_game(rng, 3, 2, (2, 3), zero_sum=False)
    mu, nu = game.random_policy(rng)
    policy = learners.CertifiedPolicy(np.array([5]), 2, np.einsum("hsa,hsb->hsab", mu, nu)[None])
    expected = evaluate.nash_gap(game, (mu, nu), "max")
    assert evaluate.cce_gap(game, policy) == pytest.approx(expected, abs=1e-12)
    assert evaluate.cce_gap(game, policy, "hidden") == pytest.approx(expected, abs=1e-12)


def test_a_traffic_light_in_chicken_by_hand():
    """Half (swerve, straight), half (straight, swerve): following earns 0.65; a deviation to either action earns 0.5."""
    game = games.load("bach-chicken", horizon=1, initial="s1")
    light = np.zeros((1, 1, 2, 2, 2))
    light[..., 0, 1] = light[..., 1, 0] = 0.5
    policy = learners.CertifiedPolicy(np.array([3]), 2, light)
    assert evaluate.certified_value(game, policy) == pytest.approx([0.65, 0.65])
    assert evaluate.cce_gap(game, policy) == pytest.approx(0.5 - 0.65)


def test_a_hidden_signal_can_make_the_gap_negative():
    """Matching pays; before the first stage both play 0, after it both play 1. T=7: told the stage one matches, untold one cannot."""
    reward = np.broadcast_to(np.eye(2), (2, 1, 1, 2, 2))
    game = games.MarkovGame(reward, np.ones((1, 1, 2, 2, 1)))
    lengths = learners.stage_lengths(7, 1)
    start = np.zeros((len(lengths), 1, 1, 2))
    start[0, ..., 0] = start[1:, ..., 1] = 1
    policy = learners.correlated_mirror_descent(game, 7, 0.5, [start, start]).certified
    assert evaluate.cce_gap(game, policy, "revealed") == pytest.approx(0, abs=1e-12)
    assert evaluate.cce_gap(game, policy, "hidden") == pytest.approx(-3 / 7)


def test_the_deviator_faces_the_marginal_of_the_joint_play():
    """Against a perfectly correlated pair the product of the averages would promise another gap."""
    game = games.load("bach-chicken", horizon=1)
    pair = np.zeros((1, 1, 2, 2, 2))
    pair[..., 0, 0] = pair[..., 1, 1] = 0.5
    policy = learners.CertifiedPolicy(np.array([1]), 2, pair)
    product = learners.CertifiedPolicy(np.array([1]), 2, np.full((1, 1, 2, 2, 2), 0.25))
    assert evaluate.cce_gap(game, policy) == pytest.approx(0.5 - 0.8)
    assert evaluate.cce_gap(game, product) == pytest.approx(0.5 - 0.4)


@pytest.mark.parametrize(("signal", "message"), [("told", "signal is 'told'"), ("hidden", "signal is 'hidden', which needs")])
def test_bad_input_is_named(signal, message):
    game = games.load("bach-chicken", horizon=14)
    policy = learners.correlated_mirror_descent(game, 60, 0.1).certified
    with pytest.raises(ValueError, match=message):
        evaluate.cce_gap(game, policy, signal)


def test_policies_of_other_games_are_named():
    policy = learners.correlated_mirror_descent(games.load("bach-chicken"), 20, 0.1).certified
    with pytest.raises(ValueError, match=r"policy has means of shape \(5, 3, 2, 2, 2\), expected \(5, 3, 2, 3, 3\)"):
        evaluate.cce_gap(games.load("shapley"), policy)
    with pytest.raises(ValueError, match="finite horizon"):
        evaluate.certified_value(games.random_game(np.random.default_rng(0), discount=0.5), policy)
