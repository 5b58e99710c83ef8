"""Games in files: TOML to write by hand, npz for arrays, nfg from Gambit; `read`, `save`, and what both refuse.

A game file is data and nothing else: no entry of it is ever executed or unpickled, and neither the file nor what it
unpacks to may exceed a limit that is checked *before* memory is used for it.

TOML (see `tables`)
    states, transitions, one kind of reward table, a horizon or a discount; or `family` and its `parameters`.
nfg
    a normal-form game of Gambit: see `gambit`.
npz
    `rewards` and `transitions`, with or without a step axis as in `MarkovGame`; optional `initial` (a state or a
    distribution), `discount` (games without end), `horizon` (arrays without a step axis).
"""

import inspect
import io
import math
import pathlib
import tomllib
import zipfile

import numpy as np

from marlpaper import validation
from marlpaper.games import crowding, families, gambit, poker, potential, tables, tracking
from marlpaper.games.tabular import MarkovGame

SIZE_LIMIT = 10_000_000
"""Bytes of a TOML file."""
UNPACKED_LIMIT = 512_000_000
"""Bytes of all arrays of an npz file together, with the steps of a horizon written out."""
WHOLE_LIMIT = 100_000
"""Largest whole number among the parameters of a family."""
ENDINGS = (".toml", ".npz", ".nfg")
"""Of the files that `read` takes."""
REQUIRED, OPTIONAL = ("rewards", "transitions"), ("initial", "discount", "horizon")


def read(path):
    """The game in a file of one's own.

    Parameters
    ----------
    path : str or path-like
        A `.toml` file as those in `data/games`, a `.npz` file as `save` writes it, or a `.nfg` file of Gambit.

    Returns
    -------
    MarkovGame

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the ending is another one, the file is too large, broken, or does not describe a game; one sentence.
    """
    return read_labelled(path)[0]


def read_labelled(path):
    """The game in a file, and what the file says of its names: `title`, `states`, `actions`, as far as it does.

    Parameters and errors as in `read`.

    Returns
    -------
    game : MarkovGame
    labels : dict
    """
    path = _with_suffix(path, ENDINGS)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if path.suffix == ".nfg":
        return gambit.read(path)
    if path.suffix == ".npz":
        return _read_arrays(path), {}
    content = read_toml(path)
    return build(content, path.name), content


def save(game, path):
    """Write a game as an npz file that `read` turns back into the same game.

    Rewards and kernels that are the same at every step are written once. Games with a structure of their own are
    written as their dense tables. The file takes its place in one step, after it is complete.

    Parameters
    ----------
    game : MarkovGame
        A single game or a batch.
    path : str or path-like
        Ends in `.npz`.

    Raises
    ------
    TypeError, ValueError
        If `game` is no game, or the path has another ending.
    """
    from marlpaper import results  # a higher floor, and a slow import: only who writes needs it

    game, path = validation.game("game", game), _with_suffix(path, (".npz",))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_arrays(game))
    results.write_bytes(path, buffer.getvalue())


def read_toml(path):
    """A TOML file as a dictionary, if it is not larger than `SIZE_LIMIT`."""
    _limit(path, path.stat().st_size, SIZE_LIMIT)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of thousands of digits
        raise ValueError(f"{path.name} is not a readable TOML file: {error}.") from None


def build(content, label, parameters=None):
    """The game that a TOML file's `content` describes, with some of its `parameters` replaced."""
    try:
        parameters = parameters or {}
        return _family(content, parameters) if "family" in content else tables.read(content, parameters)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{label} does not describe a game: {reason}") from None


def _family(content, overrides):
    own = content.get("parameters", {})
    if not isinstance(own, dict):
        raise TypeError(f"parameters is {own!r}, expected a table of names and values.")
    parameters = {**own, **overrides}
    for name, value in parameters.items():
        if isinstance(value, int):
            validation.whole(name, value, -WHOLE_LIMIT, WHOLE_LIMIT)
    modules = (crowding, families, poker, potential, tracking)
    known = {name: family for module in modules for name, family in _writable_families(module)}
    return known[validation.choice("family", content["family"], sorted(known))](**parameters)


def _writable_families(module):
    """Names and functions of a module whose parameters a file can hold: neither games nor random numbers."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and name[0] != "_" and not {"rng", "game"} & set(inspect.signature(function).parameters):
            yield name, function


def _arrays(game):
    """What `save` writes; one step in place of many equal ones."""
    arrays = {"rewards": game.rewards, "transitions": game.transitions, "initial": game.initial}
    if game.horizon is None:
        return arrays | {"discount": game.discount}
    axes = {"rewards": -game.agents - 2, "transitions": -game.agents - 3}
    first = {name: np.take(arrays[name], [0], axis) for name, axis in axes.items()}
    if all(np.array_equal(arrays[name], np.broadcast_to(first[name], arrays[name].shape)) for name in axes):
        arrays |= {name: np.squeeze(first[name], axis) for name, axis in axes.items()} | {"horizon": game.horizon}
    return arrays


def _read_arrays(path):
    _limit(path, path.stat().st_size, UNPACKED_LIMIT)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {info.filename.removesuffix(".npy"): _array(archive, info) for info in _members(archive)}
    except Exception as error:  # a broken archive fails in more ways than zipfile and zlib document
        raise ValueError(f"{path.name} is not a readable game file: {str(error).rstrip('.') or type(error).__name__}.") from None
    try:
        return _game(arrays)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.name} does not describe a game: {error}") from None


def _members(archive):
    """The entries of an archive, if they are those of a game and unpack to no more than the limit."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    expected = [f"{name}.npy" for name in REQUIRED + OPTIONAL]
    for name in names:
        if name not in expected or names.count(name) > 1:
            raise ValueError(f"it has the entry {name[:80]!r}, expected {', '.join(expected)}, each at most once")
    for name in expected[: len(REQUIRED)]:
        if name not in names:
            raise ValueError(f"it lacks {name!r}")
    size = sum(info.file_size for info in infos)
    if size > UNPACKED_LIMIT:
        raise ValueError(f"it unpacks to {size} bytes, expected at most {UNPACKED_LIMIT}")
    return infos


def _array(archive, info):
    """One array, whose header is checked before memory is taken for what it announces; nothing is unpickled."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in an unknown way, expected stored or deflated")
    data = io.BytesIO(archive.read(info))  # reads at most the size that the directory states
    version = np.lib.format.read_magic(data)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{info.filename} has NPY version {version}, expected 1.0 or 2.0")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(data)
    if dtype.kind not in "biuf":
        raise ValueError(f"{info.filename} holds {dtype}, expected numbers: Python objects are never loaded")
    if math.prod(shape) * dtype.itemsize != info.file_size - data.tell():
        raise ValueError(f"{info.filename} announces the shape {shape}, which is not the size of its data")
    data.seek(0)
    return np.lib.format.read_array(data, allow_pickle=False)


def _game(arrays):
    discount, horizon = (None if name not in arrays else _number(name, arrays[name]) for name in ("discount", "horizon"))
    if horizon is not None:
        needed = validation.whole("horizon", horizon, 1) * sum(arrays[name].size for name in REQUIRED) * 8
        if needed > UNPACKED_LIMIT:
            raise ValueError(f"horizon is {horizon}, with which the game needs {needed} bytes, expected at most {UNPACKED_LIMIT}.")
    initial = arrays.get("initial", np.array(0))
    initial = initial.item() if initial.ndim == 0 else initial
    return MarkovGame(arrays["rewards"], arrays["transitions"], initial, discount, horizon=horizon)


def _number(name, value):
    if value.ndim:
        raise ValueError(f"{name} has shape {value.shape}, expected a single number.")
    return value.item()


def _with_suffix(path, expected):
    try:
        path = pathlib.Path(path)
    except TypeError:
        raise TypeError(f"path is {path!r}, expected the name of a file.") from None
    if path.suffix not in expected:
        raise ValueError(
            f"path is {str(path)!r}, expected a name that ends in "
            f"{', '.join(expected[:-1])}{' or ' * (len(expected) > 1)}{expected[-1]}."
        )
    return path


def _limit(path, size, limit):
    if size > limit:
        raise ValueError(f"{path.name} has {size} bytes, expected at most {limit}.")
