"""The files around the package say the same thing as pyproject.toml."""

import pathlib
import re
import tomllib

import pytest
import yaml

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


def test_every_requirement_is_pinned():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    wanted = PROJECT["dependencies"] + [entry for extra in PROJECT["optional-dependencies"].values() for entry in extra]
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)[0].lower()
        assert name in pinned | {PROJECT["name"]}, requirement
