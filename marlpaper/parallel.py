"""One function on many tasks: here, in processes of this machine, or on a Dask cluster, with the same results.

Tasks are taken from their iterable only as workers become free, so that it may be long, or end early when time is up.
"""

import concurrent.futures
import contextlib
import itertools
import logging
import multiprocessing
import re

from marlpaper import validation
from marlpaper.lookup import UnknownNameError

__all__ = ["finished", "local_cluster", "ordered"]

AHEAD = 2
"""Tasks under way or queued for each thread: one to work on, and one at hand when that is done."""

AT_LEAST = 16
"""Tasks queued on a cluster that has few workers or none yet: an adaptive cluster grows with its queue."""

HOST = r"\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
ADDRESS = re.compile(rf"(?:(?:tcp|tls|ws|wss|ucx|ucxx)://)?(?:{HOST}):(?P<port>[0-9]{{1,5}})/?")
LARGEST_PORT = 65_535
PATIENCE = "30s"
"""How long a scheduler may take to answer."""


def ordered(function, tasks, jobs=1, scheduler=None):
    """Yield ``function(task)`` for each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of one argument; defined at the top level of a module that the workers can import, unless all is done here.
    tasks : iterable
        What it is called with; consumed lazily.
    jobs : int
        Processes of this machine; 1 runs everything in this one.
    scheduler : str or distributed.LocalCluster, optional
        Address of a Dask scheduler, or a cluster; takes the place of `jobs`.

    Yields
    ------
    object

    Raises
    ------
    UnknownNameError
        If nothing answers at the address.
    ImportError
        If there is a scheduler, but `distributed` is not installed.

    Examples
    --------
    >>> list(ordered(abs, [-2, 1, -3]))
    [2, 1, 3]
    """
    early, position = {}, 0
    for index, future in finished(function, tasks, jobs, scheduler):
        early[index] = future
        while position in early:
            yield early.pop(position).result()
            position += 1


def finished(function, tasks, jobs=1, scheduler=None):
    """Yield the position of a task and its future, as soon as each is done.

    Parameters
    ----------
    function, tasks, jobs, scheduler
        As in `ordered`.

    Yields
    ------
    position : int
    future : concurrent.futures.Future
        Done; its `result` raises what `function` raised, or that its worker was lost more often than Dask allows.
    """
    with _executor(jobs, scheduler) as (executor, room):
        left, waiting = enumerate(tasks), {}
        while True:
            for position, task in itertools.islice(left, max(room() - len(waiting), 0)):
                waiting[executor.submit(function, task)] = position
            if not waiting:
                return
            done, _ = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in sorted(done, key=waiting.get):
                yield waiting.pop(future), future


@contextlib.contextmanager
def local_cluster(jobs):
    """Open a Dask cluster of `jobs` worker processes on this machine, each with one thread.

    Yields
    ------
    distributed.LocalCluster
    """
    distributed = _distributed()
    # Without an address of its own Dask's web server listens on all interfaces, at a port that another cluster may have.
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(n_workers=validation.whole("jobs", jobs, 1), **options) as cluster:
        yield cluster


@contextlib.contextmanager
def _executor(jobs, scheduler):
    """An executor, and the function that says how many tasks it shall have at a time."""
    if scheduler is not None:
        with _client(scheduler) as client:
            executor = client.get_executor(pure=False)
            try:
                yield executor, lambda: max(AHEAD * sum(client.nthreads().values()), AT_LEAST)
            finally:
                executor.shutdown(wait=False)  # what nobody will fetch is not computed
    elif validation.whole("jobs", jobs, 1) == 1:
        yield _Here(), lambda: 1
    else:
        pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
        try:
            yield pool, lambda: AHEAD * jobs
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _client(scheduler):
    distributed = _distributed()
    if isinstance(scheduler, str):
        _check_address(scheduler)
    # Its account of a lost scheduler is a traceback; who waits for the result is told anyway.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        return distributed.Client(scheduler, set_as_default=False, timeout=PATIENCE)
    except (OSError, OverflowError, TypeError, ValueError):
        raise UnknownNameError(f"There is no Dask scheduler at {scheduler!r}: 'dask scheduler' starts one and prints its address.") from None


def _check_address(scheduler):
    """Raise an `UnknownNameError` for what can be no address, at once: Dask would try it until its patience is over."""
    found = ADDRESS.fullmatch(scheduler)
    if not found or not 0 < int(found["port"]) <= LARGEST_PORT:
        raise UnknownNameError(
            f"scheduler is {scheduler!r}, but an address was expected: protocol, host and port, e.g. "
            f"tcp://10.0.0.5:8786."
        )


def _distributed():
    try:
        import distributed
    except ImportError:
        raise ImportError("Dask is not installed: pip install 'marlpaper[cluster]' brings it.") from None
    return distributed


class _Here:
    """The executor of this process: a task is done when it is submitted."""

    def submit(self, function, task):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(task))
        except Exception as error:
            future.set_exception(error)
        return future
