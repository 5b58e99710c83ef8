"""Algorithm 1 against a transcription of the printed pseudo-code, loop by loop, and against itself in batches."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from marlpaper import evaluate, games, learners
from marlpaper.learners.stages import stage_lengths

close = {"rtol": 0, "atol": 1e-11}


def argmax(gains, previous, eta):
    """argmax over the simplex of eta <x, gains> - KL(x, previous)."""
    raw = [p * math.exp(eta * g) for p, g in zip(previous, gains, strict=True)]
    return [x / sum(raw) for x in raw]


class Transcription:
    """Algorithm 1 as printed, in the printed order of its lines; policies are lists [h][s][a].

    `repaired` takes the auxiliary step after playing, with what was just played; `restart=False` keeps the policies
    at the end of a stage. `mu_tilde`, `nu_tilde` are lists by stage.
    """

    def __init__(self, game, iterations, eta, mu_tilde, nu_tilde, first_q, restart=True, order="printed"):
        self.r, self.p, self.eta, self.repaired = game.agent_rewards(0), game.transitions, eta, order == "repaired"
        self.H, self.S, (self.A, self.B) = game.horizon, game.states, game.actions
        tau, start, length = 1, 1, Fraction(self.H)
        self.mu, self.nu = self.copy(mu_tilde[0]), self.copy(nu_tilde[0])
        self.mu_hat, self.nu_hat = self.copy(mu_tilde[0]), self.copy(nu_tilde[0])
        self.q = np.array(first_q, dtype=float)
        self.history, self.stages, stage = [], [], self.open(mu_tilde[0], nu_tilde[0])
        for t in range(1, iterations + 1):
            self.iterate()
            stage["mu"].append(self.mu)
            stage["nu"].append(self.nu)
            self.history.append((self.mu, self.nu))
            self.last_q = self.q
            if t - start + 1 >= length or t == iterations:
                self.stages.append(stage)
            if t - start + 1 >= length and t < iterations:
                self.q = self.value_update(stage, t - start + 1)
                start, length, tau = t + 1, Fraction(math.floor((1 + Fraction(1, self.H)) * length)), tau + 1
                if restart:
                    self.mu, self.nu = self.copy(mu_tilde[tau - 1]), self.copy(nu_tilde[tau - 1])
                    self.mu_hat, self.nu_hat = self.copy(mu_tilde[tau - 1]), self.copy(nu_tilde[tau - 1])
                stage = self.open(mu_tilde[tau - 1 if restart else 0], nu_tilde[tau - 1 if restart else 0])

    @staticmethod
    def copy(policy):
        return [[list(map(float, row)) for row in step] for step in policy]

    def open(self, mu_tilde, nu_tilde):
        """The record of a stage; `before` is what was played before its first iteration."""
        return {"mu": [], "nu": [], "q": self.q, "starts": (mu_tilde, nu_tilde), "before": (self.mu, self.nu)}

    def gain(self, nu, h, s):
        return [sum(self.q[h, s, a, b] * nu[h][s][b] for b in range(self.B)) for a in range(self.A)]

    def loss(self, mu, h, s):
        return [-sum(mu[h][s][a] * self.q[h, s, a, b] for a in range(self.A)) for b in range(self.B)]

    def iterate(self):
        mu, nu = self.copy(self.mu), self.copy(self.nu)
        if not self.repaired:
            self.auxiliary()
        for h in range(self.H):
            for s in range(self.S):
                mu[h][s] = argmax(self.gain(self.nu, h, s), self.mu_hat[h][s], self.eta)
                nu[h][s] = argmax(self.loss(self.mu, h, s), self.nu_hat[h][s], self.eta)
        self.mu, self.nu = mu, nu
        if self.repaired:
            self.auxiliary()

    def auxiliary(self):
        for h in range(self.H):
            for s in range(self.S):
                self.mu_hat[h][s] = argmax(self.gain(self.nu, h, s), self.mu_hat[h][s], self.eta)
                self.nu_hat[h][s] = argmax(self.loss(self.mu, h, s), self.nu_hat[h][s], self.eta)

    def value_update(self, stage, length):
        q = np.zeros_like(self.q)
        for h in range(self.H):
            for s in range(self.S):
                for a in range(self.A):
                    for b in range(self.B):
                        for mu, nu in zip(stage["mu"], stage["nu"], strict=True):
                            q[h, s, a, b] += (self.r[h, s, a, b] + self.expected_next(mu, nu, h, s, a, b)) / length
        return q

    def expected_next(self, mu, nu, h, s, a, b):
        if h + 1 == self.H:
            return 0.0
        total = 0.0
        for following in range(self.S):
            x, y, q = mu[h + 1][following], nu[h + 1][following], self.q[h + 1, following]
            value = sum(x[i] * q[i, j] * y[j] for i in range(self.A) for j in range(self.B))
            total += self.p[h, s, a, b, following] * value
        return total

    def average(self, iterations):
        """Output policies after the first `iterations`."""
        return tuple(np.mean([pair[player] for pair in self.history[:iterations]], axis=0) for player in (0, 1))


def analysis(stage, player):
    """Average, gains, best response, regret and variation of a player in a stage, from the printed definitions."""
    own, other = [np.array(stage[name]) for name in (("mu", "nu") if player == 0 else ("nu", "mu"))]
    q = stage["q"] if player == 0 else -np.swapaxes(stage["q"], -1, -2)
    length, steps, states, count = own.shape
    gains, best = np.zeros((steps, states, count)), np.zeros((steps, states, count))
    regret, variation = np.zeros((steps, states)), np.zeros((steps, states))
    for h in range(steps):
        for s in range(states):
            per_play = [[sum(q[h, s, a, b] * play[h, s, b] for b in range(q.shape[-1])) for a in range(count)] for play in other]
            gains[h, s] = np.mean(per_play, axis=0)
            earned = sum(own[j, h, s] @ per_play[j] for j in range(length)) / length
            regret[h, s] = max(gains[h, s]) - earned
            tied = [a for a in range(count) if gains[h, s, a] > max(gains[h, s]) - 1e-10]
            kept = [stage["starts"][player][h][s][a] for a in tied]
            for a, mass in zip(tied, kept, strict=True):
                best[h, s, a] = mass / sum(kept) if sum(kept) > 0 else 1 / len(tied)
            played = [np.array(stage["before"][player])[h, s], *own[:, h, s]]
            variation[h, s] = sum(np.abs(after - before).sum() ** 2 for before, after in zip(played, played[1:], strict=False))
    return {"averages": own.mean(0), "gains": gains, "best_responses": best, "regrets": regret, "variations": variation}


def random_settings(rng, game, iterations, per_stage=True, critic=True):
    """Initial policies, one for each stage or one for all, and a first critic."""
    stages = len(learners.stage_lengths(iterations, game.horizon))
    leading = (stages,) if per_stage else ()
    initial = tuple(rng.dirichlet(np.ones(count), (*leading, game.horizon, game.states)) for count in game.actions)
    values = rng.uniform(0, game.horizon, (game.horizon, game.states, *game.actions)) if critic else None
    by_stage = [part if per_stage else np.stack([part] * stages) for part in initial]
    return initial, values, by_stage


def both(game, iterations, eta, rng, per_stage=True, critic=True, **options):
    """The same run by the package and by the transcription."""
    initial, values, (mu, nu) = random_settings(rng, game, iterations, per_stage, critic)
    run = learners.optimistic_mirror_descent(
        game, iterations, eta, initial=initial, initial_values=values, checkpoints=range(1, iterations + 1), record=True, **options
    )
    first = np.zeros((game.horizon, game.states, *game.actions)) if values is None else values
    return run, Transcription(game, iterations, eta, mu, nu, first, **options)


def agree(run, printed):
    """Whether a run and a transcription are the same in everything that a run keeps."""
    for player in (0, 1):
        assert_allclose(run.policy[player], printed.history[-1][player], **close)
        assert_allclose(run.average_policy[player], printed.average(len(printed.history))[player], **close)
    assert_allclose(run.critic, printed.last_q, **close)
    assert run.stages.lengths.tolist() == [len(stage["mu"]) for stage in printed.stages]
    for number, stage in enumerate(printed.stages):
        assert_allclose(run.stages.q[number], stage["q"], **close)
        for player in (0, 1):
            assert_allclose(run.stages.starts[player][number], stage["starts"][player], **close)
            for name, value in analysis(stage, player).items():
                assert_allclose(getattr(run.stages, name)[player][number], value, **close, err_msg=name)
    for position, iterations in enumerate(run.checkpoints):
        policy = printed.average(iterations)
        assert_allclose(run.gaps[position], evaluate.nash_gap(run.game, policy), rtol=0, atol=1e-10)
        assert_allclose(run.values[position], evaluate.initial_value(run.game, evaluate.state_values(run.game, policy))[0], **close)


@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize("restart", [True, False])
@settings(max_examples=6)
@given(
    game=strategies.markov_games(discounted=False, zero_sum=True, batches=((),)),
    rng=strategies.generators(),
    iterations=st.integers(1, 14),
    eta=st.floats(0.01, 2),
    per_stage=st.booleans(),
    critic=st.booleans(),
)
def test_transcription(game, rng, iterations, eta, per_stage, critic, restart, order):
    agree(*both(game, iterations, eta, rng, per_stage, critic, restart=restart, order=order))


@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize("restart", [True, False])
def test_transcription_over_many_stages(restart, order):
    rng = np.random.default_rng(0)
    game = strategies.cyclic_game(rng, 3, (2, 3))
    game = games.zero_sum(game.agent_rewards(0), game.transitions, game.initial)
    run, printed = both(game, 60, 0.3, rng, restart=restart, order=order)
    assert len(run.stages.lengths) > 5
    agree(run, printed)


@pytest.mark.parametrize("mutation", ["transposed kernel", "other order", "other restart", "critic forgotten", "one start for all stages"])
def test_transcription_notices_mutations(mutation):
    rng = np.random.default_rng(1)
    drawn = strategies.cyclic_game(rng, 3, (2, 2))
    game = games.zero_sum(drawn.agent_rewards(0), drawn.transitions, drawn.initial)
    initial, values, (mu, nu) = random_settings(rng, game, 30)
    options = {"restart": True, "order": "printed"}
    reference = Transcription(game, 30, 0.3, mu, nu, values, **options)
    agree(learners.optimistic_mirror_descent(game, 30, 0.3, initial, initial_values=values, record=True, **options), reference)
    if mutation == "transposed kernel":
        swapped = strategies.transposed(drawn)
        game = games.zero_sum(game.agent_rewards(0), swapped.transitions, game.initial)
    elif mutation == "other order":
        options["order"] = "repaired"
    elif mutation == "other restart":
        options["restart"] = False
    elif mutation == "critic forgotten":
        values = None
    else:
        initial = tuple(part[0] for part in initial)
    mutated = learners.optimistic_mirror_descent(game, 30, 0.3, initial, initial_values=values, record=True, **options)
    with pytest.raises(AssertionError):
        agree(mutated, reference)


def test_first_stage_keeps_the_start_where_best_responses_tie():
    """Q^1 = 0, so every action ties in stage 1, which must leave the initial policy as it is."""
    rng = np.random.default_rng(2)
    game = games.random_game(rng, 3)
    start = game.random_policy(rng)
    run = learners.optimistic_mirror_descent(game, 20, 0.5, start, record=True)
    for player in (0, 1):
        assert_allclose(run.stages.best_responses[player][0], start[player], rtol=0, atol=1e-15)
        assert_allclose(run.stages.regrets[player][0], 0, atol=1e-15)


def test_vertex_starts_stay_on_their_support():
    rng = np.random.default_rng(3)
    game = games.random_game(rng, 3, actions=(3, 3))
    vertices = strategies.random_policy(rng, game, vertices=True)
    run = learners.optimistic_mirror_descent(game, 40, 5.0, vertices)
    for player in (0, 1):
        assert np.array_equal(run.average_policy[player], vertices[player])


def test_converges_on_the_paper_game():
    """With the theorem's step size of the repaired statement the gap falls below the start's by two orders."""
    game = games.load("table-1")
    run = learners.optimistic_mirror_descent(game, 20_000, 0.25, restart=False, order="repaired", checkpoints=[1, 20_000])
    assert run.gaps[1] < 0.01 * run.gaps[0]


RUN_FIELDS = ("gaps", "values", "critic", "policy", "average_policy")


def pieces(run, index=()):
    """All arrays of a run, those of one game of the batch."""
    found = {name: getattr(run, name) for name in RUN_FIELDS} | {name: getattr(run.stages, name) for name in vars(run.stages)}
    lengths = found.pop("lengths")
    flat = {f"{name}[{k}]": part for name, value in found.items() if value is not None for k, part in enumerate(value if isinstance(value, tuple) else [value])}
    return {"lengths": lengths} | {name: value[index] for name, value in flat.items()}


@pytest.mark.parametrize("batch", [(3,), (2, 3), (1,)])
@pytest.mark.parametrize("per_stage", [True, False])
def test_batched_equals_single(batch, per_stage):
    rng = np.random.default_rng(4)
    rewards, transitions = strategies.random_arrays(rng, batch, (3,), 2, (2, 3), zero_sum=True)
    game = games.MarkovGame(rewards, transitions)
    stages = len(learners.stage_lengths(25, 3))
    leading = (*batch, stages) if per_stage else batch
    start = tuple(rng.dirichlet(np.ones(count), (*leading, 3, 2)) for count in (2, 3))
    critic = rng.uniform(0, 3, (*batch, 3, 2, 2, 3))
    options = {"checkpoints": [3, 25], "record": True, "restart": per_stage}
    whole = learners.optimistic_mirror_descent(game, 25, 0.4, start, initial_values=critic, **options)
    for index in np.ndindex(batch):
        alone = learners.optimistic_mirror_descent(
            game[index], 25, 0.4, tuple(part[index] for part in start), initial_values=critic[index], **options
        )
        expected = pieces(alone)
        for name, value in pieces(whole, index).items():
            assert_allclose(value, expected[name], rtol=0, atol=1e-12, err_msg=name)


def test_one_start_and_one_critic_serve_a_whole_batch():
    rng = np.random.default_rng(5)
    game = games.random_game(rng, 3, batch=(2, 2))
    start, critic = game[0, 0].random_policy(rng), rng.random((3, 2, 2, 2))
    shared = learners.optimistic_mirror_descent(game, 20, 0.4, start, initial_values=critic)
    spelled = learners.optimistic_mirror_descent(
        game, 20, 0.4, [np.broadcast_to(x, (2, 2, *x.shape)) for x in start], initial_values=np.broadcast_to(critic, (2, 2, *critic.shape))
    )
    assert np.array_equal(shared.average_policy[0], spelled.average_policy[0])


def test_nothing_recorded_unless_asked():
    run = learners.optimistic_mirror_descent(games.load("table-1"), 15, 0.1)
    assert run.stages is None
    assert run.gaps.shape == run.values.shape == run.checkpoints.shape == (0,)
    assert run.parameters == {"iterations": 15, "step_size": 0.1, "restart": True, "order": "printed"}


def test_recording_and_checkpoints_change_nothing():
    game = games.perturb(games.load("table-1"), 3, 0.1, np.random.default_rng(6))
    plain = learners.optimistic_mirror_descent(game, 50, 0.1)
    watched = learners.optimistic_mirror_descent(game, 50, 0.1, record=True, checkpoints=range(1, 51))
    for name in ("policy", "average_policy"):
        for one, other in zip(getattr(plain, name), getattr(watched, name), strict=True):
            assert np.array_equal(one, other)
    assert watched.gaps.shape == (3, 50)


def test_inputs_are_left_alone():
    rng = np.random.default_rng(7)
    game = games.random_game(rng, 3)
    start, critic = game.random_policy(rng), rng.random((3, 2, 2, 2))
    before = [start[0].copy(), start[1].copy(), critic.copy()]
    learners.optimistic_mirror_descent(game, 20, 0.4, start, initial_values=critic, record=True, checkpoints=[20])
    assert all(np.array_equal(*pair) for pair in zip(before, [*start, critic], strict=True))


def test_memory_does_not_grow_with_iterations():
    game = games.random_game(np.random.default_rng(8), 5, states=10, actions=(4, 4))

    def peak(iterations):
        tracemalloc.start()
        learners.optimistic_mirror_descent(game, iterations, 0.05)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(200)
    further = len(stage_lengths(2000, 5)) - len(stage_lengths(200, 5))
    assert further > 10
    # One of the two policies kept for every further stage would show; the interpreter's own bookkeeping is far smaller.
    assert peak(2000) - peak(200) < further * 8 * 5 * 10 * 4 / 2


def bad(**changes):
    """The learner's error on Table 1 with some arguments changed."""
    arguments = {"game": games.load("table-1"), "iterations": 15, "step_size": 0.1} | changes
    with pytest.raises((TypeError, ValueError)) as raised:
        learners.optimistic_mirror_descent(**arguments)
    return str(raised.value)


ZERO_SUM = "expected a zero-sum game with a finite horizon."
UNIFORM = np.full((10, 2, 2), 0.5)
NEGATIVE, LOPSIDED, UNDEFINED = UNIFORM.copy(), UNIFORM.copy(), UNIFORM.copy()
NEGATIVE[3, 1], LOPSIDED[3, 1], UNDEFINED[3, 1] = [-0.5, 1.5], [0.5, 0.6], [np.nan, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"game": games.load("table-2")}, f"game is MarkovGame(agents=2, states=2, actions=(2, 2), horizon=10), {ZERO_SUM}"),
        (
            {"game": games.random_game(np.random.default_rng(0), discount=0.5)},
            f"game is MarkovGame(agents=2, states=2, actions=(2, 2), discount=0.5), {ZERO_SUM}",
        ),
        ({"iterations": 0}, "iterations is 0, expected a whole number of at least 1."),
        ({"iterations": 1.5}, "iterations is 1.5, expected a whole number of at least 1."),
        ({"step_size": 0}, "step_size is 0, expected a positive, finite number."),
        ({"step_size": -0.1}, "step_size is -0.1, expected a positive, finite number."),
        ({"step_size": float("nan")}, "step_size is nan, expected a positive, finite number."),
        ({"step_size": "fast"}, "step_size is 'fast', expected a positive number."),
        ({"order": "reversed"}, "order is 'reversed', expected one of 'printed', 'repaired'."),
        ({"checkpoints": [1, 16]}, "checkpoints[1] is 16, expected an iteration in 1..15."),
        ({"checkpoints": [4, 0]}, "checkpoints[1] is 0, expected an iteration in 1..15."),
        ({"checkpoints": [2.5]}, "checkpoints[0] is 2.5, expected an iteration in 1..15."),
        ({"initial": [UNIFORM]}, "initial has 1 arrays, expected one for each of the 2 agents."),
        ({"initial": [UNIFORM, UNIFORM[:9]]}, "initial[1] has shape (9, 2, 2), expected (..., 10, 2, 2)."),
        ({"initial": [UNIFORM, NEGATIVE]}, "initial[1][3, 1, 0] is -0.5, expected a probability (at least 0)."),
        ({"initial": [LOPSIDED, UNIFORM]}, "initial[0][3, 1] sums to 1.1, expected a distribution that sums to 1."),
        ({"initial": [UNDEFINED, UNIFORM]}, "initial[0][3, 1, 0] is nan, expected a finite number."),
        (
            {"initial": [np.stack([UNIFORM] * 3), UNIFORM]},
            "initial[0] has shape (3, 10, 2, 2), expected (10, 2, 2), or (2, 10, 2, 2) with one policy for each of the 2 stages.",
        ),
        ({"initial_values": np.zeros((10, 2, 2))}, "initial_values has shape (10, 2, 2), expected (..., 10, 2, 2, 2)."),
        (
            {"initial_values": np.zeros((3, 10, 2, 2, 2))},
            "initial_values has shape (3, 10, 2, 2, 2), expected one that broadcasts to (10, 2, 2, 2).",
        ),
        ({"initial_values": np.full((10, 2, 2, 2), np.inf)}, "initial_values[0, 0, 0, 0] is inf, expected a finite number."),
    ],
)
def test_bad_input(changes, message):
    assert bad(**changes) == message


def test_bad_batches():
    game = games.random_game(np.random.default_rng(9), 10, batch=(4,))
    assert bad(game=game, initial=[np.stack([UNIFORM] * 3)] * 2) == (
        "initial[0] has shape (3, 10, 2, 2), expected (4, 10, 2, 2), or (4, 2, 10, 2, 2) with one policy for each of the 2 stages."
    )
