"""Theorem 1 and its lemmas, printed and repaired: what holds, what fails, and that each check can fail."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from strategies import generators

from marlpaper import claims, equilibrium, games, learners, simplex
from marlpaper.claims.mao2023 import ladder, quantities, zero_sum

REPAIRED = [
    "mao2023.stage-count-repaired",
    "mao2023.lemma7-repaired",
    "mao2023.lemma8-repaired",
    "mao2023.lemma8-sum-repaired",
    "mao2023.lemma9-repaired",
    "mao2023.lemma10-repaired",
    "mao2023.theorem1-repaired",
    "mao2023.theorem1-repaired-b",
    "mao2023.theorem1-precise",
    "mao2023.theorem1-free-energy",
]
PRINTED_ORDER = ["mao2023.lemma8-printed-order", "mao2023.theorem1-printed-order"]
STARTS = ("uniform", "interior", "near vertex", "vertex", "equilibria of the stages")


def start(game, kind, stages, rng):
    """Initial policies of one kind, (batch, stages, H, S, A)."""
    if kind == "uniform":
        return None
    if kind == "equilibria of the stages":
        return equilibrium.of_stages(game, stages)
    mixed = [rng.dirichlet(np.ones(count), (*game.batch, stages, game.horizon, game.states)) for count in game.actions]
    if kind == "interior":
        return tuple(mixed)
    vertices = [np.eye(x.shape[-1])[x.argmax(-1)] for x in mixed]
    return tuple(simplex.mix(x, 1e-4) if kind == "near vertex" else x for x in vertices)


@st.composite
def recorded_runs(draw, order):
    """Runs of eight small games with rewards in [0, 1] that meet every assumption of the repaired theorem."""
    rng = draw(generators())
    horizon, states = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    actions = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    support = draw(st.sampled_from([None, 1]))
    game = games.random_game(rng, horizon, states, actions, batch=(8,), support=support)
    iterations = draw(st.integers(1, 60))
    kind = draw(st.sampled_from(STARTS))
    initial = start(game, kind, len(learners.stage_lengths(iterations, horizon)), rng)
    first = None
    if kind != "equilibria of the stages" and draw(st.booleans()):
        first = rng.random((8, horizon, states, *actions)) * np.arange(horizon, 0, -1)[:, None, None, None]
    step = draw(st.sampled_from([1, 0.5, 0.1])) / (4 * horizon)
    return learners.optimistic_mirror_descent(game, iterations, step, initial, order=order, initial_values=first, record=True)


def assumptions_met(found):
    """Whether the check decides, or fails to do so only for want of an entry that tells."""
    return found.unmet == "" or "no entry" in found.unmet or "too close to tell" in found.unmet


@effort(max_examples=60)
@given(recorded_runs("repaired"))
def test_repaired_statements_hold(run):
    for id in REPAIRED:
        found = claims.check(id, run)
        assert found.holds and assumptions_met(found), found


@effort(max_examples=40)
@given(recorded_runs("printed"))
def test_printed_order_satisfies_its_own_versions(run):
    for id in PRINTED_ORDER:
        found = claims.check(id, run)
        assert found.holds and not found.unmet, found


@pytest.fixture(scope="module")
def chain_run():
    game = games.load("delayed-reward-chain")
    starts = equilibrium.of_stages(game, len(learners.stage_lengths(1000, 10)))
    return learners.optimistic_mirror_descent(game, 1000, 1 / 800, starts, record=True)


@pytest.fixture(scope="module")
def random_run():
    game = games.random_game(np.random.default_rng(3), 3, 3, (3, 2), batch=(5,))
    return learners.optimistic_mirror_descent(game, 200, 1 / 12, order="repaired", record=True)


@pytest.mark.parametrize("id", ["mao2023.theorem1", "mao2023.theorem1-step-size", "mao2023.lemma9", "mao2023.lemma10"])
def test_the_chain_violates_the_printed_statements(chain_run, id):
    found = claims.check(id, chain_run)
    assert not found.holds and not found.unmet and found.bound == 0 and found.measured > 0.5


@pytest.mark.parametrize("horizon", [2, 5, 9])
def test_floor_of_the_burn_in(horizon):
    game, iterations = games.load("delayed-reward-chain", horizon=horizon), horizon**3
    starts = equilibrium.of_stages(game, len(learners.stage_lengths(iterations, horizon)))
    run = learners.optimistic_mirror_descent(game, iterations, 0.1, starts, record=True)
    assert sum(d.sum() for d in quantities.start_divergences(run)) == 0
    assert horizon**4 / (15 * iterations) <= zero_sum.gap(run) <= quantities.burn_in(run) <= 2 * horizon**4 / iterations


def test_printed_order_violates_lemma_8_and_the_repaired_order_does_not():
    rng = np.random.default_rng(0)
    game = games.random_game(rng, 1, 1, (2, 2), batch=(2000,))
    starts = tuple(simplex.mix(rng.dirichlet([0.3, 0.3], (2000, 1, 1)), 1e-5) for _ in range(2))
    runs = {order: learners.optimistic_mirror_descent(game, 511, 1 / 8, starts, order=order, record=True) for order in ("printed", "repaired")}
    assert not claims.check("mao2023.lemma8", runs["printed"]).holds
    assert claims.check("mao2023.lemma8-printed-order", runs["printed"]).holds
    assert claims.check("mao2023.lemma8", runs["repaired"]).holds


def test_factor_two_of_lemma_7_is_attained():
    """Only the opponent of a deviation moves where the deviation leads: gap 1 from local deviations of 1/2."""
    reward = np.zeros((2, 3, 2, 2))
    reward[1, 0] = 0.5
    reward[1, 1] = [[0.5, 1], [0.5, 1]]  # only the min-player chooses
    reward[1, 2] = [[0.5, 0.5], [0, 0]]  # only the max-player chooses
    transitions = np.zeros((2, 3, 2, 2, 3))
    transitions[..., 0] = 1
    transitions[0, 0] = np.eye(3)[[[0, 2], [1, 0]]]  # row 1 deviates to state 1, column 1 to state 2
    game = games.zero_sum(reward, transitions)
    mu, nu = np.zeros((2, 3, 2)), np.zeros((2, 3, 2))
    mu[..., 0] = nu[..., 0] = 1
    mu[1, 2] = nu[1, 1] = [0, 1]
    run = learners.optimistic_mirror_descent(game, 2, 0.1, (mu, nu), record=True)
    assert zero_sum.gap(run) == pytest.approx(1)
    assert 2 * ladder.local_gaps(run).sum() == pytest.approx(1)


def changed(run, **stages):
    """The run with some of its record replaced."""
    return dataclasses.replace(run, stages=dataclasses.replace(run.stages, **stages))


def forgetful(run):
    """A record that pretends to have started at its best replies: all divergences 0."""
    return changed(run, starts=run.stages.best_responses)


def other_kernel(run):
    """The run, attributed to the game whose two first states are exchanged in the kernel."""
    game = run.game
    order = [1, 0, *range(2, game.states)]
    wrong = games.MarkovGame(game.rewards, game.transitions[..., order], game.initial)
    return dataclasses.replace(run, game=wrong)


def longer(run):
    """The run, pretending to have lasted a billion iterations: every bound that divides by T collapses."""
    return dataclasses.replace(run, parameters={**run.parameters, "iterations": 10**9})


def known_start(run):
    """The run, pretending that its first matrices were right: no burn-in term."""
    q = run.stages.q.copy()
    q[..., 0, :, :, :, :] = quantities.equilibrium_critic(run.game)
    return changed(run, q=q)


def flipped(run):
    """The run with the sign of its regrets flipped."""
    return changed(run, regrets=tuple(-part for part in run.stages.regrets))


MUTATIONS = {
    "mao2023.lemma7": lambda run: changed(longer(run), q=run.stages.q),
    "mao2023.lemma7-repaired": longer,
    "mao2023.lemma8": forgetful,
    "mao2023.lemma8-sum": lambda run: forgetful(dataclasses.replace(run, parameters={**run.parameters, "step_size": 1 / 72})),
    "mao2023.lemma8-repaired": forgetful,
    "mao2023.lemma8-sum-repaired": forgetful,
    "mao2023.lemma9-repaired": other_kernel,
    "mao2023.lemma10-repaired": other_kernel,
    "mao2023.theorem1-repaired": longer,
    "mao2023.theorem1-repaired-b": longer,
    "mao2023.theorem1-precise": longer,
    "mao2023.theorem1-free-energy": longer,
    "mao2023.theorem1-uniform": longer,
    "mao2023.theorem1-repaired-uniform": longer,
    "mao2023.theorem1": longer,
    "mao2023.theorem1-step-size": longer,
    "mao2023.stage-count": lambda run: changed(run, lengths=np.ones(200, int)),
    "mao2023.stage-count-repaired": lambda run: changed(run, lengths=np.ones(200, int)),
}


@pytest.mark.parametrize("id", MUTATIONS)
def test_every_check_can_fail(random_run, id):
    assert claims.check(id, random_run).holds
    assert not claims.check(id, MUTATIONS[id](random_run)).holds


@pytest.mark.parametrize("horizon", [1, 2])
def test_the_uniform_corollary_says_that_one_iteration_is_not_its_own(horizon):
    game = games.random_game(np.random.default_rng(3), horizon, states=2, actions=(2, 2))
    for step_size in (1 / (4 * horizon), 1 / (8 * horizon), 1 / 32):
        run = learners.optimistic_mirror_descent(game, 1, step_size, order="repaired", record=True)
        assert claims.check("mao2023.theorem1-repaired-uniform", run).unmet


def test_lemma_11_fails_when_the_value_errors_are_hidden(random_run):
    mutated = flipped(changed(random_run, q=np.broadcast_to(quantities.equilibrium_critic(random_run.game)[:, None], random_run.stages.q.shape)))
    assert claims.check("mao2023.lemma11", random_run).holds and not claims.check("mao2023.lemma11", mutated).holds


def test_theorem_needs_its_burn_in_term(chain_run):
    repaired = learners.optimistic_mirror_descent(chain_run.game, 1000, 1 / 40, chain_run.stages.starts, order="repaired", record=True)
    assert claims.check("mao2023.theorem1-repaired", repaired).holds
    assert not claims.check("mao2023.theorem1-repaired", known_start(repaired)).holds


def test_printed_order_claims_can_fail(chain_run):
    assert not claims.check("mao2023.theorem1-printed-order", longer(chain_run)).holds
    game = games.random_game(np.random.default_rng(0), 1, 1, (2, 2), batch=(50,))
    run = learners.optimistic_mirror_descent(game, 100, 1 / 4, record=True)
    shrunk = changed(forgetful(run), lengths=run.stages.lengths * 1000)
    assert claims.check("mao2023.lemma8-printed-order", run).holds and not claims.check("mao2023.lemma8-printed-order", shrunk).holds


def test_coefficients_are_the_sum_they_stand_for():
    horizon, step = 6, 1 / 30
    r = 1.5 * (step * horizon) ** 2
    sigma = [sum((1 + 1 / horizon) ** j for j in range(1, h)) for h in range(1, horizon + 1)]
    assert quantities.coefficients(horizon, step) == pytest.approx([2 + 4 / (1 - r) * x for x in sigma])
    assert quantities.coefficients(horizon, step, hat=True) == pytest.approx([2 + 2 * (1 + r) / (1 - r) * x for x in sigma])


def test_diagonal_sums_against_loops():
    entries = np.random.default_rng(0).random((2, 7, 4))
    expected = np.zeros_like(entries)
    for tau in range(7):
        for h in range(4):
            expected[:, tau, h] = sum(entries[:, tau - j, h + j] for j in range(1, min(tau, 3 - h) + 1))
    assert zero_sum.diagonal_sums(entries) == pytest.approx(expected)


def test_free_energy_is_at_most_the_divergence_and_zero_at_equilibria(random_run):
    for energy, divergence in zip(quantities.free_energies(random_run), quantities.start_divergences(random_run), strict=True):
        assert (energy <= divergence + 1e-12).all() and (energy >= 0).all()
    starts = equilibrium.of_stages(random_run.game, len(random_run.stages.lengths))
    still = learners.optimistic_mirror_descent(random_run.game, 200, 1 / 12, starts, order="repaired", record=True)
    assert max(energy.max() for energy in quantities.free_energies(still)) < 1e-9


def test_rungs_of_the_repaired_proof_climb(random_run):
    rungs = np.stack(list(ladder.repaired_ladder(random_run).values()))
    assert (np.diff(rungs, axis=0) >= -1e-9 * rungs[1:]).all()
    assert rungs[-2] == pytest.approx(claims.all()["mao2023.theorem1-repaired-b"].function(random_run).bound)


def test_the_printed_proof_falls_where_it_is_wrong(chain_run):
    rungs = {label: float(value) for label, value in ladder.printed_ladder(chain_run).items()}
    assert rungs["Lemma 9: errors to KL"] < rungs["Lemma 8: regrets to KL"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"step_size": 1.0}, "the step size is 1, the claim needs at most 0.0833"),
        ({"order": "printed"}, "the steps are taken in the printed order, the claim is about the repaired one"),
        ({"restart": False}, "the policies continue across stages, the claim needs a restart"),
        ({"initial_values": np.full((3, 3, 3, 2), 7.0)}, "the initial values leave [0, H-h+1]"),
    ],
)
def test_unmet_assumptions_are_named(random_run, options, sentence):
    settings = {"step_size": 1 / 12, "order": "repaired", **options}
    run = learners.optimistic_mirror_descent(random_run.game, 20, record=True, **settings)
    assert claims.check("mao2023.theorem1-repaired", run).unmet == sentence


def test_rewards_outside_the_unit_interval_are_named():
    run = learners.optimistic_mirror_descent(games.load("table-1"), 20, 1 / 40, order="repaired", record=True)
    assert "rewards reach from -1 to 1" in claims.check("mao2023.theorem1-repaired", run).unmet
    unit = games.unit_rewards(games.load("table-1"))
    run = learners.optimistic_mirror_descent(unit, 20, 1 / 40, order="repaired", record=True)
    assert claims.check("mao2023.theorem1-repaired", run).unmet == ""


def test_uniform_claims_need_a_uniform_start(chain_run):
    assert claims.check("mao2023.theorem1-uniform", chain_run).unmet == "the initial policies are not uniform"
