r"""Algorithms 1 and 2 of `mao2023` in ball arithmetic, step by step as the paper prints them, for one small game.

Algorithm 1 is Algorithm 2 with two players whose rewards cancel. Tables are nested lists: `rewards[i][h][s]` and `kernel[h][s]` are dicts over
joint actions, `starts[stage][i][h][s]` is a list. Nothing here imports the learners.
"""

import itertools
from dataclasses import dataclass

from marlpaper.certificates.balls import ball, flint, total


@dataclass
class Game:
    """A game in steps: rewards and kernel as dicts over joint actions, the start distribution, numbers of actions."""

    rewards: list
    kernel: list
    first: list
    actions: list

    def __post_init__(self):
        self.horizon, self.states, self.agents = len(self.kernel), len(self.first), len(self.actions)
        self.joint = list(itertools.product(*map(range, self.actions)))
        self.places = list(itertools.product(range(self.horizon), range(self.states)))
        self.twins = [{place: self._twins(agent, *place) for place in self.places} for agent in range(self.agents)]

    def _twins(self, agent, h, s):
        """For every own action the first one that pays the same and leads to the same states, whatever the others do: such actions tie exactly."""
        seen = {}
        for action in self.joint:
            rest = action[:agent] + action[agent + 1 :]
            seen.setdefault(action[agent], {})[rest] = (self.rewards[agent][h][s][action], self.kernel[h][s][action])
        return [next(other for other in seen if seen[other] == seen[own]) for own in sorted(seen)]


@dataclass
class Stage:
    r"""What one stage leaves; everything by agent and then by (h, s).

    `gains` are $\frac1{L}\sum_j[Q_i\pi_{-i}^j](a)$, `earned` the mean value, `variation` $\sum_j\|\pi_i^j-\pi_i^{j-1}\|_1^2$, `sums` $\sum_j\pi_i^j$,
    `joint` the mean of what is played together.
    """

    length: int
    starts: list
    q: list
    gains: list
    earned: list
    variation: list
    sums: list
    joint: dict
    twins: list

    def best(self, agent, place):
        """Best fixed actions in hindsight, and whether it is certain that they tie exactly and that all others are worse."""
        gains, twins = self.gains[agent][place], self.twins[agent][place]
        best = [a for a, gain in enumerate(gains) if not any(other > gain for other in gains)]
        first = best[0]
        same = [twins[a] == twins[first] or (gains[a].is_exact() and gains[a] == gains[first]) for a in best]
        return best, all(same)

    def regret(self, agent, place):
        """Best fixed action in hindsight less what was earned, as a ball that contains it."""
        gains = self.gains[agent][place]
        best = gains[0]
        for gain in gains[1:]:
            best = best.max(gain)
        return best - self.earned[agent][place]


def stage_lengths(iterations, horizon):
    r"""$L_1=H$, $L_{\tau+1}=\lfloor(1+\frac1H)L_\tau\rfloor$, the last one cut at $T$."""
    lengths, length = [], horizon
    while sum(lengths) < iterations:
        lengths.append(min(length, iterations - sum(lengths)))
        length += length // horizon
    return lengths


def learn(game, starts, step_size, iterations, order, joint=False):
    """The stages of a run.

    Parameters
    ----------
    game : Game
    starts : callable
        Stage number from 0 to `[i][(h, s)]`, the initial policies.
    step_size : ball
    iterations : int
    order : {"printed", "repaired"}
    joint : bool
        Whether to keep what is played together, too.

    Returns
    -------
    list of Stage
    """
    zero = ball(0)
    q = [{place: dict.fromkeys(game.joint, zero) for place in game.places} for _ in game.actions]
    stages, play = [], None
    for number, length in enumerate(stage_lengths(iterations, game.horizon)):
        given = starts(number)
        if play is None or not play.begins(q, given, length):
            play = _Play(game, q, given, step_size, order, joint)
        stages.append(play.until(length))
        q = _next_values(game, stages[-1])
    return stages


class _Play:
    """A stage as it is played. One with the same values and starts as the one before begins like that, which then goes on."""

    def __init__(self, game, q, starts, step_size, order, together):
        self.game, self.q, self.starts, self.step_size, self.order, self.together = game, q, starts, step_size, order, together
        self.done, self.places = 0, {place: _Place(game, [own[place] for own in q], [own[place] for own in starts]) for place in game.places}

    def begins(self, q, starts, length):
        """Whether a stage of this length begins with what has been played; balls are equal only if they are exact."""
        return length >= self.done and q == self.q and starts == self.starts

    def until(self, length):
        """The stage, played on to its length."""
        agents = range(self.game.agents)
        stage = Stage(length, self.starts, self.q, *([{} for _ in agents] for _ in range(4)), {}, self.game.twins)
        for key, place in self.places.items():
            for _ in range(length - self.done):
                place.iterate(self.step_size, self.order, self.together)
            for i in agents:
                stage.gains[i][key] = [x / length for x in place.gains[i]]
                stage.earned[i][key] = place.earned[i] / length
                stage.variation[i][key] = place.variation[i]
                stage.sums[i][key] = place.sums[i]
            stage.joint[key] = {action: x / length for action, x in place.joint.items()}
        self.done = length
        return stage


class _Place:
    """What happens at one step and state: policies, feedback, and the sums of a stage."""

    def __init__(self, game, tables, starts):
        self.game, self.tables, self.starts, self.agents = game, tables, starts, range(game.agents)
        self.played = [[ball(x) for x in start] for start in starts]
        self.moved, self.gains, self.sums = ([[ball(0) for _ in row] for row in self.played] for _ in range(3))  # moved: gains of the auxiliary iterate
        self.feedback = self._hear()
        self.earned, self.variation = ([ball(0) for _ in self.agents] for _ in range(2))
        self.joint = dict.fromkeys(game.joint, ball(0))

    def _hear(self):
        return [_feedback(self.game, self.tables[i], self.played, i) for i in self.agents]

    def iterate(self, step_size, order, together):
        """One iteration of all players."""
        if order == "printed":
            self.moved = _added(self.moved, self.feedback)
        following = [_weights(self.starts[i], _sum(self.moved[i], self.feedback[i]), step_size) for i in self.agents]
        for i in self.agents:
            self.variation[i] += total(abs(x - y) for x, y in zip(following[i], self.played[i], strict=True)) ** 2
        self.played = following
        self.feedback = self._hear()
        if order == "repaired":
            self.moved = _added(self.moved, self.feedback)
        self.gains, self.sums = _added(self.gains, self.feedback), _added(self.sums, self.played)
        for i in self.agents:
            self.earned[i] += total(x * g for x, g in zip(self.played[i], self.feedback[i], strict=True))
        if together:
            for action in self.game.joint:
                self.joint[action] += _probability(self.played, action)


def _probability(played, action):
    product = ball(1)
    for policy, choice in zip(played, action, strict=True):
        product *= policy[choice]
    return product


def _feedback(game, table, played, agent):
    r"""$[Q_i\pi_{-i}](a)$ of every own action."""
    values = [ball(0) for _ in range(game.actions[agent])]
    for action in game.joint:
        weight = table[action]
        if weight.is_zero():
            continue
        for other, choice in enumerate(action):
            if other != agent:
                weight = weight * played[other][choice]
        values[action[agent]] += weight
    return values


def _weights(start, exponents, step_size):
    r"""$x_a\propto\tilde x_ae^{\eta g_a}$, relative to the last action that has mass."""
    last = max(a for a, x in enumerate(start) if x != 0)
    base = exponents[last]
    raw = [ball(x) * (step_size * (g - base)).exp() if x != 0 and a != last else ball(x) for a, (x, g) in enumerate(zip(start, exponents, strict=True))]
    mass = total(raw)
    return [x / mass for x in raw]


def _next_values(game, stage):
    r"""$Q_h^{\tau+1}=r_h+P_h\cdot$ (mean value earned at $h+1$)."""
    values = []
    for agent in range(game.agents):
        table = {}
        for h, s in game.places:
            following = [ball(0)] * game.states if h + 1 == game.horizon else [stage.earned[agent][h + 1, t] for t in range(game.states)]
            table[h, s] = {
                action: ball(game.rewards[agent][h][s][action]) + total(ball(p) * v for p, v in zip(game.kernel[h][s][action], following, strict=True) if p)
                for action in game.joint
            }
        values.append(table)
    return values


def _sum(one, other):
    return [x + y for x, y in zip(one, other, strict=True)]


def _added(rows, others):
    return [_sum(one, other) for one, other in zip(rows, others, strict=True)]


def output(game, stages):
    """The average of all iterations: by agent and (h, s)."""
    iterations = sum(stage.length for stage in stages)
    sums = [{place: [flint().arb(0)] * count for place in game.places} for count in game.actions]
    for stage in stages:
        for agent, table in enumerate(sums):
            for place in game.places:
                table[place] = _sum(table[place], stage.sums[agent][place])
    return [{place: [x / iterations for x in row] for place, row in table.items()} for table in sums]
