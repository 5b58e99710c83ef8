r"""Normal-form games in Gambit's `.nfg` files, in payoff form and in outcome form.

Both begin with ``NFG 1 R "title" { "player" ... }`` and either the numbers of strategies, ``{ 2 3 }``, or their
names, ``{ { "up" "down" } ... }``; a comment in quotation marks may follow. In *payoff form* then come the payoffs,
the players' of one joint strategy side by side, the first player's strategy running fastest. In *outcome form* come
outcomes in braces, each with a name and a payoff for each player, and for each joint strategy the number of its
outcome, 0 for none, which pays nothing. Payoffs are whole numbers, decimals or fractions such as ``3/2``.
"""

import fractions
import math
import re

import numpy as np

from marlpaper import validation
from marlpaper.games.tabular import MarkovGame

FILE_LIMIT = 50_000_000
"""Bytes of a file."""
ENTRY_LIMIT = 5_000_000
"""Payoffs of a game."""
TOKEN = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|([{}])|([^\s"{},]+)|,)', re.DOTALL)
NUMBER = re.compile(r"[+-]?(?:\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)", re.ASCII)
LONGEST_NUMBER = 1000


def read(path):
    """The game in a `.nfg` file, as a Markov game of one state and one step, and its names.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    game : MarkovGame
    labels : dict
        `title`; `players`: their names; `actions`: each player's strategies, numbered from 1 where the file has
        numbers only.

    Raises
    ------
    ValueError
        If the file is too large, or no game in one of the two forms; one sentence that names the first entry that
        does not fit.
    """
    size = path.stat().st_size
    if size > FILE_LIMIT:
        raise ValueError(f"{path.name} has {size} bytes, expected at most {FILE_LIMIT}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _game(_Tokens(text))
    except (UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a readable Gambit .nfg file: {str(error).rstrip('.')}.") from None


class _Tokens:
    """The words of a file in order: pairs of a kind, `text`, `brace` or `word`, and what it says."""

    def __init__(self, text):
        self.found, place, end = [], 0, len(text.rstrip())
        while place < end:
            match = TOKEN.match(text, place)
            if match is None:
                raise ValueError(f"it has a quotation mark without its partner at {text[place : place + 20].strip()!r}")
            place = match.end()
            for kind, part in zip(("text", "brace", "word"), match.groups(), strict=True):
                if part is not None:
                    self.found.append((kind, re.sub(r"\\(.)", r"\1", part) if kind == "text" else part))
        self.place = 0

    def __bool__(self):
        return self.place < len(self.found)

    def peek(self):
        return self.found[self.place] if self else (None, "its end")

    def take(self, kind, expected, said=None):
        """The next word, if it is of a kind and, where something is `said`, that."""
        found = self.peek()
        if found[0] != kind or (said is not None and found[1] != said):
            raise ValueError(f"word {self.place + 1} is {found[1][:40]!r}, expected {expected}")
        self.place += 1
        return found[1]

    def group(self, expected, item):
        """What `item` reads, again and again, between braces."""
        self.take("brace", f"{{ before {expected}", "{")
        items = []
        while self.peek() != ("brace", "}"):
            if not self:
                raise ValueError(f"it ends among {expected}, expected }}")
            items.append(item())
        self.place += 1
        return items

    def name(self):
        return self.take("text", "a name in quotation marks")

    def number(self):
        """A payoff."""
        place, word = self.place + 1, self.take("word", "a payoff")
        if len(word) > LONGEST_NUMBER or not NUMBER.fullmatch(word):
            raise ValueError(
                f"word {place} is {word[:40]!r}, expected a payoff: a whole number, a decimal or a fraction such as 3/2"
            )
        try:
            value = fractions.Fraction(word)
            if abs(value) > validation.LARGEST:
                raise OverflowError
            return float(value)
        except (OverflowError, ZeroDivisionError):
            raise ValueError(
                f"word {place} is {word[:40]!r}, expected a payoff of at most {validation.LARGEST:g} in size"
            ) from None

    def whole(self, low, high, expected):
        """A whole number in a range."""
        place, word = self.place + 1, self.take("word", expected)
        if not re.fullmatch(r"\d{1,9}", word, re.ASCII) or not low <= int(word) <= high:
            raise ValueError(f"word {place} is {word[:40]!r}, expected {expected} from {low} to {high}")
        return int(word)


def _game(tokens):
    tokens.take("word", "NFG", "NFG")
    tokens.take("word", "1, the version", "1")
    if tokens.peek()[1] not in ("R", "D"):
        raise ValueError(f"word {tokens.place + 1} is {tokens.peek()[1][:40]!r}, expected R or D")
    tokens.place += 1
    title = tokens.take("text", "the title in quotation marks")
    players = tokens.group("the names of the players", tokens.name)
    actions = tokens.group("the players' strategies", lambda: _strategies(tokens))
    if not players or len(actions) != len(players):
        raise ValueError(
            f"it has strategies of {len(actions)} players, expected one or more players with strategies each, and "
            f"there are {len(players)}"
        )
    counts = tuple(map(len, actions))
    if math.prod(counts) * len(players) > ENTRY_LIMIT:
        raise ValueError(
            f"it has {math.prod(counts)} joint strategies of {len(players)} players, expected at most {ENTRY_LIMIT} "
            f"payoffs in all"
        )
    if tokens.peek()[0] == "text":  # a comment
        tokens.place += 1
    payoffs = _outcome_form(tokens, counts) if tokens.peek() == ("brace", "{") else _payoff_form(tokens, counts)
    if tokens:
        raise ValueError(
            f"word {tokens.place + 1} is {tokens.peek()[1][:40]!r}, expected the end after {math.prod(counts)} joint "
            f"strategies"
        )
    rewards = payoffs.reshape(len(players), 1, *counts[::-1]).transpose(0, 1, *range(len(counts) + 1, 1, -1))
    game = MarkovGame(rewards, np.ones((1, *counts, 1)), horizon=1)
    return game, {"title": title or "a game without a title", "players": players, "actions": actions}


def _strategies(tokens):
    """One player's: names in braces, or a number of them."""
    if tokens.peek() == ("brace", "{"):
        names = tokens.group("the names of a player's strategies", tokens.name)
        if not names:
            raise ValueError("it has a player without strategies, expected at least one")
        return names
    return [str(k + 1) for k in range(tokens.whole(1, ENTRY_LIMIT, "a number of strategies"))]


def _payoff_form(tokens, counts):
    joint = math.prod(counts)
    return np.array([[tokens.number() for _ in counts] for _ in range(joint)]).T


def _outcome_form(tokens, counts):
    outcomes = np.array([[0.0] * len(counts), *tokens.group("the outcomes", lambda: _outcome(tokens, len(counts)))])
    chosen = [tokens.whole(0, len(outcomes) - 1, "the number of an outcome") for _ in range(math.prod(counts))]
    return outcomes[chosen].T


def _outcome(tokens, agents):
    tokens.take("brace", "{ before an outcome", "{")
    tokens.name()
    payoffs = [tokens.number() for _ in range(agents)]
    tokens.take("brace", f"}} after {agents} payoffs", "}")
    return payoffs
