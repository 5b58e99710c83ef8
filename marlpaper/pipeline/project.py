"""Where sources and outputs are, and how new outputs take the place of old ones.

A finished notebook becomes *ready* by one rename inside ``.cache``; from then on its outputs are installed, if need be
by the next start. Before that rename a killed run has changed nothing, after it the next start completes the work.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shutil

from marlpaper.lookup import UnknownNameError, require

__all__ = ["Project"]


@dataclasses.dataclass(frozen=True)
class Project:
    """The folders of a checkout.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``notebooks``, ``data`` and ``marlpaper``; the checkout of this package by default.
    """

    root: pathlib.Path = pathlib.Path(__file__).parents[2]

    @property
    def notebooks(self):
        """Folder of the notebooks: MyST sources and, beside them, executed notebooks."""
        return self.root / "notebooks"

    @property
    def results(self):
        """Folder of the results, one folder for each notebook."""
        return self.root / "data" / "results"

    @property
    def package(self):
        """Folder of the package that the notebooks use."""
        return self.root / "marlpaper"

    @property
    def cache(self):
        """Folder of what is local to this checkout: stamps, the lock, and work under way."""
        return self.root / ".cache"

    def source(self, name):
        """Return the path of the MyST source of a notebook."""
        return self.notebooks / f"{name}.md"

    def executed(self, name):
        """Return the path of the executed notebook."""
        return self.notebooks / f"{name}.ipynb"

    def names(self):
        """Return the names of all notebooks, sorted."""
        return sorted(path.stem for path in self.notebooks.glob("*.md"))

    def choose(self, names=()):
        """Return the notebooks of these names, all if none is named.

        Raises
        ------
        UnknownNameError
            If there is no notebook of that name, with the nearest one.
        """
        known = self.names()
        if not known:
            raise UnknownNameError(f"{self.notebooks} holds no notebook source (*.md), but a checkout of the project was expected.")
        # File names are what the shell completes, so they are as good as bare names.
        wanted = [pathlib.Path(name).name.removesuffix(".md").removesuffix(".ipynb") for name in names]
        for name in wanted:
            require("notebook", name, known)
        return [name for name in known if name in wanted or not wanted]

    @contextlib.contextmanager
    def locked(self, tell=print):
        """Hold the checkout's lock, after waiting for another run to end; the lock of a killed run is free."""
        self.cache.mkdir(exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell("Another run is under way in this checkout: waiting for its end.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def staging(self, name):
        """Return an empty folder in which a notebook can be executed."""
        folder = self.cache / "staging" / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "product" / "results").mkdir(parents=True)
        return folder

    def install(self, name):
        """Put the product of a notebook (``notebook.ipynb`` and ``results``) in the place of the old one."""
        ready = self.cache / "ready" / name
        ready.parent.mkdir(exist_ok=True)
        os.rename(self.cache / "staging" / name / "product", ready)
        self._complete(ready)

    def keep_run(self, name, label):
        """Put the product of a run with other parameters in a folder of its own and return that folder."""
        folder = self.root / "runs" / label
        self._replace_folder(self.cache / "staging" / name / "product", folder)
        return folder

    def recover(self):
        """Complete what a killed run had ready and remove what it had not; call it under the lock."""
        for ready in sorted((self.cache / "ready").glob("*")):
            self._complete(ready)
        for leftover in ("staging", "trash"):
            shutil.rmtree(self.cache / leftover, ignore_errors=True)

    def _complete(self, ready):
        """Install a ready product; may be killed anywhere and called again."""
        if (ready / "results" / ready.name).exists():
            self._replace_folder(ready / "results" / ready.name, self.results / ready.name)
        if (ready / "notebook.ipynb").exists():
            os.replace(ready / "notebook.ipynb", self.executed(ready.name))
        shutil.rmtree(ready)

    def _replace_folder(self, new, old):
        trash = self.cache / "trash" / old.name
        shutil.rmtree(trash, ignore_errors=True)
        for folder in (trash.parent, old.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if old.exists():
            os.rename(old, trash)
        os.rename(new, old)
        shutil.rmtree(trash, ignore_errors=True)

