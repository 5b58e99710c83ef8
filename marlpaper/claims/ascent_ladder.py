r"""The proof of Proposition 1 as a ladder: from the measured Nash regret of a Q-ascent run up to the bound for all games.

Each rung is one inequality of the repaired proof; the quotient of neighbouring rungs is what it gives away on the run.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent


def proposition_ladder(run):
    r"""Rungs of the repaired Proposition 1, as {label: value}.

    Parameters
    ----------
    run : Run
        Of `learners.q_ascent` on a single potential game, recorded at every iteration, with $\alpha L<1$.
    """
    game, step, iterations = run.game, run.parameters["step_size"], run.parameters["iterations"]
    kappa = evaluate.mismatch(game)
    part = ascent.per_step(game, step) / (step * (1 - game.discount))  # gap per length of a step
    lengths = ascent.step_lengths(run.trajectory)  # summed over agents, (T, S)
    trajectory = [p[:-1] for p in run.trajectory]
    visited = [p[1:] for p in run.trajectory] if game.agents == 1 else trajectory  # one agent: the lemma weighs by where it goes next
    weighted = (evaluate.visitation(game, visited) * lengths).sum(-1)
    risen = np.maximum(ascent.rises(game, run.trajectory), 0)
    loss = 0 if game.agents == 1 else step * ascent.smoothness(game, kappa)
    constant = ascent.leading_constant(game, step, kappa)
    largest = 2 * ascent.half_range(game) * game.agents / (1 - game.discount)
    return {
        "Nash regret, measured": ascent.regret(run),
        "length of the steps, where the reply goes": part * _along_replies(game, trajectory, run.trajectory).mean(),
        "mismatch: where the policy goes": part * np.sqrt(kappa / (1 - game.discount) * weighted).mean(),
        "rise of the potential in each step": part * np.sqrt(kappa * step / (1 - loss) * risen).mean(),
        "Cauchy–Schwarz over time": constant * ascent.regret_bound(game, step, iterations, kappa, risen.sum()),
        "largest rise of any potential": constant * ascent.regret_bound(game, step, iterations, kappa, largest),
    }


def _along_replies(game, trajectory, full):
    r"""$\sum_sd^\dagger(s)x_i(s)$ at every iteration for the agent with the largest gain, $d^\dagger$ the visitation of its best reply: (T,)."""
    gains = evaluate.agent_gaps(game, trajectory)
    best = evaluate.best_response_values(game, trajectory)
    chosen = []
    for agent in range(game.agents):
        rewards, kernel = evaluate.decision_process(game, trajectory, agent)
        q = rewards + game.discount * np.einsum("...sat,...t->...sa", kernel, best[..., agent, :])
        reply = np.eye(game.actions[agent])[q.argmax(-1)]
        visits = evaluate.visitation(game, [*trajectory[:agent], reply, *trajectory[agent + 1 :]])
        moved = np.sqrt((np.diff(full[agent], axis=0) ** 2).sum(-1))
        chosen.append((visits * moved).sum(-1))
    return np.take_along_axis(np.stack(chosen, -1), gains.argmax(-1)[:, None], -1)[:, 0]
