r"""`ding2022`, learning without knowing which game is played: optimistic Q-ascent, and why the plain one will not do.

The slides print $T^{-1/6}$ without a constant, and last-iterate convergence without a rate. A statement with a free constant cannot
fail on a run, so the checks fix it, and say how.
"""

import numpy as np

from marlpaper import evaluate
from marlpaper.claims import ascent
from marlpaper.claims.check import Sides, registry

POWER = 1 / 6
EARLY = 10
"""The constant of a run is read off after a tenth of it."""
LATE = 0.9
"""Where the last tenth of a run begins."""
FRACTION = 0.25
"""What the last tenth may keep of the largest gap."""


@registry.claim(
    "ding2022.game-agnostic",
    "Game-agnostic learning",
    r"Optimistic Q-ascent, two players, common reward or zero-sum: $\text{Nash-Regret}(t)\le C\,t^{-1/6}$. No $C$ is printed; two are put in: "
    r"$C=\frac{\max r-\min r}{1-\gamma}$ for all $t\le T$, the least that serves every game at $t=1$; and for $t=T$ the run's own $C$ at $t=\frac T{10}$",
)
def game_agnostic(run):
    """Nash-Regret after every iteration against the power of time, and that at the end against its start in the last nine tenths: (..., T + 1)."""
    iterations, early = run.parameters["iterations"], max(run.parameters["iterations"] // EARLY, 1)
    regrets = running_regret(run)
    time = np.arange(1, iterations + 1)
    bound = _span(run.game)[..., None] / (1 - run.game.discount) * time**-POWER
    own = regrets[..., early - 1, None] * (early / iterations) ** POWER
    return Sides(np.concatenate([regrets, regrets[..., -1:]], -1), np.concatenate([bound, own], -1), unmet=_other_game(run.game), rounding=np.asarray(ascent.gap_rounding(run.game))[..., None])


@registry.claim(
    "ding2022.game-agnostic-last-iterate",
    "Game-agnostic learning, last iterate",
    r"Optimistic Q-ascent, two players, common reward or zero-sum: the last iterate converges. No rate is printed; put in: in the last tenth "
    r"of the run no gap is above $\frac14$ of the largest gap before",
)
def game_agnostic_last_iterate(run):
    """The largest gap of the last tenth against a quarter of the largest one before: (...)."""
    ascent.regret(run)
    late = int(LATE * run.parameters["iterations"])
    return Sides(run.gaps[..., late:].max(-1), FRACTION * run.gaps[..., :late].max(-1, initial=0), unmet=_other_game(run.game), rounding=ascent.gap_rounding(run.game))


@registry.claim(
    "ding2022.plain-ascent-cycles",
    "Plain Q-ascent does not converge in zero-sum games (derived here)",
    r"$2\times2$ zero-sum, equilibrium inside the square, $P(s'|s)$, any $\alpha>0$: $\text{NE-gap}(\pi^t)\ge\frac1{2(1-\gamma)}\sum_sd_\rho(s)\,c_sm_s"
    r"\min\big(m_s,(1+\tfrac{\alpha^2c_s^2}4)^{t/2}\delta_s\big)$",
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


def _span(game):
    r"""$\max r-\min r$ of the agent for whom it is largest: (...)."""
    axes = tuple(range(len(game.batch) + 1, game.rewards.ndim))
    return np.ptp(game.rewards, axis=axes).max(-1)


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
