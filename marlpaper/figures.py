"""The look of every plot, and the few plot kinds that the book uses.

Figures stand on a light card, so that they read in print and in the dark theme alike; colours are the Okabe-Ito set,
which colour-blind readers can tell apart, and series differ in line style as well as colour.
"""

import itertools

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch

PAPER = "#fdfdfb"
INK = "#22262b"
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "yellow": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#7a7f87",
}
SERIES = {
    "individual": {"color": COLOURS["blue"], "linestyle": "--"},
    "meta": {"color": COLOURS["orange"], "linestyle": "-"},
    "measured": {"color": COLOURS["blue"], "linestyle": "-", "marker": "o"},
    "printed": {"color": COLOURS["orange"], "linestyle": "--"},
    "repaired": {"color": COLOURS["green"], "linestyle": "-"},
}
DASHES = ["-", "--", "-.", (0, (1, 1.2))]
STYLE = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.prop_cycle": matplotlib.cycler(color=list(COLOURS.values())),
    "grid.color": "#d9dce0",
    "grid.linewidth": 0.6,
    "lines.linewidth": 2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "svg.fonttype": "path",
}


def use():
    """Switch the book's style on; call it once at the top of a notebook."""
    plt.rcParams.update(STYLE)


def canvas(columns=1, rows=1, width=7.2, height=4.0, **options):
    """A figure and its axes in the book's size: `figure, axes = canvas(2)`."""
    use()
    return plt.subplots(rows, columns, figsize=(width, height * rows), **options)


def curves(axes, table, x="x", mean="mean", std="std", series="series"):
    """Lines with bands of one standard deviation, one line for each value of the `series` column.

    Parameters
    ----------
    axes : matplotlib Axes
    table : DataFrame
        Tidy curves, as written to the figure's CSV; rows of one series in the order of `x`.
    x, mean, std, series : str
        Column names; a missing `std` column draws no band.
    """
    groups = table.groupby(series, sort=False)
    taken = {SERIES[name]["color"] for name in groups.groups if name in SERIES}
    free = itertools.cycle([{"color": c, "linestyle": d} for c, d in zip(COLOURS.values(), DASHES * 2, strict=False) if c not in taken])
    for name, part in groups:
        (line,) = axes.plot(part[x], part[mean], label=name, **(SERIES.get(name) or next(free)))
        if std in part and part[std].notna().any():
            axes.fill_between(part[x], part[mean] - part[std], part[mean] + part[std], color=line.get_color(), alpha=0.18, linewidth=0)
    axes.legend()


def tidy(variant, series, x, values):
    """Rows of a tidy table for one curve.

    Parameters
    ----------
    variant, series : str
    x : array (points,)
    values : array (points,) or (points, repeats)
        With repeats (games, seeds): their mean and standard deviation.

    Returns
    -------
    DataFrame
        Columns variant, series, x, mean, std.
    """
    values = np.asarray(values, float)
    repeated = values.ndim == 2
    mean, std = (values.mean(-1), values.std(-1)) if repeated else (values, np.nan)
    return pd.DataFrame({"variant": variant, "series": series, "x": x, "mean": mean, "std": std})


def waterfall(axes, labels, values, colours=None):
    """Bars on a log scale from a measured quantity (top) to the printed bound (bottom), each with the factor it adds.

    Parameters
    ----------
    axes : matplotlib Axes
    labels : sequence of str
    values : sequence of float
        Positive; the first is what was measured.
    """
    values = np.asarray(values, float)
    rows = np.arange(len(values))
    axes.barh(rows, values, color=colours or COLOURS["sky"], height=0.62)
    axes.set(xscale="log", yticks=rows, yticklabels=labels)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    for row in rows:
        factor = "" if row == 0 else f"    ×{short(values[row] / values[row - 1])}"
        axes.text(values[row], row, f"  {short(values[row])}{factor}", va="center", fontsize=10)
    axes.set_xlim(values.min() / 3, values.max() * (values.max() / values.min()) ** 0.45)


def whole_ticks(axis, ticks):
    """Plain whole numbers as ticks of a logarithmic axis."""
    axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def short(value):
    """Three digits as a person would write them: 0.0123, 45.6, 7,890, or a power of ten."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def unit_square(axes, first="$\\mu(a_0)$", second="$\\nu(b_0)$"):
    """Prepare axes for pairs of two-action policies: one point is one pair."""
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xlabel=first, ylabel=second)


def timeline(axes, lengths):
    """The stage schedule as a strip of blocks, as long as the stages."""
    left = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    shades = [COLOURS["blue"], COLOURS["sky"]]
    axes.barh(np.zeros(len(lengths)), lengths, left=left, color=[shades[k % 2] for k in range(len(lengths))], height=0.8, edgecolor=PAPER)
    for stage, (start, length) in enumerate(zip(left, lengths, strict=True), 1):
        if length > 0.025 * sum(lengths):
            axes.text(start + length / 2, 0, f"{stage}", ha="center", va="center", fontsize=9, color="white")
    axes.set(xlim=(0, sum(lengths)), yticks=[], xlabel="iteration $t$")
    axes.grid(visible=False)


def heatmap(figure, axes, values, label, xlabel, ylabel):
    """Values over two whole-number axes that start at 1, with a colour bar; rows run upwards."""
    rows, columns = np.shape(values)
    extent = (0.5, columns + 0.5, 0.5, rows + 0.5)
    image = axes.imshow(values, origin="lower", aspect="auto", cmap="cividis", extent=extent, interpolation="nearest")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=label)


def two_state_diagram(axes, tables, rows, columns, arrows):
    """A two-state game as circles, its reward tables beside them and arrows with words between them.

    Parameters
    ----------
    axes : matplotlib Axes
    tables : dict of str to array (A, B)
        State names and their reward tables; two states.
    rows, columns : sequence of str
        Action names.
    arrows : (str, str)
        Words on the arrow there and back, and on the loops.
    """
    centres = (3.0, 7.0)
    axes.set(xlim=(0, 10), ylim=(0.8, 3.5), aspect="equal")
    axes.axis("off")
    for centre, side, (state, table) in zip(centres, (-1, 1), tables.items(), strict=True):
        axes.add_patch(Circle((centre, 1.7), 0.55, facecolor=COLOURS["sky"], edgecolor=INK, linewidth=1.2))
        axes.text(centre, 1.7, state, ha="center", va="center", fontsize=13)
        _reward_table(axes, centre + side * 1.85, table, rows, columns)
        start, end = (centre - 0.32, 2.2), (centre + 0.32, 2.2)
        axes.add_patch(FancyArrowPatch(start, end, connectionstyle="arc3,rad=-1.4", arrowstyle="-|>", mutation_scale=12, color=INK))
        axes.text(centre, 3.0, arrows[1], ha="center", fontsize=9)
    for tail, head, height in ((centres[0], centres[1], 2.0), (centres[1], centres[0], 1.4)):
        step = 0.6 if head > tail else -0.6
        axes.add_patch(FancyArrowPatch((tail + step, height), (head - step, height), connectionstyle="arc3,rad=-0.2", arrowstyle="-|>", mutation_scale=12, color=INK))
    axes.text(5, 1.7, arrows[0], ha="center", va="center", fontsize=9)


def _reward_table(axes, centre, table, rows, columns):
    for i, row in enumerate(rows):
        axes.text(centre - 0.85, 1.95 - 0.6 * i, row, ha="center", va="center", fontsize=10, color=COLOURS["grey"])
        for j, column in enumerate(columns):
            axes.text(centre - 0.2 + 0.75 * j, 1.95 - 0.6 * i, f"{table[i][j]:g}", ha="center", va="center", fontsize=12)
            if i == 0:
                axes.text(centre - 0.2 + 0.75 * j, 2.5, column, ha="center", va="center", fontsize=10, color=COLOURS["grey"])
