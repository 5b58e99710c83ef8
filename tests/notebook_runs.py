"""Two things that nbval lacks, as a pytest plugin: which notebook comes first, and outputs of a run that was already made.

    pytest -p tests.notebook_runs --nbval --nbval-current-env [--executed FOLDER] COMMITTED/*.ipynb

The longest notebook comes first, so that none is left alone at the end. With `--executed`, nothing runs: nbval compares the outputs
of the notebook of the same name in that folder, which papermill has just executed, with the committed ones, cell by cell and by
the same rules as it compares those of a kernel.
"""

import json
import pathlib
import uuid

import nbformat
import nbval.plugin
import pytest

BUILD = pathlib.Path(__file__).parents[1] / "data" / "results" / "build.json"


def pytest_addoption(parser):
    """Add `--executed FOLDER`."""
    parser.addoption("--executed", metavar="FOLDER", help="nbval: compare with the notebooks executed in this folder, run nothing")


def pytest_configure(config):
    """Let nbval ask a finished notebook in place of a kernel."""
    folder = config.getoption("--executed")
    if folder:
        config.stash[EXECUTED] = pathlib.Path(folder).resolve()
        nbval.plugin.IPyNbFile.setup = _setup


def pytest_collection_modifyitems(items):
    """The notebook that took longest first; cells stay in their order."""
    seconds = json.loads(BUILD.read_text()).get("cpu_seconds", {}) if BUILD.is_file() else {}
    items.sort(key=lambda item: -seconds.get(item.path.stem, 0.0))


EXECUTED = pytest.StashKey()


def _setup(notebook):
    notebook.kernel = FinishedRun(notebook.config.stash[EXECUTED] / notebook.path.name)
    notebook.setup_sanitize_files()


class FinishedRun:
    """A finished notebook that answers as nbval's kernels do: each cell's outputs as the messages that they came from.

    Parameters
    ----------
    path : path-like
        The executed notebook.
    """

    def __init__(self, path):
        cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
        self._cells = [cell for cell in cells if cell.cell_type == "code"]
        self._path, self._messages = path, []

    def is_alive(self):
        """Whether there is a notebook at all."""
        return self._path.is_file()

    def execute_cell_input(self, source, allow_stdin=None):
        """Queue the outputs of the next cell, which must be the one with this source."""
        cell = self._cells.pop(0) if self._cells else None
        if cell is None or cell.source != source:
            raise RuntimeError(f"{self._path.name} was executed from another source: its next cell is not\n{source}")
        identity = uuid.uuid4().hex
        messages = [(output.output_type, {name: value for name, value in output.items() if name != "output_type"}) for output in cell.outputs]
        if cell.source.strip() and cell.execution_count is None:
            messages = [("error", {"ename": "NotExecuted", "evalue": "the cell was not executed", "traceback": []})]
        idle = ("status", {"execution_state": "idle"})
        self._messages = [{"msg_type": kind, "content": content, "parent_header": {"msg_id": identity}} for kind, content in [*messages, idle]]
        return identity

    def await_reply(self, identity, timeout=None):
        """All is there."""

    def await_idle(self, identity, timeout=None):
        """Nothing runs."""

    def get_message(self, stream, timeout=None):
        """The next message of the cell."""
        return self._messages.pop(0)

    def stop(self):
        """Nothing to stop."""
