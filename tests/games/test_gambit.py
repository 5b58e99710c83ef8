"""Gambit's .nfg files: any game written in either form, in any spelling of its numbers, is read back; what is broken
is told in a sentence."""

import fractions
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marlpaper import cli, equilibrium, games
from marlpaper.games import gambit

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
NUMBERS = (
    st.integers(-(10**6), 10**6).map(fractions.Fraction)
    | st.fractions(-100, 100, max_denominator=64)
    | st.decimals(-1000, 1000, places=3).map(fractions.Fraction)
)
OUTCOMES = """NFG 1 R "outcomes" { "R" "C" }

{ { "u" "d" }
{ "l" "r" }
}
""

{
{ "a" 3, 0 }
{ "b" 0, 3 }
{ "c" 3/2, 3/2 }
}
1 2 2 3
"""


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def spelled(number, how):
    decimal = 10**3 % number.denominator == 0
    return (
        str(float(number))
        if how == "decimal" and decimal
        else f"{number.numerator}/{number.denominator}" if how == "fraction" else str(number)
    )


@st.composite
def written(draw):
    """A file, and the payoffs (N, A_1, ..., A_N) and names that stand in it."""
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    title, players = draw(NAMES), draw(st.lists(NAMES, min_size=len(counts), max_size=len(counts)))
    named, outcomes, comment = draw(st.booleans()), draw(st.booleans()), draw(st.none() | NAMES)
    actions = [
        draw(st.lists(NAMES, min_size=count, max_size=count)) if named else [str(k + 1) for k in range(count)]
        for count in counts
    ]
    how, comma = draw(st.sampled_from(["plain", "decimal", "fraction"])), draw(st.sampled_from([" ", ", ", "\n"]))
    row = st.lists(NUMBERS, min_size=len(counts), max_size=len(counts))
    strategies = " ".join("{ " + " ".join(map(quoted, own)) + " }" if named else str(len(own)) for own in actions)
    people = " ".join(map(quoted, players))
    head = f"NFG 1 {draw(st.sampled_from('RD'))} {quoted(title)} {{ {people} }}\n\n{{ {strategies} }}\n"
    head += "" if comment is None else f"{quoted(comment)}\n"
    joint = int(np.prod(counts))
    payoffs = np.zeros((len(counts), *counts))
    if outcomes:
        table = draw(st.lists(row, min_size=1, max_size=4))
        chosen = draw(st.lists(st.integers(0, len(table)), min_size=joint, max_size=joint))
        body = (
            "{\n"
            + "\n".join(f'{{ "o" {comma.join(spelled(x, how) for x in own)} }}' for own in table)
            + "\n}\n"
            + " ".join(map(str, chosen))
        )
        rows = [[fractions.Fraction(0)] * len(counts) if k == 0 else table[k - 1] for k in chosen]
    else:
        rows = draw(st.lists(row, min_size=joint, max_size=joint))
        body = " ".join(spelled(x, how) for own in rows for x in own)
    for k, own in enumerate(rows):  # the first player's strategy runs fastest
        place = []
        for count in counts:
            k, digit = divmod(k, count)
            place.append(digit)
        payoffs[(slice(None), *place)] = [float(x) for x in own]
    return head + body + draw(st.sampled_from(["", "\n", " \n\n"])), payoffs, {"players": players, "actions": actions}


@given(written())
def test_what_is_written_is_read(tmp_path_factory, example):
    text, payoffs, names = example
    path = tmp_path_factory.mktemp("nfg") / "game.nfg"
    path.write_text(text, encoding="utf-8", newline="")
    game, labels = gambit.read(path)
    assert np.array_equal(game.rewards[:, 0, 0], payoffs) and game.actions == payoffs.shape[1:]
    assert {name: labels[name] for name in names} == names


@given(written(), st.data())
def test_what_is_cut_or_changed_is_refused_in_one_sentence(tmp_path_factory, example, data):
    text = example[0]
    place = data.draw(st.integers(0, len(text) - 1))
    broken = (
        text[:place]
        if data.draw(st.booleans())
        else text[:place] + data.draw(st.sampled_from(['"', "{", "}", "x", "1/0 ", "1e999 ", "-"])) + text[place:]
    )
    path = tmp_path_factory.mktemp("nfg") / "game.nfg"
    path.write_text(broken, encoding="utf-8", newline="")
    try:
        gambit.read(path)
    except ValueError as error:
        assert str(error).startswith("game.nfg is not a readable Gambit .nfg file: ") and "\n" not in str(error)[:60]


def test_outcome_form_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "outcomes.nfg"
    path.write_text(OUTCOMES, encoding="utf-8")
    assert cli.main(["solve", str(path), "--iterations", "10"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        "outcomes: MarkovGame(agents=2, states=1, actions=(2, 2), horizon=1)\nkind: constant-sum: zero-sum after a "
        "shift"
    )
    assert "agent 0: [u " in printed
    assert games.read(path).rewards[0, 0, 0].tolist() == [[3, 0], [0, 1.5]]
    assert equilibrium.solve_zero_sum(games.read(path))[1][0, 0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("NFG", "EFG", "word 1 is 'EFG', expected NFG"),
        ("1 2 2 3", "1 2 2 4", "word N is '4', expected the number of an outcome from 0 to 3"),
        ("1 2 2 3", "1 2 2", "word N is 'its end', expected the number of an outcome"),
        ("1 2 2 3", "1 2 2 3 1", "word N is '1', expected the end after 4 joint strategies"),
        (
            "3/2, 3/2",
            "3/2, three",
            "word N is 'three', expected a payoff: a whole number, a decimal or a fraction such as 3/2",
        ),
        (
            '"R" "C"',
            '"R"',
            "it has strategies of 2 players, expected one or more players with strategies each, and there are 1",
        ),
        (
            '{ "l" "r" }',
            "2999999",
            "it has 5999998 joint strategies of 2 players, expected at most 5000000 payoffs in all",
        ),
        ('{ "l" "r" }', "{ }", "it has a player without strategies, expected at least one"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, sentence):
    path = tmp_path / "game.nfg"
    path.write_text(OUTCOMES.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        games.read(path)
    said = re.sub(r"word \d\d is", "word N is", str(raised.value))
    assert said.startswith(f"game.nfg is not a readable Gambit .nfg file: {sentence}")


def test_openspiel_says_who_reads_them(tmp_path):
    path = tmp_path / "outcomes.nfg"
    path.write_text(OUTCOMES, encoding="utf-8")
    with pytest.raises(
        ValueError,
        match=r"which OpenSpiel does not load: games\.read\(path\) reads \.nfg files, of payoff and of outcome form\.$",
    ):
        games.from_openspiel(f"nfg_game(filename={path})")
