"""What the pipeline takes care of: edits in executed notebooks, folders of runs, typed values, addresses and locks."""

import importlib
import os
import subprocess
import sys
import threading
import time
import types

import jupytext
import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marlpaper import cli, parallel, results
from marlpaper.lookup import UnknownNameError, literal
from marlpaper.pipeline import Project, edits
from marlpaper.pipeline import project as projects
from marlpaper.pipeline.project import parameters_label
from marlpaper.pipeline.reproduce import require_kind, reproduce
from marlpaper.pipeline.scrub import scrub
from marlpaper.sweeps import grid
from tests.front_matter import FRONT_MATTER

SOURCE = FRONT_MATTER + """
# Tiny

```{code-cell} ipython3
:tags: [parameters]

n = 1
loud = False
```

Some words.

```{code-cell} ipython3
print(n)
```

```{code-cell} ipython3
print(2 * n)
```
"""


def executed(root, stamped):
    """A checkout whose notebook looks as a run leaves it, with or without the stamp of that run."""
    project = Project(root)
    project.notebooks.mkdir(parents=True)
    project.source("tiny").write_text(SOURCE, encoding="utf-8")
    made = jupytext.read(project.source("tiny"), fmt=edits.MYST)
    for count, cell in enumerate((cell for cell in made.cells if cell.cell_type == "code"), 1):
        cell.execution_count, cell.outputs = count, []
    scrub(made)
    nbformat.write(made, project.executed("tiny"))
    if stamped:
        results.write_text(edits.stamp(project, "tiny"), results.to_json({"cells": edits.digest(project, "tiny")}))
    return project


CHANGES = {
    "a remark": lambda cells: cells[1].update(source=cells[1].source + "  # mine"),
    "words": lambda cells: cells[2].update(source="Other words."),
    "a new cell": lambda cells: cells.insert(2, nbformat.v4.new_code_cell("print(3)")),
    "a new text": lambda cells: cells.append(nbformat.v4.new_markdown_cell("The end.")),
    "a kind": lambda cells: cells.__setitem__(3, nbformat.v4.new_markdown_cell(cells[3].source, id=cells[3].id)),
}
ORDER = {  # ids fit their cells: only the stamp tells
    "a cell less": lambda cells: cells.pop(3),
    "another order": lambda cells: cells.append(cells.pop(3)),
    "no tag": lambda cells: cells[1].metadata.update(tags=[]),
}


def changed(project, change):
    notebook = nbformat.read(project.executed("tiny"), as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, project.executed("tiny"))


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("change", CHANGES | ORDER)
def test_an_edited_notebook_is_never_overwritten_silently(tmp_path, change, stamped):
    if change in ORDER and not stamped:
        pytest.skip("without a stamp the source may as well have changed")
    project = executed(tmp_path, stamped)
    assert not edits.is_edited(project, "tiny")
    changed(project, (CHANGES | ORDER)[change])
    before = project.executed("tiny").read_bytes()
    with pytest.raises(UnknownNameError) as raised:
        reproduce(project, ["tiny"], force=True)
    sentence = str(raised.value)
    assert sentence.startswith("notebooks/tiny.ipynb was edited without the .md beside it")
    assert "jupytext --to md:myst notebooks/tiny.ipynb" in sentence and "rm notebooks/tiny.ipynb" in sentence
    assert project.executed("tiny").read_bytes() == before


@pytest.mark.parametrize("change", CHANGES)
def test_both_ways_out_work(tmp_path, change):
    project = executed(tmp_path, True)
    changed(project, CHANGES[change])
    subprocess.run(
        [sys.executable, "-m", "jupytext", "--to", "md:myst", "notebooks/tiny.ipynb"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert not edits.is_edited(project, "tiny")
    changed(project, CHANGES["a remark"])
    assert edits.is_edited(project, "tiny")
    project.executed("tiny").unlink()
    assert not edits.is_edited(project, "tiny")


@pytest.mark.parametrize("stamped", [True, False])
def test_outputs_and_a_changed_source_are_no_edits(tmp_path, stamped):
    project = executed(tmp_path, stamped)
    changed(
        project, lambda cells: cells[3].update(outputs=[nbformat.v4.new_output("stream", text="7")], execution_count=12)
    )
    assert not edits.is_edited(project, "tiny")
    project.source("tiny").write_text(SOURCE.replace("print(n)", "print(n + 1)"), encoding="utf-8")
    assert not edits.is_edited(project, "tiny")
    project.executed("tiny").write_text("{", encoding="utf-8")
    assert edits.is_edited(project, "tiny")


VALUES = (
    st.text(max_size=6)
    | st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.tuples(st.integers(0, 3), st.integers(0, 3))
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["s", "n", "N", "b", "s_n"]),
    VALUES | st.sampled_from(["x/y", "x?y", "1", "A", "a", "true", "x,n=1", "y" * 200, "Y" * 200]),
    min_size=1,
    max_size=3,
)


@settings(max_examples=500)
@given(PARAMETERS, PARAMETERS)
def test_parameter_sets_never_share_a_folder(first, second):
    labels = [parameters_label(chosen) for chosen in (first, second)]
    assert all(
        len(label) < 120 and not set(label) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._,=-")
        for label in labels
    )
    same = sorted((name, repr(value)) for name, value in first.items()) == sorted(
        (name, repr(value)) for name, value in second.items()
    )
    assert same or labels[0].casefold() != labels[1].casefold()


@given(st.sampled_from(["true", "false"]), st.data())
def test_truth_values_are_what_they_say(word, data):
    spelled = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in word)
    assert literal(spelled) is (word == "true")
    assert cli._parameter(f"b={spelled}") == ("b", word == "true")
    assert grid.values(f"b={spelled}") == ("b", [word == "true"])


@given(st.text(max_size=8) | st.floats() | st.integers(2, 9) | st.none())
def test_other_words_for_a_truth_value_are_refused(value):
    for fine in (True, False, 0, 1):
        require_kind("b", False, fine)
    require_kind("n", 3, value)
    if value not in (0, 1):
        with pytest.raises(UnknownNameError, match=r"but true or false was expected, as its default is False\.$"):
            require_kind("b", False, value)


def test_the_short_option(monkeypatch):
    asked = []
    monkeypatch.setattr("marlpaper.pipeline.reproduce", lambda **options: asked.append(options["parameters"]) or [])
    assert cli.main(["reproduce", "tiny", "-p", "b=false", "--param", "s='false'"]) == 0
    assert asked == [{"b": False, "s": "false"}]


BROKEN = [
    "",
    "tcp:/",
    "tcp//10.0.0.5:8786",
    "tcp:10.0.0.5:8786",
    "10.0.0.5",
    "tcp://10.0.0.5",
    "tcp://10.0.0.5:port",
    "tcp://10.0.0.5:99999",
    "tcp://10.0.0.5:0",
    "tcp://:8786",
    "http://10.0.0.5:8786",
    "tcp://a b:8786",
    "tcp://10.0.0.5:8786:1",
    "localhost:",
]


@given(st.sampled_from(BROKEN) | st.text(st.characters(exclude_characters=":"), max_size=12))
def test_what_is_no_address_is_refused_at_once(address):
    began = time.perf_counter()
    with pytest.raises(UnknownNameError) as raised:
        list(parallel.ordered(abs, [1], scheduler=address))
    assert (
        str(raised.value)
        == f"scheduler is {address!r}, but an address was expected: protocol, host and port, e.g. tcp://10.0.0.5:8786."
    )
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.5:8786", "tls://node-1.cluster.org:1", "localhost:65535", "tcp://[::1]:8786", "tcp://node_7:8786/"],
)
def test_addresses_pass(address):
    parallel._check_address(address)


def without(monkeypatch, *names):
    real = importlib.import_module

    def missing(name):
        if name in names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name)

    monkeypatch.setattr(projects.importlib, "import_module", missing)


NO_LOCK = "Notebooks are run under a lock, for which this system needs the package filelock: pip install filelock."


def test_without_any_lock_there_is_a_sentence(tmp_path, monkeypatch, capsys):
    without(monkeypatch, "fcntl", "filelock")
    project = executed(tmp_path, True)
    with pytest.raises(projects.NoLockError) as raised:
        reproduce(project, ["tiny"])
    assert str(raised.value) == NO_LOCK
    monkeypatch.setattr("marlpaper.pipeline.reproduce", lambda **options: reproduce(project, ["tiny"]))
    assert cli.main(["reproduce", "tiny"]) == 1
    assert capsys.readouterr().err == f"marlpaper: {NO_LOCK}\n"


def test_filelock_takes_the_place_of_fcntl(tmp_path, monkeypatch):
    """The interface of filelock, as far as it is used, with a lock of threads behind it."""
    gate, order = threading.Lock(), []

    class Timeout(Exception):
        pass

    class FileLock:
        def __init__(self, path):
            assert path == str(tmp_path / "lock")

        def acquire(self, timeout=-1):
            if not gate.acquire(timeout=timeout):
                raise Timeout

        def release(self):
            gate.release()

    without(monkeypatch, "fcntl")
    monkeypatch.setitem(sys.modules, "filelock", types.SimpleNamespace(FileLock=FileLock, Timeout=Timeout))

    def second():
        with projects.held(tmp_path / "lock", order.append, "waiting"):
            order.append("second")

    with projects.held(tmp_path / "lock", order.append, "never said"):
        other = threading.Thread(target=second)
        other.start()
        while "waiting" not in order:
            time.sleep(0.01)
        order.append("first")
    other.join()
    assert order == ["waiting", "first", "second"]


def test_folders_change_places_without_a_c_library(tmp_path, monkeypatch):
    monkeypatch.setattr(
        projects.ctypes, "CDLL", lambda name: (_ for _ in ()).throw(TypeError("no library without a name"))
    )
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    projects.replace_folder(tmp_path / "new", tmp_path / "old")
    assert os.listdir(tmp_path / "old") == ["new"] and not (tmp_path / "new").exists()
