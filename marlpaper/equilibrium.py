r"""Ground truth by other means: exact equilibria by linear programming.

Independent of the learners on purpose. A zero-sum Markov game of finite horizon is solved by backward induction, a
discounted one by Shapley's iteration; each stage is a matrix game, and a matrix game is a linear programme:
maximise $v$ subject to $\sum_ax_aQ_{ab}\ge v$ for every column $b$, $x\in\Delta(A)$. Its dual variables are the
min-player's policy. Every matrix is first mapped affinely to $[0,1]$: neither units nor a shift change an equilibrium, and
the solvers' tolerances are absolute. All stages of a step (games × states) go to SciPy's HiGHS as one block-diagonal programme.
"""

import numpy as np

from marlpaper import evaluate, validation
from marlpaper.games.tabular import MarkovGame, shifted

CHUNK = 256
RESIDUAL = 1e-10
"""What both players together may gain by deviating from an answer of quantecon, in units of the spread."""
VALUE_TOLERANCE = 1e-9
"""How well the value of a matrix game is known that a linear programme solves, in units of the spread."""
PATIENCE = 100
"""Steps of Shapley's iteration without a smaller error, after which rounding is all that is left."""
EXTREME_LIMIT = 10
"""Actions of each player of a game whose extreme equilibria are enumerated: their number grows exponentially."""
EXTREME_GAP = 1e-9
"""What a player may gain by deviating from an enumerated equilibrium, in units of the spread."""
SADDLE_TOLERANCE = 1e-12
r"""Of a matrix in units of its own spread (largest entry - smallest entry): a smaller $\min\max-\max\min$ is a pure saddle."""


def solve_zero_sum(game, solver="highs", tolerance=1e-8):
    r"""Nash equilibrium of zero-sum Markov games, exact but for a guaranteed error.

    Parameters
    ----------
    game : MarkovGame
        Zero-sum or constant-sum; any batch axes.
    solver : str
        As in `matrix_games`.
    tolerance : float
        Largest error of the values of a discounted game, as a part of the largest possible spread of returns,
        $(\max r-\min r)/(1-\gamma)$. Not used with a finite horizon, where there is nothing to iterate.

    Returns
    -------
    policy : tuple of arrays (..., H, S, A), (..., H, S, B)
        Without the `H` axis in discounted games.
    values : array (..., H, S)
        $V_h^\star(s)$ of the max-player, agent 0, in the units of its rewards.

    Raises
    ------
    ValueError
        If the game is not zero-sum or constant-sum, or has no table of transitions.
    ArithmeticError
        If rounding keeps the error of a discounted game above the tolerance.

    Notes
    -----
    Discounted games: Shapley's operator $V\mapsto\mathrm{val}(r+\gamma PV)$, each step carried on to the value of the
    max-player's best response to the stage equilibria (Hoffman and Karp 1966), from above. It ends when the best
    responses to both players' stage equilibria, computed exactly, enclose $V^\star$ tightly enough:
    $V^{\mu,\dagger}\le V^\star\le V^{\dagger,\nu}$.
    """
    game = shifted(game)
    if not hasattr(game, "transitions"):
        raise ValueError(f"game is {game!r}, expected a zero-sum game with a table of transitions.")
    if game.horizon is None:
        return _shapley(game, solver, validation.positive("tolerance", tolerance))
    reward = game.agent_rewards(0)
    following = np.zeros(game.batch + (game.states,))
    steps = []
    for h in reversed(range(game.horizon)):
        q = reward[..., h, :, :, :] + np.einsum("...sabt,...t->...sab", game.transitions[..., h, :, :, :, :], following)
        steps.append(matrix_games(q, solver))
        following = steps[-1][2]
    rows, columns, values = zip(*steps[::-1], strict=True)
    return (np.stack(rows, -3), np.stack(columns, -3)), np.stack(values, -2)


def _shapley(game, solver, tolerance):
    """Equilibrium and values of discounted zero-sum games, enclosed by best responses."""
    reward, kernel = game.agent_rewards(0), game.transitions
    body = tuple(range(len(game.batch), reward.ndim))
    middle = (reward.min(body, keepdims=True) + reward.max(body, keepdims=True)) / 2
    reward = reward - middle  # a constant would cost digits
    centred = MarkovGame(np.stack([reward, -reward], len(game.batch)), kernel, game.initial, game.discount)
    allowed = tolerance * np.ptp(reward, axis=body)[..., None] / (1 - game.discount)
    values, least, waited = np.zeros(game.batch + (game.states,)), np.inf, 0
    while waited < PATIENCE:
        *policy, _ = matrix_games(reward + game.discount * np.einsum("...sabt,...t->...sab", kernel, values), solver)
        above, below = np.moveaxis(evaluate.best_response_values(centred, policy), -2, 0) * np.reshape(
            [1, -1], (2,) + (1,) * values.ndim
        )
        error = (above - below) / 2
        if (error <= allowed).all():
            return tuple(policy), (above + below) / 2 + middle.reshape(game.batch + (1,)) / (1 - game.discount)
        worst = np.divide(error, allowed, out=np.zeros_like(error), where=allowed > 0).max()
        least, waited = (worst, 0) if worst < least else (least, waited + 1)
        values = above
    raise ArithmeticError(
        f"the values of {game!r} are known within {least * tolerance:.1e} of the spread of returns only, expected "
        f"{tolerance:.1e}: allow a larger tolerance."
    )


def of_stages(game, stages):
    r"""An exact equilibrium of every stage's matrix, if every stage is started there: an oracle's start.

    $Q^1=0$ and $Q_h^{\tau+1}=r_h+P_h\,\mathrm{val}(Q^\tau_{h+1})$. Mirror descent started at an equilibrium of its matrix
    never moves, so these are the stages of `mao2023` Algorithm 1 from the best start that its analysis knows.

    Parameters
    ----------
    game : MarkovGame
        Zero-sum, finite horizon.
    stages : int
        Number of stages.

    Returns
    -------
    pair of arrays (..., stages, H, S, A), (..., stages, H, S, B)
        Where equilibria tie, the first action is taken.
    """
    reward = game.agent_rewards(0)
    q = np.zeros_like(reward)
    starts = []
    for _ in range(stages):
        *policy, values = matrix_games(q)
        starts.append(policy)
        following = np.concatenate([values[..., 1:, :], np.zeros_like(values[..., :1, :])], -2)
        q = reward + np.einsum("...hsabt,...ht->...hsab", game.transitions, following)
    return tuple(np.stack(part, -4) for part in zip(*starts, strict=True))


def matrix_games(payoffs, solver="highs"):
    r"""Equilibria of zero-sum matrix games: closed form for 2×2, linear programming otherwise.

    Parameters
    ----------
    payoffs : array (..., A, B)
        To the row player, who maximises.
    solver : str
        ``"highs"``, or ``"quantecon"`` for the compiled simplex of that package: some 40 times faster at A=B=10, once it is
        imported and compiled, which takes seconds. Where a game has several equilibria the two may choose differently.

    Returns
    -------
    rows : array (..., A)
    columns : array (..., B)
    values : array (...)

    Raises
    ------
    TypeError, ValueError
        If `payoffs` has fewer than two axes or an entry that is not a finite number, or `solver` is none of the two.
    ImportError
        If `solver` is ``"quantecon"`` and that is not installed.
    """
    if solver not in ("highs", "quantecon"):
        raise ValueError(f"solver is {solver!r}, expected 'highs' or 'quantecon'.")
    payoffs = validation.array("payoffs", payoffs)
    if payoffs.ndim < 2:
        raise ValueError(f"payoffs has shape {payoffs.shape}, expected (..., A, B).")
    if payoffs.shape[-2:] == (2, 2):
        return two_by_two(payoffs)
    batch, (rows, columns) = payoffs.shape[:-2], payoffs.shape[-2:]
    unit, lowest, spread = _to_unit(payoffs)
    flat = unit.reshape(-1, rows, columns)
    solve = _compiled_simplex if solver == "quantecon" else _linear_programme
    solved = [solve(flat[k : k + CHUNK]) for k in range(0, len(flat), CHUNK)]
    x, y = (np.concatenate(part) for part in zip(*solved, strict=True))
    values = np.einsum("na,nab,nb->n", x, flat, y)
    return x.reshape(*batch, rows), y.reshape(*batch, columns), lowest + spread * values.reshape(batch)


def two_by_two(payoffs):
    r"""Equilibria of 2×2 zero-sum games in closed form.

    A pure saddle ($\max\min=\min\max$, up to SADDLE_TOLERANCE: degenerate games otherwise get a wrong value by rounding)
    is played where there is one; else both mix so as to make the other indifferent.

    Parameters and results as in `matrix_games`.
    """
    payoffs, lowest, scale = _to_unit(payoffs)
    lower = payoffs.min(-1)
    upper = payoffs.max(-2)
    row, column = lower.argmax(-1), upper.argmin(-1)
    pure = (upper.min(-1) - lower.max(-1)) <= SADDLE_TOLERANCE
    a, b, c, d = (payoffs[..., i, j] for i in (0, 1) for j in (0, 1))
    spread = np.where(pure, 1.0, (a - b) + (d - c))
    x, y = (d - c) / spread, (d - b) / spread
    eye = np.eye(2)
    rows = np.where(pure[..., None], eye[row], np.stack([x, 1 - x], -1))
    columns = np.where(pure[..., None], eye[column], np.stack([y, 1 - y], -1))
    return rows, columns, lowest + scale * np.einsum("...a,...ab,...b->...", rows, payoffs, columns)


def _to_unit(payoffs):
    """Matrices (..., A, B) mapped to [0, 1], with the smallest entry and the spread (..., ) that map values back.

    A constant matrix becomes 0.
    """
    lowest, highest = payoffs.min((-2, -1)), payoffs.max((-2, -1))
    spread = highest - lowest
    divisor = np.where(spread > 0, spread, 1.0)[..., None, None]
    return (payoffs - lowest[..., None, None]) / divisor, lowest, spread


def _compiled_simplex(payoffs):
    """Policies of n matrix games (n, A, B) in [0, 1] by quantecon; those that miss the saddle are solved again by HiGHS."""
    from quantecon.optimize import minmax

    _, x, y = (np.array(part) for part in zip(*map(minmax, payoffs), strict=True))
    best, worst = np.einsum("nab,nb->na", payoffs, y).max(-1), np.einsum("na,nab->nb", x, payoffs).min(-1)
    proper = (x.min(-1) >= 0) & (y.min(-1) >= 0) & np.isclose(x.sum(-1), 1) & np.isclose(y.sum(-1), 1)
    missed = ~(proper & (best - worst <= RESIDUAL))
    if missed.any():
        x[missed], y[missed] = _linear_programme(payoffs[missed])
    return x / x.sum(-1, keepdims=True), y / y.sum(-1, keepdims=True)


def _linear_programme(payoffs):
    """Policies of n matrix games (n, A, B) by one block-diagonal programme in (x_1, v_1, ..., x_n, v_n).

    HiGHS gives up on a few of these programmes, which it solves in two halves.
    """
    from scipy import optimize, sparse  # here: half a second that 2x2 games, `marlpaper check` for one, do without

    count, rows, columns = payoffs.shape
    cost = np.tile(np.r_[np.zeros(rows), -1.0], count)
    blocks = np.concatenate([-np.swapaxes(payoffs, 1, 2), np.ones((count, columns, 1))], axis=2)
    simplex = np.r_[np.ones(rows), 0.0][None]
    result = optimize.linprog(
        cost,
        A_ub=sparse.block_diag(list(blocks), format="csr"),
        b_ub=np.zeros(count * columns),
        A_eq=sparse.block_diag([simplex] * count, format="csr"),
        b_eq=np.ones(count),
        bounds=np.tile([[0, None]] * rows + [[None, None]], (count, 1)),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if not result.success and count > 1:
        halves = zip(*map(_linear_programme, np.array_split(payoffs, 2)), strict=True)
        return tuple(np.concatenate(half) for half in halves)
    if not result.success:
        raise ArithmeticError(f"the linear programme of a matrix game was not solved: {result.message}")
    x = np.maximum(result.x.reshape(count, rows + 1)[:, :rows], 0)
    y = np.maximum(-result.ineqlin.marginals.reshape(count, columns), 0)
    return x / x.sum(-1, keepdims=True), y / y.sum(-1, keepdims=True)


def bimatrix_equilibria(payoffs):
    r"""All extreme Nash equilibria of a two-player game: every other one is a mixture of extreme ones of one component.

    Parameters
    ----------
    payoffs : array (2, A, B)
        At most EXTREME_LIMIT actions of each player.

    Returns
    -------
    equilibria : list of pairs of arrays (A,), (B,)
        In the order of the first player's mixture, pure actions of low number first. Enumerated by quantecon, with
        each table mapped to [0, 1], and checked: neither player gains more than EXTREME_GAP of the spread of its
        payoffs.
    complete : bool
        False for degenerate games, where some mixture has more best responses than actions, and the enumeration may
        miss equilibria.

    Raises
    ------
    TypeError, ValueError
        If `payoffs` has another shape, an entry that is not a finite number, or too many actions.
    ModuleNotFoundError
        If quantecon is not installed.
    """
    payoffs = validation.array("payoffs", payoffs)
    if payoffs.ndim != 3 or len(payoffs) != 2 or not 1 <= min(payoffs.shape) <= max(payoffs.shape) <= EXTREME_LIMIT:
        raise ValueError(
            f"payoffs has shape {payoffs.shape}, expected (2, A, B) with 1 to {EXTREME_LIMIT} actions of each player."
        )
    try:
        from quantecon import game_theory
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "bimatrix_equilibria needs quantecon, which is not installed: pip install quantecon.", name="quantecon"
        ) from None
    first, second = _to_unit(payoffs)[0]
    if 1 in first.shape:  # one player's best responses, which need no enumeration
        found, complete = _against_one(first, second), True
    else:
        players = game_theory.Player(first), game_theory.Player(second.T.copy())
        found, complete = game_theory.vertex_enumeration(game_theory.NormalFormGame(players)), not (
            _has_ties(first) or _has_ties(second.T)
        )
    good = []
    for x, y in found:
        gains = (first @ y).max() - x @ first @ y, (x @ second).max() - x @ second @ y
        known = any(np.abs(x - a).max() + np.abs(y - b).max() < EXTREME_GAP for a, b in good)
        if max(gains) <= EXTREME_GAP and not known:
            good.append((x, y))
    return sorted(good, key=lambda pair: tuple(-np.round(np.concatenate(pair), 9))), complete


def _has_ties(payoffs):
    """Whether some mixture of the columns has more best rows than columns: a corner of the best-response polytope is
    then on too many sides."""
    from scipy import spatial

    rows, columns = payoffs.shape
    payoffs = payoffs + 1
    sides = np.block([[payoffs, -np.ones((rows, 1))], [-np.eye(columns), np.zeros((columns, 1))]])
    inside = np.full(columns, 0.25 / columns)
    polytope = spatial.HalfspaceIntersection(sides, inside)
    corners = polytope.intersections
    tight = np.abs(corners @ sides[:, :-1].T + sides[:, -1]) < EXTREME_GAP
    return bool((tight.sum(-1) > columns).any())


def _against_one(first, second):
    """Extreme equilibria where one player has a single action."""
    best = first.T[0] if first.shape[1] == 1 else second[0]
    one = np.ones(1)
    pure = [np.eye(len(best))[k] for k in np.flatnonzero(best >= best.max() - EXTREME_GAP)]
    return [(p, one) if first.shape[1] == 1 else (one, p) for p in pure]


def cce_polytope(payoffs):
    r"""The coarse correlated equilibria of a matrix game, as a polytope of joint distributions.

    $x\in\Delta(A_1\times\dots\times A_N)$ is one iff $Gx\le0$, with a row for each agent $i$ and deviation $a_i'$:
    $\sum_ax(a)\big[r_i(a_i',a_{-i})-r_i(a)\big]\le0$. The largest entry of $Gx$ is its CCE-gap.

    Parameters
    ----------
    payoffs : array (N, A_1, ..., A_N)

    Returns
    -------
    array (A_1 + ... + A_N, A_1 ⋯ A_N)
        $G$; joint actions in C order.

    Raises
    ------
    TypeError, ValueError
        If `payoffs` has not one table for each of its axes of actions, or an entry that is not a finite number.
    """
    payoffs = validation.array("payoffs", payoffs)
    if payoffs.ndim < 2 or len(payoffs) != payoffs.ndim - 1:
        raise ValueError(f"payoffs has shape {payoffs.shape}, expected (N, A_1, ..., A_N) with one table for each of the N agents.")
    rows = []
    for agent, own in enumerate(payoffs):
        for action in range(own.shape[agent]):
            instead = np.take(own, [action], agent)
            rows.append((instead - own).ravel())
    return np.array(rows)


def cce_extremes(payoffs, objective):
    r"""The coarse correlated equilibria at which a linear function of the joint distribution is smallest and largest.

    Parameters
    ----------
    payoffs : array (N, A_1, ..., A_N)
    objective : array (A_1, ..., A_N)
        E.g. `payoffs.sum(0)`, the welfare.

    Returns
    -------
    values : array (2,)
        Smallest and largest.
    distributions : array (2, A_1, ..., A_N)

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit.
    """
    from scipy import optimize

    payoffs = validation.array("payoffs", payoffs)
    cce_polytope(payoffs)  # names what does not fit
    deviations = cce_polytope([_to_unit(own.reshape(1, -1))[0].reshape(own.shape) for own in payoffs])
    objective = validation.array("objective", objective)
    if objective.shape != np.shape(payoffs)[1:]:
        raise ValueError(f"objective has shape {objective.shape}, expected {np.shape(payoffs)[1:]}, one number for each joint action.")
    found = []
    for sign in (1, -1):
        result = optimize.linprog(
            sign * _to_unit(objective.reshape(1, -1))[0].ravel(),
            A_ub=deviations,
            b_ub=np.zeros(len(deviations)),
            A_eq=np.ones((1, objective.size)),
            b_eq=[1.0],
            method="highs-ds",
        )
        if not result.success:
            raise ArithmeticError(f"the linear programme of a matrix game's correlated equilibria was not solved: {result.message}")
        found.append(np.maximum(result.x, 0).reshape(objective.shape))
    return np.array([(x * objective).sum() for x in found]), np.stack(found)
