"""Run a notebook on every point of a grid, keep each point as soon as it is done, and merge them all.

A point is kept in a folder of its own by one rename, together with the digest of what it was made from. The next sweep that
needs it finds it there, so that whatever ended a sweep, the same command goes on where it stopped.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import shutil

from tqdm import tqdm

from marlpaper import parallel, results
from marlpaper.lookup import require
from marlpaper.pipeline import Project, stamps
from marlpaper.pipeline.execute import Outcome
from marlpaper.pipeline.project import held, parameters_label, replace_folder
from marlpaper.pipeline.reproduce import require_kind, terminated_is_interrupted
from marlpaper.sweeps import merge
from marlpaper.sweeps.parcel import pack_project, unpack
from marlpaper.sweeps.point import Point, Product, run

__all__ = ["Swept", "sweep"]


@dataclasses.dataclass(frozen=True)
class Swept:
    """What a sweep did.

    Attributes
    ----------
    executed, found : int
        Points that were run, and those that an earlier sweep had left.
    failed : list of str
        Labels of the points that failed.
    tables : list of pathlib.Path
        The merged tables; none while a point is missing.
    """

    executed: int
    found: int
    failed: list
    tables: list


def sweep(name, points, project=None, jobs=None, scheduler=None, force=False):
    """Execute a notebook on every point of a grid.

    Parameters
    ----------
    name : str
        The notebook.
    points : list of dict
        Parameters of each point: see `marlpaper.sweeps.points`.
    project : Project, optional
        The checkout; this package's own by default.
    jobs : int, optional
        Worker processes of the embedded cluster, as many as there are cores by default; 1 does without Dask.
    scheduler : str, optional
        Address of a Dask scheduler, in place of `jobs`.
    force : bool
        Run also the points that an earlier sweep has left.

    Returns
    -------
    Swept

    Raises
    ------
    UnknownNameError
        If there is no such notebook, parameter or scheduler.
    ConnectionError
        If the scheduler is lost on the way.
    """
    project = project or Project()
    (name,) = project.choose([name])
    known = stamps.parameters(project, name)
    for parameter in points[0]:
        require(f"parameter of {name} named", parameter, known)
    for point in points:
        for parameter, value in point.items():
            require_kind(parameter, known[parameter], value)
    folder = project.root / "runs" / f"sweep-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / ".lock", tqdm.write, "Another sweep of this notebook is under way: waiting for its end."), terminated_is_interrupted():
        digest = stamps.inputs(project, name)
        kept = [(point, folder / "points" / parameters_label(point)) for point in points]
        todo = [entry for entry in kept if force or not _is_finished(*entry, digest)]
        failed = _run(project, name, todo, digest, jobs, scheduler)
        tables = [] if failed else _merge(folder, [(point, path / "results" / name) for point, path in kept])
    return Swept(len(todo), len(points) - len(todo), failed, tables)


def _record(point, digest):
    return results.to_json({"inputs": digest, "parameters": {name: repr(value) for name, value in point.items()}})


def _is_finished(point, folder, digest):
    path = folder / "point.json"
    return path.is_file() and path.read_text(encoding="utf-8") == _record(point, digest)


def _run(project, name, todo, digest, jobs, scheduler):
    """Run points and return the labels of those that failed."""
    if not todo:
        return []
    parcel, versions = pack_project(project, name), stamps.versions()
    tasks = (Point(name, parcel, versions, point) for point, _ in todo)
    failed = []
    with _workers(jobs, scheduler) as workers, tqdm(total=len(todo), unit="point", disable=None) as bar:
        for position, future in parallel.finished(run, tasks, scheduler=workers):
            point, folder = todo[position]
            product = _product(future, name)
            if product.outcome.error is None:
                _keep(product, folder, _record(point, digest))
            else:
                tqdm.write(_complaint(folder.name, product.outcome, first=not failed))
                failed.append(folder.name)
            bar.update()
    return failed


@contextlib.contextmanager
def _workers(jobs, scheduler):
    """What runs the points: a cluster that exists, one of our own, or None for this process."""
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if scheduler is not None or jobs == 1:
        yield scheduler
    else:
        with parallel.local_cluster(jobs) as cluster:
            yield cluster


def _product(future, name):
    """What a worker sent, or why it did not."""
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise ConnectionError("The scheduler is gone; the same command runs the points that are still missing.") from None
    except Exception as error:  # a worker that cannot run any of it, or was lost too often
        return Product(Outcome(name, 0.0, f"{type(error).__name__}: {error}"), b"")


def _complaint(label, outcome, first):
    """The whole error of the first failure; points that fail alike need not repeat it."""
    error = outcome.error if first else outcome.error.splitlines()[-1]
    return f"{label}  FAILED after {outcome.seconds:.1f} s\n{error}"


def _keep(product, folder, record):
    fresh = folder.parent / f".{folder.name}.tmp"
    shutil.rmtree(fresh, ignore_errors=True)  # of a sweep that was killed here
    unpack(product.parcel, fresh)
    results.write_text(fresh / "point.json", record)
    replace_folder(fresh, folder)


def _merge(folder, kept):
    """Write the tables that have rows and return their paths."""
    paths = []
    for stem, join in (("curves", merge.curves), ("checks", merge.checks)):
        table, path = join(kept), folder / f"{stem}.csv"
        if table.empty:
            path.unlink(missing_ok=True)
        else:
            results.write_text(path, table.to_csv(index=False))
            paths.append(path)
    return paths
