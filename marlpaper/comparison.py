"""Whether two folders of results say the same: the gate between the committed results and a fresh run.

Text is compared word by word, and numbers within a tolerance that is one unit of the last digit kept:
CSV and JSON keep six significant digits, notebooks print about four. Pictures must exist; their bytes may differ,
for they are drawn from the CSV beside them and a font or a PNG encoder differs from one machine to the next.
"""

import csv
import json
import math
import pathlib
import re

RTOL = 1.01e-5
"""One unit in the sixth significant digit, relative to the number 1.00000."""

PRINTED_RTOL = 1.01e-3
"""One unit in the fourth significant digit: what notebooks print."""

ATOL = 1e-12
"""Below this a number is rounding error, whose digits differ from one processor to the next."""

SUFFIXES = (".csv", ".json", ".ipynb", ".svg", ".png")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)")
SHOWN = ("text/plain", "text/html", "text/latex", "text/markdown")


def compare(old_root, new_root, rtol=RTOL, atol=ATOL):
    """Return how the results under `new_root` differ from those under `old_root`.

    Compared are ``.csv``, ``.json`` and ``.ipynb`` (what the cells print) and the existence of ``.svg`` and ``.png``.
    ``build.json`` (times, commit) and hidden files are left out. Two numbers a, b agree if
    |a - b| <= atol + rtol max(|a|, |b|), and integers printed in notebooks if they are equal.

    Parameters
    ----------
    old_root, new_root : str or pathlib.Path
        Two folders, e.g. ``data/results`` of two checkouts.
    rtol, atol : float
        Relative and absolute tolerance of the numbers in CSV and JSON.

    Returns
    -------
    list of str
        One sentence for each file that differs, naming the first difference in it; empty if all agree.

    Raises
    ------
    FileNotFoundError
        If one of the folders does not exist.
    """
    old_files, new_files = _files(old_root, "old_root"), _files(new_root, "new_root")
    sentences = []
    for name in sorted(old_files.keys() | new_files.keys()):
        if name not in new_files:
            sentences.append(f"{name}: is missing in the new results.")
        elif name not in old_files:
            sentences.append(f"{name}: is new and was not in the old results.")
        else:
            differences = list(_differences(old_files[name], new_files[name], rtol, atol))
            more = f" ({len(differences) - 1} more in this file)" if len(differences) > 1 else ""
            sentences += [f"{name}: {difference}{more}." for difference in differences[:1]]
    return sentences


def _files(folder, parameter):
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{parameter} is {str(folder)!r}, but an existing folder was expected.")
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in SUFFIXES}
    return {
        name: path for name, path in paths.items() if path.name != "build.json" and not re.search(r"(^|/)\.", name)
    }


def _differences(old, new, rtol, atol):
    if old.suffix == ".csv":
        yield from _different_cells(_rows(old), _rows(new), rtol, atol)
    elif old.suffix == ".json":
        yield from _different_values(_loaded(old), _loaded(new), rtol, atol, "")
    elif old.suffix == ".ipynb":
        yield from _different_outputs(_loaded(old)["cells"], _loaded(new)["cells"])


def _loaded(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))


def _close(old, new, rtol, atol):
    if old == new or (math.isnan(old) and math.isnan(new)):
        return True
    return math.isfinite(old) and math.isfinite(new) and abs(old - new) <= atol + rtol * max(abs(old), abs(new))


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _different_cells(old, new, rtol, atol):
    if len(old) != len(new):
        yield f"has {len(new) - 1} rows instead of {len(old) - 1}"
        return
    for index, (old_row, new_row) in enumerate(zip(old, new, strict=True)):
        if len(old_row) != len(new_row):
            yield f"row {index} has {len(new_row)} columns instead of {len(old_row)}"
            continue
        for column, a, b in zip(old[0], old_row, new_row, strict=True):
            numbers = _number(a), _number(b)
            same = a == b if None in numbers else _close(*numbers, rtol, atol)
            if not same:
                yield f"row {index}, column {column!r} is {b} instead of {a}"


def _different_values(old, new, rtol, atol, where):
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            yield f"{where or 'the top'} has the keys {', '.join(new)} instead of {', '.join(old)}"
            return
        for key in old:
            # The ratio of two rounding errors has no digits worth comparing.
            if key == "ratio" and all(abs(_number(side.get("bound")) or 0) <= atol for side in (old, new)):
                continue
            yield from _different_values(old[key], new[key], rtol, atol, f"{where}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where or 'the list'} has {len(new)} entries instead of {len(old)}"
            return
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _different_values(a, b, rtol, atol, f"{where}[{index}]")
    elif not _same_value(old, new, rtol, atol):
        yield f"{where} is {new!r} instead of {old!r}"


def _same_value(old, new, rtol, atol):
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    return _close(old, new, rtol, atol) if plain else type(old) is type(new) and old == new


def _different_outputs(old, new):
    old, new = (["\n".join(_printed(cell)) for cell in cells if cell["cell_type"] == "code"] for cells in (old, new))
    if len(old) != len(new):
        yield f"has {len(new)} code cells instead of {len(old)}"
        return
    for index, (a, b) in enumerate(zip(old, new, strict=True), start=1):
        if NUMBER.sub("#", a) != NUMBER.sub("#", b):
            yield f"code cell {index} prints other words"
            continue
        for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True):
            whole = x.lstrip("+-").isdigit() and y.lstrip("+-").isdigit()
            if x != y and (whole or not _close(float(x), float(y), PRINTED_RTOL, ATOL)):
                yield f"code cell {index} prints {y} instead of {x}"


def _printed(cell):
    for output in cell["outputs"]:
        shown = [output["text"]] if "text" in output else [output.get("data", {}).get(kind, "") for kind in SHOWN]
        for text in shown:
            yield text if isinstance(text, str) else "".join(text)
