"""Rewards in other units, with the step size in theirs: no verdict changes, no ratio moves by a millionth."""

import numpy as np
import pytest

from marlpaper import claims, games, learners
from marlpaper.claims import registry
from marlpaper.claims.check import Sides, compare
from marlpaper.claims.mao2023 import burn_in, zero_sum

UNITS = (1e-9, 1e9)

ANY_STEP = (
    "lemma7 lemma7-repaired lemma9 lemma9-repaired lemma10 lemma10-repaired lemma11 theorem1-step-size theorem1-repaired "
    "theorem1-repaired-b theorem1-free-energy"
).split()
"""Claims of Section 3 in which neither the step size nor a range of rewards stands alone."""


def compared(claim, *arguments):
    """The comparison, whatever the claim says of its assumptions: other units leave [0, 1]."""
    sides = Sides(*registry[f"mao2023.{claim}"].function(*arguments))
    return compare(sides.measured, sides.bound, sides.rounding)


def zero_sum_run(unit):
    rng = np.random.default_rng(3)
    game = games.random_game(rng, horizon=3, states=2, actions=(2, 3), batch=(20,))
    start = tuple(rng.dirichlet(np.full(count, 0.5), (3, 2)) for count in game.actions)
    scaled = games.zero_sum(unit * game.agent_rewards(0), game.transitions, game.initial)
    return learners.optimistic_mirror_descent(scaled, 60, 1 / 12 / unit, start, order="repaired", record=True)


@pytest.mark.parametrize("claim", ANY_STEP)
@pytest.mark.parametrize("unit", UNITS)
def test_zero_sum_claims_in_other_units(claim, unit):
    one, other = (compared(claim, zero_sum_run(c)) for c in (1.0, unit))
    clear = ~one.close & ~other.close
    assert clear.any()
    assert np.array_equal(one.fails[clear], other.fails[clear])
    assert np.allclose(other.ratio[clear], one.ratio[clear], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("unit", (1e-9, 1e-3, 1.0))
def test_the_delayed_reward_chain_refutes_theorem_1_in_any_unit(unit):
    """With all divergences 0 nothing moves, so the step size does not matter; a gap of 1e-9 is as much above 0 as one of 1."""
    run = burn_in.chain_run(4, 200)
    game = games.zero_sum(unit * run.game.agent_rewards(0), run.game.transitions, run.game.initial)
    again = learners.optimistic_mirror_descent(game, 200, zero_sum.printed_cap(run), run.stages.starts, record=True)
    found = claims.check("mao2023.theorem1", again)
    assert not found.holds and not found.unmet and found.ratio == np.inf
    assert found.measured == pytest.approx(unit * claims.check("mao2023.theorem1", run).measured, rel=1e-9)


@pytest.mark.parametrize("unit", UNITS)
def test_proposition_1_in_other_units(unit):
    """Its bound has no range of rewards in it either."""
    found = []
    for scale in (1.0, min(unit, 1 / unit)):
        game = games.two_state_trap(0.9)
        scaled = games.PotentialGame(scale * game.rewards, game.transitions, game.initial, 0.9, potential=scale * game.rewards[0])
        run = learners.q_ascent(scaled, 5, 1e-6 / scale, [[[1, 0], [1, 0]]], checkpoints=range(6), record=True)
        found.append(compared("prop1", run))
    assert found[0].ratio == pytest.approx(found[1].ratio, rel=1e-6)
    assert found[0].fails == found[1].fails
