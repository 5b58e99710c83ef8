r"""Both sides of the printed claims that fail, typed anew from the papers, in ball arithmetic.

Every function takes an instance (settings and arrays, as the search writes them) and returns pairs (measured, bound), entry by entry.
"""

import itertools
from fractions import Fraction

from marlpaper.certificates import instances
from marlpaper.certificates.balls import ball, divergence, largest, mixed, smallest, total
from marlpaper.certificates.stages import learn, output, stage_lengths

SIDES = {}
"""Claim to its function."""


def sides(*claims):
    """Decorator: the function computes the sides of these claims."""

    def register(function):
        SIDES.update({f"mao2023.{claim}": function for claim in claims})
        return function

    return register


def run(settings, arrays, joint=False):
    """The game, its stages and the step size."""
    game, eta = instances.game(settings, arrays), instances.step_size(settings)
    stages = learn(game, instances.starts(settings, arrays), eta, settings["iterations"], settings["order"], joint)
    return game, stages, eta


def start_divergence(stage, agent, place):
    r"""$D(\mu^\dagger\Vert\tilde\mu)$, ties towards the start; where a tie is not certain, a ball that contains both answers."""
    (best, certain), start = stage.best(agent, place), [ball(x) for x in stage.starts[agent][place]]
    kept = total(start[a] for a in best)
    if certain:
        return divergence([1], [0]) if kept.is_zero() else -kept.log()
    return -kept.union(smallest(start[a] for a in best)).log()


def distances(game, stage, h):
    r"""$\max_s(D_1+D_2)$ at step $h$."""
    return largest(total(start_divergence(stage, i, (h, s)) for i in range(game.agents)) for s in range(game.states))


def nash_gap(game, policy):
    r"""$V_1^{\dagger,\nu}(s_1)-V_1^{\mu,\dagger}(s_1)$ of a zero-sum game by backward induction."""
    best = worst = [ball(0)] * game.states
    first, second = policy
    for h in reversed(range(game.horizon)):
        best = [
            largest(total(second[h, s][b] * _look(game, h, s, (a, b), best) for b in range(game.actions[1])) for a in range(game.actions[0]))
            for s in range(game.states)
        ]
        worst = [
            smallest(total(first[h, s][a] * _look(game, h, s, (a, b), worst) for a in range(game.actions[0])) for b in range(game.actions[1]))
            for s in range(game.states)
        ]
    return total(ball(p) * (x - y) for p, x, y in zip(game.first, best, worst, strict=True))


def _look(game, h, s, action, following):
    return ball(game.rewards[0][h][s][action]) + total(ball(p) * v for p, v in zip(game.kernel[h][s][action], following, strict=True) if p)


def equilibrium_values(game):
    r"""$Q^\star$ by (h, s), for games whose matrices all have a saddle in pure actions.

    Raises
    ------
    ArithmeticError
        If a matrix has none.
    """
    following, tables = [ball(0)] * game.states, {}
    for h in reversed(range(game.horizon)):
        values = []
        for s in range(game.states):
            table = {action: _look(game, h, s, action, following) for action in game.joint}
            rows = [[table[a, b] for b in range(game.actions[1])] for a in range(game.actions[0])]
            low, high = largest(map(smallest, rows)), smallest(largest(column) for column in zip(*rows, strict=True))
            if not (high - low).contains(0) or (high - low).rad() > ball(Fraction(1, 10**9)):
                raise ArithmeticError("a matrix has no saddle in pure actions, expected an instance in which all have.")
            values.append(low.union(high))
            tables[h, s] = table
        following = values
    return tables


def errors(game, stage, exact):
    r"""$\delta_h^\tau=\|Q_h^\tau-Q_h^\star\|_\infty$ for every step."""
    return [
        largest(abs(stage.q[0][h, s][action] - exact[h, s][action]) for s in range(game.states) for action in game.joint) for h in range(game.horizon)
    ]


@sides("stage-count")
def stage_count(settings, arrays):
    r"""$\bar\tau\le4H\log T$."""
    lengths = stage_lengths(settings["iterations"], settings["horizon"])
    return [(ball(len(lengths)), 4 * settings["horizon"] * ball(settings["iterations"]).log())]


@sides("lemma8")
def lemma8(settings, arrays):
    r"""$\frac D{\eta L}+\frac{2\eta H^2}L\sum\|\nu^j-\nu^{j-1}\|_1^2-\frac1{8\eta L}\sum\|\mu^j-\mu^{j-1}\|_1^2$, for both players."""
    game, stages, eta = run(settings, arrays)
    found = []
    for stage, place, i in itertools.product(stages, game.places, (0, 1)):
        own, other = stage.variation[i][place], stage.variation[1 - i][place]
        bound = start_divergence(stage, i, place) / eta + 2 * eta * game.horizon**2 * other - own / (8 * eta)
        found.append((stage.regret(i, place), bound / stage.length))
    return found


@sides("lemma8-sum")
def lemma8_sum(settings, arrays):
    r"""$\frac{D_1+D_2}{\eta L}-\frac{4\eta H^3}L\sum(\|\mu^j-\mu^{j-1}\|_1^2+\|\nu^j-\nu^{j-1}\|_1^2)$."""
    game, stages, eta = run(settings, arrays)
    found = []
    for stage, place in itertools.product(stages, game.places):
        start = total(start_divergence(stage, i, place) for i in (0, 1))
        moved = stage.variation[0][place] + stage.variation[1][place]
        found.append((stage.regret(0, place) + stage.regret(1, place), (start / eta - 4 * eta * game.horizon**3 * moved) / stage.length))
    return found


@sides("lemma9")
def lemma9(settings, arrays):
    r"""$\delta_h^\tau\le\frac{12}{\eta L_\tau}\sum_{h'>h}\max_s(D_1+D_2)_{h'}^{\tau-h'+h}$."""
    game, stages, eta = run(settings, arrays)
    exact, found = equilibrium_values(game), []
    for number, stage in enumerate(stages):
        for h, delta in enumerate(errors(game, stage, exact)):
            terms = [distances(game, stages[number - later + h], later) for later in range(h + 1, game.horizon) if number - later + h >= 0]
            found.append((delta, 12 / (eta * stage.length) * total(terms)))
    return found


@sides("lemma10")
def lemma10(settings, arrays):
    r"""$\delta_h^\tau\le\delta_{h+1}^{\tau-1}+\mathrm{reg}_{h+1}^{\tau-1}$; what does not exist is 0."""
    game, stages, _ = run(settings, arrays)
    exact, found = equilibrium_values(game), []
    for number, stage in enumerate(stages):
        for h, delta in enumerate(errors(game, stage, exact)):
            bound = ball(0)
            if number and h + 1 < game.horizon:
                before = stages[number - 1]
                regret = largest(before.regret(i, (h + 1, s)) for i in (0, 1) for s in range(game.states))
                bound = errors(game, before, exact)[h + 1] + regret
            found.append((delta, bound))
    return found


def _stacked(game, stages):
    r"""$\sum_{h,\tau}\max_s(D_1+D_2)$."""
    return total(distances(game, stage, h) for stage in stages for h in range(game.horizon))


@sides("theorem1")
def theorem1(settings, arrays):
    r"""$\frac{192H^3}T\sum_{h,\tau}\max_s(D_1+D_2)$."""
    game, stages, _ = run(settings, arrays)
    return [(nash_gap(game, output(game, stages)), ball(192 * game.horizon**3) / settings["iterations"] * _stacked(game, stages))]


@sides("theorem1-step-size")
def theorem1_step_size(settings, arrays):
    r"""$\frac{24H}{\eta T}\sum_{h,\tau}\max_s(D_1+D_2)$."""
    game, stages, eta = run(settings, arrays)
    return [(nash_gap(game, output(game, stages)), 24 * game.horizon / (eta * settings["iterations"]) * _stacked(game, stages))]


@sides("theorem1-uniform")
def theorem1_uniform(settings, arrays):
    r"""$\frac{768H^5\log T\log(AB)}T$."""
    game, stages, _ = run(settings, arrays)
    first, second = game.actions
    bound = 768 * game.horizon**5 * ball(settings["iterations"]).log() * ball(first * second).log() / settings["iterations"]
    return [(nash_gap(game, output(game, stages)), bound)]


@sides("lemma17")
def lemma17(settings, arrays):
    r"""$\frac D{\eta L_\tau}+36(N-1)^2\eta^2H^3$, for every agent."""
    game, stages, eta = run(settings, arrays)
    price = 36 * (game.agents - 1) ** 2 * eta**2 * game.horizon**3
    return [
        (stage.regret(i, place), start_divergence(stage, i, place) / (eta * stage.length) + price)
        for stage, place, i in itertools.product(stages, game.places, range(game.agents))
    ]


def largest_divergence(game, stage, h):
    r"""$\max_{i,s}D$ at step $h$."""
    return largest(start_divergence(stage, i, (h, s)) for i in range(game.agents) for s in range(game.states))


def played(stages, number, place, start):
    """What the certified policy plays for stage `number` at (h, s): the mean of the stage before, at first the start."""
    return stages[number - 1].joint[place] if number else start[place]


def start_product(game, stage):
    """The product of the first stage's starts, by (h, s)."""
    products = {}
    for place in game.places:
        products[place] = {}
        for action in game.joint:
            mass = ball(1)
            for agent, choice in enumerate(action):
                mass = mass * ball(stage.starts[agent][place][choice])
            products[place][action] = mass
    return products


def certified_gains(game, stages):
    r"""$V_{h,i}^{\dagger,\tau}(s)-V_{h,i}^\tau(s)$ by (i, tau, h, s): one step later the stage before is played."""
    first = start_product(game, stages[0])
    gains = {}
    for agent in range(game.agents):
        own = best = {(number, s): ball(0) for number in range(len(stages)) for s in range(game.states)}
        for h in reversed(range(game.horizon)):
            now_own, now_best = {}, {}
            for number, s in own:
                before = max(number - 1, 0)
                mean = played(stages, number, (h, s), first)
                now_own[number, s] = total(mean[a] * _worth(game, agent, h, s, a, own, before) for a in game.joint)
                now_best[number, s] = largest(_instead(game, agent, h, s, choice, mean, best, before) for choice in range(game.actions[agent]))
                gains[agent, number, h, s] = now_best[number, s] - now_own[number, s]
            own, best = now_own, now_best
    return gains


def _worth(game, agent, h, s, action, following, stage):
    later = total(ball(p) * following[stage, t] for t, p in enumerate(game.kernel[h][s][action]) if p)
    return ball(game.rewards[agent][h][s][action]) + later


def _instead(game, agent, h, s, choice, mean, following, stage):
    """Value of the own action `choice` against what the others play together."""
    terms = []
    for action, mass in mean.items():
        deviation = (*action[:agent], choice, *action[agent + 1 :])
        terms.append(mass * _worth(game, agent, h, s, deviation, following, stage))
    return total(terms)


@sides("lemma19")
def lemma19(settings, arrays):
    r"""$\frac3{\eta L_\tau}\sum_{h'\ge h}\max_{i,s}D_{h'}^{\tau-h'+h-1}+36(N-1)^2\eta^2H^4$."""
    game, stages, eta = run(settings, arrays, joint=True)
    gains, found = certified_gains(game, stages), []
    price = 36 * (game.agents - 1) ** 2 * eta**2 * game.horizon**4
    for number, h in itertools.product(range(len(stages)), range(game.horizon)):
        places = [(later, number - later + h - 1) for later in range(h, game.horizon)]
        terms = [largest_divergence(game, stages[stage], later) for later, stage in places if stage >= 0]
        measured = largest(gains[i, number, h, s] for i in range(game.agents) for s in range(game.states))
        found.append((measured, 3 / (eta * stages[number].length) * total(terms) + price))
    return found


def certified_gap(game, stages):
    r"""CCE-gap of the certified policy of a game with one step: a deviation sees nothing that tells the stages apart.

    Raises
    ------
    ArithmeticError
        If the game has more steps.
    """
    if game.horizon > 1:
        raise ArithmeticError(f"the game has {game.horizon} steps, expected one.")
    iterations, first, gaps = sum(stage.length for stage in stages), start_product(game, stages[0]), []
    for agent in range(game.agents):
        value = ball(0)
        for s in range(game.states):
            mean = {a: total(ball(stage.length) * played(stages, n, (0, s), first)[a] for n, stage in enumerate(stages)) / iterations for a in game.joint}
            zero = {(0, t): ball(0) for t in range(game.states)}
            own = total(mean[a] * ball(game.rewards[agent][0][s][a]) for a in game.joint)
            best = largest(_instead(game, agent, 0, s, choice, mean, zero, 0) for choice in range(game.actions[agent]))
            value += ball(game.first[s]) * (best - own)
        gaps.append(value)
    return largest(gaps)


@sides("theorem5")
def theorem5(settings, arrays):
    r"""$\frac3{\eta T}\sum_h\sum_\tau\max_{i,s}D+36N^2\eta^2H^4$."""
    game, stages, eta = run(settings, arrays, joint=True)
    stacked = total(largest_divergence(game, stage, h) for stage in stages for h in range(game.horizon))
    bound = 3 * stacked / (eta * settings["iterations"]) + 36 * game.agents**2 * eta**2 * game.horizon**4
    return [(certified_gap(game, stages), bound)]


@sides("theorem5-uniform")
def theorem5_uniform(settings, arrays):
    r"""$12N^{2/3}H^{8/3}\log T\log A_{\max}\,T^{-2/3}$."""
    game, stages, _ = run(settings, arrays, joint=True)
    third, iterations = ball(Fraction(1, 3)), ball(settings["iterations"])
    powers = (ball(game.agents) ** 2 * ball(game.horizon) ** 8 / iterations**2) ** third
    return [(certified_gap(game, stages), 12 * powers * iterations.log() * ball(max(game.actions)).log())]


def learn_sequence(settings, arrays, alpha):
    r"""The games of a sequence and their stages, each started by eq. (5): $\tilde\mu^{k+1}=\frac1k\sum_{k'\le k}[\mu^{k'\dagger}]_\alpha$, the first uniform.

    Best responses are vertices where a tie is certain or excluded; they decide the starts, so nothing else is accepted.
    """
    sequence, eta = instances.sequence(settings, arrays), instances.step_size(settings)
    stages, sums = [], None
    for k, game in enumerate(sequence):
        starts = instances.starts(settings | {"start": "uniform"}, arrays) if k == 0 else _averages(sums, k)
        stages.append(learn(game, starts, eta, settings["iterations"], settings["order"]))
        best = [[{place: [(x) for x in mixed(response(stage, i, place), alpha)] for place in game.places} for i in range(game.agents)] for stage in stages[-1]]
        sums = best if sums is None else _added(sums, best)
    return sequence, stages


def response(stage, agent, place):
    """The best response of a stage, ties towards the start; exact."""
    (best, certain), start = stage.best(agent, place), stage.starts[agent][place]
    if not certain:
        raise ArithmeticError("two actions are too close to call one of them the best response, expected another instance or more bits.")
    mass = total(ball(start[a]) for a in best)
    return [ball(start[a]) / mass if a in best else ball(0) for a in range(len(start))]


def _averages(sums, count):
    return lambda number: [{place: [x / count for x in row] for place, row in table.items()} for table in sums[number]]


def _added(one, other):
    return [
        [{place: [x + y for x, y in zip(row, more[place], strict=True)] for place, row in table.items()} for table, more in zip(first, second, strict=True)]
        for first, second in zip(one, other, strict=True)
    ]


def alpha_of(count):
    r"""$\alpha=1/\sqrt K$."""
    return 1 / ball(count).sqrt()


def stacked(game, divergence_at):
    r"""$\sum_{h,\tau}\max_s$ of a function of (stage, place)."""
    stages = range(divergence_at.stages)
    return total(largest(divergence_at(n, (h, s)) for s in range(game.states)) for n in stages for h in range(game.horizon))


class _Between:
    """Divergences of one agent of one game between two lists of tables [stage][place]."""

    def __init__(self, points, references):
        self.points, self.references, self.stages = points, references, len(points)

    def __call__(self, number, place):
        return divergence(self.points[number][place], self.references[number][place])


def _tables(stages, alpha):
    """Best responses, mixed best responses and starts of one game: [agent][stage][place]."""
    agents, places = range(len(stages[0].gains)), list(stages[0].gains[0])
    best = [[{place: response(stage, i, place) for place in places} for stage in stages] for i in agents]
    softened = [[{place: mixed(table[place], alpha) for place in places} for table in own] for own in best]
    starts = [[{place: [ball(x) for x in stage.starts[i][place]] for place in places} for stage in stages] for i in agents]
    return best, softened, starts


@sides("equation33")
def equation33(settings, arrays):
    r"""$\frac{192H^3}{TK}\sum_k(\mathrm{KL}(\mu^{k\dagger}\Vert\tilde\mu^k)+\mathrm{KL}(\nu^{k\dagger}\Vert\tilde\nu^k))$, stacked."""
    count = settings["games"]
    alpha = alpha_of(count)
    sequence, learned = learn_sequence(settings, arrays, alpha)
    measured = total(nash_gap(game, output(game, stages)) for game, stages in zip(sequence, learned, strict=True)) / count
    paid = ball(0)
    for game, stages in zip(sequence, learned, strict=True):
        best, _, starts = _tables(stages, alpha)
        paid += total(stacked(game, _Between(x, y)) for x, y in zip(best, starts, strict=True))
    return [(measured, ball(192 * game.horizon**3) / (settings["iterations"] * count) * paid)]


@sides("equation72")
def equation72(settings, arrays):
    r"""$\frac1K\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\tilde\pi^k)+4H\bar\tau\alpha\ln\frac{A_{\max}}\alpha$, stacked over agents."""
    count = settings["games"]
    alpha = alpha_of(count)
    sequence, learned = learn_sequence(settings, arrays, alpha)
    plain = softened = ball(0)
    for game, stages in zip(sequence, learned, strict=True):
        best, mixtures, starts = _tables(stages, alpha)
        plain += total(stacked(game, _Between(x, y)) for x, y in zip(best, starts, strict=True))
        softened += total(stacked(game, _Between(x, y)) for x, y in zip(mixtures, starts, strict=True))
    price = 4 * game.horizon * len(stages) * alpha * (max(game.actions) / alpha).log()
    return [(plain / count, softened / count + price)]


def _following(settings, arrays, agents):
    r"""$\sum_k\mathrm{KL}([x^k]_\alpha\Vert y^k)$, and the same to the mean of the $[x^k]_\alpha$, of each agent: two lists of balls, and a game."""
    count = settings["games"]
    alpha = alpha_of(count)
    sequence, learned = learn_sequence(settings, arrays, alpha)
    tables = [_tables(stages, alpha) for stages in learned]
    game, paid, leader = sequence[0], [], []
    for i in agents:
        mixtures = [softened[i] for _, softened, _ in tables]
        means = [{place: [total(row) / count for row in zip(*(own[n][place] for own in mixtures), strict=True)] for place in game.places} for n in range(len(mixtures[0]))]
        paid.append(total(stacked(game, _Between(softened[i], starts[i])) for _, softened, starts in tables))
        leader.append(total(stacked(game, _Between(own, means)) for own in mixtures))
    return paid, leader, game, alpha


@sides("equation35")
def equation35(settings, arrays):
    r"""$\min_\mu\sum_k\mathrm{KL}([\mu^{k\dagger}]_\alpha\Vert\mu)+\frac{8A(1+\ln K)}\alpha$ for both players; in place of the minimum its value at the mean, no smaller."""
    paid, leader, game, alpha = _following(settings, arrays, (0, 1))
    price = [8 * actions * (1 + ball(settings["games"]).log()) / alpha for actions in game.actions]
    return [(own, best + cost) for own, best, cost in zip(paid, leader, price, strict=True)]


@sides("equation73")
def equation73(settings, arrays):
    r"""$\min_\pi\sum_k\mathrm{KL}([\pi^{k\dagger}]_\alpha\Vert\pi)+\frac{8A_{\max}(1+\ln K)}\alpha$, all agents together, the minimum as in (35)."""
    paid, leader, game, alpha = _following(settings, arrays, range(len(settings["actions"])))
    price = 8 * max(game.actions) * (1 + ball(settings["games"]).log()) / alpha
    return [(total(paid), total(leader) + price)]


def _copies(settings, arrays, alpha, gap, joint=False):
    r"""Mean gap of $K$ copies of one game, of which two are run: the second has the first one's best responses, so all later starts are its own.

    Raises
    ------
    ArithmeticError
        If a best response changes from the first copy to the second.
    """
    game, eta, count = instances.game(settings, arrays), instances.step_size(settings), settings["games"]
    uniform = instances.starts(settings | {"start": "uniform"}, arrays)
    first = learn(game, uniform, eta, settings["iterations"], settings["order"], joint)
    best = [[{place: response(stage, i, place) for place in game.places} for i in range(game.agents)] for stage in first]
    starts = [[{place: mixed(row, alpha) for place, row in table.items()} for table in own] for own in best]
    second = learn(game, lambda number: starts[number], eta, settings["iterations"], settings["order"], joint)
    for number, i, place in itertools.product(range(len(second)), range(game.agents), game.places):
        again = response(second[number], i, place)
        if not all(x.overlaps(y) for x, y in zip(again, best[number][i][place], strict=True)):
            raise ArithmeticError("the best responses change from the first copy to the second, expected the same.")
    return game, (gap(game, first) + (count - 1) * gap(game, second)) / count


@sides("theorem2")
def theorem2(settings, arrays):
    r"""$\frac{192H^3}T\big(\frac\Delta K+\frac{10(A+B)\log K}{\sqrt K}+\frac{16H^2\log T\log(ABK)}{\sqrt K}\big)$ of copies, for which $\Delta=0$."""
    alpha = alpha_of(settings["games"])
    game, measured = _copies(settings, arrays, alpha, lambda game, stages: nash_gap(game, output(game, stages)))
    count, iterations, (first, second) = ball(settings["games"]), ball(settings["iterations"]), game.actions
    average = 10 * (first + second) * count.log() * alpha
    price = 16 * game.horizon**2 * iterations.log() * (first * second * count).log() * alpha
    return [(measured, 192 * game.horizon**3 / iterations * (average + price))]


@sides("theorem6")
def theorem6(settings, arrays):
    r"""$\big(\frac{HN}T\big)^{2/3}\big(\frac\Delta{K^{5/6}}+\frac{10A\ln K}{K^{1/3}}+\frac{52H^2\ln T\log(AK)}{K^{1/3}}\big)$ of copies, for which $\Delta=0$."""
    game, measured = _copies(settings, arrays, alpha_of(settings["games"]), certified_gap, joint=True)
    count, iterations, third = ball(settings["games"]), ball(settings["iterations"]), ball(Fraction(1, 3))
    average = 10 * max(game.actions) * count.log()
    price = 52 * game.horizon**2 * iterations.log() * (max(game.actions) * count).log()
    return [(measured, (game.horizon * game.agents / iterations) ** (2 * third) * (average + price) / count**third)]
