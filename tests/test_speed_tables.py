"""What the page on speed says about who is fastest comes from the numbers."""

import importlib.util
import pathlib

import pytest

pytest.importorskip("sphinx")
PATH = pathlib.Path(__file__).parents[1] / "book" / "_ext" / "speed_tables.py"
SPEC = importlib.util.spec_from_file_location("speed_tables", PATH)
speed_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(speed_tables)


def sentence(**times):
    rows = [{"case": "S=2", "method": name.replace("_", " "), "times ours": ratio} for name, ratio in times.items()]
    (said,) = speed_tables.leaders(rows)
    return said


def test_each_outcome_is_said():
    assert sentence(marlpaper="1", loops="130", C="2.5") == "S=2: this package is ahead, 2.5 times as fast as the next, C."
    assert sentence(marlpaper="1", loops="130", C="0.05") == "S=2: C is ahead, 20 times as fast as this package."
    assert sentence(marlpaper="1", loops="130", C="0.9") == "S=2: level, within a fifth, with C."
    assert sentence(marlpaper="1", C="not installed") == "S=2: no peer is installed."


def test_the_faster_of_several_ways_of_this_package_counts():
    assert sentence(**{"marlpaper": "1", 'marlpaper, solver="quantecon"': "0.05", "quantecon": "0.02"}).startswith("S=2: quantecon is ahead, 2.5 times")


def test_every_case_has_its_sentence():
    rows = [{"case": case, "method": name, "times ours": ratio} for case in "ab" for name, ratio in (("marlpaper", "1"), ("C", "2"))]
    assert [line[0] for line in speed_tables.leaders(rows)] == ["a", "b"]
