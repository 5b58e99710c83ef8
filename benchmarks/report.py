"""Where the numbers go: tables in three digits, figures, and the machine they were measured on."""

import importlib.metadata
import io
import os
import pathlib
import platform

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.harness import MISSING, OURS
from marlpaper import figures, results

PACKAGES = ("numpy", "scipy", "numba", "jax", "quantecon", "nashpy", "open_spiel", "POT", "pettingzoo", "distributed")


def written(value):
    """A number in three significant digits, which is all that a timing has; anything else as it is."""
    if not isinstance(value, float):
        return value
    return f"{float(f'{value:.3g}'):.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bars(table, unit, title):
    """A figure with one panel for each case: the time of each method on a log scale, with its multiple of ours.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `harness.compare` with a column `case`.
    unit : str
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    cases = list(table.groupby("case", sort=False))
    figure, axes = figures.canvas(rows=len(cases), height=1.5, squeeze=False, sharex=True)
    figure.set_figheight(1.5 * len(cases) + 0.8)
    for panel, (case, rows) in zip(axes[:, 0], cases, strict=True):
        measured = rows[rows[unit] != MISSING].astype({unit: float, "times ours": float})
        colours = [figures.COLOURS["blue" if name == OURS else "grey"] for name in measured["method"]]
        panel.barh(measured["method"], measured[unit], color=colours, height=0.6)
        for row, (value, times) in enumerate(zip(measured[unit], measured["times ours"], strict=True)):
            panel.text(value, row, f" {written(value)} (×{written(times)})", va="center", fontsize=9)
        panel.set(xscale="log", title=case, axisbelow=True)
        panel.grid(axis="y", visible=False)
        panel.invert_yaxis()
    low, high = panel.get_xlim()
    panel.set(xlim=(low, high * (high / low) ** 0.25), xlabel=f"{unit} of processor time, log scale (× marlpaper's)")
    figure.suptitle(title, fontsize=12)
    return figure


def save(topic, table, figure):
    """Write `<topic>.csv`, `<topic>.svg` and the machine they were measured on.

    Parameters
    ----------
    topic : str
    table : pandas.DataFrame
    figure : matplotlib.figure.Figure
    """
    folder = results.root() / "benchmarks"
    results.write_text(folder / f"{topic}.csv", table.map(written).to_csv(index=False))
    image = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": topic}):
        figure.savefig(image, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    results.write_text(folder / f"{topic}.svg", image.getvalue())
    results.write_text(folder / "machine.json", results.to_json(machine()))


def machine():
    """What the timings depend on: processor, cores and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads used": 1,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return MISSING
