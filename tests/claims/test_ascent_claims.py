"""Claims on Q-ascent: exact values where the algebra gives them, random games, and mutations that must fail."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marlpaper import claims, evaluate, games, learners, meta
from marlpaper.claims import ascent, examples
from tests import strategies

FAMILIES = (games.common_reward, games.action_free, games.shaped)
ROOTED = ("mao2023.prop1", "mao2023.prop1-repaired", "ding2022.mpg-regret-repaired", "ding2022.cooperative-regret-repaired", "ding2022.projected-gradient-regret")
SEQUENCES = ("mao2023.theorem3", "mao2023.theorem3-repaired", "mao2023.theorem3-normalised", "mao2023.theorem3-oscillation")


def recorded(game, iterations, step_size, initial=None, learner=learners.q_ascent):
    """A run with everything that the claims ask for."""
    return learner(game, iterations, step_size, initial=initial, checkpoints=range(iterations + 1), record=True)


def stuck(run):
    """A learner that never moves: every gap is the first one, and the policy stays."""
    return dataclasses.replace(run, gaps=np.repeat(run.gaps[..., :1], run.gaps.shape[-1], -1), policy=run.initial)


def backwards(run):
    """The same trajectory from its end to its start."""
    return dataclasses.replace(run, trajectory=tuple(p[::-1] for p in run.trajectory))


def potential_batch(family, seed, discount, count=6, states=3):
    """Games of one family with their printed caps, and vertex starts."""
    rng = np.random.default_rng(seed)
    game = family(rng, states, (2, 2), discount, (count,))
    vertices = [np.eye(2)[rng.integers(0, 2, (count, states))] for _ in range(2)]
    return game, evaluate.mismatch(game), vertices


@settings(max_examples=15)
@given(st.sampled_from(FAMILIES), st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 0.6, 0.9]), st.booleans())
def test_repaired_claims_hold_on_random_games(family, seed, discount, vertex):
    game, kappa, vertices = potential_batch(family, seed, discount)
    cap = 1 / ascent.smoothness(game, kappa)
    for step_size in (ascent.printed_cap(game, kappa), 0.4 * cap, 0.9 * cap):
        run = recorded(game, 10, step_size, vertices if vertex else None)
        for id in ("mao2023.prop1-repaired", "mao2023.prop1-improvement", "ding2022.mpg-regret-repaired"):
            check = claims.check(id, run)
            assert check.holds and not check.unmet, check
    assert claims.check("ding2022.mpg-regret", recorded(game, 10, _regret_step(game), vertices)).holds
    assert claims.check("ding2022.mismatch-order", game).holds
    slope = 1 / (2 * ascent.smoothness(game, kappa) * game.initial.max(-1))
    check = claims.check("ding2022.projected-gradient-regret", recorded(game, 10, slope, vertices, learners.policy_gradient))
    assert check.holds and not check.unmet, check


def _regret_step(game):
    size = evaluate.mismatch(game)
    reference = np.where((size < game.states)[:, None], game.initial, 1 / game.states)
    return 1 / (2 * ascent.smoothness(game, evaluate.mismatch(ascent.restarted(game, reference))))


@settings(max_examples=15)
@given(strategies.generators(), st.sampled_from([0.0, 0.5, 0.9]), st.floats(0.05, 0.95))
def test_cooperative_claims_hold_on_random_games(rng, discount, part):
    """Every step size with c > 0, not only the theorem's."""
    game = games.common_reward(rng, 3, (2, 3), discount, (5,))
    largest = 2 * (1 - discount) / (0.5 * 3)
    run = recorded(game, 15, part * largest, game.random_policy(rng, 0.2))
    for id in ("ding2022.cooperative-improvement", "ding2022.cooperative-regret-repaired"):
        assert claims.check(id, run).holds
    reference = rng.dirichlet(np.ones(3))
    assert claims.check("ding2022.cooperative-improvement", run, reference).holds
    usual = recorded(game, 15, (1 - discount) / 12)
    check = claims.check("ding2022.cooperative-regret", usual)
    assert check.holds and not check.unmet


@pytest.mark.parametrize("discount", [0.1, 0.5, 0.9])
def test_the_trap_breaks_proposition_1_by_its_exact_ratio(discount):
    game = games.two_state_trap(discount)
    step_size = float(ascent.printed_cap(game, evaluate.mismatch(game)))
    run = recorded(game, 1, step_size, [[[1, 0], [1, 0]]])
    check = claims.check("mao2023.prop1", run)
    assert not check.holds and not check.unmet
    assert check.ratio == pytest.approx(np.sqrt((1 + discount) * (1 - discount * step_size / 2)), rel=1e-4)
    assert claims.check("mao2023.prop1-repaired", run).holds


@pytest.mark.parametrize(("discount", "accuracy"), [(0.99, 1e-4), (0.995, 1e-3), (0.999, 1e-2)])
def test_the_trap_is_judged_alike_near_a_discount_of_one(discount, accuracy):
    """The step is 1e-11 to 1e-15 of a probability, and the rise of the potential a tiny part of the values."""
    game = games.two_state_trap(discount)
    step_size = float(ascent.printed_cap(game, evaluate.mismatch(game)))
    run = recorded(game, 1, step_size, [[[1, 0], [1, 0]]])
    check, repaired = claims.check("mao2023.prop1", run), claims.check("mao2023.prop1-repaired", run)
    assert not check.holds and not check.unmet
    assert check.ratio == pytest.approx(np.sqrt((1 + discount) * (1 - discount * step_size / 2)), rel=accuracy)
    assert repaired.holds or "too close to tell" in repaired.unmet


def test_a_step_below_rounding_decides_nothing():
    game = games.two_state_trap(0.9999)
    run = recorded(game, 1, float(ascent.printed_cap(game, evaluate.mismatch(game))), [[[1, 0], [1, 0]]])
    for id in ("mao2023.prop1", "mao2023.prop1-repaired"):
        assert "too close to tell" in claims.check(id, run).unmet


@pytest.mark.parametrize("discount", [0.9, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("family", [games.common_reward, games.action_free])
def test_improvement_is_not_lost_in_rounding(family, discount):
    """Differences of potentials would be: at 0.999 half of these games would seem to violate the lemmas."""
    rng = np.random.default_rng(7)
    game = family(rng, 3, (2, 3), discount, (75,))
    for part in (0.9, 0.1):
        run = recorded(game, 10, part / ascent.smoothness(game, evaluate.mismatch(game)), game.random_policy(rng))
        check = claims.check("mao2023.prop1-improvement", run)
        # At 0.9999 the lemma's own step sizes may move no probability by more than rounding, which decides nothing.
        assert discount == 0.9999 and "too close to tell" in check.unmet or check.holds and not check.unmet
    if family is games.common_reward:
        check = claims.check("ding2022.cooperative-improvement", recorded(game, 10, (1 - discount) / 12, game.random_policy(rng)))
        assert check.holds and not check.unmet
        assert check.ratio > 0.9  # one agent's steps are all but the whole rise: the lemma is judged where it is tight


@pytest.mark.parametrize("discount", [0.0, 0.3])
def test_the_bandit_breaks_proposition_1_too(discount):
    run = recorded(games.vertex_bandit(discount=discount), 1, (1 - discount) ** 4 / 16, [[[1, 0]]])
    check = claims.check("mao2023.prop1", run)
    assert check.ratio == pytest.approx(np.sqrt(2 * (1 - discount)), rel=1e-6) and not check.unmet


def test_two_agents_exceed_the_square_root_of_two():
    """The cross term costs progress: no constant of sqrt(2) for positive step sizes."""
    alpha = 1 / 32
    reward = [[[-1, -1 + alpha], [1, -1]]]
    game = games.MarkovGame([reward, reward], np.ones((1, 2, 2, 1)), 0, 0.0)
    run = recorded(game, 1, alpha, [[[1, 0]], [[1, 0]]])
    check = claims.check("mao2023.prop1", run)
    assert check.ratio == pytest.approx(np.sqrt(2 / (1 - (alpha**2 + alpha**3) / 4)), rel=1e-9) and not check.unmet
    assert check.ratio > np.sqrt(2)
    assert claims.check("mao2023.prop1-repaired", run).holds


def test_equal_sides_where_the_lemma_is_an_equality():
    """One agent whose steps stay inside the simplex: the improvement lemma holds with equality."""
    game = games.MarkovGame([[[0.4, 0.5], [0.6, 0.5]]], np.full((2, 2, 2), 0.5), [0.5, 0.5], 0.5)
    check = claims.check("ding2022.cooperative-improvement", recorded(game, 3, 0.05))
    assert check.holds and check.ratio == pytest.approx(1, abs=1e-6)


def test_assumptions_that_are_not_met_are_told():
    rng = np.random.default_rng(0)
    run = recorded(games.common_reward(rng), 3, 0.1)
    for id in ("mao2023.prop1", "mao2023.prop1-repaired", "ding2022.mpg-regret", "ding2022.cooperative-regret"):
        assert "step size is 0.1, " in claims.check(id, run).unmet
    fast = recorded(games.common_reward(rng), 3, 2.0)
    assert claims.check("ding2022.cooperative-regret-repaired", fast).unmet == "c is not positive"


@pytest.mark.parametrize("id", [*ROOTED, "ding2022.mpg-regret", "ding2022.cooperative-regret"])
def test_a_learner_that_does_not_move_breaks_the_regret_claims(id):
    """Mutation: drop the step."""
    game = games.vertex_bandit()
    step_size = {"ding2022.cooperative-regret": 1 / 4, "mao2023.prop1": 1 / 16}.get(id, 0.5)
    learner = learners.policy_gradient if "projected" in id else learners.q_ascent
    run = recorded(game, 400, step_size, [[[0.9, 0.1]]], learner)
    check = claims.check(id, run)
    assert check.holds and not check.unmet
    assert not claims.check(id, stuck(run)).holds


@pytest.mark.parametrize("id", [id for id in ROOTED if id != "mao2023.prop1"])
def test_the_root_needs_its_step_size(id, monkeypatch):
    """Mutation: drop the factor 1/alpha under the root."""
    run = recorded(games.vertex_bandit(), 20, 1e-3, [[[1, 0]]], learners.policy_gradient if "projected" in id else learners.q_ascent)
    assert claims.check(id, run).holds
    printed = ascent.regret_bound
    monkeypatch.setattr(ascent, "regret_bound", lambda game, step_size, *rest: printed(game, 1.0, *rest))
    assert not claims.check(id, run).holds


def test_the_repaired_constant_is_needed(monkeypatch):
    """Mutation: the constant 1 in place of C."""
    run, = examples.trap_run("")[0]
    monkeypatch.setattr(ascent, "leading_constant", lambda *_: 1.0)
    assert not claims.check("mao2023.prop1-repaired", run).holds


@pytest.mark.parametrize("id", ["mao2023.prop1-improvement", "ding2022.cooperative-improvement"])
def test_improvement_fails_backwards(id):
    """Mutation: time reversed, so that the potential falls."""
    game = games.common_reward(np.random.default_rng(1), discount=0.5)
    step_size = 0.5 / ascent.smoothness(game, evaluate.mismatch(game)) if "prop1" in id else 0.05
    run = recorded(game, 10, float(step_size))
    assert claims.check(id, run).holds and claims.check(id, run).ratio > 0.3
    assert not claims.check(id, backwards(run)).holds


def test_equivalence_fails_for_another_step_and_another_gradient(monkeypatch):
    """Mutations: projected gradient in place of Q-ascent; the factor 1/(1-gamma) of the gradient dropped."""
    module = claims.ding2022
    game = games.action_free(np.random.default_rng(2), discount=0.8)
    start = game.random_policy(np.random.default_rng(3))
    run = recorded(game, 5, 0.1, start)
    assert claims.check("ding2022.equivalence", run).holds
    other = recorded(game, 5, 0.1, start, learners.policy_gradient)
    assert not claims.check("ding2022.equivalence", other).holds
    exact = module.gradient
    monkeypatch.setattr(module, "gradient", lambda game, policy: [0.2 * slope for slope in exact(game, policy)])
    assert not claims.check("ding2022.equivalence", run).holds


def test_mismatch_order_needs_its_normalisation(monkeypatch):
    """Mutation: visitation counted without the factor 1-gamma."""
    game = games.common_reward(np.random.default_rng(4), discount=0.9)
    assert claims.check("ding2022.mismatch-order", game).holds
    exact = evaluate.free_mismatch
    monkeypatch.setattr(evaluate, "free_mismatch", lambda game: exact(game) / 0.1)
    assert not claims.check("ding2022.mismatch-order", game).holds


@functools.cache
def sequence_of(pair, iterations):
    """Two bandits one after the other from the wrong vertex, at the printed step size."""
    batch = games.stack([games.vertex_bandit(rewards) for rewards in pair])
    learner = functools.partial(learners.q_ascent, iterations=iterations, step_size=1 / 16, checkpoints=range(iterations))
    first = [[[1.0, 0.0]]]
    runs = meta.learn_sequence(batch, lambda game, initial=first: learner(game, initial=initial), "last-policy").runs
    return batch, runs


def test_theorem_3_in_its_two_readings():
    """Equal differences, shifted rewards: nothing under the root is positive if potentials are bounded by oscillation."""
    batch, runs = sequence_of(((0, 0.1), (0.3, 0.4)), 20)
    assert not claims.check("mao2023.theorem3-oscillation", batch, runs).holds
    for id in ("mao2023.theorem3", "mao2023.theorem3-repaired", "mao2023.theorem3-normalised"):
        check = claims.check(id, batch, runs)
        assert check.holds and not check.unmet and check.ratio > 0.1


@pytest.mark.parametrize("id", SEQUENCES)
def test_theorem_3_fails_for_learners_that_do_not_move(id):
    batch, runs = sequence_of(((0, 0.9), (0.1, 1.0)), 500)
    assert claims.check(id, batch, runs).holds
    assert not claims.check(id, batch, [stuck(run) for run in runs]).holds


@settings(max_examples=8)
@given(strategies.generators(), st.sampled_from([0.0, 0.5, 0.8]), st.sampled_from([0.02, 0.2]))
def test_theorem_3_on_random_sequences(rng, discount, noise):
    base = games.common_reward(rng, 2, (2, 2), discount)
    batch = games.perturb(games.MarkovGame(base.rewards / 2, base.transitions, base.initial, discount), 4, noise / 4, rng)
    cap = float(ascent.printed_cap(batch, evaluate.mismatch(batch).max()))
    for step_size in (cap, 0.9 / float(ascent.smoothness(batch, evaluate.mismatch(batch).max()))):
        learner = functools.partial(learners.q_ascent, iterations=10, step_size=step_size, checkpoints=range(10))
        runs = meta.learn_sequence(batch, learner, "last-policy").runs
        for id in ("mao2023.theorem3-repaired", "mao2023.theorem3-normalised"):
            assert claims.check(id, batch, runs).holds
        printed = claims.check("mao2023.theorem3", batch, runs)
        assert printed.holds and bool(printed.unmet) == (step_size != cap)


def test_the_next_game_starts_where_the_last_one_ended():
    _, runs = sequence_of(((0, 0.1), (0.3, 0.4)), 5)
    np.testing.assert_array_equal(runs[1].initial[0], runs[0].policy[0])


def test_state_count_does_not_enter_the_iteration_count():
    (run, tolerance, kappa), _ = examples.replicated_run("")
    assert claims.check("ding2022.no-state-dependence", run, tolerance, kappa).holds
    assert not claims.check("ding2022.no-state-dependence", stuck(run), tolerance, kappa).holds


def test_runs_that_cannot_be_judged_are_refused():
    game = games.common_reward(np.random.default_rng(0), discount=0.5)
    with pytest.raises(ValueError, match="run has 1 checkpoints, expected every iteration 0..4"):
        claims.check("mao2023.prop1", learners.q_ascent(game, 5, 0.01, checkpoints=[5]))
    with pytest.raises(ValueError, match="aggregate 'sum', expected 'max'"):
        claims.check("mao2023.prop1", learners.q_ascent(game, 5, 0.01, checkpoints=range(5), aggregate="sum"))
    with pytest.raises(ValueError, match="rewards that differ between agents"):
        shaped = games.shaped(np.random.default_rng(0))
        claims.check("ding2022.cooperative-regret", recorded(shaped, 2, 0.01))
    with pytest.raises(ValueError, match="rewards.* is 3"):
        claims.check("mao2023.prop1", recorded(games.vertex_bandit((0, 3)), 2, 0.01))
    batch, runs = sequence_of(((0, 0.1), (0.3, 0.4)), 5)
    other = dataclasses.replace(runs[1], parameters={**runs[1].parameters, "step_size": 0.5})
    with pytest.raises(ValueError, match=r"runs\[1\] has another step size"):
        claims.check("mao2023.theorem3", batch, [runs[0], other])


@pytest.mark.parametrize("id", [id for id in claims.all() if id.startswith(("ding2022", "mao2023.prop1", "mao2023.theorem3")) and claims.all()[id].function])
def test_every_claim_has_a_default_instance(id):
    check = examples.run(id)
    assert not check.unmet and check.holds == (id != "mao2023.prop1")
