"""What all topics share: peers that may be missing, and timing in turns."""

import ctypes
import functools
import gc
import importlib
import pathlib
import shutil
import subprocess
import tempfile
import time

import numpy as np

MISSING = "not installed"
OURS = "marlpaper"
UNITS = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6}


def peer(name):
    """The module `name`; `ImportError` where it is missing or does not run here."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ImportError(f"{name} is {MISSING}: {error}") from error


@functools.cache
def c_library(source):
    """A library of the C functions in `source`, compiled for this machine; `ImportError` where there is no working `cc`."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ImportError(f"cc is {MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        code, library = pathlib.Path(folder, "functions.c"), pathlib.Path(folder, "functions.so")
        code.write_text(source, encoding="utf-8")
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(code), "-lm"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise ImportError(f"cc does not compile for this machine: {made.stderr.strip()}")
        return ctypes.CDLL(str(library))


def compare(case, methods, answers, unit, per_call=1, **options):
    """Rows of a topic's table: the time of each method, how many times ours it is, and how far its answer is from ours.

    Parameters
    ----------
    case : dict
        First columns of every row, e.g. states and actions.
    methods : dict of name -> start
        As in `interleaved`; `start()` raises `ImportError` where a package is missing, which then is what the row says.
    answers : dict of name -> function
        What the method computes: a sequence of arrays.
    unit : {"seconds", "milliseconds", "microseconds"}
    per_call : int
        How many of what is reported one call does.
    **options
        Of `interleaved`.

    Returns
    -------
    list of dict
    """
    present = {name: start for name, start in methods.items() if _starts(start)}
    seconds = interleaved(present, **options)
    reference = answers[OURS]()
    rows = []
    for name in methods:
        row = dict.fromkeys((unit, "times ours", "largest difference"), MISSING)
        if name in present:
            measured = seconds[name] * UNITS[unit] / per_call, seconds[name] / seconds[OURS], difference(answers[name](), reference)
            row = dict(zip(row, measured, strict=True))
        rows.append({**case, "method": name, **row})
    return rows


def _starts(start):
    try:
        start()
    except ImportError:
        return False
    return True


def difference(answer, reference):
    """Largest absolute difference between two sequences of arrays."""
    return max(float(np.abs(mine - other).max()) for mine, other in zip(answer, reference, strict=True))


def interleaved(methods, repeats=5, seconds=0.1, most=100):
    """Best processor time per call of each method; all take turns, so that a busy moment of the machine hits them alike.

    Parameters
    ----------
    methods : dict of name -> start
        `start()` prepares, untimed, and returns the function to time. A fresh start before every repeat keeps
        methods that carry a state at the same place.
    repeats : int
        Turns of each method.
    seconds : float
        About how long one turn lasts (one call at least).
    most : int
        Calls in one turn at most.

    Returns
    -------
    dict of name -> float
        Seconds per call.
    """
    gc.collect()
    gc.disable()
    try:
        calls = {name: _calls(start(), seconds, most) for name, start in methods.items()}
        best = dict.fromkeys(methods, np.inf)
        for _ in range(repeats):
            for name, start in methods.items():
                best[name] = min(best[name], _seconds(start(), calls[name]))
        return best
    finally:
        gc.enable()


def _calls(function, seconds, most):
    function()  # compilation and first touches of memory are not what is measured
    return int(np.clip(seconds / max(_seconds(function, 1), 1e-9), 1, most))


def _seconds(function, calls):
    start = time.process_time()  # one thread, so other programs on the machine do not count
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls


def exponent(x, y):
    r"""Slope of $\log y$ over $\log x$, least squares on the upper half of the points, where fixed costs no longer count."""
    half = len(x) // 2
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])
