"""Theorems 5 and 6 and their lemmas, printed and repaired: what holds, what fails, and that each check can fail."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generators

from marlpaper import claims, evaluate, games, learners, meta, simplex
from marlpaper.claims.mao2023 import correlated_quantities as correlated
from marlpaper.claims.mao2023 import meta_correlated

REPAIRED = [
    "mao2023.lemma17-repaired",
    "mao2023.lemma18-repaired",
    "mao2023.lemma19-repaired",
    "mao2023.theorem5-repaired",
    "mao2023.theorem5-free-energy",
    "mao2023.theorem5-discarded",
    "mao2023.theorem5-last-stages",
]


@st.composite
def recorded_runs(draw):
    """Runs of six small general-sum games from starts of every kind, in both orders, small steps and large."""
    rng = draw(generators())
    horizon, states = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    actions = tuple(draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
    game = games.random_game(rng, horizon, states, actions, (6,), zero_sum=False, support=draw(st.sampled_from([None, 1])))
    iterations = draw(st.integers(1, 80))
    shape = (6, len(learners.stage_lengths(iterations, horizon)), horizon, states)
    initial = [rng.dirichlet(np.full(count, 0.5), shape) for count in actions]
    kind = draw(st.sampled_from(["uniform", "interior", "near vertex", "vertex"]))
    if kind in ("near vertex", "vertex"):
        initial = [simplex.mix(np.eye(x.shape[-1])[x.argmax(-1)], 1e-3 if kind == "near vertex" else 0) for x in initial]
    step = draw(st.sampled_from([0.02, 0.3, 2.0])) / horizon
    order = draw(st.sampled_from(["printed", "repaired"]))
    return learners.correlated_mirror_descent(game, iterations, step, None if kind == "uniform" else initial, order, record=True)


@settings(max_examples=80)
@given(recorded_runs())
def test_repaired_statements_hold(run):
    for id in REPAIRED:
        found = claims.check(id, run)
        assert found.holds and (not found.unmet or found.unmet.startswith("T is")), found


@settings(max_examples=25)
@given(generators(), st.integers(1, 4), st.integers(2, 300), st.sampled_from([(2, 2), (3, 2), (2, 2, 2)]), st.sampled_from(["printed", "repaired"]))
def test_rates_hold_at_their_step_sizes(rng, horizon, iterations, actions, order):
    game = games.random_game(rng, horizon, 2, actions, (6,), zero_sum=False)
    for id, step in (("mao2023.theorem5-sharper", correlated.sharper_step), ("mao2023.theorem5-uniform-repaired", correlated.printed_step)):
        run = learners.correlated_mirror_descent(game, iterations, step(horizon, iterations, len(actions)), order=order, record=True)
        found = claims.check(id, run)
        assert found.holds and not found.unmet, found


@settings(max_examples=25)
@given(recorded_runs())
def test_the_gaps_are_in_the_order_of_the_proof(run):
    own, best = evaluate.certified_values(run.game, run.certified)
    revealed = evaluate.cce_gap(run.game, run.certified)
    per_stage = (best - own)[..., 0, 0].max(1) @ run.certified.weights
    assert np.all(revealed <= per_stage + 1e-12) and np.all(per_stage <= correlated.delta_gap(run) + 1e-12)


def tight(horizon, iterations, step=0.1, order="printed"):
    """The dominant action, started at the wrong one in stage 1 and at the right one after."""
    game = games.load("dominant-action", horizon=horizon)
    start = np.zeros((len(learners.stage_lengths(iterations, horizon)), horizon, 1, 2))
    start[0, ..., 1] = start[1:, ..., 0] = 1
    return learners.correlated_mirror_descent(game, iterations, step, [start, start], order, record=True)


@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize(("horizon", "iterations"), [(1, 1), (1, 7), (2, 9), (3, 18), (3, 100), (4, 31)])
def test_the_burn_in_term_is_attained(horizon, iterations, order):
    """Bound and gap agree: the repaired theorem is tight as the step size vanishes."""
    run = tight(horizon, iterations, 1e-6, order)
    assert correlated.divergences(run).sum() == 0
    floor = correlated.burn_in(run)
    enough, total = correlated.full_burn_in(horizon)
    assert floor == pytest.approx(total / iterations) if iterations >= enough else floor <= horizon
    for signal in ("hidden", "revealed"):
        assert evaluate.cce_gap(run.game, run.certified, signal) == pytest.approx(floor, abs=1e-12)
    assert correlated.delta_gap(run) == pytest.approx(floor, abs=1e-12)
    if order == "repaired":
        found = claims.check("mao2023.theorem5-repaired", run)
        assert found.holds and found.measured == pytest.approx(found.bound, abs=1e-12)


def test_the_printed_theorem_fails_there():
    found = claims.check("mao2023.theorem5", tight(3, 200, 1e-3))
    assert not found.holds and not found.unmet
    assert found.measured == pytest.approx(37 / 200) and found.bound == pytest.approx(36 * 4 * 1e-6 * 81)
    assert not claims.check("mao2023.lemma19", tight(3, 200, 1e-3)).holds


def test_the_printed_rate_fails_for_one_iteration():
    game = games.load("dominant-action", horizon=2)
    run = learners.correlated_mirror_descent(game, 1, correlated.printed_step(2, 1, 2), record=True)
    found = claims.check("mao2023.theorem5-uniform", run)
    assert not found.holds and not found.unmet and found.bound == 0 and found.measured == pytest.approx(1)
    assert claims.check("mao2023.theorem5-uniform-repaired", run).unmet == "T is 1, the claim needs at least 2"


def test_later_stages_pay_no_burn_in():
    run = tight(3, 100, 1e-6)
    for id in ("mao2023.theorem5-discarded", "mao2023.theorem5-last-stages"):
        assert claims.check(id, run).measured == 0
    short = claims.check("mao2023.theorem5-last-stages", tight(3, 18, 1e-6))
    assert short.unmet == "T is 18, the claim needs more than 18"


@pytest.fixture(scope="module")
def random_run():
    game = games.random_game(np.random.default_rng(3), 3, 2, (3, 2), (4,), zero_sum=False)
    return learners.correlated_mirror_descent(game, 200, correlated.sharper_step(3, 200, 2), order="repaired", record=True)


def changed(run, **stages):
    """The run with some of its record replaced."""
    return dataclasses.replace(run, stages=dataclasses.replace(run.stages, **stages))


def forgetful(run):
    """A record that pretends to have started at its best replies: all divergences 0."""
    return changed(run, starts=run.stages.best_responses)


def set_to(run, **parameters):
    """The run with other settings than it had."""
    return dataclasses.replace(run, parameters={**run.parameters, **parameters})


def with_product(run):
    """The run whose stages are said to have played the product of their averages instead of the mean of products."""
    mean = np.einsum("...ha,...hb->...hab", *run.stages.averages)
    means = np.concatenate([run.certified.means[:, :1], mean[:, :-1]], 1)
    return dataclasses.replace(run, certified=dataclasses.replace(run.certified, means=means))


def moved(run):
    """The run, with moves a hundred times as long."""
    larger = {name: tuple(100 * part for part in getattr(run.stages, name)) for name in ("largest_moves", "largest_moves_of_others")}
    return changed(run, **larger)


def wandering(run):
    """The run, attributed to a certified policy that plays the worst joint action at every step."""
    means = np.zeros_like(run.certified.means)
    means[..., 0, 0] = 1
    game = games.MarkovGame(np.where(np.indices(run.game.actions).sum(0) == 0, 0, 1) * np.ones_like(run.game.rewards), run.game.transitions)
    return dataclasses.replace(run, game=game, certified=dataclasses.replace(run.certified, means=means))


def shrunk(run):
    """A record of no divergence, with a step size near 0: nothing is left but the burn-in."""
    return set_to(forgetful(run), step_size=1e-6)


def long_ago(run):
    """Nothing left but the burn-in, and that divided by a billion iterations."""
    lengths = run.certified.lengths.copy()
    lengths[-1] = 10**9
    return dataclasses.replace(shrunk(wandering(run)), certified=dataclasses.replace(wandering(run).certified, lengths=lengths))


MUTATIONS = {
    "mao2023.lemma17": shrunk,
    "mao2023.lemma17-repaired": lambda run: shrunk(changed(run, gains=tuple(0 * part for part in run.stages.gains))),
    "mao2023.lemma18": lambda run: moved(set_to(run, step_size=1e-3)),
    "mao2023.lemma18-repaired": moved,
    "mao2023.lemma19": lambda run: shrunk(wandering(run)),
    "mao2023.lemma19-repaired": wandering,
    "mao2023.theorem5": lambda run: shrunk(wandering(run)),
    "mao2023.theorem5-repaired": long_ago,
    "mao2023.theorem5-free-energy": long_ago,
    "mao2023.theorem5-discarded": lambda run: shrunk(wandering(run)),
    "mao2023.theorem5-last-stages": lambda run: shrunk(wandering(run)),
    "mao2023.theorem5-sharper": lambda run: set_to(wandering(run), iterations=10**9),
    "mao2023.theorem5-uniform": lambda run: set_to(wandering(run), iterations=10**9),
    "mao2023.theorem5-uniform-repaired": lambda run: set_to(wandering(run), iterations=10**9),
}


@pytest.mark.parametrize("id", MUTATIONS)
def test_every_check_can_fail(random_run, id):
    assert claims.check(id, random_run).holds
    assert not claims.check(id, MUTATIONS[id](random_run)).holds


def test_regrets_are_against_the_marginal_of_joint_play():
    """Lemma 19 is an identity where the deviations do: with the product of the averages in place of the joint mean it breaks."""
    game = games.perturb(games.load("shapley"), 8, 0.1, np.random.default_rng(0))
    game = games.MarkovGame(np.clip(game.rewards, 0, 1), game.transitions, game.initial)
    run = learners.correlated_mirror_descent(game, 300, 0.6, order="repaired", record=True)
    found = claims.check("mao2023.lemma19-repaired", run)
    assert found.holds and found.ratio == pytest.approx(1)
    assert not claims.check("mao2023.lemma19-repaired", with_product(run)).holds


def test_assumptions_are_named(random_run):
    outside = games.MarkovGame(2 * random_run.game.rewards, random_run.game.transitions)
    run = learners.correlated_mirror_descent(outside, 20, 0.1, record=True)
    assert "rewards reach from" in claims.check("mao2023.theorem5-repaired", run).unmet
    assert "the claim is about 0.11" in claims.check("mao2023.theorem5-sharper", set_to(random_run, step_size=0.5)).unmet
    assert claims.check("mao2023.theorem5-sharper", changed(random_run, starts=random_run.stages.best_responses)).unmet == "the initial policies are not uniform"
    alone = learners.correlated_mirror_descent(games.random_game(np.random.default_rng(0), 2, 2, (3,), zero_sum=False), 9, 0.1, record=True)
    assert claims.check("mao2023.theorem5-sharper", alone).unmet.startswith("the game has 1 agents")


@pytest.mark.parametrize("horizon", [1, 2, 5, 9])
def test_burn_in_constants(horizon):
    """B_T = B exactly from T_0 on, and B_T is at most 3H³ and at most HT."""
    enough, total = correlated.full_burn_in(horizon)
    assert total <= 3 * horizon**3
    for iterations in (1, enough - 1, enough, enough + 7, 4 * enough):
        lengths = learners.stage_lengths(iterations, horizon)
        spent = lengths @ correlated.burn_in_steps(horizon, len(lengths))[:, 0]
        assert spent <= horizon * iterations and (spent == total) == (iterations >= enough)


# Sequences of games.


def similar(name="bach-chicken", count=8, seed=0, noise=0.1):
    noisy = games.perturb(games.load(name), count, noise, np.random.default_rng(seed))
    return games.MarkovGame(np.clip(noisy.rewards, 0, 1), noisy.transitions, noisy.initial)


def sequence(game, rule="best-response-average", iterations=150, order="printed", step=None):
    step = step or meta_correlated.printed_step(game.horizon, iterations, game.agents, game.batch[0])
    learner = functools.partial(learners.correlated_mirror_descent, iterations=iterations, step_size=step, order=order, record=True)
    return meta.learn_sequence(game, learner, rule)


@pytest.mark.parametrize("order", ["printed", "repaired"])
@pytest.mark.parametrize("name", ["bach-chicken", "stag-prisoner", "shapley", "jordan"])
def test_repaired_theorem_6_holds(name, order):
    for rule, id in (("best-response-average", "mao2023.theorem6-repaired"), ("laplace", "mao2023.theorem6-laplace")):
        for step in (None, 0.3):
            learned = sequence(similar(name), rule, order=order, step=step)
            found = claims.check(id, learned)
            assert found.holds and not found.unmet, found
            if rule != "laplace":
                assert claims.check("mao2023.equation73-repaired", learned).holds


@pytest.mark.parametrize("id", ["mao2023.theorem6", "mao2023.theorem6-repaired", "mao2023.theorem6-laplace"])
def test_every_theorem_can_fail(id):
    learned = sequence(similar(), "laplace" if "laplace" in id else "best-response-average")
    assert claims.check(id, learned).holds
    broken = dataclasses.replace(learned, runs=tuple(set_to(wandering(run), iterations=10**12) for run in learned.runs))
    runs = [dataclasses.replace(run, certified=dataclasses.replace(run.certified, lengths=np.append(run.certified.lengths[:-1], 10**12))) for run in broken.runs]
    assert not claims.check(id, dataclasses.replace(broken, runs=tuple(runs))).holds


@pytest.mark.parametrize("id", ["mao2023.equation72", "mao2023.equation73", "mao2023.equation73-repaired"])
def test_every_link_can_fail(id):
    learned = sequence(similar())
    assert claims.check(id, learned).holds
    far = [tuple(simplex.mix(np.eye(x.shape[-1])[x.argmin(-1)], 1e-300) for x in run.stages.best_responses) for run in learned.runs]
    broken = dataclasses.replace(learned, runs=tuple(changed(run, starts=start) for run, start in zip(learned.runs, far, strict=True)))
    assert not claims.check(id, broken).holds


def test_printed_73_lacks_the_number_of_entries():
    """All entries alternate together from game to game: regret in each of them, room for one on the right."""
    wanted = [np.array([[[1.0, 1], [0, 0]], [[1, 0], [1, 0]]]), np.array([[[0.0, 0], [1, 1]], [[0, 1], [0, 1]]])]
    rewards = np.stack([np.broadcast_to(wanted[k % 2][:, None, None], (2, 6, 1, 2, 2)) for k in range(8)])
    learned = sequence(games.MarkovGame(rewards, np.ones((6, 1, 2, 2, 1))), iterations=600)
    found = claims.check("mao2023.equation73", learned)
    assert not found.holds and not found.unmet
    assert claims.check("mao2023.equation73-repaired", learned).holds


def copies(count, horizon=2, iterations=18):
    """Copies of the game with a dominant action, named so that stage 1 keeps half its mass on the other one: two runs tell all."""
    alpha, game = 1 / np.sqrt(count), games.load("dominant-action", horizon=horizon)
    step = meta_correlated.printed_step(horizon, iterations, 2, count)
    learner = functools.partial(learners.correlated_mirror_descent, iterations=iterations, step_size=step, record=True)

    def rule(runs, _):
        return {"initial": tuple(simplex.mix(best, alpha).mean(0) for best in meta.best_responses(runs))}

    return meta.learn_sequence(games.stack([game, game]), learner, rule)


def test_printed_theorem_6_is_false_for_an_astronomic_number_of_games():
    learned = copies(1e30)
    found = claims.check("mao2023.theorem6", learned, games=1e30)
    assert not found.unmet and not found.holds
    assert found.measured >= correlated.burn_in(learned.runs[0]) / 2 - 1e-9
    few = claims.check("mao2023.theorem6", copies(100.0), games=100.0)
    assert few.holds and not few.unmet
    assert "would move by" in claims.check("mao2023.theorem6", sequence(similar()), games=100).unmet


def test_other_rules_are_named():
    learned = sequence(similar(), "laplace")
    assert claims.check("mao2023.theorem6-repaired", learned).unmet == "the starts do not follow eq. (5)"
    assert claims.check("mao2023.theorem6-laplace", sequence(similar())).unmet == "the starts do not follow the Laplace rule"
    assert "the claim is about" in claims.check("mao2023.theorem6", sequence(similar(), step=0.5)).unmet
