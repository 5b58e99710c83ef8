"""MAML: the meta-gradient against complex steps through the whole inner stage, and the outer ascent."""

import numpy as np
import pytest
import softmax_oracle as oracle

from marlpaper import evaluate, games, learners
from marlpaper.evaluate import softmax

ALPHAS = (0.05, 1.0, 20.0)


@pytest.fixture(scope="module")
def family():
    rng = np.random.default_rng(0)
    batch = games.common_reward(rng, 2, (2, 3), 0.8, batch=(3,))
    return batch, tuple(rng.standard_normal((2, count)) for count in (2, 3))


def objective(batch, vector, steps, step_size):
    return sum(oracle.adapted_value(game, vector, game.potential, steps, step_size) for game in (batch[k] for k in range(3))) / 3


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("step_size", ALPHAS)
def test_meta_gradient_against_two_routes(family, steps, step_size):
    batch, theta = family
    vector = softmax.flatten(theta)
    found = softmax.flatten(learners.meta_gradient(batch, theta, steps, step_size))
    exact = oracle.complex_step(lambda x: objective(batch, x, steps, step_size), vector)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-9 * (1 + np.abs(exact).max()))
    width = 1e-3 / (1 + step_size) ** 2
    differences = oracle.finite_differences(lambda x: objective(batch, x, steps, step_size), vector, width)
    np.testing.assert_allclose(found, differences, rtol=0, atol=1e-9 / width * 1e-3 * (1 + np.abs(exact).max()))
    assert learners.meta_objective(batch, theta, steps, step_size) == pytest.approx(objective(batch, vector, steps, step_size), abs=1e-12)


def explicit(batch, theta, steps, step_size, reverse=False):
    """The product (46) with Hessian matrices, in the right or in the reverse order."""
    path = learners.adapt(batch, theta, steps, step_size)
    factors = [np.eye(10) + step_size * evaluate.policy_hessian(batch, [p[t] for p in path]) for t in range(steps)]
    last = softmax.flatten(evaluate.softmax_gradient(batch, [p[-1] for p in path]))
    total = np.eye(10)
    for factor in factors[::-1] if reverse else factors:
        total = total @ factor
    return (total @ last[..., None])[..., 0].mean(0)


def test_the_order_of_the_product_matters(family):
    batch, theta = family
    found = softmax.flatten(learners.meta_gradient(batch, theta, 3, 2.0))
    np.testing.assert_allclose(found, explicit(batch, theta, 3, 2.0), atol=1e-11)
    assert np.abs(found - explicit(batch, theta, 3, 2.0, reverse=True)).max() > 1e-4


def test_repetitions_run_side_by_side():
    rng = np.random.default_rng(1)
    batch = games.common_reward(rng, 2, (2, 2), 0.7, batch=(3, 2))
    start = tuple(rng.standard_normal((2, 2, 2)) for _ in range(2))
    both = learners.maml(batch, 4, 0.3, 2, 0.5, start)
    for k in range(2):
        alone = learners.maml(batch[:, k], 4, 0.3, 2, 0.5, tuple(part[k] for part in start))
        np.testing.assert_allclose(both.objectives[:, k], alone.objectives, atol=1e-12)
        np.testing.assert_allclose(both.gradient_norms[:, k], alone.gradient_norms, atol=1e-12)


def test_measured_steps_ascend():
    rng = np.random.default_rng(2)
    batch = games.common_reward(rng, 2, (2, 2), 0.7, batch=(4,))
    start = tuple(rng.standard_normal((2, 2)) for _ in range(2))
    run = learners.maml(batch, 60, "measured", 2, 0.5, start)
    assert (np.diff(run.objectives) >= run.gradient_norms[:-1] ** 2 / (2 * run.smoothness) - 1e-11).all()
    assert run.gradient_norms[-1] < 0.2 * run.gradient_norms[0]
    assert run.policy[0].shape == (2, 2)


def test_a_step_is_the_gradient_over_the_smoothness(family):
    batch, theta = family
    run = learners.maml(batch, 1, 0.25, 2, 0.5, theta)
    slope = learners.meta_gradient(batch, theta, 2, 0.5)
    for after, before, g in zip(run.logits, theta, slope, strict=True):
        np.testing.assert_allclose(after, before + 0.25 * g, atol=1e-14)
    assert run.smoothness == pytest.approx([4]) and run.gradient_norms[0] == pytest.approx(np.linalg.norm(softmax.flatten(slope)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"inner_steps": 0}, "inner_steps is 0, expected a whole number of at least 1"),
        ({"outer_steps": 0}, "outer_steps is 0"),
        ({"inner_step_size": -1.0}, "inner_step_size is -1.0, expected a positive"),
        ({"outer_step_size": "guessed"}, "outer_step_size is 'guessed', expected one of 'measured'"),
        ({"initial": [np.full((2, 2), np.inf), np.zeros((2, 3))]}, r"initial\[0\]\[0, 0\] is inf, expected a finite number"),
    ],
)
def test_bad_settings_are_named(family, settings, sentence):
    usual = {"outer_steps": 1, "outer_step_size": 0.1, "inner_steps": 1, "inner_step_size": 0.1}
    with pytest.raises(ValueError, match=sentence):
        learners.maml(family[0], **(usual | settings))


def test_sets_that_are_none_are_named(family):
    batch, theta = family
    with pytest.raises(ValueError, match=r"expected a batch \(G, ...\)"):
        learners.meta_gradient(batch[0], theta, 1, 0.1)
    other = games.common_reward(np.random.default_rng(0), 3, (2, 3), 0.8)
    with pytest.raises(ValueError, match=r"games\[1\] is .* expected the shape and discount of games\[0\]"):
        games.stack([batch[0], other])
    with pytest.raises(ValueError, match="steps is 0"):
        learners.adapt(batch, theta, 0, 0.1)
