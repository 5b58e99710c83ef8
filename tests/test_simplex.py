"""Points of the simplex: optimality conditions, closed forms, and extreme inputs."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy import optimize, special
from strategies import generators

from marlpaper import simplex

points = hnp.arrays(float, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(-100, 100))
sizes = st.integers(1, 6)


def is_distribution(x):
    return bool(np.all(x >= 0) and np.allclose(x.sum(-1), 1, rtol=0, atol=1e-12))


@given(points)
@example(np.zeros((2, 3)))
@example(np.array([1e6, -1e6, 0.0]))
def test_projection_is_the_closest_point(x):
    """Optimality: <x - p, q - p> <= 0 for every q of the simplex, for which its vertices are enough."""
    p = simplex.project(x)
    assert p.shape == x.shape
    assert is_distribution(p)
    slack = (x - p) - ((x - p) * p).sum(-1, keepdims=True)
    assert np.all(slack <= 1e-9 * (1 + np.abs(x).max()))


@given(points)
def test_projection_is_idempotent(x):
    p = simplex.project(x)
    assert_allclose(simplex.project(p), p, rtol=0, atol=1e-12)


def test_projection_against_a_quadratic_programme():
    rng = np.random.default_rng(0)
    for x in rng.normal(0, 2, (10, 4)):
        solved = optimize.minimize(
            lambda p, x=x: ((p - x) ** 2).sum(),
            np.full(4, 0.25),
            jac=lambda p, x=x: 2 * (p - x),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        assert_allclose(simplex.project(x), solved.x, atol=1e-6)


@pytest.mark.parametrize("exploration", [0.0, 0.1, 0.7, 1.0])
def test_exploring_projection_against_a_quadratic_programme(exploration):
    rng = np.random.default_rng(0)
    for x in rng.normal(0, 1, (6, 3)):
        solved = optimize.minimize(
            lambda p, x=x: ((p - x) ** 2).sum(),
            np.full(3, 1 / 3),
            jac=lambda p, x=x: 2 * (p - x),
            bounds=[(exploration / 3, 1)] * 3,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"ftol": 1e-14},
        )
        assert_allclose(simplex.project_exploring(x, exploration), solved.x, atol=1e-6)


@given(points, st.sampled_from([0.0, 0.05, 0.5, 1.0]))
def test_exploring_projection_is_the_closest_point(x, exploration):
    """The vertices of the shrunk simplex are enough, and the result is in it."""
    p = simplex.project_exploring(x, exploration)
    assert p.shape == x.shape and is_distribution(p) and np.all(p >= exploration / x.shape[-1] - 1e-12)
    vertices = simplex.mix(np.eye(x.shape[-1]), exploration)
    slack = ((x - p)[..., None, :] * (vertices - p[..., None, :])).sum(-1)
    assert np.all(slack <= 1e-9 * (1 + np.abs(x).max()))


@given(generators(), sizes)
def test_kl_is_a_divergence(rng, size):
    p, q = rng.dirichlet(np.full(size, 0.3), (2, 4))
    assert np.all(simplex.kl(p, q) >= 0)
    assert np.array_equal(simplex.kl(p, p), np.zeros(4))
    assert np.all(simplex.kl(p, q) >= 0.5 * np.abs(p - q).sum(-1) ** 2 - 1e-12), "Pinsker"
    assert_allclose(simplex.kl(p, q), special.rel_entr(p, q).sum(-1), rtol=1e-9, atol=1e-12)


def test_kl_at_the_boundary():
    vertex, inside = np.array([1.0, 0.0]), np.array([0.25, 0.75])
    assert simplex.kl(vertex, inside) == pytest.approx(np.log(4))
    assert simplex.kl(inside, vertex) == np.inf
    assert simplex.kl(vertex, vertex) == 0
    assert simplex.kl(vertex[None], np.stack([inside, vertex])).tolist() == pytest.approx([np.log(4), 0])


def test_mix():
    x = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    assert_allclose(simplex.mix(x, 0.3), [[0.8, 0.1, 0.1], [0.24, 0.31, 0.45]])
    assert_allclose(simplex.mix(x, 1), 1 / 3)
    assert np.array_equal(simplex.mix(x, 0), x)
    assert simplex.uniform(2, 4).tolist() == [[0.25] * 4] * 2


@given(generators(), sizes)
def test_best_response_keeps_the_start_where_actions_tie(rng, size):
    gains = rng.integers(0, 3, size).astype(float)
    start = np.where(rng.random(size) < 0.4, 0, rng.random(size))
    start = start / start.sum() if start.sum() > 0 else np.eye(size)[0]
    best = simplex.best_response(gains, start)
    tied = gains == gains.max()
    assert is_distribution(best)
    assert np.all(best[~tied] == 0)
    mass = start[tied].sum()
    assert_allclose(best[tied], start[tied] / mass if mass > 0 else 1 / tied.sum(), atol=1e-12)


def test_best_response_ties_up_to_rounding_only():
    start = np.array([0.5, 0.3, 0.2])
    assert np.array_equal(simplex.best_response(np.zeros(3), start), start)
    assert simplex.best_response(np.array([1.0, 1.0 + 1e-9, 0.0]), start).tolist() == [0, 1, 0]
    tiny = 1e-12 * np.array([1.0, 1.0 + 1e-9, 0.0])
    assert simplex.best_response(tiny, start).tolist() == [0, 1, 0], "in any unit"
    assert np.array_equal(simplex.best_response(tiny, start, 1e3), start), "unless these are the rounding of larger numbers"
    assert simplex.best_response(np.array([1.0, 1.0 + 1e-15, 0.0]), start) == pytest.approx([0.625, 0.375, 0])
    large = simplex.best_response(np.array([[3e6, 3e6 + 1e-9, -3e6]]), start)
    assert large[0] == pytest.approx([0.625, 0.375, 0])


def stepped(start, gains):
    """`weights` on distributions (A, n), with warnings as errors; inputs must not change."""
    with np.errstate(divide="ignore"):
        log_start = np.log(start)
    kept = log_start.copy(), gains.copy()
    with np.errstate(over="raise"):
        out = np.empty_like(gains)
        result = simplex.weights(log_start, gains, out=out)
    assert result is out
    assert np.array_equal(log_start, kept[0])
    assert np.array_equal(gains, kept[1])
    return result


@given(generators(), sizes, st.sampled_from([0.1, 10.0, 1e3, 1e8, 1e300]), st.floats(0.05, 5))
def test_weights_are_the_multiplicative_step(rng, size, scale, concentration):
    start = rng.dirichlet(np.full(size, concentration), 5).T
    gains = scale * rng.uniform(-1, 1, (size, 5))
    x = stepped(start, gains)
    assert is_distribution(x.T)
    assert np.all(x[start == 0] == 0)
    with np.errstate(divide="ignore"):
        assert_allclose(x, special.softmax(np.log(start) + gains, axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("gain", [1.0, 599.0, 601.0, 700.0, 720.0, 2000.0, 1e9])
def test_weights_around_the_largest_exponent(size, gain):
    """Whichever action leads, and by how much: around 709 the exponential leaves the floating-point range."""
    gains = gain * np.concatenate([np.eye(size), -np.eye(size)], axis=1)
    start = np.full(gains.shape, 1 / size)
    assert_allclose(stepped(start, gains), special.softmax(gains, axis=0), rtol=1e-12, atol=1e-300)


@given(generators(), st.integers(2, 5))
def test_weights_maximise_gain_minus_divergence(rng, size):
    r"""$x=\arg\max_x\langle x,g\rangle-\mathrm{KL}(x\|\tilde x)$, which is how the algorithms print the step."""
    start, gains = rng.dirichlet(np.ones(size), 1).T, rng.normal(0, 2, (size, 1))
    x = stepped(start, gains)[:, 0]
    others = rng.dirichlet(np.full(size, 0.7), 200)
    objective = lambda y: y @ gains[:, 0] - simplex.kl(y, start[:, 0])  # noqa: E731
    assert np.all(objective(others) <= objective(x) + 1e-9)
    assert np.all(objective(0.99 * x + 0.01 * others) <= objective(x) + 1e-12)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("gain", [0.0, 1e5, -1e5, 1e300])
def test_weights_at_vertices(size, gain):
    """A vertex stays where it is, whichever action it is on and whatever the gains."""
    for vertex in np.eye(size):
        gains = np.linspace(-gain, gain, size)[:, None].repeat(2, 1)
        both = np.stack([vertex, np.full(size, 1 / size)], 1)
        assert np.array_equal(stepped(both, gains)[:, 0], vertex)
