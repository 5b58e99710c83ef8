"""Slow answers that share nothing with the package: plain loops over trajectories and deterministic policies.

Games are single (no batch axes); the arrays of a game are only indexed, never contracted.
"""

import itertools

import numpy as np

SWEEPS = 900
"""Value iteration steps of discounted games: 0.9**900 is below 1e-41."""


def joint_actions(game):
    """All joint actions, as tuples."""
    return list(itertools.product(*map(range, game.actions)))


def chance_of(policy, where, joint):
    """Probability of a joint action, the agents being independent."""
    return np.prod([part[where][action] for part, action in zip(policy, joint, strict=True)])


def trajectories(game, policy, step, state):
    """Every trajectory from (step, state) on: (probability, list of (h, s, joint action))."""
    if step == game.horizon:
        yield 1.0, []
        return
    for joint in joint_actions(game):
        for following in range(game.states):
            chance = chance_of(policy, (step, state), joint) * game.transitions[(step, state, *joint, following)]
            if chance > 0:
                rest = trajectories(game, policy, step + 1, following) if step + 1 < game.horizon else [(1.0, [])]
                for probability, tail in rest:
                    yield chance * probability, [(step, state, joint), *tail]


def trajectory_values(game, policy):
    """State values (N, H, S) by listing trajectories."""
    values = np.zeros((game.agents, game.horizon, game.states))
    for step, state in itertools.product(range(game.horizon), range(game.states)):
        for probability, path in trajectories(game, policy, step, state):
            for agent in range(game.agents):
                values[agent, step, state] += probability * sum(game.rewards[(agent, h, s, *joint)] for h, s, joint in path)
    return values


def trajectory_visitation(game, policy):
    """P(s_h = s), (H, S), by listing trajectories from the start."""
    visits = np.zeros((game.horizon, game.states))
    for start in range(game.states):
        for probability, path in trajectories(game, policy, 0, start):
            for h, s, _ in path:
                visits[h, s] += game.initial[start] * probability
    return visits


def looped_values(game, policy):
    """State values (N, H, S) or (N, S) by loops: backward induction, or value iteration run to convergence."""
    steps = [()] if game.horizon is None else [(h,) for h in range(game.horizon)]
    shape = (game.agents, game.states)
    reward = {where: np.zeros(shape) for where in steps}
    moves = {where: [[0.0] * game.states for _ in range(game.states)] for where in steps}
    for where, s, joint in itertools.product(steps, range(game.states), joint_actions(game)):
        chance = chance_of(policy, (*where, s), joint)
        for agent in range(game.agents):
            reward[where][agent, s] += chance * game.rewards[(agent, *where, s, *joint)]
        for following in range(game.states):
            moves[where][s][following] += chance * game.transitions[(*where, s, *joint, following)]
    values = np.zeros(shape)
    if game.horizon is None:
        for _ in range(SWEEPS):
            values = reward[()] + game.discount * values @ np.transpose(moves[()])
        return values
    result = []
    for where in reversed(steps):
        values = reward[where] + values @ np.transpose(moves[where])
        result.insert(0, values)
    return np.stack(result, 1)


def looped_q(game, policy, agent):
    """Averaged Q of one agent: play the action once, then the policy."""
    values = looped_values(game, policy)[agent]
    shape = (*game.time, game.states, game.actions[agent])
    result = np.zeros(shape)
    for index in np.ndindex(shape):
        *where, s, action = index
        deviated = [np.array(part) for part in policy]
        deviated[agent][(*where, s)] = np.eye(game.actions[agent])[action]
        for joint in joint_actions(game):
            chance = chance_of(deviated, (*where, s), joint)
            result[index] += chance * game.rewards[(agent, *where, s, *joint)]
            for following in range(game.states):
                move = chance * game.transitions[(*where, s, *joint, following)]
                if game.horizon is None:
                    result[index] += game.discount * move * values[following]
                elif where[0] + 1 < game.horizon:
                    result[index] += move * values[where[0] + 1, following]
    return result


def deterministic_policies(game, agent):
    """Every deterministic policy of one agent: arrays (H, S, A_i) or (S, A_i)."""
    shape = (*game.time, game.states)
    for choices in itertools.product(range(game.actions[agent]), repeat=int(np.prod(shape))):
        yield np.eye(game.actions[agent])[np.reshape(choices, shape)]


def enumerated_best_response(game, policy):
    """Best-response values (N, H, S) or (N, S): the best of all deterministic deviations, state by state."""
    best = []
    for agent in range(game.agents):
        candidates = (
            looped_values(game, [*policy[:agent], deviation, *policy[agent + 1 :]])[agent]
            for deviation in deterministic_policies(game, agent)
        )
        best.append(np.max(list(candidates), axis=0))
    return np.stack(best)


def enumerated_gaps(game, policy):
    """Each agent's gain from its best deterministic deviation, at the game's start: (N,)."""
    gain = enumerated_best_response(game, policy) - looped_values(game, policy)
    first = gain if game.horizon is None else gain[:, 0]
    return first @ game.initial
