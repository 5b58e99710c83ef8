"""The committed notebooks: each source beside its executed notebook, run to the end, with nothing of one machine in it."""

import re
import tempfile

import jupytext
import nbformat
import pytest

from marlpaper.pipeline import Project
from marlpaper.pipeline.edits import MYST
from marlpaper.pipeline.scrub import incomplete, scrub

PROJECT = Project()
NAMES = PROJECT.names()
MACHINE = re.compile(r"(?<![\w./])/(home|root|tmp|Users|work|usr|opt|mnt|var)/|[A-Z]:\\\\|\bat 0x[0-9a-f]{6,}")
"""Absolute paths and addresses in memory."""

each_notebook = pytest.mark.parametrize("name", NAMES)


def executed(name):
    """Return the executed notebook of this name."""
    assert PROJECT.executed(name).exists(), f"{name} was never executed: run 'marlpaper reproduce {name}'."
    return nbformat.read(PROJECT.executed(name), as_version=4)


def content(notebook):
    """Return what a source and its executed notebook have in common: kind and text of each cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_every_executed_notebook_and_every_result_has_its_source():
    assert {path.stem for path in PROJECT.notebooks.glob("*.ipynb")} == set(NAMES)
    assert {path.name for path in PROJECT.results.glob("*/")} <= {*NAMES, "benchmarks"}


@each_notebook
def test_source_and_executed_notebook_are_in_step(name):
    assert content(executed(name)) == content(jupytext.read(PROJECT.source(name), fmt=MYST))


@each_notebook
def test_every_code_cell_ran_to_its_end(name):
    notebook = executed(name)
    assert incomplete(notebook) is None
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), "run in order, each cell once"


@each_notebook
def test_outputs_tell_nothing_of_the_machine(name):
    text = PROJECT.executed(name).read_text(encoding="utf-8")
    pictures = re.compile(r'"image/png": "[^"]*"')
    found = MACHINE.search(pictures.sub("", text))
    assert found is None, text[max(0, found.start() - 80) : found.end() + 80]
    scrubbed = executed(name)
    scrub(scrubbed)
    assert nbformat.writes(scrubbed).strip() == text.strip(), "what the pipeline scrubs is not in it"


@each_notebook
def test_every_source_is_a_myst_notebook_with_a_parameters_cell(name):
    text = PROJECT.source(name).read_text(encoding="utf-8")
    assert "format_name: myst" in text
    tags = [cell.metadata.get("tags", []) for cell in jupytext.read(PROJECT.source(name), fmt=MYST).cells]
    assert sum("parameters" in found for found in tags) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /home/someone/x.py", True),
        (f'File "{tempfile.gettempdir()}/ipykernel_1/2.py"', True),
        ("<object at 0x7f00deadbeef>", True),
        ("a ratio of 1/2 and data/results/x.svg", False),
        ("https://example.org/home/page", False),
    ],
)
def test_machine_paths_are_recognised(text, found):
    assert bool(MACHINE.search(text)) == found


def test_a_pair_out_of_step_is_noticed(tmp_path):
    path = tmp_path / "example.md"
    path.write_text("# A title\n\n```{code-cell} ipython3\nx = 1\n```\n")
    before = jupytext.read(path, fmt=MYST)
    assert content(before) == [("markdown", "# A title"), ("code", "x = 1")]
    path.write_text(path.read_text().replace("x = 1", "x = 2"))
    assert content(jupytext.read(path, fmt=MYST)) != content(before)
