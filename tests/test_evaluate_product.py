"""Factored evaluation: equal to the dense one, to simulation, and to what symmetry and theory demand."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import evaluate, games, learners, meta, simplex
from marlpaper.evaluate import product

CLOSE = 1e-10
QUANTITIES = ("state_values", "averaged_q", "best_response_values", "visitation")


@pytest.fixture(autouse=True, scope="module", params=["by size", "iterated"])
def way(request):
    """Every test with the way that the size of the game chooses, and with iterations throughout."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "iterated":
            patch.setattr(product, "SOLVED_STATES", 0)
        yield request.param


def random_product(rng, states, actions, batch=(), shared=False, discount=0.8, concentration=0.4):
    """Random asymmetric kernels, rewards and start."""
    rows, total = 1 if shared else len(states), int(np.prod(states))
    kernels = [rng.dirichlet(np.full(s, concentration), (*batch, s, a)) for s, a in zip(states, actions, strict=True)]
    payments = [rng.standard_normal((*batch, rows, a)) for a in actions]
    start = rng.dirichlet(np.ones(total), batch)
    return games.ProductGame(kernels, rng.standard_normal((*batch, rows, total)), payments, start, discount)


def assert_equal_to_dense(game, policy):
    dense = game.dense()
    for quantity in (evaluate.state_values, evaluate.best_response_values, evaluate.visitation, evaluate.nash_gap):
        fast, slow = quantity(game, policy), quantity(dense, policy)
        assert fast.shape == slow.shape
        assert_allclose(fast, slow, atol=CLOSE, rtol=0, err_msg=quantity.__name__)
    for fast, slow in zip(evaluate.averaged_q(game, policy), evaluate.averaged_q(dense, policy), strict=True):
        assert fast.shape == slow.shape
        assert_allclose(fast, slow, atol=CLOSE, rtol=0)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1).map(np.random.default_rng),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4),
    st.sampled_from([(), (2,), (2, 2)]),
    st.booleans(),
    st.floats(0, 0.9),
)
def test_equal_to_dense(rng, sizes, batch, shared, discount):
    game = random_product(rng, *zip(*sizes, strict=True), batch, shared, discount)
    assert_equal_to_dense(game, game.random_policy(rng))


def calls(monkeypatch, quantity, game):
    """How many linear solves and how many fixed points the quantity takes, and its value as one flat array."""
    counts = {"solves": 0, "fixed points": 0}

    def counted(name, function):
        def call(*arguments):
            counts[name] += 1
            return function(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(np.linalg, "solve", counted("solves", np.linalg.solve))
        for name in ("_fixed_point", "_settle"):
            patch.setattr(product, name, counted("fixed points", getattr(product, name)))
        result = getattr(evaluate, quantity)(game, game.random_policy(np.random.default_rng(1)))
    return counts, np.concatenate([np.ravel(part) for part in result])


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("agents", [2, 3])
def test_small_games_are_solved_and_agree_with_iterations(monkeypatch, quantity, agents):
    game = games.lq_tracking(agents, drift=np.linspace(0.5, 1.5, agents), rewards="own")
    monkeypatch.setattr(product, "SOLVED_STATES", 200)
    counts, solved = calls(monkeypatch, quantity, game)
    assert counts["solves"] > 0 and counts["fixed points"] == 0
    monkeypatch.setattr(product, "SOLVED_STATES", 0)
    counts, iterated = calls(monkeypatch, quantity, game)
    assert counts["solves"] == 0 and counts["fixed points"] > 0
    assert_allclose(solved, iterated, rtol=1e-10)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize(("sizes", "batch"), [((15, 15), ()), ((5, 5, 5), (20,))])
def test_larger_games_and_batches_are_iterated(monkeypatch, quantity, sizes, batch):
    game = random_product(np.random.default_rng(12), sizes, (2,) * len(sizes), batch)
    counts, _ = calls(monkeypatch, quantity, game)
    assert counts["solves"] == 0 and counts["fixed points"] > 0


@pytest.mark.parametrize("batch", [(), (3,)])
def test_policies_with_more_axes_than_the_game(batch):
    rng = np.random.default_rng(1)
    game = random_product(rng, (2, 3, 2), (2, 2, 3), batch)
    policy = tuple(rng.dirichlet(np.ones(count), (4, 3, game.states)) for count in game.actions)
    assert_equal_to_dense(game, policy)
    assert_equal_to_dense(game, (policy[0], *(p[0, 0] for p in policy[1:])))


def test_periodic_chains_and_discounts_near_1():
    """Two agents that go round in circles of 2 and 3: the chain has period 6 and does not mix."""
    rng = np.random.default_rng(2)
    circles = [np.roll(np.eye(n), 1, 1)[:, None].repeat(2, 1) for n in (2, 3)]
    game = games.ProductGame(circles, rng.random((1, 6)), [rng.random((1, 2))] * 2, 0, 0.99)
    assert_equal_to_dense(game, game.random_policy(rng))
    slow = random_product(rng, (2, 2), (2, 2), discount=0.9999)
    policy = slow.random_policy(rng)
    assert_allclose(evaluate.state_values(slow, policy), evaluate.state_values(slow.dense(), policy), rtol=1e-9)


def test_a_transposed_kernel_is_noticed():
    rng = np.random.default_rng(3)
    mixed = np.einsum("ak,kst->sat", rng.dirichlet(np.ones(3), 2), np.stack([np.roll(np.eye(3), k, 1) for k in range(3)]))
    parts = rng.random((1, 9)), [rng.random((1, 2))] * 2, 0, 0.8
    game = games.ProductGame([mixed, mixed], *parts)
    transposed = games.ProductGame([np.swapaxes(mixed, 0, 2)] * 2, *parts)
    policy = game.random_policy(rng)
    assert np.abs(evaluate.state_values(game, policy) - evaluate.state_values(transposed, policy)).max() > 1e-3


def test_simulation_agrees():
    """Discounted returns and visits of 40,000 simulated paths of LQ tracking, within four standard errors."""
    rng, paths, steps = np.random.default_rng(4), 40_000, 40
    game = games.lq_tracking(2, drift=[0.6, 1.3], rewards="own")
    policy = game.random_policy(rng, 0.3)
    state = rng.choice(game.states, paths)
    returns, counts = np.zeros((2, paths)), np.zeros(game.states)
    for t in range(steps):
        counts += 0.3 * 0.7**t * np.bincount(state, minlength=game.states) / paths
        action = [(p[state].cumsum(-1) > rng.random((paths, 1))).argmax(-1) for p in policy]
        returns += 0.7**t * game.rewards[:, state, action[0], action[1]]
        where = [
            (kernel[index[state], a].cumsum(-1) > rng.random((paths, 1))).argmax(-1)
            for kernel, index, a in zip(game.kernels, game.local_index, action, strict=True)
        ]
        state = 5 * where[0] + where[1]
    exact = evaluate.initial_value(game, evaluate.state_values(game, policy))
    assert (np.abs(returns.mean(-1) - exact) < 4 * returns.std(-1) / np.sqrt(paths)).all()
    visits = evaluate.visitation(game, policy)
    assert np.abs(counts - visits).max() < 4 * np.sqrt(visits.max() / paths)


def test_symmetric_games_have_symmetric_values():
    """Agents are alike and so are left and right; a policy that treats them alike has values that do."""
    game = games.lq_tracking(3, drift=1.4, rewards="own")
    position = game.local_index - 2
    towards = np.sign(position.mean(0) - position) + 1
    policy = tuple(simplex.mix(np.eye(3)[row.astype(int)], 0.3) for row in towards)
    values = evaluate.state_values(game, policy).reshape(3, 5, 5, 5)
    assert_allclose(values[0], values[1].transpose(1, 0, 2), atol=1e-12)
    assert_allclose(values[0], values[2].transpose(2, 1, 0), atol=1e-12)
    assert_allclose(values, values[:, ::-1, ::-1, ::-1], atol=1e-12)
    assert np.ptp(evaluate.agent_gaps(game, policy)) < 1e-11
    crooked = games.lq_tracking(3, drift=[1.4, 1.4, 0.5], rewards="own")
    assert np.ptp(evaluate.agent_gaps(crooked, policy)) > 1e-3


def test_shared_and_equal_own_rewards_agree():
    rng = np.random.default_rng(5)
    shared = random_product(rng, (3, 2), (2, 3), (2,), shared=True)
    payments = [np.repeat(payment, 2, -2) for payment in shared.action_rewards]
    own = games.ProductGame(shared.kernels, np.repeat(shared.state_rewards, 2, -2), payments, shared.initial, 0.8)
    policy = shared.random_policy(rng)
    for one, other in zip(evaluate.averaged_q(shared, policy), evaluate.averaged_q(own, policy), strict=True):
        assert_allclose(one, other, atol=CLOSE)
    assert_allclose(evaluate.best_response_values(shared, policy), evaluate.best_response_values(own, policy), atol=CLOSE)


# Learners, through the same feedback.


def test_learners_do_not_notice():
    rng = np.random.default_rng(6)
    game = random_product(rng, (3, 2), (2, 3), (3, 2))
    settings = {"iterations": 60, "step_size": 0.05, "checkpoints": [0, 30, 60]}
    learner = functools.partial(learners.q_ascent, **settings)
    fast, slow = meta.learn_sequence(game, learner, "last-policy"), meta.learn_sequence(game.dense(), learner, "last-policy")
    assert_allclose(fast.gaps, slow.gaps, atol=1e-7)
    assert_allclose(fast.values, slow.values, atol=1e-7)
    assert fast.gaps[:, :, -1].max() < fast.gaps[:, :, 0].max()


def test_feedback_after_a_jump_and_for_other_shapes():
    """The oracle starts from its last answers; whatever they were, the next answer is right."""
    rng = np.random.default_rng(7)
    game = random_product(rng, (3, 3), (2, 2), (2,))
    oracle = evaluate.feedback(game, game.uniform_policy())
    for policy in [game.random_policy(rng, 0.2) for _ in range(5)]:
        for fast, slow in zip(oracle(policy), evaluate.averaged_q(game, policy), strict=True):
            assert_allclose(fast, slow, atol=1e-8)
    wide = tuple(np.stack([p, p[::-1]]) for p in policy)
    for fast, slow in zip(oracle(wide), evaluate.averaged_q(game, wide), strict=True):
        assert_allclose(fast, slow, atol=1e-8)


# Local policies.


def test_local_feedback_is_the_gradient():
    rng, step = np.random.default_rng(8), 1e-5
    game = random_product(rng, (2, 3), (3, 2))
    local = game.random_local_policy(rng)
    visits = evaluate.visitation(game, game.lift(local)).reshape(2, 3)
    for agent, q in enumerate(evaluate.local_averaged_q(game, local)):
        marginal = visits.sum(1 - agent)
        for state, action in np.ndindex(*local[agent].shape):
            ends = []
            for sign in (1, -1):
                moved = [np.array(p) for p in local]
                moved[agent][state] += sign * step * (np.eye(q.shape[-1])[action] - local[agent][state])
                ends.append(evaluate.initial_value(game, evaluate.state_values(game, game.lift(moved)))[agent])
            slope = (ends[0] - ends[1]) / (2 * step)
            advantage = q[state, action] - q[state] @ local[agent][state]
            assert slope == pytest.approx(marginal[state] / (1 - game.discount) * advantage, abs=1e-6)


def test_which_tracking_games_are_potential_games():
    rng, drift = np.random.default_rng(9), [0.5, 1.0, 1.7]
    own, shared = (games.lq_tracking(3, drift=drift, rewards=rewards) for rewards in ("own", "shared"))

    def local(rng):
        return own.lift(own.random_local_policy(rng, 0.5))

    assert evaluate.potential_defect(shared, rng, 1) < 1e-13
    assert evaluate.potential_defect(own, rng, 1, local) < 1e-13
    assert evaluate.potential_defect(own, rng, 1) > 1e-3
    uneven = games.ProductGame(own.kernels, own.state_rewards * [[1], [2], [3]], own.action_rewards, 0, 0.7)
    assert evaluate.potential_defect(uneven, rng, 1, local) > 1e-3, "agents that weigh the distance differently"


def test_the_potential_of_local_policies():
    rng = np.random.default_rng(10)
    own = games.lq_tracking(3, drift=[0.5, 1.0, 1.7], rewards="own", tracking=0.9, duration=0.5)
    potential = games.tracking_potential(own, range(-2, 3), 0.9, 0.5)
    policy, other = (own.lift(own.random_local_policy(rng)) for _ in range(2))
    for agent in range(3):
        moved = [*policy[:agent], other[agent], *policy[agent + 1 :]]
        value, phi = (
            np.subtract(*(evaluate.state_values(game, p)[agent] for p in (moved, policy))) for game in (own, potential)
        )
        assert_allclose(value, phi, atol=1e-11)
        assert np.abs(value).max() > 1e-3


def test_local_feedback_where_nobody_comes():
    """Agents that never move: a local state apart from the start is never visited, and the mean over the others is uniform."""
    rng = np.random.default_rng(11)
    still = np.repeat(np.eye(2)[:, None], 2, 1)
    game = games.ProductGame([still, still], rng.random((2, 4)), [rng.random((2, 2))] * 2, 0, 0.5)
    local = game.random_local_policy(rng)
    joint = evaluate.averaged_q(game, game.lift(local))[0]
    q = evaluate.local_averaged_q(game, local)[0]
    assert_allclose(q[0], joint[0], err_msg="the other agent is where it started")
    assert_allclose(q[1], joint[2:].mean(0), err_msg="never visited")
