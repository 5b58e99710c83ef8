"""The pipeline on tiny notebooks: it runs what changed, keeps the last good outputs, and survives being killed."""

import ast
import inspect
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import nbformat
import pytest

from marlpaper import claims, results
from marlpaper.lookup import UnknownNameError
from marlpaper.pipeline import Project, reproduce, stamps
from marlpaper.pipeline.dependencies import _registered_ids, modules_used
from marlpaper.pipeline.scrub import incomplete, scrub
from tests.front_matter import FRONT_MATTER

pytestmark = pytest.mark.slow

HEADER = """\
    # A tiny notebook

    ```{code-cell} ipython3
    :tags: [parameters]
    seed = 3
    count = 2
    ```

    ```{code-cell} ipython3
    import json, os, pathlib, time
    from marlpaper import learners
    folder = pathlib.Path(os.environ["MARLPAPER_RESULTS"]) / NAME
    folder.mkdir(parents=True)
    ```
    """
ASCENT = """
    ```{code-cell} ipython3
    (folder / "checks.json").write_text(json.dumps([{"claim": NAME, "ratio": learners.q_ascent(count)}]))
    print("gap", learners.q_ascent(count))
    ```
    """
DESCENT = """
    ```{code-cell} ipython3
    (folder / "curve.csv").write_text(f"x,mean\\n1,{learners.mirror_descent(count)}\\n")
    print("a", end=" "); print("b")
    ```
    """
PACKAGE = {
    "__init__.py": "",
    "simplex.py": "def step(x):\n    return x + 1\n",
    "learners/__init__.py": """\
        from marlpaper.learners.mirror_descent import mirror_descent
        from marlpaper.learners.q_ascent import q_ascent
        """,
    "learners/q_ascent.py": "from marlpaper import simplex\n\ndef q_ascent(x):\n    return simplex.step(x)\n",
    "learners/mirror_descent.py": "def mirror_descent(x):\n    return 2 * x\n",
    "claims/__init__.py": """\
        from marlpaper.claims.check import check, registry
        from marlpaper.claims import ding2022, mao2023

        def all():
            return registry
        """,
    "claims/check.py": "registry = {}\n\ndef check(id):\n    return registry[id]()\n",
    "claims/mao2023.py": """\
        from marlpaper.claims.check import registry

        @registry.claim("mao2023.lemma8", "Lemma 8")
        def lemma8():
            return 1
        """,
    "claims/ding2022.py": """\
        from marlpaper.claims.check import registry
        from marlpaper.learners import mirror_descent

        @registry.claim("ding2022.theorem1", "Theorem 1")
        def theorem1():
            return mirror_descent(1)
        """,
    "claims/examples.py": "from marlpaper.learners import q_ascent\n",
}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def notebook(project, name, *cells):
    """Write a notebook source."""
    text = FRONT_MATTER + "".join(textwrap.dedent(part) for part in (HEADER, *cells))
    write(project.source(name), text.replace("NAME", repr(name)))


def ledger(checks):
    """Return a stand-in for the ledger: it only passes on what it was given."""
    return [{"notebook": name, "claims": [check["claim"] for check in found]} for name, found in checks.items()]


def run(project, *names, **options):
    """Reproduce and return the names of what was executed."""
    return [outcome.name for outcome in reproduce(project, names, **{"jobs": 2, "ledger": ledger} | options)]


def outputs(project):
    """Return the contents of all outputs but the build information, which holds times."""
    files = [*project.notebooks.glob("*.ipynb"), *project.results.rglob("*")]
    paths = [path for path in files if path.is_file() and path.name != "build.json"]
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def project(tmp_path):
    """A checkout with a tiny package and two notebooks, each of which uses one learner."""
    project = Project(tmp_path / "checkout")
    for name, text in PACKAGE.items():
        write(project.package / name, text)
    write(project.root / "data/games/game.toml", "reward = 1\n")
    notebook(project, "ascent", ASCENT)
    notebook(project, "descent", DESCENT)
    return project


def test_only_what_changed_is_executed_again(project):
    assert run(project) == ["ascent", "descent"]
    first = outputs(project)
    assert set(first) == {
        "notebooks/ascent.ipynb",
        "notebooks/descent.ipynb",
        "data/results/ascent/checks.json",
        "data/results/descent/curve.csv",
        "data/results/ledger.csv",
        "data/results/ledger.json",
    }
    assert results.read(project.results / "ledger.json") == [{"notebook": "ascent", "claims": ["ascent"], "certificate": None}]
    build = results.read(project.results / "build.json")
    assert build["seeds"] == {"ascent": 3, "descent": 3}
    assert set(build["seconds"]) == set(build["cpu_seconds"]) == {"ascent", "descent"}
    assert all(0 < seconds for seconds in build["cpu_seconds"].values())
    assert build["versions"]["numpy"]
    assert run(project) == []

    assert run(project, "descent", force=True, jobs=1) == ["descent"]
    assert outputs(project) == first, "a second run, alone instead of beside another, gives the same bytes"

    write(project.package / "simplex.py", "def step(x):\n    return x + 2\n")
    assert run(project) == ["ascent"], "only this notebook reaches simplex, and only through q_ascent"
    assert b"gap 4" in outputs(project)["notebooks/ascent.ipynb"].replace(b'", "', b" ")
    executed = project.executed("descent")
    executed.write_text(executed.read_text().replace('"execution_count": 1', '"execution_count": 9'))
    assert run(project) == ["descent"], "outputs that are not what the run left are made again"


def test_a_failing_cell_keeps_the_last_good_outputs(project, capsys):
    run(project)
    before = outputs(project)
    notebook(project, "ascent", ASCENT, "\n```{code-cell} ipython3\nraise ArithmeticError('the gap is negative')\n```\n")
    outcomes = reproduce(project, jobs=2, ledger=ledger)
    assert [(outcome.name, outcome.error is None) for outcome in outcomes] == [("ascent", False)]
    assert outputs(project) == before
    printed = capsys.readouterr().out
    assert "ascent  FAILED" in printed
    assert "Traceback" in printed
    assert "ArithmeticError: the gap is negative" in printed
    assert "raise ArithmeticError" in printed


def test_results_belong_to_their_notebook(project):
    notebook(project, "ascent", "\n```{code-cell} ipython3\n(folder.parent / 'descent').mkdir()\n```\n")
    (outcome,) = reproduce(project, ["ascent"], ledger=ledger)
    assert "It left 'descent' among the results" in outcome.error
    assert not project.executed("ascent").exists()


def test_other_parameters_leave_the_committed_outputs_alone(project):
    run(project, "ascent")
    before = outputs(project)
    assert run(project, "ascent", parameters={"count": 10}) == ["ascent"]
    assert outputs(project) == before
    folder = project.root / "runs" / "ascent-count=10"
    assert json.loads((folder / "results/ascent/checks.json").read_text()) == [{"claim": "ascent", "ratio": 11}]
    assert "gap 11" in (folder / "notebook.ipynb").read_text()


def test_unknown_names_are_answered_with_the_nearest(project):
    with pytest.raises(UnknownNameError, match="no notebook 'ascend'; did you mean 'ascent'"):
        reproduce(project, ["ascend"])
    with pytest.raises(UnknownNameError, match="parameter of ascent named 'cuont'; did you mean 'count'"):
        reproduce(project, ["ascent"], parameters={"cuont": 1})
    with pytest.raises(UnknownNameError, match="holds no notebook source"):
        reproduce(Project(project.root / "elsewhere"))
    with pytest.raises(ValueError, match="jobs is 0"):
        reproduce(project, jobs=0)


def pretend(project, name):
    """Leave outputs as if a notebook had been run."""
    write(project.executed(name), '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    write(project.results / name / "checks.json", "old")


def start(project, name):
    """Start a run in a process of its own."""
    script = project.root / "run.py"
    write(
        script,
        f"""\
        import pathlib
        from marlpaper.pipeline import Project, reproduce

        if __name__ == "__main__":
            reproduce(Project(pathlib.Path({str(project.root)!r})), [{name!r}], ledger=lambda checks: [])
        """,
    )
    checkout = pathlib.Path(__file__).parents[1]
    # -P: the tiny package beside the script is for the notebooks only.
    command = [sys.executable, "-P", str(script)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_until(happened, seconds=60):
    """Return whether it happens in time."""
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.05)
    return happened()


def processes(project):
    """Return the command lines of living processes that work for this checkout."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(project.root).encode() in path.read_bytes():
                found.append(path.with_name("cmdline").read_bytes())
        except OSError:
            continue
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/environ").exists(), reason="needs /proc to see which processes live")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_all_as_it_was(project, how):
    pretend(project, "ascent")
    before = outputs(project)
    began = project.root / "began"
    slow = f"\n```{{code-cell}} ipython3\npathlib.Path({str(began)!r}).touch(); time.sleep(300)\n```\n"
    notebook(project, "ascent", ASCENT, slow)
    process = start(project, "ascent")
    assert wait_until(began.exists), "the notebook never began"
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert wait_until(lambda: not processes(project)), processes(project)
    assert outputs(project) == before
    project.recover()
    assert outputs(project) == before
    assert not list((project.cache / "staging").glob("*"))


@pytest.mark.parametrize("moment", ["before", "marked", "exchanged", "moved aside", "after"])
def test_an_installation_cut_short_is_completed_by_the_next_start(project, moment):
    """Every moment at which a kill can hit the replacement of the outputs, in one step or in two."""
    pretend(project, "ascent")
    pretend(project, "descent")
    good = outputs(project)
    ready = project.cache / "ready" / "ascent"
    new, old = ready / "results/ascent", project.results / "ascent"
    write(new / "checks.json", "[]")
    write(ready / "notebook.ipynb", "new")
    if moment != "before":
        write(ready / "number", str(new.stat().st_ino))
    if moment in ("exchanged", "moved aside", "after"):
        old.rename(ready / "results/ascent.old")
    if moment in ("exchanged", "after"):
        new.rename(old)
    if moment == "exchanged":
        (ready / "results/ascent.old").rename(new)
    project.recover()
    found = outputs(project)
    assert found == good | {"data/results/ascent/checks.json": b"[]", "notebooks/ascent.ipynb": b"new"}
    assert not ready.exists()


def test_two_runs_at_once_wait_for_each_other(project):
    with project.locked():
        process = start(project, "ascent")
        assert "Another run is under way" in process.stdout.readline()
        assert not project.executed("ascent").exists()
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    assert project.executed("ascent").exists()


def used(project, code):
    """Return the modules that code uses, relative to the package."""
    return [path.relative_to(project.package).as_posix() for path in modules_used(textwrap.dedent(code), project.package)]


LEMMA = ["claims/__init__.py", "claims/check.py", "claims/mao2023.py"]
THEOREM = ["claims/__init__.py", "claims/check.py", "claims/ding2022.py", "learners/mirror_descent.py"]
ASCENT_FILES = ["learners/q_ascent.py", "simplex.py"]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("from marlpaper import learners\nlearners.mirror_descent(1)", ["learners/mirror_descent.py"]),
        ("from marlpaper import learners as l\nl.q_ascent(1)", ["learners/q_ascent.py", "simplex.py"]),
        ("import marlpaper.learners\nmarlpaper.learners.mirror_descent(1)", ["learners/mirror_descent.py"]),
        ("from marlpaper.learners import mirror_descent as f\nf(1)", ["learners/mirror_descent.py"]),
        ("import numpy\nnumpy.zeros(3)", []),
        ("from marlpaper.claims.check import check", ["claims/check.py"]),
        ("from marlpaper import claims\nclaims.mao2023.lemma8()", ["claims/check.py", "claims/mao2023.py"]),
        ("from marlpaper import claims\nclaims.check('mao2023.lemma8')", LEMMA),
        ("from marlpaper.claims import check\n[check(id) for id in ('mao2023.lemma8', 'x')]", LEMMA),
        ("from marlpaper import claims\nclaims.check(f'mao2023.{name}')", LEMMA),
        ("from marlpaper import claims\nclaims.check('ding2022.theorem1')", THEOREM),
        ("from marlpaper import claims\nlist(claims.all())", sorted({*LEMMA, *THEOREM, "claims/examples.py", *ASCENT_FILES})),
        (
            "from marlpaper import learners\nprint(dir(learners))",
            ["learners/__init__.py", "learners/mirror_descent.py", "learners/q_ascent.py", "simplex.py"],
        ),
    ],
)
def test_the_modules_behind_a_name(project, code, modules):
    assert used(project, code) == modules


def test_every_claim_is_found_by_its_id():
    """Ids are read from the source; a claim registered in another way would leave notebooks unchanged that use it."""
    functions = {claim.id: claim.function for claim in claims.all().values() if claim.function is not None}
    registered = {pathlib.Path(inspect.getsourcefile(function)): set() for function in functions.values()}
    for id, function in functions.items():
        registered[pathlib.Path(inspect.getsourcefile(function))].add(id)
    assert registered
    for path, ids in registered.items():
        assert _registered_ids(ast.parse(path.read_text())) == ids, path


def test_code_that_cannot_be_read_may_use_everything(project):
    assert len(used(project, "from marlpaper import (")) == len(PACKAGE)


def test_commands_of_ipython_do_not_hide_the_code(project):
    notebook(project, "ascent", "\n```{code-cell} ipython3\n%matplotlib inline\nlearners.q_ascent(1)\n```\n")
    assert "learners.q_ascent(1)" in stamps.code(project, "ascent")
    assert used(project, stamps.code(project, "ascent")) == ["learners/q_ascent.py", "simplex.py"]


def test_inputs_are_the_source_the_data_and_the_parts_used(project):
    digests = [stamps.inputs(project, "descent")]
    for path in (project.source("descent"), project.root / "data/games/game.toml", project.package / "learners/mirror_descent.py"):
        path.write_text(path.read_text() + "\n# changed\n")
        digests.append(stamps.inputs(project, "descent"))
    assert len(set(digests)) == 4
    (project.package / "learners/q_ascent.py").write_text("# changed")
    assert stamps.inputs(project, "descent") == digests[-1]


def test_which_notebooks_make_figures(project):
    assert not stamps.makes_figures(project, "ascent")
    notebook(project, "ascent", "\n```{code-cell} ipython3\npaper.figure('curve', figure, curves)\n```\n")
    assert stamps.makes_figures(project, "ascent")


def cell(source, count=1, outputs=()):
    made = nbformat.v4.new_code_cell(source, execution_count=count, outputs=list(outputs))
    made.metadata.update(papermill={"duration": 1}, execution={"iopub.status.busy": "now"}, tags=[])
    return made


def test_a_scrubbed_notebook_tells_nothing_of_its_run():
    streams = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in ("1a", "1b", "2c")]
    made = nbformat.v4.new_notebook(cells=[cell("x = 1", 1, streams), cell("x = 1", 2)])
    made.metadata.update(papermill={"start_time": "now"}, language_info={"name": "python", "version": "3.11.7"})
    scrub(made)
    first, second = made.cells
    assert first.metadata == {}
    assert [(output.name, output.text) for output in first.outputs] == [("1", "ab"), ("2", "c")]
    assert first.execution_count == 1
    assert first.id != second.id
    assert made.metadata == {"language_info": {"name": "python"}}
    nbformat.validate(made)


def test_a_notebook_that_stopped_half_way_is_not_accepted():
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    assert incomplete(nbformat.v4.new_notebook(cells=[cell("x = 1"), cell("", None)])) is None
    assert incomplete(nbformat.v4.new_notebook(cells=[cell("1"), cell("2", None)])) == "Cell 2 was not executed."
    assert incomplete(nbformat.v4.new_notebook(cells=[cell("1", 1, [error])])) == "Cell 1 raised ValueError: no"
