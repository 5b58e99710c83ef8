"""Directive `{claims-ledger}`: the table of all claims, written from `data/results/ledger.json` at build time.

The table is complete without scripts; `_static/ledger.js` adds sorting and filters. Statements are Markdown with
mathematics, so they are parsed as part of the page, between pieces of HTML that carry what the script sorts by.
"""

import collections
import html
import json
import math
import pathlib
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

LEDGER = "data/results/ledger.json"
DOWNLOADS = {"JSON": LEDGER, "CSV": "data/results/ledger.csv"}
# verdict: (class of the badge, mark that reads without colour)
VERDICTS = {
    "holds on all runs": ("holds", "✓"),
    "holds with a restriction": ("restricted", "◐"),
    "fails as printed — repaired": ("fails", "✗"),
    "fails as printed": ("fails", "✗"),
    "vacuous here": ("vacuous", "∅"),
    "not decided by these runs": ("undecided", "?"),
    "states no constant": ("undecided", "…"),
    "not covered yet": ("uncovered", "·"),
}
# The bars show ratios between these powers of ten; the mark at ratio 1 is where a bound is attained.
LOWEST, HIGHEST = -6, 2
COLUMNS = [
    ("claim", "Claim", "text"),
    ("verdict", "Verdict", "number"),
    ("ratio", "Tightest ratio", "number"),
    ("searched", "By search", "number"),
    ("instances", "Checks", "number"),
]


# Each claim is a row group: its numbers, and below them its statement over the whole width.
STATEMENT = f'</td></tr><tr><td class="statement" colspan="{len(COLUMNS)}">'


class ClaimsLedger(SphinxDirective):
    """The ledger as a table, or one sentence when there has been no run."""

    def run(self):
        path = pathlib.Path(self.env.srcdir) / LEDGER
        self.env.note_dependency(str(path))
        if not path.exists():
            return self._parse("No run has been recorded yet: `marlpaper reproduce` writes the ledger.")
        rows = json.loads(path.read_text(encoding="utf-8"))
        order = {verdict: position for position, verdict in enumerate(VERDICTS)}
        parts = [_raw(summary(rows)), *self._downloads(), _raw(table_head())]
        for position, row in enumerate(rows):
            rank = order.get(row["verdict"], len(order))
            parts += [_raw(group_start(row, position, rank)), *self._place(row), _raw(STATEMENT)]
            parts += [*self._parse(row["statement"]), _raw("</td></tr></tbody>")]
        return [*parts, _raw("</table></div>")]

    def _parse(self, text):
        node = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), LEDGER), self.content_offset, node)
        return node.children

    def _downloads(self):
        """The ledger for machines, in every form that the last run wrote."""
        line = nodes.paragraph("", "Download the ledger: ", classes=["ledger-download"])
        for words, path in DOWNLOADS.items():
            if (pathlib.Path(self.env.srcdir) / path).exists():
                inner = nodes.inline("", words)
                line += [addnodes.download_reference("", "", inner, reftarget=f"/{path}", refdoc=self.env.docname, classes=["download"]), nodes.Text(" ")]
        return [line]

    def _place(self, row):
        """Links to the section of the notebook that checks the claim, and to the claim's function."""
        parts = []
        if row.get("notebook"):
            parts += self._notebook(row["notebook"], row["claim"])
        if row.get("function"):
            target = {"refdomain": "py", "reftype": "func", "reftarget": row["function"], "refdoc": self.env.docname}
            parts += [nodes.Text(" · ") if parts else nodes.Text(""), addnodes.pending_xref("", nodes.inline("", "function"), refexplicit=True, **target)]
        if row.get("proof"):
            target = {"refdomain": "std", "reftype": "ref", "reftarget": row["proof"].partition("#")[2], "refdoc": self.env.docname}
            parts += [nodes.Text(" · "), addnodes.pending_xref("", nodes.inline("", "proof"), refexplicit=True, refwarn=True, **target)]
        return [nodes.inline("", "", *parts)]

    def _notebook(self, name, claim):
        if f"notebooks/{name}" not in self.env.found_docs:
            return [nodes.inline("", name)]
        source = pathlib.Path(self.env.srcdir) / "notebooks" / f"{name}.md"
        label = section_of(source.read_text(encoding="utf-8"), claim) if source.exists() else None
        kind = ("doc", f"/notebooks/{name}") if label is None else ("ref", label)
        target = {"refdomain": "std", "reftype": kind[0], "reftarget": kind[1], "refdoc": self.env.docname}
        return [addnodes.pending_xref("", nodes.inline("", name), refexplicit=True, refwarn=True, **target)]


def section_of(source, claim):
    """Label `(label)=` of the last labelled heading before the place where a notebook's source checks a claim, None without one.

    That place is the first call of `check` with the claim's id, else the first mention after the first labelled heading.
    """
    label, mentioned = None, None
    quoted = re.compile(rf"""["'`]{re.escape(claim)}["'`]""")
    for line in source.splitlines():
        found = re.fullmatch(r"\(([\w-]+)\)=", line)
        label = found.group(1) if found else label
        if quoted.search(line):
            if "check(" in line:
                return label
            mentioned = mentioned or label
    return mentioned


def number(value):
    """A ratio of the ledger as a float: JSON has no infinity, so the word is accepted; None stays None."""
    return None if value is None else float(value)


def shown(ratio):
    """A ratio as text, three significant digits."""
    if ratio is None or math.isnan(ratio):
        return "—"
    if math.isinf(ratio):
        return "∞"
    return f"{ratio:.3g}" if 1e-3 <= ratio < 1e4 or ratio == 0 else f"{ratio:.1e}"


def fraction(ratio):
    """Where a ratio lies on the logarithmic scale of the bars, from 0 to 1."""
    if ratio <= 0:
        return 0.0
    power = math.log10(ratio) if math.isfinite(ratio) else math.inf
    return min(max((power - LOWEST) / (HIGHEST - LOWEST), 0.0), 1.0)


def bar(ratio):
    """HTML of a ratio: number and bar; the bar is decoration, the number says the same."""
    text = shown(ratio)
    if text == "—":
        return '<span class="tightness-value">—</span>'
    kind = "violated" if ratio > 1 else "kept"
    filled, one = (f"{100 * fraction(value):.1f}%" for value in (ratio, 1.0))
    return (
        f'<span class="tightness-value">{text}</span><span class="tightness-bar" aria-hidden="true">'
        f'<span class="{kind}" style="width:{filled}"></span><i style="left:{one}"></i></span>'
    )


def badge(verdict):
    """HTML of a verdict: colour, a mark and the words themselves."""
    kind, mark = VERDICTS.get(verdict, ("undecided", "?"))
    return f'<span class="verdict verdict-{kind}"><span aria-hidden="true">{mark}</span> {html.escape(verdict)}</span>'


def summary(rows):
    """HTML list: how many claims have which verdict."""
    counts = collections.Counter(row["verdict"] for row in rows)
    verdicts = [*VERDICTS, *sorted(set(counts) - set(VERDICTS))]
    items = "".join(f"<li>{badge(verdict)} <b>{counts[verdict]}</b></li>" for verdict in verdicts if counts[verdict])
    return f'<ul class="ledger-summary">{items}</ul>'


def table_head():
    """HTML up to the first row."""
    cells = "".join(f'<th scope="col" data-key="{key}" data-kind="{kind}">{title}</th>' for key, title, kind in COLUMNS)
    return f'<div class="ledger-box"><table class="ledger" id="ledger"><thead><tr>{cells}</tr></thead>'


def group_start(row, position, rank):
    """HTML of a claim up to the links to its notebook and its function."""
    ratio, searched = number(row["worst_ratio"]), number(row.get("searched_ratio"))
    attributes = {
        "position": position,
        "paper": row["paper"],
        "claim": row["claim"],
        "verdict": rank,
        "verdict-words": row["verdict"],
        "ratio": "" if ratio is None else ratio,
        "searched": "" if searched is None else searched,
        "instances": row["instances"],
        "words": " ".join([row["claim"], row.get("title") or "", row["statement"], row.get("notebook") or ""]).lower(),
    }
    data = " ".join(f'data-{key}="{html.escape(str(value))}"' for key, value in attributes.items())
    name, title = html.escape(row["claim"]), html.escape(row.get("title") or "")
    return (
        f'<tbody id="{anchor(row["claim"])}" {data}><tr><th scope="rowgroup">{title} <code>{name}</code>{mended(row)}</th>'
        f'<td>{badge(row["verdict"])}{footing(row)}</td><td class="tightness">{bar(ratio)}</td><td class="tightness">{shown(searched)}</td>'
        f'<td class="checks"><span>{row["instances"] or "—"}</span> '
    )


def footing(row):
    """HTML: what stands behind a verdict that holds, where a claim with a restriction fails and holds, and the seal of a refutation."""
    words = row.get("scope") or row.get("stands_on") or ""
    if words == "attacked":
        words = f"attacked: {row['attacked']:,} instances"
    parts = [f'<span class="footing">{html.escape(words)}</span>'] if words else []
    if row.get("certificate"):
        sides = (f"{name} ∈ [{', '.join(row['certificate'][name])}]" for name in ("measured", "bound"))
        parts.append(f'<span class="footing seal">certified: {html.escape(", ".join(sides))}</span>')
    return "".join(parts)


def anchor(claim):
    """Where the claim stands on the page."""
    return "claim-" + claim.replace(".", "-")


def mended(row):
    """HTML: which printed claim this one restricts or mends, if it does."""
    for how in ("restricts", "repairs"):
        if printed := row.get(how):
            return f' <span class="repairs">{how} <a href="#{anchor(printed)}">{html.escape(printed)}</a></span>'
    return ""


def _raw(text):
    return nodes.raw("", text, format="html")


def setup(app):
    app.add_directive("claims-ledger", ClaimsLedger)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
