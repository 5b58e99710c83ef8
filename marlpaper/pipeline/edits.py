"""Whether somebody has worked in an executed notebook, so that a new run would take the work away.

The source of a notebook is its ``.md``; the ``.ipynb`` beside it is made of that. Each cell that a run leaves has an
id made of its content, and the stamp of the run knows all cells: a cell that does not fit its id was edited, and
cells that are not those of the stamp have come or gone. A fresh clone has no stamps, but the ids.
"""

import hashlib

import jupytext
import nbformat

from marlpaper import results
from marlpaper.pipeline.scrub import content_id

__all__ = ["digest", "is_edited", "sentence", "stamp"]

MYST = {"extension": ".md", "format_name": "myst"}


def stamp(project, name):
    """Return the path of a notebook's stamp: what its last run was made from, and what it left."""
    return project.cache / "stamps" / f"{name}.json"


def digest(project, name):
    """Return the digest of the cells of an executed notebook without their outputs, None if there is no such
    notebook."""
    executed = _read(project.executed(name))
    return None if executed is None else _digest(executed)


def is_edited(project, name):
    """Whether the cells of an executed notebook are neither those of its source nor those that a run has left.

    Parameters
    ----------
    project : Project
    name : str

    Returns
    -------
    bool
        Outputs do not count: a run makes them anew. A file that is no notebook counts as edited.
    """
    path = project.executed(name)
    if not path.is_file():
        return False
    executed = _read(path)
    if executed is None:
        return True
    if _cells(executed) == _cells(jupytext.read(project.source(name), fmt=MYST)):
        return False
    if any(cell.get("id", "").partition("-")[0] != content_id(cell) for cell in executed.cells):
        return True
    known = stamp(project, name)
    cells = results.read(known).get("cells") if known.is_file() else None
    return cells is not None and cells != _digest(executed)


def sentence(project, names):
    """Return what to say about edited notebooks, with both ways out."""
    paths = [project.executed(name).relative_to(project.root).as_posix() for name in names]
    return (
        f"{', '.join(paths)} {'was' if len(paths) == 1 else 'were'} edited without the .md beside it, and a run "
        f"would overwrite that. "
        f"To keep the edit: jupytext --to md:myst {' '.join(paths)}. To give it up: rm {' '.join(paths)}. Then run "
        f"this again."
    )


def _read(path):
    if not path.is_file():
        return None
    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # broken JSON, and whatever nbformat makes of other content
        return None


def _cells(notebook):
    return [(cell.cell_type, cell.source.strip(), sorted(cell.metadata.get("tags", []))) for cell in notebook.cells]


def _digest(notebook):
    return hashlib.sha256(repr(_cells(notebook)).encode()).hexdigest()
