r"""Q-ascent, and the policy Hessian at uniform policies, in exact rationals; the sides of the claims on them that fail.

Discounted games in rationals: `rewards[i][s]` and `kernel[s]` are dicts over joint actions.
"""

import itertools
from fractions import Fraction

from marlpaper.certificates.balls import ball, flint
from marlpaper.certificates.instances import at, rationals, rows
from marlpaper.certificates.sides import sides

EQUAL = Fraction(1, 10**9)
"""Part of the size of what goes in up to which two formulas agree, as the ledger states it."""


class Game:
    """A discounted game in which the potential is the value of a common part of the rewards."""

    def __init__(self, settings, arrays, reward=None, others=None):
        self.actions, self.states = settings["actions"], settings["states"]
        self.discount, self.first = Fraction(settings["discount"]), rows(arrays["first_state"])
        self.joint = list(itertools.product(*map(range, self.actions)))
        kernel, free = rows(arrays["kernel"]), settings["structure"] == "action-free"
        self.kernel = [{a: kernel[s] if free else at(kernel, (s, *a)) for a in self.joint} for s in range(self.states)]
        reward = rationals(arrays["reward"]) if reward is None else reward
        others = [rationals(arrays[f"others{i}"]) for i in range(len(self.actions))] if free and others is None else others
        self.potential = [{a: at(reward, (s, *a)) for a in self.joint} for s in range(self.states)]
        self.rewards = [
            [{a: self.potential[s][a] + (at(others[i], (s, *a[:i], *a[i + 1 :])) if free else 0) for a in self.joint} for s in range(self.states)]
            for i in range(len(self.actions))
        ]

    def solve(self, moves, gains):
        r"""$(I-\gamma P)^{-1}$ applied to a column."""
        size = self.states
        system = flint().fmpq_mat(size, size, [_flint((s == t) - self.discount * moves[s][t]) for s in range(size) for t in range(size)])
        solved = system.solve(flint().fmpq_mat(size, 1, list(map(_flint, gains))))
        return [_fraction(solved[s, 0]) for s in range(size)]

    def under(self, policy):
        """Kernel of the states, and each reward's mean, under a policy [i][s][a]."""
        chance = [{a: _product(policy[i][s][x] for i, x in enumerate(a)) for a in self.joint} for s in range(self.states)]
        moves = [[sum(chance[s][a] * self.kernel[s][a][t] for a in self.joint) for t in range(self.states)] for s in range(self.states)]
        return moves, lambda reward: [sum(chance[s][a] * reward[s][a] for a in self.joint) for s in range(self.states)]

    def value(self, policy, reward):
        r"""$V(\rho)$ of a reward."""
        moves, mean = self.under(policy)
        return sum(p * v for p, v in zip(self.first, self.solve(moves, mean(reward)), strict=True))

    def averaged_q(self, policy, agent):
        r"""$\bar Q_i(s,a)$."""
        moves, mean = self.under(policy)
        values = self.solve(moves, mean(self.rewards[agent]))
        table = [[Fraction(0)] * self.actions[agent] for _ in range(self.states)]
        for s, a in itertools.product(range(self.states), self.joint):
            rest = _product(policy[i][s][x] for i, x in enumerate(a) if i != agent)
            table[s][a[agent]] += rest * (self.rewards[agent][s][a] + self.discount * sum(p * v for p, v in zip(self.kernel[s][a], values, strict=True)))
        return table

    def gap(self, policy):
        """The largest gain of an agent, over all its deterministic policies."""
        gains = []
        for agent, count in enumerate(self.actions):
            own = self.value(policy, self.rewards[agent])
            for choice in itertools.product(range(count), repeat=self.states):
                pure = [[Fraction(int(a == choice[s])) for a in range(count)] for s in range(self.states)]
                gains.append(self.value([*policy[:agent], pure, *policy[agent + 1 :]], self.rewards[agent]) - own)
        return max(gains)

    def pure_values(self, reward):
        r"""$V(\rho)$ of every deterministic joint policy."""
        return [self.value(policy, reward) for policy in self._pure()]

    def _pure(self):
        for choice in itertools.product(self.joint, repeat=self.states):
            yield [[[Fraction(int(a == choice[s][i])) for a in range(count)] for s in range(self.states)] for i, count in enumerate(self.actions)]

    def mismatch(self):
        r"""$\kappa=\sup_\pi\Vert d_\rho^\pi/\rho\Vert_\infty$, attained at deterministic policies."""
        worst = Fraction(0)
        for target in range(self.states):
            reward = [dict.fromkeys(self.joint, Fraction(int(s == target))) for s in range(self.states)]
            most = (1 - self.discount) * max(self.pure_values(reward))
            if most and not self.first[target]:
                raise ArithmeticError("a state that is reached has no mass at the start, expected a finite mismatch.")
            worst = max(worst, most / self.first[target] if most else Fraction(0))
        return worst

    def ascend(self, policy, step_size):
        r"""$P_\Delta(\pi_i+\alpha\bar Q_i)$ of all agents at once."""
        tables = [self.averaged_q(policy, i) for i in range(len(self.actions))]
        return [[project([x + step_size * q for x, q in zip(row, table[s], strict=True)]) for s, row in enumerate(own)] for own, table in zip(policy, tables, strict=True)]


def project(point):
    """The nearest point of the simplex, exactly."""
    ordered, shift = sorted(point, reverse=True), None
    for count in range(1, len(point) + 1):
        candidate = (sum(ordered[:count]) - 1) / count
        if ordered[count - 1] > candidate:
            shift = candidate
    return [max(x - shift, Fraction(0)) for x in point]


def _product(numbers):
    result = Fraction(1)
    for number in numbers:
        result *= number
    return result


def _flint(number):
    number = Fraction(number)
    return flint().fmpq(number.numerator, number.denominator)


def _fraction(number):
    return Fraction(int(number.p), int(number.q))


def _starts(settings, arrays):
    return [rows(arrays[f"start{i}"]) for i in range(len(settings["actions"]))]


def printed_step(game, kappa):
    r"""$\frac{(1-\gamma)^4}{8\kappa^3NA_{\max}}$."""
    return (1 - game.discount) ** 4 / (8 * kappa**3 * len(game.actions) * max(game.actions))


@sides("prop1")
def prop1(settings, arrays):
    r"""$\frac1T\sum_{t<T}\text{NE-gap}(\pi^t)\le\sqrt{\frac{\kappa(\Phi(\pi^T)-\Phi(\pi^0))}{\alpha T(1-\gamma)^2}}$ at $\alpha=\frac{(1-\gamma)^4}{8\kappa^3NA_{\max}}$ times the factor."""
    game, policy = Game(settings, arrays), _starts(settings, arrays)
    kappa, iterations = game.mismatch(), settings["iterations"]
    step, gaps, before = Fraction(settings["factor"]) * printed_step(game, kappa), [], game.value(policy, game.potential)
    for _ in range(iterations):
        gaps.append(game.gap(policy))
        policy = game.ascend(policy, step)
    rise = game.value(policy, game.potential) - before
    return [(ball(sum(gaps) / iterations), ball(kappa * rise / (step * iterations * (1 - game.discount) ** 2)).sqrt())]


@sides("theorem3-oscillation")
def theorem3_oscillation(settings, arrays):
    r"""$\sqrt{\frac{8\kappa^4NA_{\max}(2\Phi_{\max}+\Delta_\Phi)}{(1-\gamma)^6KT}}$, $\Phi_{\max}$ the oscillation, $\Delta_\Phi=\sum_k\max_\pi(\Phi^k-\Phi^{k+1})$; 0 below 0."""
    count, iterations, agents = settings["games"], settings["iterations"], range(len(settings["actions"]))
    free = settings["structure"] == "action-free"
    parts = [[rationals(arrays[f"others{i}"])[k] for i in agents] if free else None for k in range(count)]
    sequence = [Game(settings, arrays, rationals(arrays["reward"])[k], parts[k]) for k in range(count)]
    kappa = max(game.mismatch() for game in sequence)
    step, policy, gaps = Fraction(settings["factor"]) * printed_step(sequence[0], kappa), _starts(settings, arrays), []
    for game in sequence:
        for _ in range(iterations):
            gaps.append(game.gap(policy))
            policy = game.ascend(policy, step)
    values = [game.pure_values(game.potential) for game in sequence]
    oscillation = max(max(part) - min(part) for part in values)
    drift = sum(max(x - y for x, y in zip(one, other, strict=True)) for one, other in itertools.pairwise(values))
    radicand = 8 * kappa**4 * len(agents) * max(game.actions) * max(2 * oscillation + drift, 0) / ((1 - game.discount) ** 6 * count * iterations)
    return [(ball(sum(gaps) / len(gaps)), ball(radicand).sqrt())]


@sides("lemma15")
def lemma15(settings, arrays):
    r"""The printed Hessian of a common reward at uniform policies against the second derivatives of $(I-\gamma P)^{-1}r$, both exact."""
    if any(x for i in range(len(settings["actions"])) for row in rationals(arrays[f"theta{i}"]) for x in row) or settings["structure"] != "common":
        raise ArithmeticError("the logits are not 0 or the reward is not common, expected uniform policies of a cooperative game.")
    game = Game(settings, arrays)
    uniform = [[[Fraction(1, n)] * n for _ in range(game.states)] for n in game.actions]
    moves, mean = game.under(uniform)
    values = game.solve(moves, mean(game.potential))
    q = [{a: game.potential[s][a] + game.discount * sum(p * v for p, v in zip(game.kernel[s][a], values, strict=True)) for a in game.joint} for s in range(game.states)]
    places = [(i, s, b) for i, n in enumerate(game.actions) for s in range(game.states) for b in range(n)]
    slopes = {place: game.solve(moves, _weighted(game, q, lambda s, a, place=place: _score(game, place, s, a))) for place in places}
    transposed = list(map(list, zip(*moves, strict=True)))
    visits = game.solve(transposed, game.first)
    largest_error = Fraction(0)
    for one, other in itertools.product(places, repeat=2):
        difference = _printed(game, q, slopes, visits, one, other, places) - _derivative(game, q, slopes, moves, one, other)
        largest_error = max(largest_error, abs(difference))
    size = max(abs(x) for table in game.potential for x in table.values())
    return [(ball((1 - game.discount) ** 2 * largest_error / size), ball(EQUAL))]


def _score(game, place, s, action):
    r"""$\partial\log\pi(a|s)/\partial\theta_i(b|s')$ at uniform policies."""
    i, state, b = place
    return (Fraction(int(action[i] == b)) - Fraction(1, game.actions[i])) if s == state else Fraction(0)


def _curvature(game, one, other, s):
    r"""$\partial^2\log\pi(a|s)$, the same for every action."""
    (i, state, b), (j, place, c) = one, other
    if i != j or state != s or place != s:
        return Fraction(0)
    n = game.actions[i]
    return Fraction(1, n * n) - Fraction(int(b == c), n)


def _weighted(game, table, weight):
    r"""$\sum_a\pi(a|s)\,w(s,a)\,x(s,a)$ for every state, at uniform policies."""
    return [sum(weight(s, a) * table[s][a] for a in game.joint) / len(game.joint) for s in range(game.states)]


def _ahead(game, slope):
    r"""$\nabla Q(s,a)=\gamma\sum_{s'}P(s'|s,a)\nabla V(s')$."""
    return [{a: game.discount * sum(p * v for p, v in zip(game.kernel[s][a], slope, strict=True)) for a in game.joint} for s in range(game.states)]


def _derivative(game, q, slopes, moves, one, other):
    r"""$\partial^2V(\rho)$: differentiate $V=\sum_a\pi Q$ twice and solve."""

    def both(s, a):
        return _score(game, one, s, a) * _score(game, other, s, a) + _curvature(game, one, other, s)

    parts = [
        _weighted(game, q, both),
        _weighted(game, _ahead(game, slopes[other]), lambda s, a: _score(game, one, s, a)),
        _weighted(game, _ahead(game, slopes[one]), lambda s, a: _score(game, other, s, a)),
    ]
    second = game.solve(moves, [sum(part) for part in zip(*parts, strict=True)])
    return sum(p * v for p, v in zip(game.first, second, strict=True))


def _printed(game, q, slopes, visits, one, other, places):
    r"""$E[Q\psi_i\psi_j^\top+Q\nabla^2_{ij}\log\pi+\psi_i(\nabla_jQ)^\top]+E[\psi_i(\nabla_jQ)^\top]^\top$: the last block of $(i,j)$ is transposed in place."""

    def expected(parts):
        return sum(m * x for m, x in zip(visits, parts, strict=True))

    def mixed_term(row, column):
        return expected(_weighted(game, _ahead(game, slopes[column]), lambda s, a: _score(game, row, s, a)))

    (i, s, b), (j, t, c) = one, other
    turned = mixed_term((i, t, c), (j, s, b))  # entry of the transposed block
    first = expected(_weighted(game, q, lambda s, a: _score(game, one, s, a) * _score(game, other, s, a) + _curvature(game, one, other, s)))
    return first + mixed_term(one, other) + turned
