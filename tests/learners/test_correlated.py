"""Algorithms 2 and 3 against a transcription of the printed pseudo-code, loop by loop, and what the certified policy can do."""

import functools
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from marlpaper import evaluate, games, learners, simplex

close = {"rtol": 0, "atol": 1e-11}


class Transcription:
    """Algorithm 2 with plain loops; policies are `played[t][i][h][s]`, lists of chances. Algorithm 3 draws from them literally."""

    def __init__(self, game, iterations, eta, starts, order):
        self.game, self.eta, self.order = game, eta, order
        self.joint = list(itertools.product(*map(range, game.actions)))
        self.starts, self.played, self.stage_of, self.stages = starts, [], [], []
        shape = (game.agents, game.horizon, game.states, *game.actions)
        q, length, t = np.zeros(shape), game.horizon, 0
        while t < iterations:
            stage = self.run_stage(q, len(self.stages), min(length, iterations - t))
            self.stages.append(stage)
            t += len(stage)
            q = self.value_update(q, stage)
            length += length // game.horizon

    def gains(self, q, policies, agent, h, s):
        own = [0.0] * self.game.actions[agent]
        for a in self.joint:
            chance = math.prod(policies[j][h][s][a[j]] for j in range(self.game.agents) if j != agent)
            own[a[agent]] += chance * q[(agent, h, s, *a)]
        return own

    def multiply(self, policy, gains):
        raw = [x * math.exp(self.eta * g) for x, g in zip(policy, gains, strict=True)]
        return [x / sum(raw) for x in raw]

    def run_stage(self, q, stage, length):
        game = self.game
        policies = [start[min(stage, len(start) - 1)].tolist() for start in self.starts]
        hats, found = [[list(map(list, h)) for h in policy] for policy in policies], []
        for _ in range(length):
            new = [[[None] * game.states for _ in range(game.horizon)] for _ in range(game.agents)]
            for i, h, s in itertools.product(range(game.agents), range(game.horizon), range(game.states)):
                gains = self.gains(q, policies, i, h, s)
                if self.order == "printed":
                    hats[i][h][s] = self.multiply(hats[i][h][s], gains)
                new[i][h][s] = self.multiply(hats[i][h][s], gains)
            policies = new
            if self.order == "repaired":
                for i, h, s in itertools.product(range(game.agents), range(game.horizon), range(game.states)):
                    hats[i][h][s] = self.multiply(hats[i][h][s], self.gains(q, policies, i, h, s))
            found.append(len(self.played))
            self.played.append(policies)
            self.stage_of.append(stage)
        return found

    def chance(self, policies, h, s, a):
        return math.prod(policies[i][h][s][a[i]] for i in range(self.game.agents))

    def value_update(self, q, stage):
        game, new = self.game, np.array(self.game.rewards)
        for i, h, s in itertools.product(range(game.agents), range(game.horizon - 1), range(game.states)):
            for a, following in itertools.product(self.joint, range(game.states)):
                value = sum(self.chance(self.played[t], h + 1, following, b) * q[(i, h + 1, following, *b)] for t in stage for b in self.joint)
                new[(i, h, s, *a)] += game.transitions[(h, s, *a, following)] * value / len(stage)
        return new

    def value(self, agent):
        """Expected return of Algorithm 3: draw t, then at each step j from the stage before that of the last draw."""

        @functools.cache
        def after(h, t, s):
            if h == self.game.horizon:
                return 0.0
            before = self.stage_of[t] - 1 if t is not None else -1
            draws = self.stages[before] if before >= 0 else [None]
            total = 0.0
            for j, a in itertools.product(draws, self.joint):
                policies = self.played[j] if j is not None else [start[0] for start in self.starts]
                future = sum(self.game.transitions[(h, s, *a, y)] * after(h + 1, j, y) for y in range(self.game.states))
                total += self.chance(policies, h, s, a) * (self.game.rewards[(agent, h, s, *a)] + future) / len(draws)
            return total

        start = range(self.game.states)
        return np.mean([sum(self.game.initial[s] * after(0, t, s) for s in start) for t in range(len(self.played))])


@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize(("actions", "iterations"), [((2, 3), 11), ((2, 2, 2), 9)])
def test_transcription(actions, iterations, order):
    rng = np.random.default_rng(1)
    game = games.random_game(rng, 2, 2, actions, zero_sum=False)
    game = games.MarkovGame(game.rewards, game.transitions, [0.3, 0.7])
    starts = [rng.dirichlet(np.ones(count), (len(learners.stage_lengths(iterations, 2)), 2, 2)) for count in actions]
    slow = Transcription(game, iterations, 0.7, starts, order)
    run = learners.correlated_mirror_descent(game, iterations, 0.7, starts, order, record=True)
    for agent in range(game.agents):
        assert_allclose(run.policy[agent], np.array(slow.played[-1][agent]), **close)
        assert_allclose(run.average_policy[agent], np.mean([policies[agent] for policies in slow.played], 0), **close)
        assert evaluate.certified_value(game, run.certified)[agent] == pytest.approx(slow.value(agent), abs=1e-12)
    for stage, members in enumerate(slow.stages[:-1], 1):
        joint = np.mean([joint_of(slow.played[t]) for t in members], 0)
        assert_allclose(run.certified.means[stage], joint, **close)


def joint_of(policies):
    """Product distribution (H, S, A_1, ..., A_N)."""
    joint = np.asarray(policies[0])
    for policy in policies[1:]:
        joint = joint[..., None] * np.asarray(policy).reshape(np.shape(policy)[:2] + (1,) * (joint.ndim - 2) + (-1,))
    return joint


def record_by_hand(slow, stage, agent, q):
    """Regrets (H, S) and largest moves of a stage from the transcription's iterates."""
    game, members = slow.game, slow.stages[stage]
    regrets = np.zeros((game.horizon, game.states))
    for h, s in np.ndindex(regrets.shape):
        gains = np.array([slow.gains(q, slow.played[t], agent, h, s) for t in members])
        played = np.array([slow.played[t][agent][h][s] for t in members])
        regrets[h, s] = gains.mean(0).max() - (gains * played).sum(1).mean()
    path = [joint_of([slow.starts[i][stage] for i in range(game.agents) if i != agent])]
    path += [joint_of([slow.played[t][i] for i in range(game.agents) if i != agent]) for t in members]
    moves = [np.abs(new - old).reshape(*regrets.shape, -1).sum(-1) for old, new in zip(path[:-1], path[1:], strict=True)]
    return regrets, np.max(moves, 0)


def test_recorded_regrets_and_moves():
    rng = np.random.default_rng(2)
    game = games.random_game(rng, 2, 2, (2, 2, 2), zero_sum=False)
    starts = [rng.dirichlet(np.ones(2), (4, 2, 2)) for _ in range(3)]
    slow = Transcription(game, 12, 0.9, starts, "printed")
    run = learners.correlated_mirror_descent(game, 12, 0.9, starts, record=True)
    for stage, agent in itertools.product(range(4), range(3)):
        regrets, moves = record_by_hand(slow, stage, agent, run.stages.q[stage])
        assert_allclose(run.stages.regrets[agent][stage], regrets, **close)
        assert_allclose(run.stages.largest_moves_of_others[agent][stage], moves, **close)


def test_zero_sum_play_is_that_of_algorithm_1():
    game = games.random_game(np.random.default_rng(3), 3, 2, (2, 3))
    first = learners.optimistic_mirror_descent(game, 60, 0.2, order="repaired", record=True)
    second = learners.correlated_mirror_descent(game, 60, 0.2, order="repaired", record=True)
    for name in ("averages", "best_responses", "gains", "regrets", "variations"):
        for one, other in zip(getattr(first.stages, name), getattr(second.stages, name), strict=True):
            assert_allclose(other, one, **close)
    assert_allclose(second.stages.q[:, 0], first.stages.q, **close)


@pytest.mark.parametrize("name", ["bach-chicken", "jordan", "shapley", "stag-prisoner"])
def test_batched_equals_single(name):
    batch = games.perturb(games.load(name), (2, 2), 0.1, np.random.default_rng(4))
    whole = learners.correlated_mirror_descent(batch, 30, 0.3, checkpoints=[3, 30], record=True)
    for index in np.ndindex(2, 2):
        alone = learners.correlated_mirror_descent(batch[index], 30, 0.3, checkpoints=[3, 30], record=True)
        assert_allclose(whole.certified.means[index], alone.certified.means, **close)
        assert_allclose(whole.gaps[index], alone.gaps, **close)
        assert_allclose(whole.stages.q[index], alone.stages.q, **close)


def test_checkpoints_are_shorter_runs():
    game = games.load("jordan")
    run = learners.correlated_mirror_descent(game, 50, 0.3, checkpoints=[50, 1, 7])
    assert run.checkpoints.tolist() == [1, 7, 50]
    for point, gap, value in zip(run.checkpoints, run.gaps, run.values, strict=True):
        short = learners.correlated_mirror_descent(game, int(point), 0.3).certified
        assert evaluate.cce_gap(game, short) == pytest.approx(gap, abs=1e-12)
        assert evaluate.certified_value(game, short)[0] == pytest.approx(value, abs=1e-12)


def test_sampled_play_follows_the_policy():
    """Chances of stages, joint actions given the stage, and returns, each within five standard errors."""
    game = games.perturb(games.load("bach-chicken"), 1, 0.1, np.random.default_rng(5))[0]
    policy = learners.correlated_mirror_descent(game, 20, 1.0).certified
    play = policy.sample(game, 40_000, np.random.default_rng(6))
    error = play.returns.std(0) / np.sqrt(len(play.returns))
    assert np.all(np.abs(play.returns.mean(0) - evaluate.certified_value(game, policy)) < 5 * error)
    for stage in range(1, 5):
        chosen = play.stages == stage
        assert chosen.mean() == pytest.approx(policy.weights[stage - 1], abs=0.02)
        for h in range(game.horizon):
            here = chosen & (play.states[:, h] == 0)
            counts = np.zeros(game.actions)
            np.add.at(counts, tuple(play.actions[here, h].T), 1)
            assert_allclose(counts / counts.sum(), policy.stage(stage)[h, 0], atol=5 * 0.5 / np.sqrt(here.sum()))


def test_policy_of_a_stage_plays_earlier_stages_later():
    policy = learners.correlated_mirror_descent(games.load("shapley"), 40, 0.5).certified
    fourth = policy.stage(4)
    for h, stage in enumerate((3, 2, 1)):
        assert np.array_equal(fourth[h], policy.means[stage, h])
    assert np.array_equal(policy.stage(1)[2], policy.means[0, 2])
    late = policy.from_stage(5)
    assert late.weights[:4].sum() == 0 and late.weights.sum() == pytest.approx(1)


def test_vertex_starts_stay():
    game = games.load("dominant-action", horizon=2)
    start = [np.eye(2)[np.ones((2, 1), int)]] * 2
    run = learners.correlated_mirror_descent(game, 30, 5.0, start)
    assert all(np.array_equal(x, y) for x, y in zip(run.average_policy, start, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations is 0"),
        ({"step_size": -1.0}, "step_size is -1.0"),
        ({"order": "other"}, "order is 'other'"),
        ({"checkpoints": [5, 99]}, r"checkpoints\[1\] is 99, expected an iteration in 1..20"),
        ({"initial": [np.full((3, 2, 2), 0.5)]}, "initial has 1 arrays, expected one for each of the 2 agents"),
        ({"initial": [np.full((9, 3, 2, 2), 0.5)] * 2}, r"initial\[0\] has shape \(9, 3, 2, 2\)"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        learners.correlated_mirror_descent(**{"game": games.load("bach-chicken"), "iterations": 20, "step_size": 0.1, **options})


def test_other_bad_input_is_named():
    game = games.load("bach-chicken")
    policy = learners.correlated_mirror_descent(game, 20, 0.1).certified
    with pytest.raises(ValueError, match="expected a game with a finite horizon"):
        learners.correlated_mirror_descent(games.random_game(np.random.default_rng(0), discount=0.5), 5, 0.1)
    with pytest.raises(ValueError, match=r"number is 0, expected a stage in 1\.\.5"):
        policy.stage(0)
    with pytest.raises(ValueError, match="first is 6"):
        policy.from_stage(6)
    with pytest.raises(ValueError, match="iterations is 21, expected at most 20"):
        policy.after(21)
    with pytest.raises(ValueError, match="episodes is 0"):
        policy.sample(game, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"game has batch axes \(1,\)"):
        policy.sample(games.stack([game]), 1, np.random.default_rng(0))


def test_uniform_play_is_an_equilibrium_of_shapleys_game():
    game = games.load("shapley")
    run = learners.correlated_mirror_descent(game, 50, 0.5)
    assert_allclose(run.average_policy[0], simplex.uniform(3, 2, 3), **close)
    assert evaluate.cce_gap(game, run.certified) == pytest.approx(0, abs=1e-12)
