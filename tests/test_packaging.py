"""The files around the package say the same thing as pyproject.toml."""

import importlib.metadata
import pathlib
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff", "_config.yml"])
def test_the_repository_has_one_address(name):
    text = (ROOT / name).read_text()
    slug = REPOSITORY.removeprefix("https://github.com/")
    named = re.findall(r"github\.com/([\w.-]+/[\w-]+)", text) + re.findall(r"mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)", text)
    assert named, f"{name} names no repository"
    assert set(named) == {slug}


def test_citation_and_package_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
OLDEST = PROJECT["requires-python"].removeprefix(">=") + ".0"
"""The first release of the oldest Python, not the latest one: a pin may ask for a later one of the same minor version."""


def test_every_requirement_is_pinned_once():
    pinned = [canonicalize_name(pin.name) for pin in PINS]
    wanted = PROJECT["dependencies"] + [entry for extra in PROJECT["optional-dependencies"].values() for entry in extra]
    names = {canonicalize_name(Requirement(entry).name) for entry in wanted} - {PROJECT["name"]}
    assert names <= set(pinned)
    # Two versions under two markers would be two sets of results.
    assert len(pinned) == len(set(pinned))


def test_every_pin_accepts_the_oldest_python_that_the_readme_names():
    assert f"Python {OLDEST}" in (ROOT / "README.md").read_text()
    refused = {str(pin): needed for pin in _installed(PINS) if (needed := _python(pin)) and OLDEST not in SpecifierSet(needed)}
    assert refused == {}


def test_the_installed_versions_are_the_pinned_ones():
    pins = _installed(PINS)
    assert len(pins) > 100
    assert [str(pin) for pin in pins if importlib.metadata.version(pin.name) not in pin.specifier] == []


def _installed(pins):
    """The pins of packages that are here: others are for another system, another Python or another extra."""
    there = {canonicalize_name(found.name) for found in importlib.metadata.distributions()}
    return [pin for pin in pins if canonicalize_name(pin.name) in there - {"setuptools", "wheel"}]


def _python(pin):
    return importlib.metadata.metadata(pin.name).get("Requires-Python")
