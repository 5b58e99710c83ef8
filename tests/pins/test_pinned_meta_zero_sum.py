"""Section 3.2, its lemmas and their repairs: every bound as an array, typed anew from `mao2023` and the proofs."""

import functools
import itertools

import numpy as np
import pytest

from marlpaper import equilibrium, evaluate, games, learners, meta
from tests.pins.pinned import assert_met, assert_pinned, assert_unmet, assert_value, kl, mix, pin

H, S, T, K = 3, 2, 40, 6
ACTIONS = (3, 2)
STAGES = 7
PLACES = list(itertools.product(range(STAGES), range(H), range(S)))


@functools.cache
def sequence(order, step_size, *rules):
    """Six similar games, learned one after another."""
    rng = np.random.default_rng(8)
    base = games.random_game(rng, horizon=H, states=S, actions=ACTIONS)
    reward = np.clip(base.agent_rewards(0) + 0.3 * rng.standard_normal((K, H, S, *ACTIONS)), 0, 1)
    batch = games.zero_sum(reward, np.broadcast_to(base.transitions, (K, *base.transitions.shape)), np.broadcast_to(base.initial, (K, S)))
    learner = functools.partial(learners.optimistic_mirror_descent, iterations=T, step_size=step_size, order=order, record=True)
    return meta.learn_sequence(batch, learner, list(rules) or ["best-response-average"])


def points(sequence, i):
    return [run.stages.best_responses[i] for run in sequence.runs]


def starts(sequence, i):
    return [np.broadcast_to(run.stages.starts[i], (STAGES, H, S, ACTIONS[i])) for run in sequence.runs]


def stacked(one, other, over=max):
    """sum over stages and steps of the largest (or the sum) over states of KL(one || other)."""
    return sum(over(kl(one[t, h, s], other[t, h, s]) for s in range(S)) for t in range(STAGES) for h in range(H))


def mixed(x, alpha):
    return np.array([mix(x[p], alpha) for p in PLACES]).reshape(x.shape)


def gap(sequence):
    return np.mean([evaluate.nash_gap(run.game, run.average_policy) for run in sequence.runs])


def similarity(sequence, over=max):
    return sum(stacked(x, np.mean(points(sequence, i), 0), over) for i in (0, 1) for x in points(sequence, i))


def spans(run):
    _, values = equilibrium.solve_zero_sum(run.game)
    exact = run.game.rewards[0].copy()
    for h, s, a, b in itertools.product(range(H - 1), range(S), *map(range, ACTIONS)):
        exact[h, s, a, b] += run.game.transitions[h, s, a, b] @ values[h + 1]
    return [np.ptp(run.stages.q[0, h] - exact[h]) for h in range(H)]


def burn_in(run):
    return 2 / T * sum(min(h * H + h * (h - 1) / 2, T) * spans(run)[h - 1] for h in range(1, H + 1))


def divergence(run, i, t, h):
    return max(kl(run.stages.best_responses[i][t, h, s], np.broadcast_to(run.stages.starts[i], (STAGES, H, S, ACTIONS[i]))[t, h, s]) for s in range(S))


@pin("theorem2")
def _(seq):
    average = 10 * 5 * np.log(6) / np.sqrt(6)
    price = 16 * 9 * np.log(40) * np.log(6 * 6) / np.sqrt(6)
    return gap(seq), 192 * 27 / 40 * (similarity(seq) / 6 + average + price)


@pin("equation33")
def _(seq):
    paid = sum(stacked(x, y) for i in (0, 1) for x, y in zip(points(seq, i), starts(seq, i), strict=True))
    return gap(seq), 192 * 27 / (40 * 6) * paid


@pin("equation34")
def _(seq):
    alpha, measured, bound = 1 / np.sqrt(6), [], []
    for i, A in enumerate(ACTIONS):
        pairs = list(zip(points(seq, i), starts(seq, i), strict=True))
        measured.append(sum(stacked(x, y) for x, y in pairs))
        bound.append(sum(stacked(mixed(x, alpha), y) for x, y in pairs) + 4 * 6 * 3 * 7 * alpha * np.log(A / alpha))
    return measured, bound


@pin("equation35")
def _(seq):
    alpha, measured, bound = 1 / np.sqrt(6), [], []
    for i, A in enumerate(ACTIONS):
        soft = [mixed(x, alpha) for x in points(seq, i)]
        measured.append(sum(stacked(x, y) for x, y in zip(soft, starts(seq, i), strict=True)))
        bound.append(sum(stacked(x, np.mean(soft, 0)) for x in soft) + 8 * A * (1 + np.log(6)) / alpha)
    return measured, bound


@pin("equation35-repaired")
def _(seq):
    alpha, measured, bound = 1 / np.sqrt(6), [], []
    for i, A in enumerate(ACTIONS):
        x = points(seq, i)
        measured.append(sum(stacked(mixed(p, alpha), y, sum) for p, y in zip(x, starts(seq, i), strict=True)))
        regret = 3 * 7 * 2 * (np.log(A) + (A / alpha - 1) * np.log(6))
        bound.append((1 - alpha) * sum(stacked(p, np.mean(x, 0), sum) for p in x) + regret)
    return measured, bound


@pin("equation36")
def _(seq):
    alpha = 1 / np.sqrt(6)
    soft = [[mixed(x, alpha) for x in points(seq, i)] for i in (0, 1)]
    measured = [sum(stacked(x, np.mean(own, 0)) for x in own) for own in soft]
    bound = [(1 - alpha) * sum(stacked(x, np.mean(points(seq, i), 0)) for x in points(seq, i)) for i in (0, 1)]
    return measured, bound


@pin("equation33-repaired")
def _(seq):
    eta = seq.runs[0].parameters["step_size"]
    each = [
        4.2 * 3 / (eta * 40) * sum(divergence(run, i, t, h) for i in (0, 1) for t in range(STAGES) for h in range(H)) + burn_in(run) for run in seq.runs
    ]
    return gap(seq), np.mean(each)


def repaired(seq, excess):
    eta = seq.runs[0].parameters["step_size"]
    first = 4.2 * 3 / (eta * 40) * similarity(seq, sum) / 6
    second = 2 * 9 * 7 * 2 / (eta * 40) * excess
    return gap(seq), first + second + np.mean([burn_in(run) for run in seq.runs])


@pin("theorem2-repaired")
def _(seq):
    return repaired(seq, np.log(6) / 6 + (5 * np.log(6) + 3 * np.log(6 * 6)) / np.sqrt(6))


@pin("theorem2-laplace")
def _(seq):
    return repaired(seq, ((3 + 2 - 2) * np.log(7) + np.log(6) + 2) / 6)


@pin("critic-warm-start")
def _(seq):
    eta, measured, bound = seq.runs[0].parameters["step_size"], [], []
    for old, new in itertools.pairwise(seq.runs):
        _, values = equilibrium.solve_zero_sum(new.game)
        far = [np.abs(old.game.rewards[0][h] - new.game.rewards[0][h]).max() for h in range(H)]  # one kernel: nothing else differs
        total = 0
        for h in range(H):
            learned = sum(
                max(sum(kl(old.stages.best_responses[i][STAGES - 1 - j, h + j, s], old.stages.starts[i][STAGES - 1 - j, h + j, s]) for i in (0, 1)) for s in range(S))
                for j in range(1, H - h)
            )
            weight = (h + 1) * H + (h + 1) * h / 2
            total += weight * (sum(far[h:]) + 3 * (2 * H + 1) / (eta * T) * learned)
        measured.append(burn_in(new))
        bound.append(4 / T * total)
    return measured, bound


SEQUENCES = {
    ("printed", 1 / 72): "theorem2 equation33 equation34 equation35 equation36",
    ("repaired", 1 / 12): "equation35-repaired equation33-repaired theorem2-repaired",
    ("repaired", 1 / 12, "laplace"): "theorem2-laplace",
    ("repaired", 1 / 12, "laplace", "critic-warm-start"): "critic-warm-start",
}


@pytest.mark.parametrize(("case", "id"), [(case, id) for case, ids in SEQUENCES.items() for id in ids.split()])
def test_sequences(case, id):
    seq = sequence(*case)
    ranges = [sum(np.ptp(run.game.rewards[0][h]) for h in range(H)) for run in seq.runs]
    assert_pinned(f"mao2023.{id}", seq, trivial=np.mean(ranges) if id.startswith(("theorem2", "equation33")) else None)


def test_sequences_need_five_games_the_rule_and_the_step():
    assert_pinned("mao2023.theorem2", sequence("printed", 1 / 71), met=False)
    for id in ("theorem2-repaired", "equation35-repaired"):
        assert_pinned(f"mao2023.{id}", sequence("repaired", 1 / 12, "laplace"), met=False)
    assert_pinned("mao2023.theorem2-laplace", sequence("repaired", 1 / 12), met=False)
    largest = max(np.ptp(run.stages.q, (-2, -1)).max() for run in sequence("repaired", 1 / 12, "laplace").runs)
    assert_pinned("mao2023.theorem2-laplace", sequence("repaired", 1.2 / (4 * largest), "laplace"), met=False)
    assert_pinned("mao2023.theorem2-laplace", sequence("repaired", 0.88 / (4 * largest), "laplace"))


def test_few_games_and_short_runs():
    """Eq. (5) needs five games, as alpha = 1/sqrt K < 1/2; the warm critic more than H(3H-1)/2 = 12 iterations."""
    batch = sequence("printed", 1 / 72).runs
    base, rewards = batch[0].game, np.stack([run.game.rewards[0] for run in batch])

    def learned(count, iterations, step, order, rules):
        kernels = np.broadcast_to(base.transitions, (count, *base.transitions.shape))
        some = games.zero_sum(rewards[:count], kernels, np.broadcast_to(base.initial, (count, S)))
        learner = functools.partial(learners.optimistic_mirror_descent, iterations=iterations, step_size=step, order=order, record=True)
        return meta.learn_sequence(some, learner, rules)

    for count, check in ((4, assert_unmet), (5, assert_met)):
        check("mao2023.theorem2", learned(count, 9, 1 / 72, "printed", ["best-response-average"]))
    for iterations, check in ((12, assert_unmet), (13, assert_met)):
        check("mao2023.critic-warm-start", learned(2, iterations, 1 / 12, "repaired", ["laplace", "critic-warm-start"]))


def test_distance_of_two_games():
    """Rewards and kernels that differ: d_h sums |r - r'| + sp(V'_{h+1})/2 |P - P'|_1 from h on."""
    rng = np.random.default_rng(1)
    one, other = (games.random_game(rng, horizon=H, states=S, actions=ACTIONS) for _ in range(2))
    _, values = equilibrium.solve_zero_sum(other)
    steps = []
    for h in range(H):
        span = np.ptp(values[h + 1]) if h + 1 < H else 0
        kernels = max(np.abs(one.transitions[h, s, a, b] - other.transitions[h, s, a, b]).sum() for s in range(S) for a in range(3) for b in range(2))
        steps.append(np.abs(one.rewards[0][h] - other.rewards[0][h]).max() + span / 2 * kernels)
    assert_value("mao2023.meta_zero_sum_repaired:game_distance", one, other, expected=[sum(steps[h:]) for h in range(H)])


@pytest.mark.parametrize(("id", "alpha", "check"), [("lemma1", 0.4999, assert_met), ("lemma1", 0.5, assert_unmet), ("lemma1-repaired", 1.0, assert_met)])
def test_mixing_weights(id, alpha, check):
    check(f"mao2023.{id}", rows(), rows(alpha), alpha)


# Entry by entry.


def rows(alpha=None, count=7, A=3):
    rng = np.random.default_rng(2)
    x = rng.dirichlet(np.full(A, 0.6), (count, 4))
    return x if alpha is None else np.array([[mix(row, alpha) for row in part] for part in x])


def averages(x, alpha):
    """Eq. (5), entry by entry."""
    found = [np.full_like(x[0], 1 / x.shape[-1])]
    for k in range(1, len(x)):
        found.append(np.mean([[mix(row, alpha) for row in part] for part in x[:k]], 0))
    return np.array(found)


def laplace(x):
    return np.array([(1 + x[:k].sum(0)) / (k + x.shape[-1]) for k in range(len(x))])


def loss(x, y):
    return np.array([sum(kl(x[k, e], y[k, e]) for k in range(len(x))) for e in range(x.shape[1])])


def pairwise(x, y):
    return np.array([[kl(p, q) for p, q in zip(a, b, strict=True)] for a, b in zip(x, y, strict=True)])


@pin("lemma1")
def _(x, y, alpha):
    return pairwise(x, y), pairwise(np.array([[mix(p, alpha) for p in a] for a in x]), y) + 4 * alpha * np.log(3 / alpha)


@pin("lemma1-repaired")
def _(x, y, alpha):
    return pairwise(x, y), pairwise(np.array([[mix(p, alpha) for p in a] for a in x]), y) + 3 * alpha * np.log(3 / alpha)


@pin("lemma2")
def _(points, weights):
    """Negative entropy on {y >= delta} in the Euclidean norm: C = 1, D = sqrt 2 (1 - d delta), G_k = |theta_k| / delta."""
    delta, regret, bound = points.min(), [], []
    for e in range(points.shape[1]):
        leader, total, paid = np.full(3, 1 / 3), np.zeros(3), 0
        for k, w in enumerate(weights):
            paid += w * kl(points[k, e], leader)
            total = total + w * points[k, e]
            leader = total / sum(weights[: k + 1])
        regret.append(paid - sum(w * kl(points[k, e], leader) for k, w in enumerate(weights)))
        terms = [w**2 * np.linalg.norm(points[k, e]) / delta / (w + 2 * sum(weights[:k])) for k, w in enumerate(weights)]
        bound.append(2 * np.sqrt(2) * (1 - 3 * delta) * sum(terms))
    return regret, bound


@pin("lemma2-used")
def _(x, y, alpha):
    soft = np.array([[mix(row, alpha) for row in part] for part in x])
    mean = np.broadcast_to(soft.mean(0), soft.shape)
    return loss(soft, y) - loss(soft, mean), 8 * 3 * (1 + np.log(7)) / alpha


@pin("lemma2-repaired")
def _(x, y, alpha):
    soft = np.array([[mix(row, alpha) for row in part] for part in x])
    return loss(soft, y), (1 - alpha) * loss(x, np.broadcast_to(x.mean(0), x.shape)) + np.log(3) + (3 / alpha - 1) * np.log(7)


@pin("laplace-regret")
def _(x, y):
    return loss(x, y), loss(x, np.broadcast_to(x.mean(0), x.shape)) + 2 * np.log(8) + 0.5 * np.log(7) + 1


@pytest.mark.parametrize("id", ["lemma1", "lemma1-repaired", "lemma2", "lemma2-used", "lemma2-repaired", "laplace-regret"])
def test_entry_by_entry(id):
    x, alpha = rows(), 0.3
    arguments = {
        "lemma1": (x, rows(alpha)[::-1], alpha),
        "lemma1-repaired": (x, rows(alpha)[::-1], alpha),
        "lemma2": (rows(0.3), np.array([1.0, 2, 0.5, 1, 3, 0.2, 1])),
        "laplace-regret": (x, laplace(x)),
    }.get(id, (x, averages(x, alpha), alpha))
    assert_pinned(f"mao2023.{id}", *arguments)
