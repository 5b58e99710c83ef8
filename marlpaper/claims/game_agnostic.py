r"""`ding2022`, learning without knowing which game is played: optimistic Q-ascent, and why the plain one will not do.

The slides print $T^{-1/6}$ without a constant, and last-iterate convergence without a rate. A statement with a free constant cannot
fail on a run, so both are listed as what they are, and the case of one state, where constants can be proved, is checked.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent
from marlpaper.claims.check import Sides, registry

registry.add(
    "ding2022.game-agnostic",
    "Game-agnostic learning",
    r"Optimistic Q-ascent, two players, common reward or zero-sum: $\text{Nash-Regret}(T)\lesssim T^{-1/6}$ (no constant is printed, so no run can decide it)",
    constant=False,
)

registry.add(
    "ding2022.game-agnostic-last-iterate",
    "Game-agnostic learning, last iterate",
    r"Optimistic Q-ascent, two players, common reward or zero-sum: the last iterate converges (no rate is printed, so no run can decide it)",
    constant=False,
)


@registry.claim(
    "ding2022.game-agnostic-one-state",
    "Game-agnostic learning in one state, with constants (derived here)",
    r"One state, $\beta$ half the range of the rewards $R$, $L=\Vert R-\text{middle}\Vert_2$, $\alpha\le\frac1{4L}$: $(1-\gamma)\,\text{Nash-Regret}(t)\le"
    r"\big(\frac{\sqrt2}\alpha+\beta\sqrt A\big)\frac{3.32}{\sqrt t}$ (zero-sum), $\le\big(\frac{\sqrt2}\alpha+2\beta\sqrt A\big)\sqrt{\frac{1.6\,\alpha\,(\max R-V(\pi^0))}t}$ (common)",
    proof="ding2022-game-agnostic#agnostic-one-state",
)
def game_agnostic_one_state(run):
    """Nash-Regret after every number of iterations against its bound: (..., T)."""
    game, step_size = run.game, np.asarray(run.parameters["step_size"])
    unmet = _other_game(game) or ("" if game.states == 1 else f"the game has {game.states} states, not 1")
    if unmet:
        return Sides(np.zeros(1), np.zeros(1), unmet=unmet)
    reward = game.agent_rewards(0)[..., 0, :, :]
    low, high = reward.min((-2, -1)), reward.max((-2, -1))
    half, size = (high - low) / 2, np.linalg.norm(reward - ((high + low) / 2)[..., None, None], 2, (-2, -1))
    value = np.einsum("...a,...ab,...b->...", run.initial[0][..., 0, :], reward, run.initial[1][..., 0, :])
    spread, time = half * np.sqrt(ascent.actions(game)), np.arange(1, run.parameters["iterations"] + 1)
    zero_sum = 3.32 * (np.sqrt(2) / step_size + spread)
    common = (np.sqrt(2) / step_size + 2 * spread) * np.sqrt(1.6 * step_size * np.maximum(high - value, 0))
    bound = np.asarray(zero_sum if game.is_zero_sum else common)[..., None] / np.sqrt(time) / (1 - game.discount)
    with np.errstate(divide="ignore"):
        unmet = ascent.above(step_size, 1 / (4 * size))
    rounding = np.asarray(ascent.gap_rounding(game))[..., None]
    return Sides(running_regret(run), bound, trivial=(2 * half / (1 - game.discount))[..., None], unmet=unmet, rounding=rounding)


@registry.claim(
    "ding2022.plain-ascent-cycles",
    "Plain Q-ascent does not converge in zero-sum games (derived here)",
    r"$2\times2$ zero-sum, equilibrium inside the square, $P(s'|s)$, any $\alpha>0$: $\text{NE-gap}(\pi^t)\ge\frac1{2(1-\gamma)}\sum_sd_\rho(s)\,c_sm_s"
    r"\min\big(m_s,(1+\tfrac{\alpha^2c_s^2}4)^{t/2}\delta_s\big)$",
    proof="ding2022-game-agnostic#agnostic-cycles",
)
def plain_ascent_cycles(run):
    r"""The bound from below against the gap at the checkpoints: (..., C).

    $c_s=|r_{00}-r_{01}-r_{10}+r_{11}|$, $m_s$ is the distance of the equilibrium $(x^\star,y^\star)$ from the border of the unit square and
    $\delta_s$ that of the start from the equilibrium.
    """
    game = run.game
    cross, centre, unmet = _saddles(game)
    if unmet:
        return Sides(np.zeros_like(run.gaps), run.gaps, unmet=unmet)
    margin = np.minimum(centre, 1 - centre).min(-1)
    start = np.linalg.norm(np.stack([p[..., 0] for p in run.initial], -1) - centre, axis=-1)
    rate = np.reshape(run.parameters["step_size"], np.shape(run.parameters["step_size"]) + (1,)) * cross / 2
    grown = np.minimum(run.checkpoints * np.log1p(rate[..., None] ** 2) / 2, 700)  # exp(700) is still finite
    distance = np.minimum(margin[..., None], np.exp(grown) * start[..., None])
    visits = evaluate.visitation(game, run.initial) / (1 - game.discount)
    bound = np.einsum("...s,...st->...t", visits * cross * margin / 2, distance)
    return Sides(bound, run.gaps, rounding=np.asarray(ascent.gap_rounding(game))[..., None])


def running_regret(run):
    r"""$\text{Nash-Regret}(t)=\frac1t\sum_{k<t}\text{NE-gap}(\pi^k)$ for $t=1..T$: (..., T)."""
    ascent.regret(run)
    iterations = run.parameters["iterations"]
    return np.cumsum(run.gaps[..., :iterations], -1) / np.arange(1, iterations + 1)


def _other_game(game):
    """What the theorem assumes and this game is not, in words."""
    if game.agents != 2:
        return f"the game has {game.agents} players, not 2"
    common = np.ptp(game.rewards, axis=len(game.batch)).max() == 0
    return "" if common or game.is_zero_sum else "the rewards neither agree nor cancel"


def _saddles(game):
    r"""$c_s$ (..., S), $(x^\star,y^\star)$ (..., S, 2) of the one-shot games, and the assumption that is not met."""
    if not game.is_zero_sum or game.actions != (2, 2) or game.discount is None:
        return None, None, "the game is not zero-sum with 2×2 actions and a discount"
    if np.ptp(game.transitions, axis=(-3, -2)).max() > 0:
        return None, None, "actions move the state"
    reward = game.agent_rewards(0)
    cross = reward[..., 0, 0] - reward[..., 0, 1] - reward[..., 1, 0] + reward[..., 1, 1]
    edges = np.stack([reward[..., 1, 1] - reward[..., 1, 0], reward[..., 1, 1] - reward[..., 0, 1]], -1)
    centre = np.divide(edges, cross[..., None], out=np.zeros_like(edges), where=cross[..., None] != 0)
    inside = ((centre > 0) & (centre < 1)).all()
    return np.abs(cross), centre, "" if inside else "an equilibrium is not inside the square"
