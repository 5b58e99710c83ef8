"""The first size of each shape of game that does not fit in 24 GiB, from the shapes of its arrays: nothing is allocated."""

import math

import numpy as np
import pandas as pd

from marlpaper import figures

LIMIT = 24 * 2**30


def tabular(S, A, N, H):
    """Bytes of rewards (N, H, S, A^N) and transitions (H, S, A^N, S)."""
    return 8 * H * S * A**N * (N + S)


def product(local, A, N):
    """Bytes that an evaluation of a product game with N agents of as many local states forms: kernels, moves, halves, values."""
    S = local**N
    halves = min(local**cut + local ** (N - cut) for cut in range(1, N + 1))
    return 8 * S * (N * A * local + N * local + halves + 1)


def anonymous(S, F, N):
    """Bytes of the kernel (S, M, S) over the M count vectors, of the counts (M, F), and of the pay (S, F, N)."""
    vectors = math.comb(N + F - 1, F - 1)
    return 8 * (S * S * vectors + vectors * F + S * F * N)


def low_rank(S, A, N, Z):
    """Bytes of rewards (N, S, A^N), of the mixture (S, A^N, Z) in two layouts, and of the components (Z, S)."""
    return 8 * (S * A**N * (N + 2 * Z) + Z * S)


SHAPES = {"tabular": tabular, "product": product, "anonymous": anonymous, "low-rank": low_rank}
LABELS = {"local": "local states"}
FEEDBACK = "a feedback without the table (as RiverGame has)"
ROLLOUTS = "rollouts, with a kernel that no action moves (evaluate.anonymous_rollouts)"
CASES = (
    ("tabular", {"S": 20, "A": 3, "N": 2, "H": 10}, "S", "a kernel of few components (LowRankGame)"),
    ("tabular", {"S": 20, "A": 3, "N": 2, "H": 10}, "A", FEEDBACK),
    ("tabular", {"S": 20, "A": 3, "N": 2, "H": 10}, "N", "counts (AnonymousGame) or independent moves (ProductGame)"),
    ("tabular", {"S": 20, "A": 3, "N": 2, "H": 10}, "H", "one kernel for all steps, which is repeated without copies"),
    ("product", {"local": 5, "A": 3, "N": 6}, "N", "counts, if the agents are alike (AnonymousGame)"),
    ("product", {"local": 5, "A": 3, "N": 3}, "local", "a coarser grid of local states"),
    ("anonymous", {"S": 2, "F": 4, "N": 64}, "N", ROLLOUTS),
    ("anonymous", {"S": 2, "F": 4, "N": 64}, "F", ROLLOUTS),
    ("anonymous", {"S": 2, "F": 4, "N": 64}, "S", "a kernel that no action moves, (S, S)"),
    ("low-rank", {"S": 1000, "A": 2, "N": 2, "Z": 2}, "S", "states made of bits, evaluated by patterns (BitGame)"),
    ("low-rank", {"S": 1000, "A": 2, "N": 2, "Z": 2}, "N", "counts (AnonymousGame) or independent moves (ProductGame)"),
    ("low-rank", {"S": 1000, "A": 2, "N": 2, "Z": 2}, "A", FEEDBACK),
)


def run(cases=CASES, limit=LIMIT):
    """Compute the first sizes that do not fit.

    Parameters
    ----------
    cases : sequence of (shape, sizes, varied size, what to use instead)
    limit : int
        Bytes.

    Returns
    -------
    pandas.DataFrame, matplotlib.figure.Figure
    """
    rows = []
    for shape, sizes, varied, instead in cases:
        first = first_too_large(shape, sizes, varied, limit)
        held = ", ".join(f"{LABELS.get(name, name)}={size}" for name, size in sizes.items() if name != varied)
        words = {"game": shape, "varied": LABELS.get(varied, varied), "others": held, "first size that does not fit": first}
        rows.append({**words, "gibibytes": SHAPES[shape](**{**sizes, varied: first}) / 2**30, "use instead": instead})
    return pd.DataFrame(rows), _figure(cases, limit)


def first_too_large(shape, sizes, varied, limit=LIMIT):
    """The smallest value of the varied size at which the arrays of the shape need more than `limit` bytes."""

    def fits(size):
        return SHAPES[shape](**{**sizes, varied: size}) <= limit

    high = 1
    while fits(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return high


def _figure(cases, limit):
    names = list(dict.fromkeys(shape for shape, *_ in cases))
    figure, panels = figures.canvas(len(names), width=3.2 * len(names), height=3.6, squeeze=False, sharey=True)
    for panel, name in zip(panels.flat, names, strict=True):
        for shape, sizes, varied, _ in cases:
            if shape == name:
                first = first_too_large(shape, sizes, varied, limit)
                values = sorted({int(size) for size in np.geomspace(1, 2 * first, 40)})
                bytes_needed = [float(SHAPES[shape](**{**sizes, varied: size})) for size in values]
                panel.plot(values, np.divide(bytes_needed, 2**30), label=LABELS.get(varied, varied))
        panel.axhline(limit / 2**30, color="black", linestyle="--", linewidth=1)
        panel.set(xscale="log", yscale="log", title=name, xlabel="size")
        panel.legend(fontsize=8)
    panels.flat[0].set_ylabel("gibibytes")
    figure.suptitle(f"Memory of the arrays; the dashed line is {limit / 2**30:.0f} GiB", fontsize=12)
    return figure
