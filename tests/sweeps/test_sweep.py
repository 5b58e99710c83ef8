"""A sweep keeps what is done, runs what is missing, and merges all of it as if it had been run in one go."""

import concurrent.futures
import io
import zipfile

import pandas as pd
import pytest
import tiny_checkout as tiny

from marlpaper import cli, parallel, sweeps
from marlpaper.lookup import UnknownNameError
from marlpaper.pipeline.execute import Outcome
from marlpaper.pipeline.project import parameters_label
from marlpaper.sweeps import driver, parcel, point
from marlpaper.sweeps.point import Product

CURVE = "figure,variant,series,x,mean,std\ncurve,printed,individual,1,{},\n"
CHECK = '[{{"claim": "lemma", "parameters": {{"T": 1}}, "measured": {}, "bound": "inf", "holds": true}}]'


@pytest.fixture
def project(tmp_path):
    return tiny.checkout(tmp_path / "checkout")


@pytest.fixture
def ran(monkeypatch):
    """Seeds that were run, by a stand-in for the notebook that fails on negative ones."""
    seen = []

    def run(asked):
        seed = asked.parameters["seed"]
        seen.append(seed)
        if seed < 0:
            return Product(Outcome("tiny", 1.0, f"Cell 2 failed:\nseed is {seed}"), b"")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("notebook.ipynb", "{}")
            archive.writestr("results/tiny/curve.csv", CURVE.format(f"1.50e-0{seed}"))
            archive.writestr("results/tiny/checks.json", CHECK.format(seed))
        return Product(Outcome("tiny", 1.0, None), buffer.getvalue())

    monkeypatch.setattr(driver, "run", run)
    return seen


def swept(project, *texts, **options):
    return sweeps.sweep("tiny", sweeps.points(texts), project, **{"jobs": 1} | options)


def tables(project):
    return {path.name: path.read_bytes() for path in (project.root / "runs/sweep-tiny").glob("*.csv")}


def test_tables_have_the_parameters_in_front_and_every_digit_as_it_was(project, ran):
    done = swept(project, "seed=1,2", "sizes=(1,),(2,3)")
    assert (done.executed, done.found, done.failed) == (4, 0, [])
    assert [path.name for path in done.tables] == ["curves.csv", "checks.csv"]
    curves = tables(project)["curves.csv"].decode().splitlines()
    assert curves[0] == "parameter.seed,parameter.sizes,figure,variant,series,x,mean,std"
    assert curves[1:3] == ['1,"(1,)",curve,printed,individual,1,1.50e-01,', '1,"(2, 3)",curve,printed,individual,1,1.50e-01,']
    checks = pd.read_csv(project.root / "runs/sweep-tiny/checks.csv")
    assert checks["measured"].tolist() == [1, 1, 2, 2]
    assert checks["holds"].dtype == bool and checks["parameters"][0] == '{"T": 1}'


def test_finished_points_are_not_run_again(project, ran):
    swept(project, "seed=0:3")
    part = tables(project)
    done = swept(project, "seed=0:5")
    assert (ran, done.executed, done.found) == ([0, 1, 2, 3, 4], 2, 3)
    assert swept(project, "seed=0:3").executed == 0 and tables(project) == part
    assert swept(project, "seed=0:3", force=True).executed == 3 and tables(project) == part
    ran.clear()
    (project.package / "simplex.py").write_text("def step(x):\n    return x + 2\n")
    swept(project, "seed=2,1")
    assert ran == [2, 1], "another package makes other numbers"


def test_a_failed_point_stops_no_other_and_nothing_is_merged_without_it(project, ran, capsys):
    done = swept(project, "seed=0,-2,1,-1")
    assert (done.executed, done.failed, done.tables) == (4, ["seed=-2", "seed=-1"], [])
    printed = capsys.readouterr().out
    assert "seed=-2  FAILED after 1.0 s\nCell 2 failed:\nseed is -2\n" in printed
    assert "seed=-1  FAILED after 1.0 s\nseed is -1\n" in printed
    assert tables(project) == {}
    assert swept(project, "seed=0,1").found == 2


def test_an_interrupted_sweep_keeps_what_it_has(project, ran, monkeypatch):
    whole = driver.run

    def interrupted(asked):
        if asked.parameters["seed"] == 2:
            raise KeyboardInterrupt
        return whole(asked)

    monkeypatch.setattr(driver, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        swept(project, "seed=0:4")
    monkeypatch.setattr(driver, "run", whole)
    assert swept(project, "seed=0:4").found == 2


def test_points_have_folders_of_their_own():
    points = [{"x": value} for value in (1, "1", 1.0, "a b", "a_b", (1, 2), "(1, 2)", "/", "y" * 300, "y" * 301)]
    labels = [parameters_label(chosen) for chosen in points]
    assert (labels[0], labels[2]) == ("x=1", "x=1.0") and labels[1].startswith("x=1-")
    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) < 120 and "/" not in "".join(labels)


def test_the_text_one_is_not_the_number_one(project, ran):
    swept(project, "seed=1")
    swept(project, "seed=1", "pause='0'")
    assert swept(project, "seed=1", "pause=0").found == 0


def test_what_became_of_a_point_that_did_not_come_back():
    gone, lost = concurrent.futures.Future(), concurrent.futures.Future()
    gone.cancel()
    with pytest.raises(ConnectionError, match="The scheduler is gone; the same command runs the points that are still missing"):
        driver._product(gone, "tiny")
    lost.set_exception(MemoryError("lost its worker four times"))
    assert driver._product(lost, "tiny").outcome == Outcome("tiny", 0.0, "MemoryError: lost its worker four times")


def test_other_versions_on_a_worker_are_said():
    asked = point.Point("tiny", b"", driver.stamps.versions() | {"numpy": "1.0"}, {})
    error = point.run(asked).outcome.error
    assert error.startswith("The worker has numpy ") and error.endswith("but 1.0 is what the sweep was started with.")


def test_a_parcel_holds_what_a_notebook_needs_and_no_results(project, tmp_path):
    for path in ("data/results/tiny/curve.csv", "marlpaper/__pycache__/x.pyc"):
        (project.root / path).parent.mkdir(parents=True)
        (project.root / path).write_text("old")
    parcel.unpack(parcel.pack_project(project, "tiny"), tmp_path / "there")
    files = [path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*") if path.is_file()]
    assert sorted(files) == ["data/games/game.toml", "marlpaper/__init__.py", "marlpaper/simplex.py", "notebooks/tiny.md"]


def test_names_that_do_not_exist_are_answered(project, ran, capsys):
    with pytest.raises(UnknownNameError, match="no notebook 'tini'; did you mean 'tiny'"):
        sweeps.sweep("tini", [{"seed": 1}], project)
    with pytest.raises(UnknownNameError, match="parameter of tiny named 'sed'; did you mean 'seed'"):
        swept(project, "sed=1")
    assert cli.main(["sweep", "setting", "--param", "seed=1,1"]) == 2
    assert "'seed' has the value 1 twice" in capsys.readouterr().err


def test_the_command_tells_what_it_did(project, ran, capsys, monkeypatch):
    monkeypatch.setattr("marlpaper.sweeps.driver.Project", lambda: project)
    assert cli.main(["sweep", "tiny", "--param", "seed=0,1", "--jobs", "1"]) == 0
    words, *paths = capsys.readouterr().out.splitlines()
    assert words == "2 points run, 0 found finished, 0 failed." and paths[0].endswith("runs/sweep-tiny/curves.csv")
    assert cli.main(["sweep", "tiny", "--param", "seed=-1,1", "--jobs", "1"]) == 1
    assert "Nothing is merged until all points are there" in capsys.readouterr().err


def test_a_missing_package_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'marlpaper\[cluster\]' brings it"):
        next(parallel.ordered(abs, [1], scheduler="tcp://127.0.0.1:1"))


def taken(log):
    """Numbers without end, remembered as they are taken."""
    number = 0
    while True:
        log.append(number)
        yield -number
        number += 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_tasks_are_taken_when_needed(jobs):
    log = []
    results = parallel.ordered(abs, taken(log), jobs)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(log) < 5 + 4 * jobs
    results.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_reaches_who_asked(jobs):
    with pytest.raises(TypeError, match="bad operand"):
        list(parallel.ordered(abs, [1, None], jobs))
