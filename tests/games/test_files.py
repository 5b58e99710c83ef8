"""Games in files: what is written comes back, and what is not a game is refused in one sentence, whatever its bytes."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import generators, markov_games

from marlpaper import games
from marlpaper.games import files, tables

FISHERY = (games.named.folder() / "fishery.toml").read_text(encoding="utf-8")


def refusal(path, content):
    """The sentence with which a file of these bytes is refused, or None if it is a game."""
    path.write_bytes(content)
    try:
        game = games.read(path)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith(path.name)
        assert "\n" not in str(error).strip()
        return str(error)
    assert isinstance(game, games.MarkovGame)
    return None


def packed(**arrays):
    """Bytes of an npz file with these entries."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(members, method=zipfile.ZIP_DEFLATED):
    """Bytes of a zip file with these members, given as pairs of a name and bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def arrays():
    """A small valid game: two states, one action each."""
    return {"rewards": np.zeros((2, 2, 1, 1)), "transitions": np.full((2, 1, 1, 2), 0.5), "horizon": 3}


# Round trips


@given(markov_games(agents=(1, 3), batches=((), (2,))))
def test_a_saved_game_comes_back(tmp_path_factory, game):
    path = tmp_path_factory.mktemp("games") / "mine.npz"
    games.save(game, path)
    again = games.read(path)
    assert repr(again) == repr(game)
    assert again.discount == game.discount
    for name in ("rewards", "transitions", "initial"):
        assert np.array_equal(getattr(again, name), getattr(game, name)), name
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.npz"], "no temporary file is left"


def test_equal_steps_are_written_once(tmp_path):
    game = games.load("table-1", horizon=1000)
    games.save(game, tmp_path / "long.npz")
    with np.load(tmp_path / "long.npz", allow_pickle=False) as file:
        assert file["rewards"].shape == (2, 2, 2, 2)
        assert file["horizon"] == 1000
    assert repr(games.read(tmp_path / "long.npz")) == repr(game)


def test_structured_games_are_written_as_their_tables(tmp_path):
    game = games.replicated(games.common_reward(np.random.default_rng(0)), 2, np.random.default_rng(1))
    games.save(game, tmp_path / "copies.npz")
    assert np.allclose(games.read(tmp_path / "copies.npz").transitions, game.transitions)


def test_a_toml_file_of_ones_own(tmp_path):
    path = tmp_path / "lake.toml"
    path.write_text(FISHERY, encoding="utf-8")
    assert np.array_equal(games.read(path).rewards, games.load("fishery").rewards)
    assert np.array_equal(games.read(str(path)).transitions, games.load("fishery").transitions)


def test_arrays_without_a_start_begin_in_the_first_state(tmp_path):
    assert refusal(tmp_path / "mine.npz", packed(**arrays())) is None
    assert games.read(tmp_path / "mine.npz").initial.tolist() == [1, 0]
    assert refusal(tmp_path / "mine.npz", packed(**arrays(), initial=1)) is None
    assert games.read(tmp_path / "mine.npz").initial.tolist() == [0, 1]


# Refusals


def test_paths_that_are_no_game_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^There is no file '.*none\.npz'\.$"):
        games.read(tmp_path / "none.npz")
    with pytest.raises(
        ValueError, match=r"^path is 'game\.pkl', expected a name that ends in \.toml, \.npz or \.nfg\.$"
    ):
        games.read("game.pkl")
    with pytest.raises(ValueError, match=r"^path is 'game\.toml', expected a name that ends in \.npz\.$"):
        games.save(games.load("table-1"), "game.toml")
    with pytest.raises(TypeError, match=r"^path is 3, expected the name of a file\.$"):
        games.read(3)
    with pytest.raises(TypeError, match=r"^game is 3, expected a game\.$"):
        games.save(3, "game.npz")


class Bomb:
    """What runs code if it is unpickled."""

    def __reduce__(self):
        return (os.abort, ())


def test_nothing_is_unpickled(tmp_path):
    objects = np.array([Bomb()], dtype=object)
    expected = "mine.npz is not a readable game file: rewards.npy holds object, expected numbers: Python objects are never loaded."
    assert refusal(tmp_path / "mine.npz", packed(**arrays() | {"rewards": objects})) == expected
    assert "expected rewards.npy" in refusal(tmp_path / "mine.npz", archive([("rewards.pkl", pickle.dumps(Bomb()))]))
    assert "not a zip file" in refusal(tmp_path / "mine.npz", pickle.dumps(Bomb()))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "UNPACKED_LIMIT", 1_000_000)
    members = [(f"{name}.npy", npy(np.zeros(100_000))) for name in ("rewards", "transitions")]
    content = archive(members)
    assert len(content) < 5000
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    assert refusal(tmp_path / "mine.npz", content) == "mine.npz is not a readable game file: it unpacks to 1600256 bytes, expected at most 1000000."


def test_a_header_that_announces_more_than_there_is(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    content = archive([("rewards.npy", header.getvalue()), ("transitions.npy", npy(np.zeros(2)))])
    expected = "mine.npz is not a readable game file: rewards.npy announces the shape (1000000000000000,), which is not the size of its data."
    assert refusal(tmp_path / "mine.npz", content) == expected


def test_a_directory_that_states_less_than_there_is(tmp_path):
    """The size is taken from the archive's directory, which may lie."""
    content = bytearray(archive([("rewards.npy", npy(np.zeros(1000))), ("transitions.npy", npy(np.zeros(2)))]))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (136).to_bytes(4, "little")
    assert "rewards.npy" in refusal(tmp_path / "mine.npz", bytes(content))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"horizon": 10**9}, "does not describe a game: horizon is 1000000000, with which the game needs 64000000000 bytes, expected at most 512000000."),
        ({"horizon": 2.5}, "does not describe a game: horizon is 2.5, expected a whole number of at least 1."),
        ({"horizon": [3]}, "does not describe a game: horizon has shape (1,), expected a single number."),
        ({"discount": 0.5}, "does not describe a game: discount and horizon are both given, expected only one: a game is discounted or has a horizon."),
        ({"rewards": np.full((2, 2, 1, 1), np.nan)}, "does not describe a game: rewards[0, 0, 0, 0] is nan, expected a finite number."),
        ({"transitions": np.full((2, 1, 1, 2), 0.4)}, "does not describe a game: transitions[0, 0, 0] sums to 0.8, expected a distribution that sums to 1."),
        ({"initial": 2}, "does not describe a game: initial is state 2, expected a state in 0..1 or a distribution over 2 states."),
        ({"extra": 1}, "is not a readable game file: it has the entry 'extra.npy', expected rewards.npy, transitions.npy, initial.npy, discount.npy, horizon.npy, each at most once."),
        ({"rewards": "text"}, "is not a readable game file: rewards.npy holds <U4, expected numbers: Python objects are never loaded."),
    ],
)
def test_arrays_that_are_no_game(tmp_path, change, sentence):
    assert refusal(tmp_path / "mine.npz", packed(**arrays() | change)) == f"mine.npz {sentence}"


def test_archives_that_are_no_game(tmp_path):
    assert refusal(tmp_path / "mine.npz", packed(rewards=1)) == "mine.npz is not a readable game file: it lacks 'transitions.npy'."
    members = [("rewards.npy", npy(np.zeros(2))), ("transitions.npy", npy(np.zeros(2)))]
    assert "compressed in an unknown way" in refusal(tmp_path / "mine.npz", archive(members, zipfile.ZIP_LZMA))


def test_too_large_files(tmp_path):
    for name, limit in (("mine.toml", files.SIZE_LIMIT), ("mine.npz", files.UNPACKED_LIMIT)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, limit + 1)
        with pytest.raises(ValueError) as raised:
            games.read(tmp_path / name)
        assert str(raised.value) == f"{name} has {limit + 1} bytes, expected at most {limit}."


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("horizon = 6", "horizon = 10_000_000", "horizon is 10000000, expected at most 1250000 steps for tables of this size."),
        ("horizon = 6", f"horizon = {10**400}", "expected a whole number of at most 1000000000."),
        ("plenty = [[2.0, 1.5]", f"plenty = [[{10**400}, 1.5]", "rewards[0] of plenty has a whole number that is too large, expected at most 1e+100 in size."),
        ("plenty = [[2.0, 1.5]", "plenty = [[1e300, 1.5]", "rewards[0] of plenty[0, 0] is 1e+300, expected at most 1e+100 in size."),
        ("plenty = [[2.0, 1.5]", 'plenty = [["2.0", "1.5"]', "rewards[0] of plenty must be an array of numbers, got list that NumPy cannot convert."),
        ("plenty = [[2.0, 1.5]", "plenty = [[1979-05-27, 1.5]", "rewards[0] of plenty must be an array of numbers, got list that NumPy cannot convert."),
        ("plenty = [[2.0, 3.0], [1.5, 2.5]]\nscarce = [[0.0, 0.5], [0.0, 0.4]]", "plenty = [[2.0]]\nscarce = [[0.0]]", "rewards[1] has shape (2, 1, 1), expected (2, 2, 2) as rewards[0]."),
        ("[transitions]", "[no_transitions]", "it lacks 'transitions'"),
        ('title = "The fishery"', 'family = "gate"\nparameters = 3', "parameters is 3, expected a table of names and values."),
        ('title = "The fishery"', 'family = "delayed_reward_chain"\nparameters = {horizon = 1_000_000_000}', "horizon is 1000000000, expected a whole number of at most 100000."),
        ('title = "The fishery"', 'family = "common_reward"\nparameters = {rng = 3}', "family is 'common_reward', expected one of "),
        ('title = "The fishery"', 'family = "replicated"', "family is 'replicated', expected one of "),
    ],
)
def test_toml_that_is_no_game(tmp_path, old, new, sentence):
    assert old in FISHERY
    found = refusal(tmp_path / "lake.toml", FISHERY.replace(old, new).encode())
    assert found.startswith("lake.toml does not describe a game: ")
    assert sentence in found


def test_a_small_file_of_a_large_table(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ENTRY_LIMIT", 15)
    expected = "lake.toml does not describe a game: transitions has 8 rows for 2 states, expected at most 15 entries in all."
    assert refusal(tmp_path / "lake.toml", FISHERY.encode()) == expected


@pytest.mark.parametrize("depth", [50, 300, 100_000])
def test_deep_nesting(tmp_path, depth):
    nested = "[" * depth + "]" * depth
    assert refusal(tmp_path / "deep.toml", FISHERY.replace("[[2.0, 1.5], [3.0, 2.5]]", nested).encode())
    assert refusal(tmp_path / "deep.toml", FISHERY.replace("[[{ plenty = 1.0 }", f"[[{nested}").encode())


# Fuzzing: any bytes give a game or a sentence


@given(st.binary(max_size=300), st.sampled_from(["mine.toml", "mine.npz"]))
@example(b"PK\x05\x06" + 18 * b"\0", "mine.npz")
def test_random_bytes(tmp_path_factory, content, name):
    refusal(tmp_path_factory.getbasetemp() / name, content)


def mutated(rng, content):
    """`content` with a few bytes changed, a piece lost, or a piece repeated."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(len(content)))
        length = int(rng.integers(1, 20))
        match rng.integers(3):
            case 0:
                content[place] = rng.integers(256)
            case 1:
                del content[place : place + length]
            case _:
                content[place:place] = content[place : place + length]
        content = content or bytearray(b"\0")
    return bytes(content)


@given(generators(), st.booleans())
def test_mutated_archives(tmp_path_factory, rng, compressed):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays())
    refusal(tmp_path_factory.getbasetemp() / "mutated.npz", mutated(rng, buffer.getvalue()))


@given(generators())
def test_mutated_arrays_in_a_sound_archive(tmp_path_factory, rng):
    """Mutations of the archive itself rarely get past its checksums."""
    members = [(f"{name}.npy", npy(np.asarray(array))) for name, array in arrays().items()]
    chosen = rng.integers(len(members))
    members[chosen] = (members[chosen][0], mutated(rng, members[chosen][1]))
    refusal(tmp_path_factory.getbasetemp() / "member.npz", archive(members))


@given(generators())
def test_mutated_toml(tmp_path_factory, rng):
    refusal(tmp_path_factory.getbasetemp() / "mutated.toml", mutated(rng, FISHERY.encode()))


WORDS = ["states", "plenty", "scarce", "{", "}", "[", "]", "=", ",", "\n", "'", "1e999", "-1", "nan", "inf", "0.5", "true", "9" * 50, "[[rewards]]", "[transitions]", "horizon", "[]", "{}", "family", '"gate"']  # fmt: skip


@given(generators(), st.sampled_from(WORDS))
def test_toml_with_words_swapped(tmp_path_factory, rng, word):
    """One word in place of another keeps more of the grammar than one byte in place of another."""
    parts = FISHERY.split(" ")
    parts[rng.integers(len(parts))] = word
    refusal(tmp_path_factory.getbasetemp() / "swapped.toml", " ".join(parts).encode())
