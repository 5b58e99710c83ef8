"""A sweep on a real Dask scheduler with two worker processes, one of which is killed."""

import contextlib
import functools
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import tiny_checkout as tiny

from marlpaper import falsifier, parallel, sweeps
from marlpaper.lookup import UnknownNameError

pytestmark = pytest.mark.slow

pytest.importorskip("distributed")


@contextlib.contextmanager
def started(*words, folder):
    """A process of Dask's own command line, killed at the end."""
    with (folder / "dask.log").open("a") as log:
        process = subprocess.Popen([sys.executable, "-m", "dask", *words], cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler on loopback, and its two workers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    worker = ("worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
    scheduler = ("scheduler", "--host", address, "--no-dashboard")
    with started(*scheduler, folder=tmp_path), started(*worker, folder=tmp_path) as one, started(*worker, folder=tmp_path) as two:
        wait_until(lambda: (tmp_path / "dask.log").read_text().count("Registered to") == 2)
        yield address, [one, two]


def wait_until(happened, seconds=120):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def begun(project):
    """Seed and worker process of every run that has begun."""
    return [path.name.split("-") for path in (project.root / "began").iterdir()]


def tables(project):
    return {path.name: path.read_bytes() for path in (project.root / "runs/sweep-tiny").glob("*.csv")}


def test_a_killed_worker_loses_nothing(tmp_path, cluster):
    address, (victim, survivor) = cluster
    project, alone = tiny.checkout(tmp_path / "checkout"), tiny.checkout(tmp_path / "alone")
    points = sweeps.points(["seed=0:3", "pause=1", "sizes=(1,2)"])
    done = []
    sweeping = threading.Thread(target=lambda: done.append(sweeps.sweep("tiny", points, project, scheduler=address)))
    sweeping.start()
    wait_until(lambda: str(victim.pid) in [worker for _, worker in begun(project)])
    victim.send_signal(signal.SIGKILL)
    (hit,) = [seed for seed, worker in begun(project) if worker == str(victim.pid)]
    sweeping.join(120)
    assert done[0].executed == 3 and done[0].failed == []
    assert [hit, str(survivor.pid)] in begun(project), "the run that was under way is made again by the other worker"
    sweeps.sweep("tiny", points, alone, jobs=1)
    assert sorted(tables(project)) == ["checks.csv", "curves.csv"]
    assert tables(project) == tables(alone)
    # The scheduler and the surviving worker serve the falsifier too.
    search = functools.partial(falsifier.search, "mao2023.lemma9", trials=5000, seed=3)
    there, here = search(scheduler=address), search()
    assert (there.check, there.games) == (here.check, here.games)
    assert list(parallel.ordered(abs, range(-20, 0), scheduler=address)) == list(range(20, 0, -1))


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", "1s")
    with socket.socket() as probe:  # bound, but nobody listens
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        for wrong, said in ((address, "There is no Dask scheduler at"), ("nonsense://x", "but an address was expected")):
            with pytest.raises(UnknownNameError, match=said):
                next(parallel.ordered(abs, [1], scheduler=wrong))
