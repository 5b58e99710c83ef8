"""Many checks at a glance: several claims on several runs, and the tightest instance of each."""

import numpy as np

from marlpaper.claims.check import check


def check_all(ids, runs, settings=""):
    """Check every claim on every run that meets its assumptions.

    Parameters
    ----------
    ids : iterable of str
    runs : dict of str to run
        The words become the checks' instance.
    settings : str
        Words added to each instance.

    Returns
    -------
    list of Check
        Those whose assumptions are met.
    """
    words = {name: ", ".join(filter(None, (name, settings))) for name in runs}
    found = [check(id, run, instance=words[name]) for id in ids for name, run in runs.items()]
    return [item for item in found if not item.unmet]


def ratios(checks, kinds):
    """Claims down, kinds of instances across: the largest ratio of each, in words.

    Parameters
    ----------
    checks : iterable of Check
    kinds : dict of str to str
        Column names and the word that an instance of that kind contains; the first that fits counts.

    Returns
    -------
    DataFrame
    """
    kind = {item.instance: next((name for name, word in kinds.items() if word in item.instance), None) for item in checks}
    import pandas as pd  # here: `marlpaper check` does without

    rows = pd.DataFrame([(item.claim, kind[item.instance], item.ratio) for item in checks], columns=["claim", "kind", "ratio"])
    table = rows.pivot_table(index="claim", columns="kind", values="ratio", aggfunc="max", sort=False)
    return table.reindex(columns=list(kinds)).map(_in_words).rename_axis(columns=None)


def tightest(table):
    """The row with the largest ratio of every claim; ties in the four digits that are printed go to the first.

    Parameters
    ----------
    table : DataFrame
        As `results.Notebook.checks` returns it.

    Returns
    -------
    DataFrame
        Indexed by claim: instance, measured, bound, ratio, holds.
    """
    ranked = table.sort_values("ratio", key=lambda ratio: ratio.map("{:.4g}".format).astype(float), ascending=False, kind="stable")
    return ranked.groupby("claim").first()[["instance", "measured", "bound", "ratio", "holds"]]


def _in_words(ratio):
    if np.isnan(ratio):
        return "–"
    return f"{ratio:.3g}" if np.isfinite(ratio) else "violated: bound 0"
