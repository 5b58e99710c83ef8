"""Gradient and Hessian of softmax policies against complex steps and finite differences of plain loops."""

import numpy as np
import pytest
import softmax_oracle as oracle
from strategies import cyclic_game, transposed

from marlpaper import evaluate, games
from marlpaper.evaluate import softmax

FAMILIES = {"common reward": games.common_reward, "action-free": games.action_free, "shaped": games.shaped}
SHAPES = [((2,), 1), ((2, 3), 3), ((2, 2, 3), 2)]


def instance(family, actions, states, discount=0.8, scale=2.0, seed=0):
    rng = np.random.default_rng(seed)
    game = FAMILIES[family](rng, states, actions, discount)
    return game, tuple(scale * rng.standard_normal((states, count)) for count in actions)


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9 * (1 + np.abs(wanted).max()))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("actions", "states"), SHAPES)
def test_gradient_and_hessian_against_two_routes(family, actions, states):
    game, theta = instance(family, actions, states)
    vector, potential = softmax.flatten(theta), game.potential
    found = softmax.flatten(evaluate.softmax_gradient(game, theta))
    close(found, oracle.complex_step(lambda x: oracle.value(game, x, potential), vector))
    close(found, oracle.finite_differences(lambda x: oracle.value(game, x, potential), vector))
    hessian = evaluate.policy_hessian(game, theta)
    close(hessian, oracle.complex_step(lambda x: oracle.gradient(game, x, potential), vector))
    close(hessian, oracle.finite_differences(lambda x: oracle.gradient(game, x, potential), vector))
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-11)


@pytest.mark.parametrize("family", FAMILIES)
def test_products_are_those_of_the_hessian(family):
    game, theta = instance(family, (2, 3), 3)
    direction = tuple(np.random.default_rng(1).standard_normal(part.shape) for part in theta)
    product = softmax.flatten(evaluate.hessian_product(game, theta, direction))
    close(product, evaluate.policy_hessian(game, theta) @ softmax.flatten(direction))


def test_own_rewards_suffice():
    """Each agent differentiates its own value; that the parts are those of the potential is the potential's property."""
    game, theta = instance("action-free", (2, 2), 2)
    vector, found = softmax.flatten(theta), evaluate.softmax_gradient(game, theta)
    for agent, part in enumerate(found):
        own = oracle.complex_step(lambda x, agent=agent: oracle.value(game, x, game.rewards[agent]), vector)
        close(part.ravel(), own.reshape(2, -1)[agent])


def test_a_batch_is_its_games():
    rng = np.random.default_rng(2)
    batch = games.common_reward(rng, 3, (2, 3), 0.7, batch=(2, 3))
    theta = tuple(rng.standard_normal((3, 3, count)) for count in (2, 3))
    slopes, hessian = evaluate.softmax_gradient(batch, theta), evaluate.policy_hessian(batch, theta)
    for k in np.ndindex(2, 3):
        alone = tuple(part[k[1]] for part in theta)
        for part, own in zip(slopes, evaluate.softmax_gradient(batch[k], alone), strict=True):
            np.testing.assert_allclose(part[k], own, atol=1e-12)
        np.testing.assert_allclose(hessian[k], evaluate.policy_hessian(batch[k], alone), atol=1e-11)


def test_printed_hessian_fails_off_the_diagonal_only():
    game, theta = instance("common reward", (3, 3), 3)
    printed, right = evaluate.printed_hessian(game, theta), evaluate.policy_hessian(game, theta)
    assert np.abs(printed - right)[:9, 9:].max() > 1e-3
    np.testing.assert_allclose(printed[:9, :9], right[:9, :9], atol=1e-12)
    np.testing.assert_allclose(printed[9:, 9:], right[9:, 9:], atol=1e-12)


def test_an_action_free_kernel_hides_the_slip():
    game, theta = instance("action-free", (3, 3), 3)
    np.testing.assert_allclose(evaluate.printed_hessian(game, theta), evaluate.policy_hessian(game, theta), atol=1e-12)


def test_a_transposed_kernel_is_noticed():
    game = cyclic_game(np.random.default_rng(3), discount=0.8)
    theta = tuple(np.random.default_rng(4).standard_normal((3, 2)) for _ in range(2))
    vector = softmax.flatten(theta)
    right = oracle.complex_step(lambda x: oracle.value(game, x, game.rewards[0]), vector)[:6]
    assert np.abs(evaluate.softmax_gradient(game, theta)[0].ravel() - right).max() < 1e-12
    assert np.abs(evaluate.softmax_gradient(transposed(game), theta)[0].ravel() - right).max() > 1e-3


def test_flatten_and_back():
    _, theta = instance("shaped", (2, 3), 3)
    for part, again in zip(theta, softmax.unflatten(softmax.flatten(theta), theta), strict=True):
        np.testing.assert_array_equal(part, again)


def test_huge_logits_stay_finite():
    game, theta = instance("common reward", (2, 2), 2, scale=1e3)
    assert np.isfinite(evaluate.policy_hessian(game, theta)).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda theta: theta[:1], r"parameters has 1 arrays, expected one for each of the 2 agents"),
        (lambda theta: (theta[0], theta[1][:1]), r"parameters\[1\] has shape \(1, 2\), expected \(..., 3, 2\)"),
        (lambda theta: (theta[0] * np.nan, theta[1]), r"parameters\[0\]\[0, 0\] is nan, expected a finite number"),
    ],
)
def test_bad_logits_are_named(change, sentence):
    game, theta = instance("common reward", (2, 2), 3)
    with pytest.raises(ValueError, match=sentence):
        evaluate.softmax_gradient(game, change(theta))


def test_other_bad_input_is_named():
    game, theta = instance("common reward", (2, 3), 3)
    with pytest.raises(ValueError, match=r"direction\[0\]\[0, 0\] is inf"):
        evaluate.hessian_product(game, theta, (theta[0] + np.inf, theta[1]))
    with pytest.raises(ValueError, match="expected equal numbers"):
        evaluate.printed_hessian(game, theta)
    with pytest.raises(ValueError, match="expected a discounted game"):
        evaluate.softmax_gradient(games.random_game(np.random.default_rng(0), 2, 3, (2, 3)), theta)
    with pytest.raises(ValueError, match=r"discount is 1, expected a number in \[0, 1\)"):
        games.common_reward(np.random.default_rng(0), discount=1)
