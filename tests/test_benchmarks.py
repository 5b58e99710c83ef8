"""The benchmarks compare equal answers, and do without the packages that are not there. No test here is about time."""

import importlib
import pkgutil
import platform

import benchmarks
import numpy as np
import pandas as pd
import pytest
from benchmarks import (
    TOPICS,
    anonymous,
    correlated,
    equilibrium,
    evaluation,
    game_agnostic,
    harness,
    limits,
    loops,
    memory,
    meta_gradient,
    mirror_descent,
    potential,
    product,
    report,
    river,
    scaling,
    simulate,
    states,
)
from matplotlib import pyplot as plt

from marlpaper import games, results
from marlpaper.equilibrium import solve_zero_sum
from marlpaper.evaluate import product as evaluate_product

QUICK = {"repeats": 1, "seconds": 0.0}


def started(name, critic):
    try:
        return loops.METHODS[name](critic)
    except ImportError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("shape", [(1, 3, 4, 2, 2), (2, 2, 3, 4, 3)])
@pytest.mark.parametrize("name", [name for name in loops.METHODS if name != harness.OURS])


def test_all_loops_play_the_same(name, shape):
    critic = 5 * np.random.default_rng(3).random(shape)
    ours, peer = started(harness.OURS, critic), started(name, critic)
    for _ in range(25):
        ours.step()
        peer.step()
    assert harness.difference(peer.answer(), ours.answer()) < 1e-12
    *sums, value = ours.answer()
    assert [part.shape for part in sums] == [shape[:-2] + (count,) for count in shape[-2:]] and value.shape == shape[:-2]
    assert np.ptp(sums[0]) > 1e-3  # the players have moved


@pytest.mark.parametrize("solver", [equilibrium._nashpy, equilibrium._quantecon])
def test_matrix_game_solvers_agree(solver):
    try:
        solve = solver()
    except ImportError as error:
        pytest.skip(str(error))
    game = games.random_game(np.random.default_rng(1), 3, 4, (3, 4))
    np.testing.assert_allclose(equilibrium.backward_induction(game, solve), solve_zero_sum(game)[1], atol=1e-9)


def test_missing_packages_are_said_and_nothing_else_changes(monkeypatch):
    def absent(name):
        raise ImportError(name)

    def forget():
        for function in (loops._compiled, loops._jax, harness.c_library):
            function.cache_clear()

    forget()
    monkeypatch.setattr(harness, "peer", absent)
    monkeypatch.setattr(harness.shutil, "which", lambda name: None)
    table, _ = mirror_descent.run([(1, 2, 2)], 3, **QUICK)
    peers, _ = equilibrium.run([(2, 3, 2)], **QUICK)
    forget()
    assert table.set_index("method")["microseconds"].map(lambda cell: cell == harness.MISSING).to_dict() == {
        "Python loops": False,
        "NumPy, as the formulas read": False,
        "compiled loops (numba)": True,
        "compiled loops (C)": True,
        "JAX, vmap over games": True,
        harness.OURS: False,
    }
    assert (peers.set_index("method")["milliseconds"] == harness.MISSING).to_dict() == {
        equilibrium.NASHPY: True,
        equilibrium.QUANTECON: True,
        equilibrium.SIMPLEX: True,
        harness.OURS: False,
    }
    plt.close("all")


def test_stages_of_all_methods_are_compared_and_timed_by_the_iteration(monkeypatch):
    monkeypatch.setattr(harness, "interleaved", lambda methods, **_: dict.fromkeys(methods, 1.0))
    table, figure = mirror_descent.run([(2, 3, 3)], 3, **QUICK)
    plt.close(figure)
    measured = table[table["microseconds"] != harness.MISSING]
    assert (measured["microseconds"] == 1e6 / mirror_descent.ITERATIONS).all()
    assert measured["largest difference"].astype(float).max() < 1e-12
    assert {"NumPy, as the formulas read", harness.OURS} <= set(measured["method"])


@pytest.mark.skipif(harness.shutil.which("cc") is None, reason="cc is not installed")
def test_what_does_not_compile_is_said():
    with pytest.raises(ImportError, match="does not compile"):
        harness.c_library("int f( {")
    assert harness.c_library("int seven(void) { return 7; }").seven() == 7


def test_equilibria_of_all_solvers_agree():
    table, figure = equilibrium.run([(3, 4, 2), (2, 2, 3)], **QUICK)
    plt.close(figure)
    measured = table[table["largest difference"] != harness.MISSING]
    assert measured["largest difference"].astype(float).max() < 1e-9
    assert table.groupby("case").size().tolist() == [4, 4]


def test_batched_evaluation_is_the_same():
    table, _ = evaluation.run([(3, 2, 2), (2, 3, 4)], 3, **QUICK)
    assert len(table) == 8 and table["largest difference"].max() < 1e-12
    plt.close("all")


def test_meta_gradients_are_the_same():
    table, _ = meta_gradient.run([(3, 2, 2), (1, 3, 3)], **QUICK)
    compared = table[table["method"] != meta_gradient.INNER]
    assert len(compared) == 4 and compared["largest difference"].astype(float).max() < 1e-12
    plt.close("all")


def test_memory_grows_with_the_records_only():
    table, figure = memory.run((50, 800), states=10, actions=3, horizon=4)
    plt.close(figure)
    growth = table.groupby("run")["times shortest"].last()
    assert growth["without records"] < 1.2 < 1.5 < growth["recorded"]


def test_scaling_covers_every_size():
    axes = {name: (2, 3, 4, 5) for name in scaling.AXES}
    table, figure = scaling.run(axes, {**scaling.BASE, "S": 2, "H": 2, "T": 2, "K": 2}, **QUICK)
    plt.close(figure)
    assert table.groupby(["learner", "varied"])["size"].apply(list).to_dict() == {name: [2, 3, 4, 5] for name in axes}
    assert (table[["seconds", "peak megabytes"]] > 0).all().all()
    assert np.isfinite(table[["exponent", "exponent of memory"]]).all().all()


def test_memory_of_many_games_grows_with_their_number():
    axes = {(scaling.DESCENT, "games"): (8, 16, 32, 64), (scaling.DESCENT, "T"): (20, 40, 80, 160)}
    table, figure = scaling.run(axes, {**scaling.BASE, "T": 2}, **QUICK)
    plt.close(figure)
    slopes = table.groupby("varied")["exponent of memory"].first()
    assert 0.8 < slopes["games"] < 1.2 and abs(slopes["T"]) < 0.3


@pytest.mark.parametrize("agents", [2, 3])
def test_bytes_of_the_shapes_are_those_of_the_arrays(agents):
    rng = np.random.default_rng(4)
    tables = games.random_game(rng, 4, 3, (2,) * agents, zero_sum=False)
    assert limits.tabular(S=3, A=2, N=agents, H=4) == tables.rewards.nbytes + tables.transitions.nbytes
    kernels = [rng.dirichlet(np.ones(3), (3, 2))] * agents
    parts = rng.random((1, 3**agents)), [rng.random((1, 2))] * agents, 0, 0.9
    factored = games.ProductGame(kernels, *parts)
    process = evaluate_product._Averaged(factored, factored.uniform_policy())
    arrays = [*process.tables, *process.moves, *process.halves, process.rewards]
    assert limits.product(local=3, A=2, N=agents) == sum(array.nbytes for array in arrays)
    vectors = len(games.count_vectors(agents, 3))
    crowd = games.AnonymousGame(rng.random((2, 3, agents)), rng.dirichlet(np.ones(2), (2, vectors)), 0, 0.9)
    assert limits.anonymous(S=2, F=3, N=agents) == crowd.kernel.nbytes + crowd.counts.nbytes + crowd.pay.nbytes
    mixture, components = rng.dirichlet(np.ones(2), (5, *(2,) * agents)), rng.dirichlet(np.ones(5), 2)
    few = games.LowRankGame(rng.random((agents, 5, *(2,) * agents)), mixture, components, np.full(5, 0.2), 0.9)
    arrays = few.rewards, few.mixture, few.mixture_by_state, few.components
    assert limits.low_rank(S=5, A=2, N=agents, Z=2) == sum(array.nbytes for array in arrays)


def test_first_sizes_that_do_not_fit():
    table, figure = limits.run()
    plt.close(figure)
    assert len(table) == len(limits.CASES) and set(table["game"]) == set(limits.SHAPES)
    for (shape, sizes, varied, _), first in zip(limits.CASES, table["first size that does not fit"], strict=True):
        last, over = (limits.SHAPES[shape](**{**sizes, varied: size}) for size in (first - 1, first))
        assert last <= limits.LIMIT < over
    assert limits.first_too_large("tabular", {"S": 1, "A": 1, "N": 1}, "H", 160) == 11  # 16 bytes for each step


def test_players_and_actions_up_to_a_size():
    table, figure = correlated.run((2, 3), (2, 3), {"H": 2, "S": 2, "T": 3}, largest=10, **QUICK)
    plt.close(figure)
    assert table[["N", "A", "joint actions"]].values.tolist() == [[2, 2, 4], [2, 3, 9], [3, 2, 8]]


def test_exponent_leaves_fixed_costs_out():
    sizes = np.array([1, 2, 4, 8, 16, 32])
    assert harness.exponent(sizes, 3.0 * sizes**1.7) == pytest.approx(1.7)
    assert harness.exponent(sizes, np.maximum(sizes, 8.0) ** 2) == pytest.approx(2)


def test_each_turn_starts_afresh():
    starts = []

    def start():
        starts.append(0)

        def step():
            starts[-1] += 1

        return step

    assert harness.interleaved({"a": start, "b": start}, repeats=3, seconds=0.0)["a"] < 1
    assert starts == [2, 2] + [1] * 6  # one call to warm up and one to size the turn, then three turns each


def test_difference_sees_one_wrong_entry():
    arrays = [np.zeros((2, 3)), np.ones(4)]
    wrong = [arrays[0], np.array([1, 1, 1.5, 1])]
    assert harness.difference(wrong, arrays) == 0.5


def test_saved_files(results_folder):
    table = pd.DataFrame({"method": ["a", "b"], "seconds": [1234.5678, harness.MISSING], "times ours": [0.012345, 1.0]})
    report.save("topic", table, plt.figure())
    folder = results_folder / "benchmarks"
    assert (folder / "topic.csv").read_text() == "method,seconds,times ours\na,1230,0.0123\nb,not installed,1\n"
    assert "<svg" in (folder / "topic.svg").read_text()
    machine = results.read(folder / "machine.json")
    assert machine["versions"]["numpy"] == np.__version__ and machine["threads used"] == 1
    assert platform.node() not in (folder / "machine.json").read_text()


def test_every_topic_has_a_module():
    names = {module.name for module in pkgutil.iter_modules(benchmarks.__path__)} - {"__main__"}
    assert {name for name in names if hasattr(importlib.import_module(f"benchmarks.{name}"), "run")} == set(TOPICS)


def test_parts_of_q_ascent_agree():
    table, figure = potential.run(((30, 2), (20, 7)), (3, 2, 2, 2), (4,), **QUICK)
    plt.close(figure)
    measured = table[table["largest difference"] != harness.MISSING]
    assert measured["largest difference"].astype(float).max() < 1e-12
    assert table.groupby("case").size().tolist() == [2, 2, 3, 3]


def test_states_are_timed_for_both_kernels():
    table, figure = states.run({"2 components": (4, 8, 16), "dense": (4, 8, 16)}, **QUICK)
    plt.close(figure)
    assert table["S"].tolist() == [4, 8, 16] * 2
    assert (table["milliseconds"] > 0).all() and np.isfinite(table["exponent"]).all()


def test_counts_and_tables_give_the_same_feedback():
    table, figure = anonymous.run((2, 3, 5), 3, **QUICK)
    plt.close(figure)
    assert table["N"].tolist() == [2] * 3 + [3] * 3 + [5]
    assert table["largest difference"].astype(float).max() < 1e-9


def test_optimistic_iterations_agree():
    table, figure = game_agnostic.run(((2, 2, 2), (1, 3, 4)), 4, **QUICK)
    plt.close(figure)
    compared = table[table["method"] != game_agnostic.PLAIN]
    assert compared["largest difference"].astype(float).max() < 1e-12
    assert table.groupby("case", sort=False).size().tolist() == [4, 3]


def test_feedback_of_river_endgames_is_the_same():
    table, figure = river.run((1, 2), **QUICK)
    plt.close(figure)
    compared = table[(table["largest difference"] != harness.MISSING) & (table["case"] != "one iteration")]
    assert compared["largest difference"].astype(float).max() < 1e-12
    assert table.groupby("case").size().tolist() == [4, 4, 6]
    assert river.deals(52) == 1_070_190
