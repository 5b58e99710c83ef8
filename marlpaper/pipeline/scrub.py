"""Make an executed notebook a function of its source and its numbers: a second run must give no diff."""

import collections
import hashlib

__all__ = ["content_id", "incomplete", "scrub"]


def scrub(notebook):
    """Remove times, versions and random identifiers from a notebook, in place.

    Execution counts and outputs stay; streams that arrived in pieces are joined, for the pieces depend on timing.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed notebook.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    notebook.metadata.get("jupytext", {}).get("text_representation", {}).pop("jupytext_version", None)
    seen = collections.Counter()
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        digest = content_id(cell)
        cell.id = f"{digest}-{seen[digest]}"
        seen[digest] += 1
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)


def content_id(cell):
    """The first part of a scrubbed cell's id, made of its content: it survives when other cells come and go, and
    tells whether the cell was edited."""
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]


def incomplete(notebook):
    """Return one sentence on the first code cell that did not run to its end, or None.

    Papermill marks the cells after a time-out as completed, so only execution counts tell.
    """
    for index, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            return f"Cell {index} was not executed."
        for output in cell.outputs:
            if output.output_type == "error":
                return f"Cell {index} raised {output.ename}: {output.evalue}"
    return None


def _joined(outputs):
    joined = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined
