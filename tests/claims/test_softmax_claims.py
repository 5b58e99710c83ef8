"""Theorem 4 and its lemmas: what holds, that Lemma 15 fails as printed, what is attained, and that each check can fail."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from strategies import generators

from marlpaper import claims, games, learners
from marlpaper.claims import examples, smoothness
from marlpaper.claims.mao2023 import maml, worst_cases
from marlpaper.evaluate import softmax

FORMULAS = ["mao2023.lemma15-repaired"]
BOUNDS = ["mao2023.lemma13", *worst_cases.HESSIANS]


@st.composite
def softmax_instances(draw):
    """A potential game with rewards in [-1, 1] and two logits, near to each other or far apart."""
    rng = draw(generators())
    agents, states = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    actions = tuple(draw(st.lists(st.integers(2, 3), min_size=agents, max_size=agents)))
    family = draw(st.sampled_from([games.common_reward, games.action_free, games.shaped]))
    game = family(rng, states, actions, draw(st.sampled_from([0.0, 0.5, 0.9])))
    scale = draw(st.sampled_from([0.0, 1.0, 5.0]))
    theta = tuple(scale * rng.standard_normal((states, count)) for count in actions)
    apart = draw(st.sampled_from([0.01, 1.0, 10.0]))
    return game, theta, tuple(part + apart * rng.standard_normal(part.shape) for part in theta)


@effort(max_examples=40)
@given(softmax_instances())
def test_bounds_hold(instance):
    game, theta, others = instance
    for id in BOUNDS + FORMULAS:
        found = claims.check(id, *instance)
        assert found.holds and not found.unmet, found
    for id in (*worst_cases.LOGITS, "mao2023.lemma12"):
        assert claims.check(id, theta, others).holds
    change = smoothness.hessian_change(*instance)
    assert claims.check("mao2023.lemma6", change, [game.states * count for count in game.actions]).holds


@effort(max_examples=20)
@given(softmax_instances(), st.integers(1, 4), st.sampled_from([0.1, 1.0, 10.0]))
def test_meta_smoothness_holds(instance, steps, factor):
    game, theta, others = instance
    batch, step = games.stack([game, game]), smoothness.inner_step(game)
    assert claims.check("mao2023.lemma14", batch, theta, others, steps, step).holds
    assert claims.check("mao2023.lemma14-sharper", batch, theta, others, steps, factor * step).holds
    assert smoothness.sharper_meta(game, steps, step) <= smoothness.printed_meta(game, steps, step)


@effort(max_examples=20)
@given(generators(), st.integers(1, 5))
def test_matrix_lemmas_hold(rng, count):
    matrices = rng.standard_normal((count, 3, 3))
    moved = matrices + rng.choice([0.01, 1]) * rng.standard_normal(matrices.shape)
    assert claims.check("mao2023.lemma3", list(matrices), list(moved)).holds
    assert claims.check("mao2023.lemma5", list(matrices)).ratio == pytest.approx(1)
    theta = rng.standard_normal(3)
    assert claims.check("mao2023.lemma4", rng.standard_normal((3, 2, 3)), theta, theta + 0.1 * rng.standard_normal(3)).holds


def test_printed_lemma_15_fails_and_an_action_free_kernel_hides_it():
    found = examples.run("mao2023.lemma15")
    assert not found.holds and found.measured > 1e-4
    game = games.action_free(np.random.default_rng(0), 3, (3, 3), 0.8)
    assert claims.check("mao2023.lemma15", game, *examples.random_logits_of(game)).holds


def test_best_constants_of_lemma_12_are_attained():
    corner, uniform = [np.array([[0.0, 40.0]])] * 2, [np.zeros((1, 2))] * 2
    assert claims.check("mao2023.lemma12-i", corner, corner).ratio == pytest.approx(1)
    assert claims.check("mao2023.lemma12-sharper", uniform, uniform).ratio == pytest.approx(1)
    p = (1 - 1 / np.sqrt(3)) / 2  # where p(1-p)(1-2p) is largest
    theta = [np.log([[p, 1 - p]])]
    near = [theta[0] + 1e-4 * np.array([[1, -1]])]
    change = maml.smoothness.norm(np.diff([_block(x[0]) for x in (theta, near)], axis=0)[0])
    best = np.sqrt(2) / (3 * np.sqrt(3)) * smoothness.distance(theta, near)
    assert change == pytest.approx(best, rel=1e-3)


def _block(theta):
    (p,) = softmax.softmax_policy([theta])
    return np.diag(p[0]) - np.outer(p[0], p[0])


def test_gradient_bound_is_attained_without_a_future():
    game = games.MarkovGame([[[1.0, -1.0]]], np.ones((1, 2, 1)), 0, 0.0)
    theta = [np.zeros((1, 2))]
    assert claims.check("mao2023.lemma13-sharper-gradient", game, theta, theta).ratio == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 3, 8])
@pytest.mark.parametrize("step_size", [0.01, 1.0])
def test_saddle(steps, step_size):
    game = games.coordination(0.7)
    assert claims.check("mao2023.lemma14-saddle", game, steps, step_size).holds
    measured = smoothness.measured_smoothness(games.stack([game]), [np.zeros((1, 2))] * 2, steps, step_size, 1e-5)
    assert measured == pytest.approx(maml.saddle_smoothness(0.7, steps, step_size), rel=1e-4)


def scaled(game, factor):
    """A game whose rewards are larger by a factor that `check_rewards` has not seen."""
    wrong = games.MarkovGame(game.rewards, game.transitions, game.initial, game.discount)
    wrong.rewards = factor * game.rewards
    return wrong


@pytest.mark.parametrize("id", BOUNDS)
def test_every_bound_can_fail(id, monkeypatch):
    game = games.common_reward(np.random.default_rng(0), 3, (3, 3), 0.8)
    pair = examples.random_logits_of(game)
    monkeypatch.setattr(smoothness, "check_rewards", lambda game: None)
    assert claims.check(id, game, *pair).holds
    if id == "mao2023.lemma13-visitation":  # has no rewards: hide how far the logits are apart
        monkeypatch.setattr(smoothness, "distance", lambda *_: 1e-6)
    assert not claims.check(id, scaled(game, 1e7), *pair).holds


@pytest.mark.parametrize(("id", "constant"), [("mao2023.lemma14", "printed_meta"), ("mao2023.lemma14-sharper", "sharper_meta")])
def test_meta_smoothness_can_fail(id, constant, monkeypatch):
    batch = games.common_reward(np.random.default_rng(0), 2, (2, 2), 0.8, batch=(2,))
    arguments = (*examples.random_logits_of(batch), 2, smoothness.inner_step(batch))
    assert claims.check(id, batch, *arguments).holds
    monkeypatch.setattr(smoothness, constant, lambda games, steps, step_size: 1e-3)
    assert not claims.check(id, batch, *arguments).holds


def test_formulas_can_fail(monkeypatch):
    arguments, _ = examples.random_softmax_game("mao2023.lemma15")
    right = softmax.product_at
    assert claims.check("mao2023.lemma15-repaired", *arguments).holds
    monkeypatch.setattr("marlpaper.evaluate.softmax.product_at", lambda where, v: tuple(1.001 * part for part in right(where, v)))
    assert not claims.check("mao2023.lemma15-repaired", *arguments).holds
    monkeypatch.setattr(maml, "saddle_smoothness", lambda *_: 1.0)
    assert not examples.run("mao2023.lemma14-saddle").holds


def test_logit_claims_can_fail(monkeypatch):
    theta, others = examples.random_logits("")[0]
    monkeypatch.setattr("marlpaper.evaluate.softmax.softmax_policy", lambda parameters: tuple(30.0 + part for part in parameters))
    for id in worst_cases.LOGITS:
        assert not claims.check(id, theta, others).holds


def test_matrix_lemmas_can_fail(monkeypatch):
    arguments = {id: examples.random_matrices(id)[0] for id in ("mao2023.lemma3", "mao2023.lemma4")}
    weights, theta, others = arguments["mao2023.lemma4"]
    steep = 50 * weights, theta, theta + 1e-4 * (others - theta)
    assert claims.check("mao2023.lemma4", *steep).holds
    assert claims.check("mao2023.lemma6", np.ones((4, 4)), (2, 2)).ratio == pytest.approx(1)
    with monkeypatch.context() as patch:  # a sum of entries is no operator norm
        patch.setattr(smoothness, "norm", lambda matrices: np.abs(matrices).sum((-2, -1)))
        assert not claims.check("mao2023.lemma5", [np.eye(2), np.eye(1)]).holds
        assert not claims.check("mao2023.lemma6", np.ones((4, 4)), (2, 2)).holds
    with monkeypatch.context() as patch:  # the values are taken for constants
        patch.setattr(smoothness, "norm", lambda matrices: np.zeros(matrices.shape[:-2]))
        assert not claims.check("mao2023.lemma4", *steep).holds
    right = maml._product
    monkeypatch.setattr(maml, "_product", lambda factors: right([10 * factor for factor in factors]))
    assert not claims.check("mao2023.lemma3", *arguments["mao2023.lemma3"]).holds


@pytest.fixture(scope="module")
def printed_run():
    return examples.maml_run("mao2023.theorem4")[0][0]


def test_theorem_4_needs_its_constant_and_its_rise(printed_run):
    for id in ("mao2023.theorem4", "mao2023.theorem4-ascent"):
        found = claims.check(id, printed_run)
        assert found.holds and not found.unmet
    steep = dataclasses.replace(printed_run, gradient_norms=1e4 * printed_run.gradient_norms)
    still = dataclasses.replace(printed_run, objectives=0 * printed_run.objectives)
    assert not claims.check("mao2023.theorem4", steep).holds
    assert not claims.check("mao2023.theorem4-ascent", still).holds
    sharper = examples.maml_run("mao2023.theorem4-sharper")[0][0]
    assert claims.check("mao2023.theorem4-sharper", sharper).ratio > 0.4
    assert not claims.check("mao2023.theorem4-sharper", dataclasses.replace(sharper, objectives=0 * sharper.objectives)).holds


@pytest.mark.parametrize("outer", ["measured", 0.5])
def test_other_step_sizes_decide_nothing(printed_run, outer):
    run = learners.maml(printed_run.games, 2, outer, 2, 0.3, printed_run.initial)
    for id in ("mao2023.theorem4", "mao2023.theorem4-ascent", "mao2023.theorem4-sharper"):
        assert claims.check(id, run).unmet.startswith(f"outer step size is {outer}")
    batch = printed_run.games
    assert claims.check("mao2023.lemma14", batch, *examples.random_logits_of(batch), 2, 0.3).unmet.startswith("inner step size is 0.3")


def test_rewards_beyond_the_range_are_named():
    game = games.common_reward(np.random.default_rng(0))
    loud = games.MarkovGame(3 * game.rewards, game.transitions, game.initial, game.discount)
    with pytest.raises(ValueError, match=r"rewards\[.*\] is .*, expected a number in \[-1, 1\]"):
        claims.check("mao2023.lemma13", loud, *examples.random_logits_of(loud))
