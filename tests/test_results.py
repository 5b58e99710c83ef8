"""Files are written whole or not at all, the same run gives the same bytes, and the gate notices what changed."""

import dataclasses
import json
import math
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from marlpaper import results


@dataclasses.dataclass(frozen=True)
class Check:
    """The attributes of a check that the results keep."""

    claim: str = "example.claim"
    instance: str = "one instance"
    parameters: dict = dataclasses.field(default_factory=dict)
    measured: float = 1.0
    bound: float = 2.0
    ratio: float = 0.5
    holds: bool = True


def draw(scale=1.0):
    """Return a small figure and its curves."""
    x = np.arange(1, 4)
    figure, axes = plt.subplots()
    axes.plot(x, scale / x, label=r"$1/x$")
    axes.legend()
    curves = pd.DataFrame({"variant": "printed", "series": "individual", "x": x, "mean": scale / x, "std": 0.0})
    return figure, curves


def leave(folder, monkeypatch, scale=1.0, bound=2.0):
    """Write one notebook's results under `folder`."""
    monkeypatch.setenv("MARLPAPER_RESULTS", str(folder))
    paper = results.Notebook("example")
    figure, curves = draw(scale)
    paper.figure("curve", figure, curves)
    plt.close(figure)
    paper.checks([Check(bound=bound), Check(measured=np.float64(np.inf), ratio=math.nan, holds=np.bool_(False))])


def test_root_is_the_checkout_unless_told_otherwise(monkeypatch, tmp_path):
    assert results.root() == tmp_path / "results"
    monkeypatch.delenv("MARLPAPER_RESULTS")
    assert (results.root().parents[1] / "pyproject.toml").is_file()


def test_two_runs_leave_the_same_bytes(tmp_path, monkeypatch):
    leave(tmp_path / "a", monkeypatch)
    leave(tmp_path / "b", monkeypatch)
    for name in ("curve.svg", "curve.png", "curve.csv", "checks.json"):
        assert (tmp_path / "a/example" / name).read_bytes() == (tmp_path / "b/example" / name).read_bytes(), name


def test_curves_get_their_figure_and_keep_six_digits(results_folder):
    figure, curves = draw(scale=1e-7 / 3)
    results.Notebook("example").figure("curve", figure, curves.drop(columns="std").assign(games=7))
    plt.close(figure)
    lines = (results_folder / "example/curve.csv").read_text().splitlines()
    assert lines[0] == "figure,variant,series,x,mean,std,games"
    assert lines[1] == "curve,printed,individual,1,3.33333e-08,,7"


def test_the_figure_stays_open_for_the_notebook():
    figure, curves = draw()
    results.Notebook("example").figure("curve", figure, curves)
    assert plt.fignum_exists(figure.number)
    plt.close(figure)


def test_checks_are_valid_json_even_when_infinite(results_folder):
    table = results.Notebook("example").checks(
        [Check(parameters={"T": np.int64(10), "eta": np.array([0.1, 1 / 3])}), Check(bound=math.inf, ratio=math.nan)]
    )
    path = results_folder / "example/checks.json"
    strict = json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert strict[0]["parameters"] == {"T": 10, "eta": [0.1, 0.333333]}
    assert strict[1]["bound"] == "inf"
    assert strict[1]["ratio"] == "nan"
    assert results.read(path)[1]["bound"] == math.inf
    assert math.isnan(results.read(path)[1]["ratio"])
    assert list(table.columns) == ["claim", "instance", "measured", "bound", "ratio", "holds"]


def test_tables_show_four_digits():
    table = results.Notebook("example").checks([Check(measured=1.23456789e-5)])
    assert "1.235e-05" in table.to_string()


def test_a_failing_write_keeps_the_old_file(results_folder, monkeypatch):
    figure, curves = draw()
    paper = results.Notebook("example")
    paper.figure("curve", figure, curves)
    before = {path.name: path.read_bytes() for path in paper.folder.iterdir()}

    def half_a_file(path, **_):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half_a_file)
    with pytest.raises(OSError, match="disk full"):
        paper.figure("curve", figure, curves)
    plt.close(figure)
    assert {path.name: path.read_bytes() for path in paper.folder.iterdir()} == before


@pytest.mark.parametrize("name", ["../elsewhere", "", "a b", ".hidden"])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(ValueError, match="name is"):
        results.Notebook(name)


def test_curves_without_a_needed_column_are_refused():
    figure, curves = draw()
    paper = results.Notebook("example")
    with pytest.raises(ValueError, match="lacks the column 'series'"):
        paper.figure("curve", figure, curves.drop(columns="series"))
    with pytest.raises(ValueError, match="has no row"):
        paper.figure("curve", figure, curves.iloc[:0])
    plt.close(figure)


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two equal folders of results."""
    leave(tmp_path / "old", monkeypatch)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    return tmp_path / "old", tmp_path / "new"


def test_equal_results_agree_and_pictures_may_differ_in_bytes(pair):
    (pair[1] / "example/curve.png").write_bytes(b"another encoder")
    (pair[1] / "build.json").write_text('{"seconds": 3}')
    assert results.compare(*pair) == []


@pytest.mark.parametrize(("factor", "agrees"), [(1 + 1e-7, True), (1 - 1e-7, True), (1 + 5e-5, False), (-1, False)])
def test_a_number_may_change_by_its_last_digit_only(pair, monkeypatch, factor, agrees):
    leave(pair[1], monkeypatch, scale=factor, bound=2.0 * factor)
    sentences = results.compare(*pair)
    assert (sentences == []) == agrees
    if not agrees:
        assert "checks.json: [0].bound is" in sentences[0]
        assert "curve.csv: row 1, column 'mean' is" in sentences[1]
        assert "(2 more in this file)" in sentences[1]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"holds": true', '"holds": false', "[0].holds is False instead of True"),
        ('"example.claim"', '"example.other"', "[0].claim is 'example.other' instead of 'example.claim'"),
        ('"inf"', "3.0", "[1].measured is 3.0 instead of 'inf'"),
        ('"instance"', '"where"', "[0] has the keys"),
    ],
)
def test_every_field_of_a_check_is_compared(pair, old, new, sentence):
    path = pair[1] / "example/checks.json"
    path.write_text(path.read_text().replace(old, new))
    assert sentence in results.compare(*pair)[0]


def test_rounding_errors_are_not_compared_but_their_size_is(pair):
    for folder, measured, ratio in zip(pair, (1e-16, -3e-16), (0.5, 7.0), strict=True):
        text = results.to_json([dataclasses.asdict(Check(measured=measured, bound=0.0, ratio=ratio))])
        (folder / "example/checks.json").write_text(text)
    assert results.compare(*pair) == []
    path = pair[1] / "example/checks.json"
    path.write_text(path.read_text().replace("-3e-16", "1e-9"))
    assert "[0].measured is 1e-09" in results.compare(*pair)[0]


def test_missing_and_new_files_are_named(pair):
    (pair[1] / "example/curve.svg").unlink()
    (pair[1] / "example/extra.csv").write_text("a\n1\n")
    assert results.compare(*pair) == [
        "example/curve.svg: is missing in the new results.",
        "example/extra.csv: is new and was not in the old results.",
    ]
    with pytest.raises(FileNotFoundError, match="new_root is"):
        results.compare(pair[0], pair[1] / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("gap 0.1235", "gap 0.1236", None),
        ("gap 1.2e-17", "gap -3.4e-16", None),
        ("gap 0.1235", "gap 0.1239", "code cell 1 prints 0.1239 instead of 0.1235"),
        ("seeds 20", "seeds 21", "code cell 1 prints 21 instead of 20"),
        ("holds", "fails", "code cell 1 prints other words"),
    ],
)
def test_what_notebooks_print_is_compared(tmp_path, old, new, sentence):
    for folder, text in (("old", old), ("new", new)):
        cell = {"cell_type": "code", "outputs": [{"name": "stdout", "text": [text]}]}
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "example.ipynb").write_text(json.dumps({"cells": [cell]}))
    sentences = results.compare(tmp_path / "old", tmp_path / "new")
    assert sentences == ([] if sentence is None else [f"example.ipynb: {sentence}."])
