r"""What the claims on Q-ascent in potential games share: regret of a run, rise of the potential, constants.

$b=\beta/(1-\gamma)$ bounds $|Q_i-\text{middle of the range}|$: $\beta=\frac12$ for rewards in [0, 1], $\beta=1$ for rewards in [-1, 1].
$L=\beta NA\kappa^{3/2}/(1-\gamma)^3$ is the weighted smoothness of the potential, $\Lambda=\alpha L$.
"""

import numpy as np

from marlpaper import evaluate, validation
from marlpaper.games.tabular import MarkovGame

STEP_ROUNDING = 4 * np.finfo(float).eps
"""How well the difference of two policies is known, whose entries are at most 1."""

VALUE_ROUNDING = 16 * np.finfo(float).eps
"""How well a value is known that solves a linear system, in units of its size and of the system's condition."""


def regret(run):
    r"""$\frac1T\sum_{t<T}\text{NE-gap}(\pi^t)$, the largest gain of an agent: (...).

    Raises
    ------
    ValueError
        If the run was not evaluated at every iteration, or with another aggregate than `max`.
    """
    iterations = run.parameters["iterations"]
    if run.checkpoints[:iterations].tolist() != list(range(iterations)):
        raise ValueError(f"run has {len(run.checkpoints)} checkpoints, expected every iteration 0..{iterations - 1}.")
    if run.parameters["aggregate"] != "max":
        raise ValueError(f"run has the aggregate {run.parameters['aggregate']!r}, expected 'max'.")
    return run.gaps[..., :iterations].mean(-1)


def gap_rounding(game):
    r"""How well a gap is known: values are up to $\frac{\max|r|}{1-\gamma}$, and solving for them costs another $\frac1{1-\gamma}$. (...)"""
    axes = tuple(range(len(game.batch), game.rewards.ndim))
    return VALUE_ROUNDING * np.abs(game.rewards).max(axes) / (1 - game.discount) ** 2


def rise(run, reference=None):
    r"""$\Phi(\pi^T)-\Phi(\pi^0)$ at the game's start, or at the start distribution `reference`; at least 0."""
    game = restarted(run.game, reference)
    return np.maximum(evaluate.potential_difference(game, run.policy, run.initial), 0)


def restarted(game, reference=None):
    """The same game started from the distribution `reference` (..., S)."""
    return game if reference is None else MarkovGame(game.rewards, game.transitions, reference, game.discount)


def half_range(game):
    r"""$\beta$: $\frac12$ if all rewards are in [0, 1], 1 if they are in [-1, 1].

    Raises
    ------
    ValueError
        If a reward is outside [-1, 1].
    """
    validation.within("rewards", game.rewards, -1, 1)
    return 0.5 if game.rewards.min() >= 0 else 1.0


def actions(game):
    r"""$A=\max_i|A_i|$."""
    return max(game.actions)


def smoothness(game, kappa):
    r"""$L=\beta NA\kappa^{3/2}/(1-\gamma)^3$: along any line of policies $|\Phi''|\le2L\sum_{i,s}\rho(s)\|\Delta_i(s)\|^2$."""
    return half_range(game) * game.agents * actions(game) * kappa**1.5 / (1 - game.discount) ** 3


def per_step(game, step_size):
    r"""$\sqrt2+\alpha\beta\sqrt A/(1-\gamma)$, how much of a gap one step of length $x$ can leave: gap part $\le$ this $\cdot x/\alpha$."""
    return np.sqrt(2) + step_size * half_range(game) * np.sqrt(actions(game)) / (1 - game.discount)


def cooperative_share(game, step_size):
    r"""$c=1-\frac{\alpha\beta A(N-1)}{2(1-\gamma)}$, the part of the squared step lengths by which a common reward's value rises."""
    return 1 - step_size * half_range(game) * actions(game) * (game.agents - 1) / (2 * (1 - game.discount))


def leading_constant(game, step_size, kappa):
    r"""$C=(\sqrt2+\alpha\beta\sqrt A/(1-\gamma))/\sqrt{1-\Lambda}$; infinite for $\Lambda\ge1$. One agent: $\Lambda=0$."""
    loss = 0 if game.agents == 1 else step_size * smoothness(game, kappa)
    with np.errstate(divide="ignore"):
        return per_step(game, step_size) / np.sqrt(np.maximum(1 - loss, 0))


def regret_bound(game, step_size, iterations, kappa, increase):
    r"""$\sqrt{\kappa\cdot\text{increase}/(\alpha T(1-\gamma)^2)}$, the printed form without a constant."""
    return np.sqrt(unbounded(kappa, np.maximum(increase, 0)) / (step_size * iterations)) / (1 - game.discount)


def unbounded(kappa, amount):
    r"""$\kappa\cdot$ `amount`, infinite where $\kappa$ is: a bound that divides by the start's mass says nothing of a start without."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(kappa), np.inf, kappa * amount)


def printed_cap(game, kappa):
    r"""$\frac{(1-\gamma)^4}{8\kappa^3NA}$, the largest step size of `mao2023` Proposition 1, and the one of Theorem 3."""
    return (1 - game.discount) ** 4 / (8 * np.asarray(kappa) ** 3 * game.agents * actions(game))


def above(step_size, cap):
    """The assumption that the step size is at most `cap`, in words if it is not met, else ""."""
    sizes, caps = np.broadcast_arrays(step_size, cap)
    with np.errstate(divide="ignore"):
        worst = np.argmax(sizes / caps)
    over = sizes.flat[worst] > caps.flat[worst] * (1 + 1e-9)
    return f"step size is {sizes.flat[worst]:.4g}, above {caps.flat[worst]:.4g}" if over else ""


def other_than(step_size, value):
    """The assumption that the step size is `value`, in words if it is not met, else ""."""
    sizes, values = np.broadcast_arrays(step_size, value)
    with np.errstate(divide="ignore"):
        worst = np.argmax(np.abs(np.log(sizes / values)))
    same = np.isclose(sizes.flat[worst], values.flat[worst], rtol=1e-6, atol=0)
    return "" if same else f"step size is {sizes.flat[worst]:.4g}, not {values.flat[worst]:.4g}"


def step_lengths(trajectory):
    r"""$x_i(s)^2=\|\pi_i^{t+1}-\pi_i^t\|_2^2$ summed over agents: (C-1, ..., S)."""
    return sum((np.diff(policy, axis=0) ** 2).sum(-1) for policy in trajectory)


def rises(game, trajectory):
    r"""$\Phi(\pi^{t+1})-\Phi(\pi^t)$ along a trajectory: (C-1, ...)."""
    return evaluate.potential_difference(game, [p[1:] for p in trajectory], [p[:-1] for p in trajectory])


def rise_rounding(run, reference=None):
    r"""How well `rise` is known: $\frac{Te}{1-\gamma}\sum_{s,i,a}d_\rho(s)\,|\bar Q_i(s,a)-\bar Q_i(s,a^\ast)|$, the larger at start and end.

    The rise itself is that of the policies as stored; but each of $T$ steps has moved every probability by up to $e$ = `step_rounding`
    beside the mark.
    """
    game = restarted(run.game, reference)
    moments = [_spread(game, policy) for policy in (run.initial, run.policy)]
    error = step_rounding(game, run.parameters["step_size"])
    return run.parameters["iterations"] * error * np.maximum(*moments) / (1 - game.discount)


def step_rounding(game, step_size):
    """How well a step is known: the rounding of two policies, and of the feedback times the step size. (...)"""
    return STEP_ROUNDING + np.asarray(step_size) * gap_rounding(game)


def _spread(game, policy):
    spread = 0.0
    for own, q in zip(game.check_policy(policy), evaluate.averaged_q(game, policy), strict=True):
        most = np.eye(own.shape[-1])[own.argmax(-1)]
        spread = spread + np.abs(q - (most * q).sum(-1, keepdims=True)).sum(-1)
    return (evaluate.visitation(game, policy) * spread).sum(-1)


def run_bound(run, kappa, reference=None):
    """`regret_bound` with the rise of the run, and how well it is known: bound, rounding (...)."""
    risen, error = rise(run, reference), rise_rounding(run, reference)
    settings = run.game, run.parameters["step_size"], run.parameters["iterations"], kappa
    bound, more, less = (regret_bound(*settings, increase) for increase in (risen, risen + error, risen - error))
    with np.errstate(invalid="ignore"):
        return bound, np.where(np.isinf(bound), 0.0, np.maximum(more - bound, bound - less))


def improvement(game, step_size, visits, lengths, risen):
    r"""Rise of the potential in units of $\frac1{\alpha(1-\gamma)}\sum_{s,i}d(s)x_i(s)^2$: at least 1 less the theorem's loss.

    Parameters
    ----------
    visits : array (T, ..., S)
        $d(s)$.
    lengths : array (T, ..., S)
        $\sum_ix_i(s)^2$ of every step.
    risen : array (T, ...)
        Rise of the potential.

    Returns
    -------
    quotient, rounding : arrays (T, ...)
        A step $x$ is known up to $e$, so its square is known up to $2ex$.
    """
    def unit(squares):
        return (visits * squares).sum(-1) / (step_size * (1 - game.discount))

    moved = np.broadcast_to(unit(lengths), risen.shape)
    error = unit(2 * step_rounding(game, step_size)[..., None] * np.sqrt(game.agents * lengths))
    return tuple(np.divide(part, moved, out=np.full_like(risen, still), where=moved > 0) for part, still in ((risen, 1.0), (error, 0.0)))
