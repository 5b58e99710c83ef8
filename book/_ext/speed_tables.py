"""Directive `{speed-tables}`: the measured tables (CSV) and pictures (SVG) of a folder of `data/results`."""

import pathlib

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

TABLE = """\
:::{{csv-table}} {title}
:file: /{path}
:header-rows: 1
:::

[CSV](/{path})
"""
FIGURE = """\
:::{{figure}} /{path}
:alt: {title}, drawn; its numbers are in the table of the same name.
:width: 100%

{title}.
:::

[SVG](/{path})
"""


class SpeedTables(SphinxDirective):
    """Show every `*.csv` as a table and every `*.svg` as a figure; say so when nothing was measured.

    The argument is a folder relative to the root of the book.
    """

    required_arguments = 1

    def run(self):
        root = pathlib.Path(self.env.srcdir)
        folder = root / self.arguments[0]
        tables, pictures = sorted(folder.glob("*.csv")), sorted(folder.glob("*.svg"))
        self.env.note_dependency(str(folder))
        if not tables and not pictures:
            return [nodes.paragraph("", "Not measured on this build: run "), *_command("make bench")]
        blocks = []
        for path in sorted([*tables, *pictures], key=lambda path: (path.stem, path.suffix)):
            form = TABLE if path.suffix == ".csv" else FIGURE
            blocks.append(form.format(title=_title(path), path=path.relative_to(root).as_posix()))
        node = nodes.container(classes=["speed-tables"])
        self.state.nested_parse(StringList("\n".join(blocks).splitlines(), "speed-tables"), self.content_offset, node)
        return [node]


def _command(text):
    return [nodes.literal_block(text, text, language="console")]


def _title(path):
    return path.stem.replace("-", " ").replace("_", " ").capitalize()


def setup(app):
    app.add_directive("speed-tables", SpeedTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
