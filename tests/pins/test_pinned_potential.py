"""Q-ascent and policy gradient in potential games, exact and from rollouts: every bound as an array, typed anew from both papers and the proofs."""

import functools
import itertools

import numpy as np
import pytest

from marlpaper import features, games, learners, meta
from marlpaper.learners.policy_gradient import gradient
from tests.pins.pinned import assert_pinned, assert_unmet, assert_value, pin

G = 0.6
S, N, A, T = 3, 2, 3, 8
ACTIONS = (2, 3)


@functools.cache
def game(common):
    """A random potential game with rewards in [0, 1]: beta = 1/2."""
    rng = np.random.default_rng(4)
    kernel = rng.dirichlet(np.ones(S), (S, *ACTIONS) if common else S)
    kernel = kernel if common else np.broadcast_to(kernel[:, None, None], (S, *ACTIONS, S))
    potential = rng.random((S, *ACTIONS)) / 2
    own = [potential, potential] if common else [potential + rng.random((S, 1, 3)) / 2, potential + rng.random((S, 2, 1)) / 2]
    return games.PotentialGame(np.stack(own), kernel, rng.dirichlet(np.ones(S)), G, potential=potential)


def joint_policies():
    """Every deterministic joint policy, as a kernel chooser."""
    return itertools.product(list(itertools.product(range(2), range(3))), repeat=S)


def under(game, choice):
    return np.array([game.transitions[(s, *choice[s])] for s in range(S)])


def visits(game, moves):
    """d(s) by the geometric series."""
    total, here = np.zeros(S), game.initial.copy()
    for t in range(200):
        total += (1 - G) * G**t * here
        here = here @ moves
    return total


@functools.cache
def peaks(common):
    return np.max([visits(game(common), under(game(common), choice)) for choice in joint_policies()], 0)


def kappa(common, reference=None):
    reference = game(common).initial if reference is None else reference
    return (peaks(common) / reference).max()


def L(common, size=None):
    """beta N A kappa^(3/2) / (1-gamma)^3, beta = 1/2."""
    return 0.5 * 2 * 3 * (kappa(common) if size is None else size) ** 1.5 / 0.4**3


CAP = {common: 0.4**4 / (8 * kappa(common) ** 3 * 2 * 3) for common in (False, True)}


def mixed_moves(game, policy):
    first, second = policy
    return np.einsum("sa,sb,sabt->st", first, second, game.transitions)


@functools.cache
def run(common, step_size, learner=learners.q_ascent):
    rng = np.random.default_rng(6)
    start = [rng.dirichlet(np.ones(count), S) for count in ACTIONS]
    return learner(game(common), T, step_size, initial=start, checkpoints=range(T + 1), record=True)


def value_of(run, start=None):
    """Rise of the potential; for a common reward that is the reward's value."""
    source, found = run.game.rewards[0] if is_common(run) else _potential(), []
    for policy in (run.policy, run.initial):
        mean = np.einsum("sa,sb,sab->s", *policy, source)
        values = np.linalg.solve(np.eye(S) - G * mixed_moves(run.game, policy), mean)
        found.append((run.game.initial if start is None else start) @ values)
    return found[0] - found[1]


@functools.cache
def _potential():
    rng = np.random.default_rng(4)
    rng.dirichlet(np.ones(S), S)
    return rng.random((S, *ACTIONS)) / 2


def is_common(run):
    return bool(np.ptp(run.game.rewards, axis=0).max() == 0)


def regret(run):
    return run.gaps[:T].mean()


def root(run, size, start=None):
    return np.sqrt(size * value_of(run, start) / (run.parameters["step_size"] * T)) / 0.4


@pin("prop1")
def _(run):
    return regret(run), root(run, kappa(is_common(run)))


def C(run, loss):
    alpha = run.parameters["step_size"]
    return (np.sqrt(2) + alpha * 0.5 * np.sqrt(3) / 0.4) / np.sqrt(1 - loss)


@pin("prop1-repaired")
def _(run):
    size = kappa(is_common(run))
    return regret(run), C(run, run.parameters["step_size"] * L(is_common(run))) * root(run, size)


@pin("ding2022.mpg-regret-repaired")
def _(run, reference):
    common = is_common(run)
    again = games.MarkovGame(run.game.rewards, run.game.transitions, reference, G)
    own = np.max([visits(again, under(again, choice)) for choice in joint_policies()], 0)
    smooth = 0.5 * 2 * 3 * (own / reference).max() ** 1.5 / 0.4**3
    return regret(run), C(run, run.parameters["step_size"] * smooth) * root(run, kappa(common, reference), reference)


def steps(run):
    """Squared step lengths x_i(s)^2 summed over agents, visitations, and rises of the potential: for every step."""
    squares, visited, risen = [], [], []
    source = run.game.rewards[0] if is_common(run) else _potential()
    for t in range(T + 1):
        policy = [part[t] for part in run.trajectory]
        visited.append(visits(run.game, mixed_moves(run.game, policy)))
        mean = np.einsum("sa,sb,sab->s", *policy, source)
        risen.append(run.game.initial @ np.linalg.solve(np.eye(S) - G * mixed_moves(run.game, policy), mean))
        if t:
            squares.append(sum(((part[t] - part[t - 1]) ** 2).sum(-1) for part in run.trajectory))
    return np.array(squares), np.array(visited), np.diff(risen)


@pin("prop1-improvement")
def _(run):
    squares, visited, risen = steps(run)
    alpha, loss = run.parameters["step_size"], run.parameters["step_size"] * L(is_common(run))
    units = [(part * squares).sum(-1) / (alpha * 0.4) for part in (visited[:-1], visited[1:])]
    return [np.full(T, 1 - loss), np.full(T, 1 - 13 / 6 * loss)], [risen / unit for unit in units]


@pin("ding2022.cooperative-improvement")
def _(run):
    squares, visited, risen = steps(run)
    alpha = run.parameters["step_size"]
    return 1 - alpha * 0.5 * 3 * 1 / (2 * 0.4), risen / ((visited[1:] * squares).sum(-1) / (alpha * 0.4))


@pin("ding2022.mismatch-order")
def _(game):
    size = kappa(np.ptp(game.rewards, axis=0).max() == 0)
    return [peaks(np.ptp(game.rewards, axis=0).max() == 0).sum(), min(size, 3)], [min(size, 3), size]


@pin("ding2022.mpg-regret")
def _(run):
    size = min(kappa(is_common(run)), 3)
    return regret(run), 5 * 0.5 * np.sqrt(2) / 0.4**3 * size**2 * np.sqrt(3 * 2 / 8)


@pin("ding2022.cooperative-regret")
def _(run):
    return regret(run), 2.27 / 0.4**2 * np.sqrt(peaks(True).sum() * 2 * 3 / 8)


@pin("ding2022.cooperative-regret-repaired")
def _(run):
    alpha, weight = run.parameters["step_size"], peaks(True)
    c = 1 - alpha * 0.5 * 3 * 1 / (2 * 0.4)
    return regret(run), (np.sqrt(2) + alpha * 0.5 * np.sqrt(3) / 0.4) / np.sqrt(c) * root(run, weight.sum(), weight / weight.sum())


@pin("ding2022.projected-gradient-regret")
def _(run):
    size, top, eta = kappa(True), run.game.initial.max(), run.parameters["step_size"]
    constant = np.sqrt(2) + eta * size * 0.5 * np.sqrt(3) * top / 0.4**2
    return regret(run), constant * size * np.sqrt(2 * 3 * value_of(run) / (eta * T)) / 0.4


@pin("ding2022.no-state-dependence")
def _(run, tolerance, size):
    reached = next(t for t, gap in enumerate(run.gaps) if gap <= tolerance)
    return reached, 2.27**2 * size * 3 * 2 / (0.4**4 * tolerance**2)


@pin("ding2022.equivalence")
def _(run):
    """Two numbers below the tolerance, which is what counts: errors of differences are not pinned beyond it."""
    policy, following = [part[:-1] for part in run.trajectory], [part[1:] for part in run.trajectory]
    slopes, eta = gradient(run.game, policy), run.parameters["step_size"] * 0.4
    excess = 0
    for t in range(T):
        d = visits(run.game, mixed_moves(run.game, [part[t] for part in policy]))
        for agent in range(2):
            for s in range(S):
                move = slopes[agent][t, s] - d[s] / eta * (following[agent][t, s] - policy[agent][t, s])
                excess = max(excess, move.max() - move @ following[agent][t, s])
    assert excess < 1e-8 * max(np.abs(slope).max() for slope in slopes)
    return np.full(2, 1e-8), [1e-6, 1e-6]


COOPERATIVE = 0.4 / (2 * 2 * 3)
HALF = {common: 1 / (2 * L(common)) for common in (False, True)}


def better_start_step():
    """1/(2L) at rho if its mismatch is below the number of states, else at the uniform start."""
    if kappa(False) < 3:
        return HALF[False]
    uniform = np.full(S, 1 / 3)
    again = games.MarkovGame(game(False).rewards, game(False).transitions, uniform, G)
    own = np.max([visits(again, under(again, choice)) for choice in joint_policies()], 0)
    return 1 / (2 * L(False, (own / uniform).max()))


def projected_step():
    return 1 / (2 * L(True) * game(True).initial.max())


CASES = [
    ("prop1", (False, CAP[False])),
    ("prop1", (True, CAP[True])),
    ("prop1-repaired", (False, HALF[False])),
    ("prop1-improvement", (False, HALF[False])),
    ("prop1-improvement", (True, HALF[True])),
    ("ding2022.mpg-regret", (False, better_start_step())),
    ("ding2022.cooperative-improvement", (True, COOPERATIVE)),
    ("ding2022.cooperative-regret", (True, COOPERATIVE)),
    ("ding2022.cooperative-regret-repaired", (True, 3 * COOPERATIVE)),
    ("ding2022.equivalence", (True, COOPERATIVE)),
    ("ding2022.projected-gradient-regret", (True, projected_step(), learners.policy_gradient)),
]


@pytest.mark.parametrize(("id", "case"), CASES)
def test_runs(id, case):
    trivial = 1 / 0.4 if id in ("ding2022.mpg-regret", "ding2022.cooperative-regret") else None
    assert_pinned(id if "." in id else f"mao2023.{id}", run(*case), trivial=trivial)


CAPPED = [
    ("prop1", (False, CAP[False])),
    ("prop1-repaired", (False, 1 / L(False))),
    ("prop1-improvement", (False, 1 / L(False))),
    ("ding2022.projected-gradient-regret", (True, projected_step(), learners.policy_gradient)),
]


@pytest.mark.parametrize(("id", "case"), CAPPED)
def test_step_sizes(id, case):
    """Met a millionth below the largest step size, not a millionth above."""
    full = id if "." in id else f"mao2023.{id}"
    assert_pinned(full, run(case[0], case[1] * (1 - 1e-6), *case[2:]))
    assert_unmet(full, run(case[0], case[1] * (1 + 1e-6), *case[2:]))


@pytest.mark.parametrize(("id", "step"), [("mpg-regret", HALF[False]), ("cooperative-regret", COOPERATIVE)])
def test_exact_step_sizes(id, step):
    assert_pinned(f"ding2022.{id}", run(id == "cooperative-regret", step * 1.01), met=False)


def test_another_reference():
    reference = np.array([0.5, 0.3, 0.2])
    assert_pinned("ding2022.mpg-regret-repaired", run(False, HALF[False] / 4), reference)
    again = games.MarkovGame(game(False).rewards, game(False).transitions, reference, G)
    own = np.max([visits(again, under(again, choice)) for choice in joint_policies()], 0)
    cap = 1 / L(False, (own / reference).max())
    assert_pinned("ding2022.mpg-regret-repaired", run(False, cap * (1 - 1e-6)), reference)
    assert_unmet("ding2022.mpg-regret-repaired", run(False, cap * (1 + 1e-6)), reference)


def test_helpers():
    """Three agents and rewards in [-1, 1]; the step and the error that the theorems on rollouts assume."""
    three = games.common_reward(np.random.default_rng(0), 2, (2, 3, 2), G)
    assert_value("ascent:cooperative_share", three, 0.01, expected=1 - 0.01 * 0.5 * 3 * 2 / (2 * 0.4))
    signed = games.MarkovGame(2 * three.rewards - 1, three.transitions, three.initial, G)
    assert_value("ascent:half_range", signed, expected=1)
    assert_value("ascent:cooperative_share", signed, 0.01, expected=1 - 0.01 * 1 * 3 * 2 / (2 * 0.4))
    assert_value("sampled:potential_step", game(True), expected=1 / (2 * L(True)))
    assert_value("sampled:theorem_error", sampled(COOPERATIVE, 0.3), expected=0.3**3 * 0.4**2 * 9**2 / (kappa(True) ** 2 * 3 * 2))


@pytest.mark.parametrize("common", [False, True])
def test_mismatches(common):
    assert_pinned("ding2022.mismatch-order", game(common))


def test_iterations_to_a_tolerance():
    start = [np.eye(2)[[0, 0, 0]], np.eye(3)[[0, 1, 2]]]
    found = learners.q_ascent(game(True), 500, COOPERATIVE, start, checkpoints=range(501), tolerance=0.05)
    assert_pinned("ding2022.no-state-dependence", found, 0.05, 1.7)


# Sequences of games (Theorem 3).

K = 4


@functools.cache
def sequence(step_size):
    """Four cooperative games with one kernel, each started where the last one ended."""
    rng = np.random.default_rng(9)
    rewards = rng.random((K, S, *ACTIONS)) / 2 + 0.1
    one = game(True)
    batch = games.PotentialGame(np.stack([rewards, rewards], 1), np.broadcast_to(one.transitions, (K, *one.transitions.shape)), one.initial, G, potential=rewards)
    learner = functools.partial(learners.q_ascent, iterations=T, step_size=step_size, checkpoints=range(T))
    return batch, meta.learn_sequence(batch, learner, "last-policy").runs


def pure_values(reward):
    one = game(True)
    return np.array([
        one.initial @ np.linalg.solve(np.eye(S) - G * under(one, choice), [reward[(s, *choice[s])] for s in range(S)]) for choice in joint_policies()
    ])  # fmt: skip


def parts(batch, runs):
    values = np.array([pure_values(batch.rewards[k, 0]) for k in range(K)])
    drift = sum((values[k] - values[k + 1]).max() for k in range(K - 1))
    return values, drift, np.mean([run.gaps.mean() for run in runs])


def printed(radicand):
    return np.sqrt(8 * kappa(True) ** 4 * 2 * 3 * radicand / (0.4**6 * 4 * 8))


@pin("theorem3")
def _(batch, runs):
    values, drift, gap = parts(batch, runs)
    return gap, printed(2 * np.abs(values).max() + drift)


@pin("theorem3-oscillation")
def _(batch, runs):
    values, drift, gap = parts(batch, runs)
    return gap, printed(2 * np.ptp(values, axis=1).max() + drift)


def repaired(batch, runs, radicand):
    alpha = runs[0].parameters["step_size"]
    constant = (np.sqrt(2) + alpha * 0.5 * np.sqrt(3) / 0.4) / np.sqrt(1 - alpha * L(True))
    return constant * np.sqrt(kappa(True) * radicand / (alpha * 4 * 8 * 0.4**2))


@pin("theorem3-repaired")
def _(batch, runs):
    values, drift, gap = parts(batch, runs)
    return gap, repaired(batch, runs, 2 * np.abs(values).max() + drift)


@pin("theorem3-normalised")
def _(batch, runs):
    """Potentials moved so that they vanish at the very first policy: Delta then loses the first one's value less the last one's."""
    values, drift, gap = parts(batch, runs)
    first = [game(True).initial @ np.linalg.solve(
        np.eye(S) - G * mixed_moves(game(True), runs[0].initial), np.einsum("sa,sb,sab->s", *runs[0].initial, batch.rewards[k, 0])) for k in range(K)]  # fmt: skip
    return gap, repaired(batch, runs, np.ptp(values, axis=1).max() + drift - (first[0] - first[-1]))


@pytest.mark.parametrize(("id", "step"), [("theorem3", CAP[True]), ("theorem3-oscillation", CAP[True]), ("theorem3-repaired", HALF[True]), ("theorem3-normalised", HALF[True])])
def test_theorem3(id, step):
    assert_pinned(f"mao2023.{id}", *sequence(step))


# From rollouts.


@functools.cache
def sampled(step_size, exploration, solver="least-squares"):
    rng = np.random.default_rng(3)
    start = [np.full((S, count), 1 / count) for count in ACTIONS]
    return learners.sampled_q_ascent(
        game(True), 7, step_size, 200, features.one_hot(game(True)), exploration, 9.0, rng, solver, 2, start, range(8), record=True
    )


def sampled_regret(run):
    return run.gaps[:, :7].mean(-1)


@pin("ding2022.cooperative-agnostic-regret")
def _(run):
    return sampled_regret(run), 3.2 / 0.4**2 * np.sqrt(kappa(True)) * np.sqrt(3 * 2 / 7) + 4.1 * run.parameters["exploration"] * 9 / 0.4


@pin("ding2022.mpg-agnostic-regret")
def _(run):
    first = 3.2 * np.sqrt(2) / 0.4**3 * kappa(True) ** 2 * np.sqrt(3 * 2 / 7)
    return sampled_regret(run), first + 5.6 * run.parameters["exploration"] * 9 / 0.4


def measured_bound(run, c, E, last):
    alpha, xi, d = run.parameters["step_size"], run.parameters["exploration"], kappa(True)
    risen = []
    for k in range(2):
        ends = []
        for policy in (run.policy, run.initial):
            own = [part[k] if np.ndim(part) == 3 else part for part in policy]
            ends.append(game(True).initial @ np.linalg.solve(np.eye(S) - G * mixed_moves(game(True), own), np.einsum("sa,sb,sab->s", *own, game(True).rewards[0])))
        risen.append(max(ends[0] - ends[1], 0))
    B = np.sqrt(2) + alpha * 0.5 * np.sqrt(3) / 0.4
    bracket = 2 * 0.4 / (c * alpha) * np.array(risen) / 7 + E / c**2
    return B / 0.4 * np.sqrt(d / 0.4 * bracket) + last + xi * (1 - 1 / 3) / 0.4**2


def mean_error(run):
    """epsilon_stat of each repetition: mean over iterations and agents."""
    return run.errors.mean((0, 1))


@pin("ding2022.cooperative-agnostic-regret-repaired")
def _(run):
    E = kappa(True) * 3 * 2 * mean_error(run) / (0.4 * run.parameters["exploration"])
    c = 1 - run.parameters["step_size"] * 0.5 * 3 / (2 * 0.4)
    return sampled_regret(run), measured_bound(run, c, E, np.sqrt(2 * E) / 0.4)


@pin("ding2022.mpg-agnostic-regret-repaired")
def _(run):
    E = 3 * 2 * mean_error(run) / run.parameters["exploration"]
    c = 1 - run.parameters["step_size"] * L(True)
    return sampled_regret(run), measured_bound(run, c, E, np.sqrt(2 * kappa(True) * E / 0.4) / 0.4)


@pin("ding2022.sample-complexity")
def _(run, tolerance):
    reached = next((t for t in range(8) if run.gaps[:, t].mean() <= tolerance), np.inf)
    sigma, m, W = np.sqrt(1.6) / 0.4, run.features.dimension, 9.0
    factor = 4 * 6.4**2 * 8.2**3 * W * (sigma * np.sqrt(m) + W) ** 2 / 0.4**9
    return reached * 200, factor * 9 * 4 * kappa(True) ** 6 / tolerance**5


SAMPLED = [
    ("cooperative-agnostic-regret", (COOPERATIVE, 0.3)),
    ("mpg-agnostic-regret", (1 / (2 * L(True)), 0.3)),
    ("cooperative-agnostic-regret-repaired", (3 * COOPERATIVE, 0.3)),
    ("mpg-agnostic-regret-repaired", (1 / (2 * L(True)), 0.3)),
]


@pytest.mark.parametrize(("id", "case"), SAMPLED)
def test_from_rollouts(id, case):
    assert_pinned(f"ding2022.{id}", sampled(*case), met=True if "repaired" in id else None, trivial=1 / 0.4)


def test_sample_complexity():
    found = sampled(COOPERATIVE, 0.3, "sgd")
    assert_pinned("ding2022.sample-complexity", found, float(found.gaps[:, 2].mean()))
