"""Change every number, operator and comparison of the claims, one at a time: a change that no pin notices is a constant that nothing holds.

`python -m tests.mutations` tries all of them (`make mutate`), `--sample N` a random part. The pins are run once and their instances kept; every mutant
is a process of its own that compiles one changed module in place of the right one and computes the same sides again. What survives is
killed by a better pin, or fits one of the patterns of `tests/pins/survivors.json`, each with the reason why it moves no side.

mutmut and cosmic-ray start the whole test suite for each mutant, minutes in place of a tenth of a second; hence these lines.
"""

import argparse
import ast
import copy
import importlib
import json
import os
import pathlib
import re
import sys

import numpy as np
import pytest

import marlpaper.claims
from marlpaper.claims.check import Sides, registry

ROOT = pathlib.Path(__file__).parents[1]
REASONS = ROOT / "tests" / "pins" / "survivors.json"
PACKAGE = ROOT / "marlpaper" / "claims"
LEFT_OUT = ("__init__", "check", "tables", "examples", "falsify", "worst_cases", "burn_in", "ladder", "meta_ladder", "ascent_ladder")
"""Modules that hold no side of a claim."""
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.GtE: ast.Lt}


def modules():
    """The modules whose numbers are changed, by name."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if path.stem not in LEFT_OUT)
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def mutants(source):
    """Every change of a module: the function, the line and the change in words, and the changed tree."""
    tree, lines = ast.parse(source), source.splitlines()
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        for place, node in enumerate(ast.walk(function)):
            for words, change in _changes(node):
                changed = copy.deepcopy(tree)
                twin = next(part for part in changed.body if isinstance(part, ast.FunctionDef) and part.name == function.name)
                decorators, twin.decorator_list = twin.decorator_list, twin.decorator_list
                target = next(part for number, part in enumerate(ast.walk(twin)) if number == place)
                if _inside(target, decorators) or _is_docstring(target, twin):
                    continue
                change(target)
                yield f"{function.name} | {lines[node.lineno - 1].strip()} | {words}", ast.fix_missing_locations(changed)


def _inside(node, trees):
    return any(node is part for tree in trees for part in ast.walk(tree))


def _is_docstring(node, function):
    return isinstance(function.body[0], ast.Expr) and node is function.body[0].value


def _changes(node):
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        other = node.value + 1 if type(node.value) is int else node.value * 1.25
        yield f"{node.value!r} becomes {other!r}", lambda target: setattr(target, "value", other)
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        other = SWAPPED[type(node.op)]
        yield f"{ast.unparse(node)}: {type(node.op).__name__} becomes {other.__name__}", lambda target: setattr(target, "op", other())
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPPED:
        other = SWAPPED[type(node.ops[0])]
        yield f"{ast.unparse(node)}: {type(node.ops[0]).__name__} becomes {other.__name__}", lambda target: setattr(target, "ops", [other()])


def survives(name, tree, calls):
    """Whether all pins pass with the changed module in place, decided in a process of its own."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _passes(name, tree, calls) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _passes(name, tree, calls):
    from tests.pins.pinned import assert_same, value_of

    sys.stderr = open(os.devnull, "w")
    try:
        with np.errstate(all="ignore"):
            _replace(name, tree)
            for id, arguments, keywords, expected, met, trivial in calls:
                found = value_of(id, *arguments) if ":" in id else Sides(*registry[id].function(*arguments, **keywords))
                assert_same(id, found, expected, met, trivial)
    except BaseException:  # noqa: BLE001 - whatever goes wrong, it was noticed
        return False
    return True


def _replace(name, tree):
    """Run the changed module in the namespace of the right one, and hand its functions to all that had imported them."""
    module = sys.modules[name]
    before = dict(vars(module))
    text = pathlib.Path(module.__file__).read_text(encoding="utf-8")
    for claim in list(registry.values()):
        if claim.function.__module__ == name if claim.function else f'"{claim.id}"' in text:
            del registry[claim.id]
    exec(compile(tree, module.__file__, "exec"), vars(module))
    after = {id(old): vars(module)[key] for key, old in before.items() if callable(old) and vars(module).get(key) is not old}
    for other in [part for key, part in sys.modules.items() if key.startswith("marlpaper.claims")]:
        for key, value in list(vars(other).items()):
            if id(value) in after:
                setattr(other, key, after[id(value)])


def run(sample=None, seed=0):
    """Try all mutants or a sample: how many were tried, and the survivors in words."""
    if pytest.main([str(ROOT / "tests" / "pins"), "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow"]) != 0:
        raise SystemExit("the pins fail on the unchanged code.")
    calls = importlib.import_module("tests.pins.pinned").CALLS
    for name, path in modules().items():
        if not survives(name, ast.parse(path.read_text(encoding="utf-8")), calls):
            raise SystemExit(f"{name} does not survive without any change, so what is caught means nothing.")
    found = [(name, words, tree) for name, path in modules().items() for words, tree in mutants(path.read_text(encoding="utf-8"))]
    if sample is not None:
        chosen = np.random.default_rng(seed).permutation(len(found))[:sample]
        found = [found[index] for index in sorted(chosen)]
    return len(found), [f"{name.removeprefix('marlpaper.claims.')}.{words}" for name, words, tree in found if survives(name, tree, calls)]


def main():
    """Print what survived without a reason; exit code 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, metavar="N", help="so many mutants, drawn at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    options = parser.parse_args()
    marlpaper.claims.all()
    tried, survivors = run(options.sample, options.seed)
    reasons = json.loads(REASONS.read_text(encoding="utf-8"))
    unknown = [words for words in survivors if not any(re.search(pattern, words) for pattern in reasons)]
    print(f"{tried} mutants, {tried - len(survivors)} caught, {len(survivors) - len(unknown)} change nothing for a known reason, {len(unknown)} survive.")
    print("\n".join(unknown))
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
