"""Sections 4.2 and D, learning without knowing the game, and their repairs: every bound typed anew from both papers and the proofs."""

import functools
import itertools

import numpy as np
import pytest

from marlpaper import evaluate, games, learners
from marlpaper.evaluate import softmax
from tests.pins.pinned import PINNED, assert_pinned, pin

G, S, ACTIONS = 0.7, 2, (2, 3)
N = 2


@functools.cache
def game(common):
    rng = np.random.default_rng(4)
    kernel = rng.dirichlet(np.ones(S), (S, *ACTIONS)) if common else np.broadcast_to(rng.dirichlet(np.ones(S), S)[:, None, None], (S, *ACTIONS, S))
    potential = rng.uniform(-1, 1, (S, *ACTIONS)) / 2
    own = [potential, potential] if common else [potential + rng.random((S, 1, 3)) / 2, potential + rng.random((S, 2, 1)) / 2]
    return games.PotentialGame(np.stack(own), kernel, rng.dirichlet(np.ones(S)), G, potential=potential)


@functools.cache
def logits():
    rng = np.random.default_rng(1)
    first = tuple(rng.standard_normal((S, count)) for count in ACTIONS)
    return first, tuple(part + 0.05 * rng.standard_normal(part.shape) for part in first)


def flat(theta):
    return np.concatenate([np.asarray(part).ravel() for part in theta])


def apart(theta, other):
    return np.linalg.norm(flat(theta) - flat(other))


def policies(theta):
    return [np.exp(part) / np.exp(part).sum(-1, keepdims=True) for part in theta]


def largest(matrix):
    """Spectral norm by the eigenvalues of the square."""
    return np.sqrt(np.linalg.eigvalsh(matrix.T @ matrix)[-1])


def curvature(p):
    return np.diag(p) - np.outer(p, p)


def scores(theta):
    """Longest score of a state: sum over agents of |e_a - pi|^2, the least likely actions."""
    return max(np.sqrt(sum(max(((np.eye(len(p[s]))[a] - p[s]) ** 2).sum() for a in range(len(p[s]))) for p in policies(theta))) for s in range(S))


def bend(theta):
    return max(largest(curvature(p[s])) for p in policies(theta) for s in range(S))


def rebend(theta, other):
    return max(largest(curvature(p[s]) - curvature(q[s])) for p, q in zip(policies(theta), policies(other), strict=True) for s in range(S))


@pin("lemma12-i")
def _(theta, other):
    return scores(theta), np.sqrt(2 * 2)


@pin("lemma12-ii")
def _(theta, other):
    return bend(theta), 2


@pin("lemma12-iii")
def _(theta, other):
    return rebend(theta, other), 12 * apart(theta, other)


@pin("lemma12")
def _(theta, other):
    return [scores(theta), bend(theta), rebend(theta, other)], [2.0, 2, 12 * apart(theta, other)]


@pin("lemma12-sharper")
def _(theta, other):
    return [bend(theta), rebend(theta, other)], [0.5, np.sqrt(2) / (3 * np.sqrt(3)) * apart(theta, other)]


@pytest.mark.parametrize("id", ["lemma12-i", "lemma12-ii", "lemma12-iii", "lemma12", "lemma12-sharper"])
def test_logits(id):
    assert_pinned(f"mao2023.{id}", *logits())


def slope(one, theta):
    """Central differences of the potential."""
    def value(vector):
        theta_ = softmax.unflatten(vector, theta)
        first, second = policies(theta_)
        source = one.rewards[0] if np.ptp(one.rewards, axis=0).max() == 0 else _potential()
        mean = np.einsum("sa,sb,sab->s", first, second, source)
        moves = np.einsum("sa,sb,sabt->st", first, second, one.transitions)
        return one.initial @ np.linalg.solve(np.eye(S) - G * moves, mean)

    at, found = flat(theta), []
    for k in range(len(at)):
        step = np.eye(len(at))[k] * 1e-4
        found.append((8 * (value(at + step) - value(at - step)) - (value(at + 2 * step) - value(at - 2 * step))) / 12e-4)
    return np.array(found)


def _potential():
    rng = np.random.default_rng(4)
    rng.dirichlet(np.ones(S), S)
    return rng.uniform(-1, 1, (S, *ACTIONS)) / 2


def length(one, theta):
    """Of the policy gradient, which differences of fourth order confirm to seven digits."""
    found = np.concatenate([part.ravel() for part in evaluate.softmax_gradient(one, theta)])
    np.testing.assert_allclose(found, slope(one, theta), rtol=1e-6, atol=1e-8)
    return np.sqrt((found**2).sum())


def hessian_norm(one, theta):
    return largest(evaluate.policy_hessian(one, theta))


def change(one, theta, other):
    return evaluate.policy_hessian(one, theta) - evaluate.policy_hessian(one, other)


@pin("lemma13-i")
def _(one, theta, other):
    return length(one, theta), np.sqrt(4) / 0.3**2


@pin("lemma13-ii")
def _(one, theta, other):
    return hessian_norm(one, theta), 6 * 2 / 0.3**3


@pin("lemma13-iii")
def _(one, theta, other):
    return largest(change(one, theta, other)), 56 * 2**1.5 / 0.3**4 * apart(theta, other)


@pin("lemma13")
def _(one, theta, other):
    parts = [PINNED[f"mao2023.lemma13-{part}"](one, theta, other) for part in ("i", "ii", "iii")]
    return [part[0] for part in parts], [part[1] for part in parts]


def n_of(one):
    return 1 if np.ptp(one.rewards, axis=0).max() == 0 else 2


@pin("lemma13-sharper-gradient")
def _(one, theta, other):
    return length(one, theta), np.sqrt(n_of(one)) / (np.sqrt(2) * 0.3**1.5)


@pin("lemma13-sharper-hessian")
def _(one, theta, other):
    return hessian_norm(one, theta), n_of(one) / 0.3**2


@pin("lemma13-visitation")
def _(one, theta, other):
    visited = []
    for point in (theta, other):
        first, second = policies(point)
        moves = np.einsum("sa,sb,sabt->st", first, second, one.transitions)
        d = 0.3 * one.initial @ np.linalg.inv(np.eye(S) - G * moves)
        visited.append(np.einsum("s,sa,sb->sab", d, first, second))
    return np.abs(visited[0] - visited[1]).sum(), apart(theta, other) / np.sqrt(2 * 0.3)


def blocks(one, theta, other):
    moved, ends = change(one, theta, other), np.cumsum([0, *(S * count for count in ACTIONS)])
    return max(largest(moved[ends[i] : ends[i + 1], ends[j] : ends[j + 1]]) for i in (0, 1) for j in (0, 1))


@pin("lemma16")
def _(one, theta, other):
    return blocks(one, theta, other), 56 * np.sqrt(2) / 0.3**4 * apart(theta, other)


@pin("lemma16-sharper")
def _(one, theta, other):
    return blocks(one, theta, other), 28 * np.sqrt(2) * np.sqrt(2) / 0.3**4 * apart(theta, other)


LEMMAS = "lemma13 lemma13-i lemma13-sharper-gradient lemma13-ii lemma13-iii lemma13-sharper-hessian lemma13-visitation lemma16 lemma16-sharper".split()


@pytest.mark.parametrize("id", LEMMAS)
@pytest.mark.parametrize("common", [True, False])
def test_softmax_games(id, common):
    assert_pinned(f"mao2023.{id}", game(common), *logits())


@pin("lemma15")
def _(one, theta, other):
    """The last block transposed in place: two agents with two actions each, the derivative by differences of the gradient."""
    exact, printed = evaluate.policy_hessian(one, theta), evaluate.printed_hessian(one, theta)
    return 0.3**2 * np.abs(printed - exact).max() / np.abs(one.rewards).max(), 1e-9


@pin("lemma15-repaired")
def _(one, theta, other):
    step, columns = 1e-4, []
    for k in range(8):
        move = np.eye(8)[k] * step
        ahead, behind = (flat(evaluate.softmax_gradient(one, softmax.unflatten(flat(theta) + sign * move, theta))) for sign in (1, -1))
        columns.append((ahead - behind) / (2 * step))
    assert np.abs(np.array(columns) - evaluate.policy_hessian(one, theta)).max() < 1e-6
    return 1e-11, 1e-9


@pytest.mark.parametrize("id", ["lemma15", "lemma15-repaired"])
def test_hessian_formulas(id):
    one = games.common_reward(np.random.default_rng(3), 2, (2, 2), G)
    theta = tuple(np.random.default_rng(1).standard_normal((2, 2)) for _ in range(2))
    assert_pinned(f"mao2023.{id}", one, theta, theta)


# MAML.


@functools.cache
def batch():
    return games.common_reward(np.random.default_rng(0), 2, (2, 3), G, batch=(2,))


def printed_L_F(steps, alpha):
    B, L, L_H = np.sqrt(4) / 0.3**2, 12 / 0.3**3, 56 * 2**1.5 / 0.3**4
    return (alpha * steps * B * L_H + L) * 2 ** (2 * steps)


def sharper_L_F(steps, alpha):
    B, L, L_H = 1 / (np.sqrt(2) * 0.3**1.5), 1 / 0.3**2, 28 * np.sqrt(2) * 2**1.5 / 0.3**4
    x = 1 + alpha * L
    return L * x ** (2 * steps) + B * L_H / L * x ** (steps - 1) * (x**steps - 1)


def slopes(one, theta, other, steps, alpha):
    """E over the games of prod (I + alpha Hessian) times the gradient at the last point."""
    found = []
    for start in (theta, other):
        total = 0
        for k in range(2):
            point, factor = start, np.eye(10)
            for _ in range(steps):
                factor = factor @ (np.eye(10) + alpha * evaluate.policy_hessian(one[k], point))
                point = softmax.unflatten(flat(point) + alpha * flat(evaluate.softmax_gradient(one[k], point)), point)
            total = total + factor @ flat(evaluate.softmax_gradient(one[k], point)) / 2
        found.append(total)
    return np.linalg.norm(found[0] - found[1])


@pin("lemma14")
def _(one, theta, other, steps, alpha):
    return slopes(one, theta, other, steps, alpha), printed_L_F(steps, alpha) * apart(theta, other)


@pin("lemma14-sharper")
def _(one, theta, other, steps, alpha):
    return slopes(one, theta, other, steps, alpha), sharper_L_F(steps, alpha) * apart(theta, other)


@pytest.mark.parametrize(("id", "alpha"), [("lemma14", 0.3**3 / 12), ("lemma14-sharper", 0.01)])
def test_meta_gradients(id, alpha):
    assert_pinned(f"mao2023.{id}", batch(), *logits(), 3, alpha)


@pin("lemma14-saddle")
def _(one, steps, alpha):
    rate = 1 / (2 * 0.2)
    assert largest(evaluate.policy_hessian(one, [np.zeros((1, 2))] * 2)) == pytest.approx(rate)
    return 1e-11, 1e-9


def test_the_saddle():
    assert_pinned("mao2023.lemma14-saddle", games.coordination(0.8), 3, 0.3)
    from marlpaper.claims.mao2023.maml import saddle_smoothness

    assert saddle_smoothness(0.8, 3, 0.3) == pytest.approx(2.5 * (1 + 0.3 * 2.5) ** 6, rel=1e-12)


@functools.cache
def maml(sharper):
    alpha = 0.3**3 / 12
    constant = (sharper_L_F if sharper else printed_L_F)(2, alpha)
    return learners.maml(batch(), 6, 1 / constant, 2, alpha, logits()[0])


@pin("theorem4")
def _(run):
    """Smallest gradient of the first k steps against sqrt(4 N L_F / ((1 - gamma) k))."""
    constant = printed_L_F(2, 0.3**3 / 12)
    bound = [np.sqrt(4 * 2 * constant / (0.3 * k)) for k in range(1, 7)]
    return [min(run.gradient_norms[: k + 1]) for k in range(6)], bound


def ascent(run, constant):
    total = [sum(run.gradient_norms[:k] ** 2) for k in range(1, 7)]
    return total, [2 * constant * (run.objectives[k] - run.objectives[0]) for k in range(1, 7)]


@pin("theorem4-ascent")
def _(run):
    return ascent(run, printed_L_F(2, 0.3**3 / 12))


@pin("theorem4-sharper")
def _(run):
    return ascent(run, sharper_L_F(2, 0.3**3 / 12))


def test_the_longest_gradient_there_can_be():
    """B (1 + alpha L)^T with the sharper constants."""
    B, curve = 1 / (np.sqrt(2) * 0.3**1.5), 1 / 0.3**2
    assert_pinned("mao2023.theorem4", maml(False), trivial=B * (1 + 0.3**3 / 12 * curve) ** 2)


@pytest.mark.parametrize("id", ["theorem4", "theorem4-ascent"])
def test_another_outer_step(id):
    assert_pinned(f"mao2023.{id}", maml(True), met=False)


@pytest.mark.parametrize(("id", "sharper"), [("theorem4", False), ("theorem4-ascent", False), ("theorem4-sharper", True)])
def test_maml(id, sharper):
    assert_pinned(f"mao2023.{id}", maml(sharper))


# Matrices.


@pin("lemma3")
def _(factors, others):
    a, b = ([largest(m) for m in part] for part in (factors, others))
    size = [max(pair) for pair in zip(a, b, strict=True)]
    moved = [largest(x - y) for x, y in zip(factors, others, strict=True)]
    bound = moved[0] * size[1] * size[2] + moved[1] * size[0] * size[2] + moved[2] * size[0] * size[1]
    return largest(factors[2] @ factors[1] @ factors[0] - others[2] @ others[1] @ others[0]), bound


@pin("lemma4")
def _(weights, theta, other):
    means = []
    for point in (theta, other):
        p = np.exp(point) / np.exp(point).sum()
        means.append(sum(p[i] * np.sin(weights[i] @ point) / np.sqrt(2) for i in range(3)))
    lipschitz = max(largest(part) for part in weights) / np.sqrt(2)
    return np.linalg.norm(means[0] - means[1]), (np.sqrt(2) + lipschitz) * np.linalg.norm(theta - other)


@pin("lemma5")
def _(blocks):
    sizes = [len(block) for block in blocks]
    whole = np.zeros((sum(sizes), sum(sizes)))
    whole[: sizes[0], : sizes[0]], whole[sizes[0] :, sizes[0] :] = blocks
    return largest(whole), max(map(largest, blocks)) * (1 + 1e-9)


@pin("lemma6")
def _(matrix, sizes):
    ends = np.cumsum([0, *sizes])
    parts = [matrix[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] for i, j in itertools.product(range(3), repeat=2)]
    return largest(matrix), 3 * max(map(largest, parts))


def test_matrices(rng=np.random.default_rng(0)):
    a = rng.standard_normal((3, 3, 3))
    assert_pinned("mao2023.lemma3", list(a), list(a + 0.1 * rng.standard_normal((3, 3, 3))))
    assert_pinned("mao2023.lemma4", rng.standard_normal((3, 2, 3)), *rng.standard_normal((2, 3)))
    assert_pinned("mao2023.lemma5", [rng.standard_normal((2, 2)), rng.standard_normal((3, 3))])
    assert_pinned("mao2023.lemma6", rng.standard_normal((6, 6)), (1, 2, 3))


# Without knowing the game.


@pin("ding2022.game-agnostic-one-state")
def _(run):
    reward, alpha, time = run.game.rewards[0, 0], run.parameters["step_size"], np.arange(1, 31)
    beta, top = (reward.max() - reward.min()) / 2, reward.max()
    start = run.initial[0][0] @ reward @ run.initial[1][0]
    if run.game.is_zero_sum:
        bound = 3.32 * (np.sqrt(2) / alpha + beta * np.sqrt(3)) / np.sqrt(time)
    else:
        bound = (np.sqrt(2) / alpha + 2 * beta * np.sqrt(3)) * np.sqrt(1.6 * alpha * (top - start) / time)
    return [run.gaps[:t].mean() for t in time], bound / 0.3


@pin("ding2022.plain-ascent-cycles")
def _(run):
    """1/(2(1-gamma)) sum_s d(s) c_s m_s min(m_s, (1 + alpha^2 c_s^2 / 4)^(t/2) delta_s)."""
    alpha, reward, bound = run.parameters["step_size"], run.game.rewards[0], np.zeros(31)
    moves = run.game.transitions[:, 0, 0]
    d = 0.3 * run.game.initial @ np.linalg.inv(np.eye(2) - G * moves)
    for s in range(2):
        (a, b), (c, e) = reward[s]
        cross = a - b - c + e
        centre = np.array([(e - c) / cross, (e - b) / cross])
        m = min(*centre, *(1 - centre))
        delta = np.linalg.norm([run.initial[0][s, 0] - centre[0], run.initial[1][s, 0] - centre[1]])
        growth = (1 + alpha**2 * cross**2 / 4) ** (np.arange(31) / 2)
        bound += d[s] / (2 * 0.3) * abs(cross) * m * np.minimum(m, growth * delta)
    return bound, run.gaps


@pytest.mark.parametrize("zero_sum", [True, False])
def test_one_state(zero_sum):
    rng = np.random.default_rng(0)
    reward = rng.random((1, 2, 3))
    one = games.MarkovGame(np.stack([reward, -reward if zero_sum else reward]), np.ones((1, 2, 3, 1)), 0, G)
    run = learners.optimistic_q_ascent(one, 30, 0.25, initial=[[[0.9, 0.1]], [[0, 0, 1]]], checkpoints=range(31))
    half = (reward.max() - reward.min()) / 2
    assert_pinned("ding2022.game-agnostic-one-state", run, trivial=2 * half / 0.3)
    largest_step = 1 / (4 * largest(reward[0] - (reward.max() + reward.min()) / 2))
    for factor, met in ((1 - 1e-6, True), (1 + 1e-6, False)):
        run = learners.optimistic_q_ascent(one, 30, largest_step * factor, checkpoints=range(31))
        assert_pinned("ding2022.game-agnostic-one-state", run, met=met)


def test_cycles():
    rng = np.random.default_rng(0)
    reward = np.array([[[0.9, 0.1], [0.2, 0.7]], [[0.0, 1.0], [0.8, 0.3]]])
    kernel = np.broadcast_to(rng.dirichlet(np.ones(2), 2)[:, None, None], (2, 2, 2, 2))
    one = games.zero_sum(reward, kernel, [0.3, 0.7], G)
    run = learners.q_ascent(one, 30, 0.2, [[[0.6, 0.4], [0.5, 0.5]], [[0.5, 0.5], [0.4, 0.6]]], checkpoints=range(31))
    assert_pinned("ding2022.plain-ascent-cycles", run)
