"""Where notebooks leave what they found: figures with the curves behind them, and checks.

A notebook opens its folder once, ``paper = results.Notebook("mao2023-theorem-1")``, and hands it figures and checks.
Every file is written beside its final place and renamed, so a reader sees the old file or the new one, never a part.
Numbers are kept to six significant digits: more would differ from one machine to the next and say nothing.
JSON has no infinity: the strings ``"inf"``, ``"-inf"`` and ``"nan"`` stand in for them, and `read` turns them back.
"""

import dataclasses
import json
import math
import os
import pathlib
import re
import tempfile

# NumPy, pandas and Matplotlib are imported where they are used: `marlpaper claims` only reads JSON.
from marlpaper.comparison import compare

__all__ = ["DIGITS", "Notebook", "compare", "read", "root", "write_bytes", "write_text"]

DIGITS = 6
"""Significant digits kept in the files."""

CHECK_FIELDS = ("claim", "instance", "parameters", "measured", "bound", "ratio", "holds")
CURVE_COLUMNS = ("figure", "variant", "series", "x", "mean", "std")
NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def root():
    """Return the folder of all results: ``data/results`` of the checkout, or the one that MARLPAPER_RESULTS names."""
    chosen = os.environ.get("MARLPAPER_RESULTS")
    return pathlib.Path(chosen) if chosen else pathlib.Path(__file__).parents[1] / "data" / "results"


class Notebook:
    """The folder of one notebook's results.

    Opening it also makes pandas show four significant digits, so that the tables a notebook prints
    are the same on every machine.

    Parameters
    ----------
    name : str
        The notebook's file name without ending, e.g. ``"mao2023-theorem-1"``.

    Raises
    ------
    ValueError
        If the name is not made of letters, digits, dots, dashes and underscores.
    """

    def __init__(self, name):
        import pandas as pd

        self.name = _checked_name("name", name)
        self.folder = root() / name
        pd.set_option("display.float_format", "{:.4g}".format)
        pd.set_option("display.max_colwidth", None)

    def figure(self, name, figure, curves):
        """Save a figure as SVG and PNG, and the curves it shows as CSV.

        The figure stays open, so that Jupyter shows it.

        Parameters
        ----------
        name : str
            Name of the three files, e.g. ``"figure-1a"``.
        figure : matplotlib.figure.Figure
            What to draw.
        curves : pandas.DataFrame
            Tidy curves: columns ``variant, series, x, mean`` and whatever else is needed. A missing ``figure``
            column is filled with `name`, a missing ``std`` column is left empty.

        Raises
        ------
        ValueError
            If `curves` lacks a column or has no row.
        """
        import matplotlib as mpl

        _checked_name("name", name)
        curves = _tidy(name, curves)
        # A fixed salt and no date make the SVG a function of the figure alone.
        with mpl.rc_context({"svg.hashsalt": name}):
            for suffix, options in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": 144})):
                with _replacing(self.folder / (name + suffix)) as path:
                    figure.savefig(path, format=suffix[1:], bbox_inches="tight", **options)
        write_text(self.folder / f"{name}.csv", curves.to_csv(index=False, float_format=f"%.{DIGITS}g"))

    def checks(self, checks):
        """Write the checks of a run as ``checks.json`` and return them as a table.

        Parameters
        ----------
        checks : iterable of Check
            Dataclass instances with the fields claim, instance, parameters, measured, bound, ratio and holds; what
            else they have is kept behind these.

        Returns
        -------
        pandas.DataFrame
            One row per check, without the parameters.
        """
        import pandas as pd

        found = [dataclasses.asdict(check) for check in checks]
        records = [{field: check[field] for field in CHECK_FIELDS} | check for check in found]
        write_text(self.folder / "checks.json", to_json(records))
        return pd.DataFrame(records, columns=[*CHECK_FIELDS, *_more(records)]).drop(columns="parameters")


def to_json(value):
    """Return `value` as JSON text: six significant digits, infinities and NaN as strings."""
    return json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read(path):
    """Return what a JSON file of the results holds, with infinities and NaN as floats again."""
    return _revive(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))


def write_text(path, text):
    """Write a text file in one step: a reader sees the old file or the new one."""
    with _replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path, content):
    """Write a binary file in one step, as `write_text` does."""
    with _replacing(path) as temporary:
        temporary.write_bytes(content)


class _replacing:
    """Context manager: a temporary file beside `path` that takes its place on success and vanishes on failure."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent)
        os.close(handle)
        os.chmod(name, 0o644)  # mkstemp's 0600 would travel into the published files
        self.temporary = pathlib.Path(name)
        return self.temporary

    def __exit__(self, kind, *_):
        if kind is None:
            os.replace(self.temporary, self.path)
        else:
            self.temporary.unlink()


def _checked_name(parameter, name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"{parameter} is {name!r}, but a file name of letters, digits, '.', '-' and '_' was expected.")
    return name


def _more(records):
    return [field for field in (records[0] if records else ()) if field not in CHECK_FIELDS]


def _tidy(name, curves):
    curves = curves.copy()
    if "figure" not in curves:
        curves.insert(0, "figure", name)
    if "std" not in curves:
        curves["std"] = math.nan
    missing = [column for column in CURVE_COLUMNS if column not in curves]
    if missing:
        raise ValueError(f"curves of {name!r} lacks the column {missing[0]!r}, but {', '.join(CURVE_COLUMNS)} are expected.")
    if curves.empty:
        raise ValueError(f"curves of {name!r} has no row, but the numbers behind the figure were expected.")
    return curves[[*CURVE_COLUMNS, *(column for column in curves if column not in CURVE_COLUMNS)]]


def _plain(value):
    """Turn NumPy values, dataclasses and containers into what JSON knows."""
    import numpy as np

    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    return value


def _revive(value):
    if isinstance(value, dict):
        return {key: _revive(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_revive(entry) for entry in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value
