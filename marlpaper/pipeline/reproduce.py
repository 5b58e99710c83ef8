"""Run the notebooks that changed, side by side, and install each as soon as it is done."""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading

from tqdm import tqdm

from marlpaper.lookup import UnknownNameError, require
from marlpaper.pipeline import collect, edits, stamps
from marlpaper.pipeline.execute import Outcome, Task, execute, start_worker
from marlpaper.pipeline.project import Project, parameters_label

__all__ = ["reproduce", "require_kind", "terminated_is_interrupted"]


def reproduce(project=None, names=(), jobs=None, force=False, parameters=None, ledger=None):
    """Execute notebooks and put their outputs in place.

    Parameters
    ----------
    project : Project, optional
        The checkout; this package's own by default.
    names : sequence of str
        Notebooks to run; all by default.
    jobs : int, optional
        How many run side by side; as many as there are cores by default.
    force : bool
        Run also what has not changed.
    parameters : dict, optional
        Values other than those of the notebooks' ``parameters`` cells. Such runs go to ``runs/<name>-<parameters>``
        and leave the committed outputs alone.
    ledger : callable, optional
        Makes the ledger from the checks of all notebooks; `marlpaper.claims.ledger` by default.

    Returns
    -------
    list of Outcome
        One for each notebook that was executed.

    Raises
    ------
    UnknownNameError
        If there is no such notebook, a notebook has no such parameter, or work in an executed notebook would be
        overwritten.
    ValueError
        If `jobs` is below 1.
    """
    project, parameters = project or Project(), parameters or {}
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, but at least 1 was expected.")
    names = project.choose(names)
    _require_parameters(project, names, parameters)
    with project.locked(tqdm.write), terminated_is_interrupted():
        if not parameters:
            project.require_writable()
            _require_unedited(project, names)
        project.recover()
        todo = [name for name in names if force or parameters or not stamps.is_current(project, name)]
        for name in names:
            if name not in todo:
                tqdm.write(f"{name}  unchanged")
        outcomes = _run(project, todo, jobs, parameters)
        if not parameters:
            _collect(project, outcomes, ledger)
        project.recover()
    return outcomes


def _collect(project, outcomes, ledger):
    if ledger is None:
        from marlpaper.claims import ledger
    collect.write_ledger(project, ledger)
    finished = [outcome for outcome in outcomes if outcome.error is None]
    # Without a new run there is nothing new to say, and the file would change for its commit alone.
    if finished:
        collect.write_build(project, finished)


def _run(project, names, jobs, parameters):
    """Execute the notebooks in worker processes and return their outcomes."""
    if not names:
        return []
    # The longest first, so that none is left alone at the end.
    seconds = collect.previous(project, "cpu_seconds")
    names = sorted(names, key=lambda name: -seconds.get(name, float("inf")))
    # Taken before the run: a module that changes meanwhile makes the stamp old, as it should.
    inputs = {name: stamps.inputs(project, name) for name in names}
    outcomes = []
    with _workers(min(jobs, len(names))) as pool, tqdm(total=len(names), unit="notebook", disable=None) as bar:
        tasks = {pool.submit(execute, Task(name, project, project.staging(name), parameters)): name for name in names}
        pending = set(tasks)
        while pending:
            bar.set_postfix_str(", ".join(tasks[future] for future in tasks if future in pending))
            # Waking up every second keeps the clock of the bar going.
            done, pending = concurrent.futures.wait(pending, timeout=1, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                outcome = _outcome(future, tasks[future])
                if outcome.error is None and not parameters and edits.is_edited(project, outcome.name):
                    outcome = dataclasses.replace(outcome, error=edits.sentence(project, [outcome.name]))
                if outcome.error is None:
                    _install(project, outcome, parameters, inputs[outcome.name])
                else:
                    tqdm.write(f"{outcome.name}  FAILED after {outcome.seconds:.1f} s\n{outcome.error}")
                outcomes.append(outcome)
                bar.update()
    return sorted(outcomes, key=lambda outcome: outcome.name)


def _outcome(future, name):
    try:
        return future.result()
    except concurrent.futures.process.BrokenProcessPool:
        return Outcome(name, 0.0, "The process that executed it was ended from outside; did the memory run out?")


def _install(project, outcome, parameters, inputs):
    where = ""
    if parameters:
        folder = project.keep_run(outcome.name, f"{outcome.name}-{parameters_label(parameters)}")
        where = f"  in {folder.relative_to(project.root)}"
    else:
        project.install(outcome.name)
        stamps.write(project, outcome.name, inputs)
    tqdm.write(f"{outcome.name}  {outcome.seconds:.1f} s ({outcome.cpu_seconds:.1f} s of processors){where}")


@contextlib.contextmanager
def _workers(count):
    """Open a pool of processes that end with this one, however it ends."""
    # Spawned rather than forked: the progress bar has a thread, and kernels need a clean event loop.
    context = multiprocessing.get_context("spawn")
    lifeline, ours = context.Pipe(duplex=False)
    pool = concurrent.futures.ProcessPoolExecutor(count, context, start_worker, (lifeline,))
    try:
        yield pool
    finally:
        ours.close()
        pool.shutdown(wait=True, cancel_futures=True)
        lifeline.close()


@contextlib.contextmanager
def terminated_is_interrupted():
    """Let SIGTERM unwind the run as Ctrl-C does; only the main thread may ask for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _require_parameters(project, names, parameters):
    for name in names if parameters else ():
        known = stamps.parameters(project, name)
        for parameter, value in parameters.items():
            require(f"parameter of {name} named", parameter, known)
            require_kind(parameter, known[parameter], value)


def _require_unedited(project, names):
    edited = [name for name in names if edits.is_edited(project, name)]
    if edited:
        raise UnknownNameError(edits.sentence(project, edited))


def require_kind(parameter, default, value):
    """Raise an `UnknownNameError` for a truth value that is spelled as something else: any text would count as true."""
    if isinstance(default, bool) and not (isinstance(value, bool) or value in (0, 1)):
        raise UnknownNameError(
            f"{parameter} is {value!r}, but true or false was expected, as its default is {default}."
        )
