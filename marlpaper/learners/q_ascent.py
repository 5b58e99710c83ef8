r"""Independent projected Q-ascent: the algorithm of `ding2022`, and of `mao2023` eq. (7).

$\pi_i^{t+1}(\cdot|s)=P_{\Delta(A_i)}\big(\pi_i^t(\cdot|s)+\alpha\bar Q_i^t(s,\cdot)\big)$, all agents and states at once. It is projected policy
gradient with the visitation $d_\rho(s)$ left out: the step size is $\alpha$ everywhere instead of $\eta d_\rho(s)/(1-\gamma)$.
"""

from marlpaper import evaluate, simplex
from marlpaper.learners.ascent import ascend, checked_start


def q_ascent(game, iterations, step_size, initial=None, checkpoints=None, record=False, aggregate="max", tolerance=None):
    r"""Run independent Q-ascent.

    Parameters
    ----------
    game : MarkovGame
        Any number of agents, discounted or finite horizon, dense or structured; batch axes run at once. The learner
        sees only $\bar Q$, `evaluate.feedback`.
    iterations : int
        $T\ge1$.
    step_size : float, array (...) or tuple of N floats
        $\alpha>0$; an array gives every game of the batch its own, a tuple every agent, whose rewards may be in units
        of their own.
    initial : sequence of N arrays (..., H, S, A_i), optional
        $\pi^0$. Default: uniform.
    checkpoints : sequence of int, optional
        Iterations in 0..T at which $\pi^t$ is evaluated; the claims need 0..T-1.
    record : bool
        Keep the policies at the checkpoints.
    aggregate : {"max", "sum", "mean"}
        Of the NE-gap; `max` is the papers' choice for potential games.
    tolerance : float, optional
        Stop at the first checkpoint with a gap of at most this in every game of the batch.

    Returns
    -------
    Run
        The output is the last policy.

    Raises
    ------
    TypeError, ValueError
        If $T<1$, $\alpha\le0$, or an array does not fit.
    """
    iterations, step_size, shaped, policy = checked_start(game, iterations, step_size, initial)
    parameters = {"algorithm": "q-ascent", "iterations": iterations, "step_size": step_size}

    oracle = evaluate.feedback(game, policy)

    def update(policy):
        return q_ascent_step(policy, oracle(policy), shaped)

    return ascend(game, policy, update, parameters, checkpoints, record, aggregate, tolerance)


def q_ascent_step(policy, feedback, step_size):
    r"""One step from $\pi^t$ with $\bar Q^t$: projected $\pi_i+\alpha\bar Q_i$ for each agent; `step_size` for all,
    or a tuple of each agent's."""
    steps = step_size if isinstance(step_size, tuple) else (step_size,) * len(policy)
    return tuple(simplex.project(p + step * q) for p, q, step in zip(policy, feedback, steps, strict=True))
