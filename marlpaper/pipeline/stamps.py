"""Whether a notebook must run: its inputs or its outputs are not those of the last time.

Inputs are the source, the modules it uses, the game files, the versions of the libraries that compute, and the code
that executes notebooks. Stamps are local to a checkout, so a fresh clone executes everything.
"""

import ast
import hashlib
import importlib.metadata
import pathlib
import platform

import jupytext

from marlpaper import results
from marlpaper.pipeline import edits, execute, scrub
from marlpaper.pipeline.dependencies import modules_used

__all__ = ["code", "inputs", "is_current", "makes_figures", "parameters", "versions", "write"]

LIBRARIES = ("numpy", "scipy", "matplotlib", "pandas")


def versions():
    """Return the versions that results depend on, Python's without its last number."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {
        name: importlib.metadata.version(name) for name in LIBRARIES
    }


def code(project, name):
    """Return the Python code of a notebook source, without IPython's own commands."""
    cells = jupytext.read(project.source(name), fmt=edits.MYST).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code" and not cell.source.startswith("%%")]
    lines = "\n".join(sources).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def parameters(project, name):
    """Return the parameters of a notebook source: name and value, None for a value that is not a literal."""
    cells = jupytext.read(project.source(name), fmt=edits.MYST).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    nodes = [node for node in ast.parse("\n".join(tagged)).body if isinstance(node, ast.Assign)]
    return {target.id: _literal(node.value) for node in nodes for target in node.targets if isinstance(target, ast.Name)}


def makes_figures(project, name):
    """Whether a notebook source hands a named figure to its results: a call like ``paper.figure("name", ...)``."""
    calls = [node for node in ast.walk(ast.parse(code(project, name))) if isinstance(node, ast.Call)]
    named = [call for call in calls if call.args and isinstance(call.args[0], ast.Constant)]
    return any(isinstance(call.func, ast.Attribute) and call.func.attr == "figure" for call in named)


def is_current(project, name):
    """Whether neither the inputs nor the outputs of a notebook changed since it was last executed."""
    path = edits.stamp(project, name)
    if not path.is_file():
        return False
    stamp = results.read(path)
    return stamp == {
        "inputs": inputs(project, name),
        "outputs": _outputs(project, name),
        "cells": edits.digest(project, name),
    }


def write(project, name, used):
    """Remember the inputs with which a notebook was executed, and what came out."""
    stamp = {"inputs": used, "outputs": _outputs(project, name), "cells": edits.digest(project, name)}
    results.write_text(edits.stamp(project, name), results.to_json(stamp))


def inputs(project, name):
    """Return the digest of all that a notebook's outputs depend on."""
    files = [project.source(name), *modules_used(code(project, name), project.package)]
    data = project.root / "data"
    files += sorted(path for path in data.rglob("*") if path.is_file() and project.results not in path.parents)
    digest = _digest(project, files)
    for module in (execute, scrub):
        digest.update(pathlib.Path(module.__file__).read_bytes())
    digest.update(repr(versions()).encode())
    return digest.hexdigest()


def _outputs(project, name):
    folder = project.results / name
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    executed = project.executed(name)
    return _digest(project, [*files, *([executed] if executed.is_file() else [])]).hexdigest()


def _digest(project, files):
    digest = hashlib.sha256()
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(project.root).as_posix()} {content}\n".encode())
    return digest


def _literal(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
