"""Where sources and outputs are, and how new outputs take the place of old ones.

A finished notebook becomes *ready* by one rename inside ``.cache``; from then on its outputs are installed, if need be
by the next start. Before that rename a killed run has changed nothing, after it the next start completes the work.
Old and new results change places in one step, so that even in between a reader finds the one or the other.
"""

import contextlib
import ctypes
import dataclasses
import hashlib
import importlib
import os
import pathlib
import re
import shutil
import tempfile

from marlpaper import results
from marlpaper.lookup import UnknownNameError, literal, require

__all__ = ["NoLockError", "Project", "held", "parameters_label", "replace_folder"]

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of renameat2(2): relative to the working directory; both paths exist and change places."""
LONGEST_LABEL = 100
"""Characters of the words in a folder name, before the digest."""


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
        with held(self.cache / "lock", tell, "Another run is under way in this checkout: waiting for its end."):
            yield

    def require_writable(self):
        """Raise the `OSError` of the first folder that takes no new file: before a run, not at its end."""
        for folder in (self.notebooks, self.results):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                tempfile.TemporaryFile(dir=folder).close()
            except OSError as error:
                raise type(error)(error.errno, error.strerror, str(folder)) from None

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
        replace_folder(self.cache / "staging" / name / "product", folder)
        return folder

    def recover(self):
        """Complete what a killed run had ready and remove what it had not; call it under the lock."""
        for ready in sorted((self.cache / "ready").glob("*")):
            self._complete(ready)
        shutil.rmtree(self.cache / "staging", ignore_errors=True)

    def _complete(self, ready):
        """Install a ready product; may be killed anywhere and called again."""
        new, old = ready / "results" / ready.name, self.results / ready.name
        # The number of the new folder tells, after a kill, whether the two have changed places.
        mark = ready / "number"
        if new.exists() and not mark.exists():
            results.write_text(mark, str(new.stat().st_ino))
        if new.exists() and not (old.exists() and mark.read_text() == str(old.stat().st_ino)):
            replace_folder(new, old)
        if (ready / "notebook.ipynb").exists():
            os.replace(ready / "notebook.ipynb", self.executed(ready.name))
        shutil.rmtree(ready)


@contextlib.contextmanager
def held(path, tell, waiting):
    """Hold the lock on a file, after waiting for whoever has it; the lock of a killed process is free.

    Parameters
    ----------
    path : pathlib.Path
    tell : callable
        Given the sentence `waiting` if there is something to wait for.
    waiting : str

    Raises
    ------
    NoLockError
        If the system has no locks of its own (no `fcntl`, as on Windows) and `filelock` is not installed.
    """
    with (_held_by_system if _module("fcntl") else _held_by_filelock)(path, tell, waiting):
        yield


class NoLockError(OSError):
    """There is nothing to lock a file with."""


def _module(name):
    """A module, or None where there is none of that name."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@contextlib.contextmanager
def _held_by_system(path, tell, waiting):
    fcntl = _module("fcntl")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _held_by_filelock(path, tell, waiting):
    filelock = _module("filelock")
    if filelock is None:
        raise NoLockError(
            "Notebooks are run under a lock, for which this system needs the package filelock: pip install filelock."
        )
    lock = filelock.FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        tell(waiting)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def parameters_label(parameters):
    """A folder name for a set of parameters, which no other set has: with a digest unless its words tell everything.

    Parameters
    ----------
    parameters : dict
        Names and values, in any order.

    Returns
    -------
    str
        Of letters, digits, dots, commas, dashes, underscores and equals signs; different from all others even where
        upper and lower case are the same file.

    Examples
    --------
    >>> parameters_label({"seed": 1, "rule": "best"})
    'seed=1,rule=best'
    >>> parameters_label({"rule": "a/b"}) == parameters_label({"rule": "a?b"})
    False
    """
    words = ",".join(f"{name}={value}" for name, value in parameters.items())
    if len(words) <= LONGEST_LABEL and all(_tells_itself(name, value) for name, value in parameters.items()):
        return words
    plain = re.sub(r"[^A-Za-z0-9._,=-]+", "_", words)[:LONGEST_LABEL]
    everything = sorted((name, repr(value)) for name, value in parameters.items())
    return f"{plain}-{hashlib.sha256(repr(everything).encode()).hexdigest()[:16]}"


def _tells_itself(name, value):
    """Whether ``name=value`` in a file name can mean nothing else: lower case, and a text that does not look like a
    number."""
    if not re.fullmatch(r"[a-z0-9_]+", name):
        return False
    if isinstance(value, str):
        return bool(re.fullmatch(r"[a-z0-9_]+", value)) and literal(value) == value
    return isinstance(value, bool | int | float) and bool(re.fullmatch(r"[A-Za-z0-9.-]+", repr(value)))


def replace_folder(new, old):
    """Put a folder in the place of another, or of none, in one step; what was there before is removed.

    Parameters
    ----------
    new, old : pathlib.Path
        On one file system, for the one step; otherwise `old` is away for a moment.
    """
    old.parent.mkdir(parents=True, exist_ok=True)
    if not old.exists():
        os.rename(new, old)
    elif not _exchanged(new, old):
        # Within the folder of `new`, which is removed if a kill leaves it.
        aside = new.with_name(f"{new.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.move(old, aside)
        os.rename(new, old)
        new = aside
    shutil.rmtree(new, ignore_errors=True)


def _exchanged(first, second):
    """Let two paths change places if system and file system can; Python has no function for it."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, TypeError, OSError):  # another system, or another C library
        return False
    return rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0
