"""Run one notebook in a worker process: jupytext reads the source, papermill runs it, what changes by itself is removed."""

import dataclasses
import os
import pathlib
import re
import signal
import threading
import time

import jupytext
import nbformat
import papermill
from papermill.translators import PythonTranslator, papermill_translators

from marlpaper import storage
from marlpaper.pipeline.edits import MYST
from marlpaper.pipeline.project import Project
from marlpaper.pipeline.scrub import incomplete, scrub

__all__ = ["Outcome", "Task", "execute", "start_worker"]

# One BLAS thread, because notebooks run side by side; a fixed hash seed and no settings of the user's,
# because the outputs must not depend on them.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MATPLOTLIBRC": os.devnull,
    "JUPYTER_PREFER_ENV_PATH": "1",
}

# A slow start is not a failure, and the kernel's advice on transports is not for our readers.
QUIETLY = {"progress_bar": False, "start_timeout": 180, "extra_arguments": ["--log-level=ERROR"]}


@dataclasses.dataclass(frozen=True)
class Task:
    """One notebook to run: its name, the checkout, the staging folder and parameters other than its own."""

    name: str
    project: Project
    staging: pathlib.Path
    parameters: dict


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended: the notebook's name, the seconds it took, the error as text or None, and the seconds of processors."""

    name: str
    seconds: float
    error: str | None
    cpu_seconds: float = 0.0


def start_worker(lifeline):
    """Prepare a worker process: it ends when the other end of `lifeline` is closed, be it by a kill.

    Parameters
    ----------
    lifeline : multiprocessing.connection.Connection
        Nothing is ever sent; the end of the connection is the message.
    """

    def watch():
        try:
            lifeline.recv()
        except (EOFError, OSError):
            os._exit(1)  # the kernel notices that its parent is gone and ends too

    threading.Thread(target=watch, daemon=True).start()
    # Ctrl-C reaches the whole terminal group: the parent answers it. A handler rather than SIG_IGN,
    # because the kernels would inherit the latter.
    signal.signal(signal.SIGINT, lambda *_: None)


def execute(task):
    """Run a notebook and leave ``product/notebook.ipynb`` and ``product/results`` in its staging folder.

    Parameters
    ----------
    task : Task
        What to run.

    Returns
    -------
    Outcome
        With an error if a cell failed or was not executed; nothing is raised, so that other notebooks go on.
    """
    started, processors = time.perf_counter(), _processor_seconds()
    try:
        error = _run(task)
    except Exception as problem:  # whatever one notebook does must not stop the others
        error = _explain(problem)
    return Outcome(task.name, time.perf_counter() - started, error, _processor_seconds() - processors)


def _processor_seconds():
    """What this process and the kernels that it ended have used: unlike the wall's, the same on a busy machine."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _run(task):
    product, scratch = task.staging / "product", task.staging / "scratch"
    os.environ.update(
        ENVIRONMENT,
        MARLPAPER_RESULTS=str(product / "results"),
        PYTHONPATH=str(task.project.root),
        IPYTHONDIR=str(scratch / "ipython"),
        JUPYTER_RUNTIME_DIR=str(scratch / "runtime"),
    )
    source = jupytext.read(task.project.source(task.name), fmt=MYST)
    path = scratch / "notebook.ipynb"
    scratch.mkdir()
    papermill.execute_notebook(
        source, str(path), task.parameters, cwd=str(task.project.notebooks), kernel_name="python3", **QUIETLY
    )
    executed = nbformat.read(path, as_version=4)
    error = incomplete(executed) or _misplaced(task)
    if error is None:
        scrub(executed)
        nbformat.validate(executed)
        nbformat.write(executed, product / "notebook.ipynb")
    return error


def _misplaced(task):
    own = task.staging / "product" / "results" / task.name
    own.mkdir(exist_ok=True)
    for path in own.parent.iterdir():
        if path != own:
            return f"It left {path.name!r} among the results, but only {own.name!r} is its own: name that in results.Notebook."
    return None


def _explain(problem):
    sentence = _unwritable(problem)
    if sentence:
        return sentence
    if isinstance(problem, papermill.PapermillExecutionError):
        colours = re.compile(r"\x1b\[[0-9;]*m")
        trace = colours.sub("", "\n".join(problem.traceback))
        return f"Cell {problem.cell_index + 1} failed:\n{problem.source}\n\n{trace}"
    return f"{type(problem).__name__}: {problem}"


def _unwritable(problem):
    """One sentence if a file could not be written, by the notebook or on its behalf."""
    if isinstance(problem, papermill.PapermillExecutionError):
        return storage.complaint_about(problem.evalue) if problem.ename in ("OSError", "PermissionError") else None
    return storage.complaint(problem) if isinstance(problem, OSError) else None


class _Literals(PythonTranslator):
    """Parameters as Python writes them: papermill itself makes a string of a tuple."""

    @classmethod
    def translate(cls, val):
        return repr(val)


papermill_translators.register("python", _Literals)
