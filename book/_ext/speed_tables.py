"""Directives for what `make bench` leaves: `{speed-table}` shows one topic, `{speed-leaders}` says who is fastest in it, `{speed-machine}` the
machine it was measured on.
"""

import csv
import json
import pathlib

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

FOLDER = "data/results/benchmarks"
TOPIC = """\
:::{{figure}} /{folder}/{topic}.svg
:alt: {words}. The numbers drawn are those of the table below.
:width: 100%

{words}.
:::

[SVG](/{folder}/{topic}.svg) · [CSV](/{folder}/{topic}.csv)

::::{{dropdown}} The numbers
:::{{csv-table}}
:file: /{folder}/{topic}.csv
:header-rows: 1
:::
::::
"""
MISSING = "Not measured on this build; `make bench` does."


class SpeedTable(SphinxDirective):
    """Figure, downloads and table of the topic that the argument names; the content is the caption."""

    required_arguments = 1
    has_content = True

    def run(self):
        topic = self.arguments[0]
        paths = [pathlib.Path(self.env.srcdir, FOLDER, topic + suffix) for suffix in (".svg", ".csv")]
        for path in paths:
            self.env.note_dependency(str(path))
        if not all(path.exists() for path in paths):
            return parsed(self, MISSING)
        words = " ".join(self.content).rstrip(".")
        return parsed(self, TOPIC.format(folder=FOLDER, topic=topic, words=words))


class SpeedLeaders(SphinxDirective):
    """Who is fastest in each case of the topic that the argument names."""

    required_arguments = 1

    def run(self):
        path = pathlib.Path(self.env.srcdir, FOLDER, self.arguments[0] + ".csv")
        self.env.note_dependency(str(path))
        if not path.exists():
            return parsed(self, MISSING)
        with path.open(encoding="utf-8", newline="") as file:
            return parsed(self, "\n".join(f"- {line}" for line in leaders(list(csv.DictReader(file)))))


def leaders(rows):
    """One sentence for each case: the fastest method, and how far the next, or this package, is behind it."""
    sentences = []
    for case in dict.fromkeys(row["case"] for row in rows):
        measured = [row for row in rows if row["case"] == case and row["times ours"] != "not installed"]
        times = {row["method"]: float(row["times ours"]) for row in measured}
        peers = {name: ratio for name, ratio in times.items() if not name.startswith("marlpaper")}
        ours = min(ratio for name, ratio in times.items() if name not in peers)
        if not peers:
            sentences.append(f"{case}: no peer is installed.")
            continue
        best = min(peers, key=peers.get)
        ratio = peers[best] / ours
        behind = f"this package is ahead, {ratio:.2g} times as fast as the next, {best}"
        level = f"level, within a fifth, with {best}"
        ahead = f"{best} is ahead, {1 / max(ratio, 1e-9):.2g} times as fast as this package"
        sentences.append(f"{case}: {behind if ratio > 1.2 else ahead if ratio < 1 / 1.2 else level}.")
    return sentences


class SpeedMachine(SphinxDirective):
    """One sentence on processor, threads and versions."""

    def run(self):
        path = pathlib.Path(self.env.srcdir, FOLDER, "machine.json")
        self.env.note_dependency(str(path))
        return parsed(self, machine(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else MISSING)


def machine(facts):
    """The sentence for the contents of `machine.json`."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    threads = facts["threads used"]
    return (
        f"Measured on {facts['processor']} with {facts['cores']} cores, {threads} thread{'s' * (threads != 1)} in use; "
        f"Python {facts['python']}, {versions}."
    )


def parsed(directive, text):
    """The nodes of a piece of Markdown."""
    node = nodes.container(classes=["speed-tables"])
    directive.state.nested_parse(StringList(text.splitlines(), "speed-tables"), directive.content_offset, node)
    return [node]


def setup(app):
    app.add_directive("speed-table", SpeedTable)
    app.add_directive("speed-machine", SpeedMachine)
    app.add_directive("speed-leaders", SpeedLeaders)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
