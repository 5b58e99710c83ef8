"""The sweep benchmark gets the same answers from every worker; nothing here is about time."""

import pytest
from benchmarks import harness, sweep
from matplotlib import pyplot as plt

pytestmark = pytest.mark.slow

SMALL = {"S": 3, "A": 2, "H": 2, "T": 5}


def test_all_workers_answer_alike():
    pytest.importorskip("distributed")
    table, figure = sweep.run((2, 5), SMALL, repeats=1)
    plt.close(figure)
    assert table["workers"].tolist() == list(sweep.WORKERS) * 2
    assert (table["largest difference"] == 0).all()
    assert (table["efficiency"] > 0).all()


def test_runs_of_two_seeds_differ():
    assert sweep.policy_gap(1, SMALL) != sweep.policy_gap(2, SMALL)


def test_without_dask_this_process_is_timed(monkeypatch):
    def absent(jobs):
        raise ImportError("distributed")

    monkeypatch.setattr(sweep.parallel, "local_cluster", absent)
    table, figure = sweep.run((2,), SMALL, repeats=1)
    plt.close(figure)
    assert (table["seconds"] == harness.MISSING).tolist() == [False, True, True]
