r"""River endgames of Texas hold'em: five cards lie open, and each player holds two cards drawn from a range.

A range is a reach probability for each of the 1326 hands: how likely a player who holds that hand has played so that the
endgame is reached. Two players hold $(h, h')$ with a probability in proportion to their reaches if the two hands share
no card, and never otherwise. Ranges come from the published files of the Libratus poker program (`load`, and `fetch`
for the files themselves) or from a seeded model (`synthetic`), which needs no file.
"""

import dataclasses
import math
import pathlib
import re

import numpy as np

from marlpaper import validation
from marlpaper.games import cards
from marlpaper.games.endgame_files import available, fetch

__all__ = ["Endgame", "available", "fetch", "load", "synthetic"]

SIZE_LIMIT = 1_000_000
REACH_TOLERANCE = 1e-8
"""Of reaches, which the published files print with fewer digits, and of the chance that a deal is possible."""
RIVER = 4
PLAYERS = 2
FIELDS = ("-round", "-board", "-pot", "-reach")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LONGEST_NUMBER = 40
SHOWN = 20

CONTRAST = 2.0
NOISE = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Endgame:
    """Two ranges on a board.

    Parameters
    ----------
    board : tuple of 5 int
        The open cards, indices into `cards.DECK`.
    pot : float
        What lies in the pot, half of it from each player; positive.
    reach : array_like, shape `(2, 1326)`
        Reach probabilities in [0, 1] of the hands `cards.HANDS`: first the out-of-position player, who acts first. Zero
        for hands that hold a card of the board. Kept as a read-only array.
    name : str
        What to call it.
    round : int, optional
        The betting round: 4, the river.

    Raises
    ------
    TypeError, ValueError
        If an entry does not fit, or if no two hands of the ranges can be held at once.
    """

    board: tuple[int, ...]
    pot: float
    reach: np.ndarray
    name: str
    round: int = RIVER

    def __post_init__(self):
        free = cards.free(self.board)
        reach = validation.array("reach", self.reach).copy()
        if reach.shape != (PLAYERS, len(cards.HANDS)):
            raise ValueError(f"reach has shape {reach.shape}, expected {(PLAYERS, len(cards.HANDS))}.")
        _refuse(reach, (reach < 0) | (reach > 1 + REACH_TOLERANCE), "a probability between 0 and 1")
        _refuse(reach, (reach > 0) & ~free, "0, because the hand holds a card of the board")
        _refuse_impossible_deal(reach)
        if self.round != RIVER:
            raise ValueError(f"round is {self.round!r}, expected {RIVER}, the river.")
        reach.flags.writeable = False
        fitted = {"board": tuple(map(int, self.board)), "pot": validation.positive("pot", self.pot), "reach": reach}
        for field, value in fitted.items():
            object.__setattr__(self, field, value)


def _refuse(reach, bad, expected):
    """Raise an error that names the first bad entry, if there is one."""
    if bad.any():
        player, hand = np.argwhere(bad)[0]
        held = "".join(cards.DECK[card] for card in cards.HANDS[hand])
        raise ValueError(f"reach[{player}, {hand}] (hand {held}) is {reach[player, hand]:.6g}, expected {expected}.")


def _refuse_impossible_deal(reach):
    """Raise an error unless two hands without a common card have a positive probability.

    All pairs, less the pairs that share a card; equal hands share two and are taken off twice. What rounding leaves of
    a difference of equal terms is no probability.
    """
    totals = reach.sum(1)
    for player in np.flatnonzero(totals == 0):
        raise ValueError(f"reach[{player}] is 0 for every hand, expected a range with at least one hand.")
    first, second = shares = reach / totals[:, None]
    held = [np.bincount(cards.HANDS.ravel(), np.repeat(share, 2), len(cards.DECK)) for share in shares]
    if 1 - held[0] @ held[1] + first @ second < REACH_TOLERANCE:
        raise ValueError("reach leaves no deal: every hand of reach[0] shares a card with every hand of reach[1].")


def synthetic(rng, board=None):
    r"""A made-up endgame: reach is a smooth function of hand strength plus noise.

    Let $x_h\in(0,1)$ be the share of the 1081 hands that $h$ beats on this board, ties counted half. The reaches are

    $$r_1(h)=\sigma(c\cos 2\pi x_h+\varepsilon_{1,h}),\qquad r_2(h)=\sigma(-c\cos 2\pi x_h+\varepsilon_{2,h}),$$

    with $\sigma(z)=1/(1+e^{-z})$, $c=2$ and independent standard normal $\varepsilon$. The out-of-position player is
    polarised (strong hands and bluffs), the other condensed (hands of middling strength), as after a bet and a call.
    Hands that hold a card of the board have reach 0, and the pot is 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    board : sequence of 5 int, optional
        Cards, indices into `cards.DECK`; drawn by default.

    Returns
    -------
    Endgame

    Raises
    ------
    ValueError
        If `board` is not five different cards.
    """
    if board is None:
        board = rng.choice(len(cards.DECK), cards.BOARD, replace=False)
    strengths = cards.hand_ranks(board)
    free = strengths >= 0
    _, place, equals = np.unique(strengths[free], return_inverse=True, return_counts=True)
    beaten = ((equals.cumsum() - equals / 2) / free.sum())[place]
    polarised = CONTRAST * np.cos(2 * math.pi * beaten)
    noise = NOISE * rng.standard_normal((PLAYERS, free.sum()))
    reach = np.zeros((PLAYERS, len(cards.HANDS)))
    reach[:, free] = 1 / (1 + np.exp(-np.stack([polarised, -polarised]) - noise))
    return Endgame(tuple(board), 1.0, reach, "synthetic")


def load(path):
    """Read an endgame from a file in the format of the published Libratus endgames.

    Four lines, each a word and what it stands for: `-round 4`; `-board` with five cards such as `4s8hTc9h2s`; `-pot`; and
    `-reach` with 2652 probabilities, first those of the out-of-position player, hands in the order of `cards.HANDS`.

    Parameters
    ----------
    path : str or os.PathLike
        The file, at most 1,000,000 bytes.

    Returns
    -------
    Endgame
        Named after the file, without its ending.

    Raises
    ------
    ValueError
        If there is no such file, or it does not hold an endgame, or it ends in the middle of a line: one sentence.
    """
    path = pathlib.Path(path)
    try:
        fields = _fields(_text(path))
        return Endgame(_board(fields["-board"]), _number("-pot", fields["-pot"]), _reach(fields["-reach"]), path.stem)
    except (OSError, ValueError) as error:
        reason = f"{error.strerror}." if isinstance(error, OSError) else error
        raise ValueError(f"{path.name} cannot be read as an endgame: {reason}") from None


def _text(path):
    # A pipe or a device might never end, so only a regular file is opened, and no more is read than may be there.
    if not path.is_file():
        raise ValueError(f"there is no such file in {path.parent}.")
    with path.open("rb") as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"it has more than {SIZE_LIMIT} bytes.")
    if not content.isascii():
        raise ValueError("it holds bytes that are not ASCII text.")
    text = content.decode("ascii")
    if not text.endswith("\n"):
        raise ValueError("its last line has no end, so that it may have been cut short.")
    return text


def _fields(text):
    """What follows each of the four words."""
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        word, *value = line.split(maxsplit=1)
        if word not in FIELDS:
            raise ValueError(f"line {number} starts with {_shown(word)}, expected one of {', '.join(FIELDS)}.")
        if word in found:
            raise ValueError(f"line {number} gives {word} a second time.")
        found[word] = "".join(value).strip()
    for word in FIELDS:
        if word not in found:
            raise ValueError(f"it lacks the line {word}.")
    if found["-round"] != str(RIVER):
        raise ValueError(f"-round is {_shown(found['-round'])}, expected {RIVER}, the river.")
    return found


def _board(text):
    if len(text) != 2 * cards.BOARD:
        raise ValueError(f"-board is {_shown(text)}, expected {cards.BOARD} cards of two characters each.")
    return cards.parse(text, "-board")


def _reach(text):
    words = text.split()
    expected = PLAYERS * len(cards.HANDS)
    if len(words) != expected:
        raise ValueError(f"-reach has {len(words)} numbers, expected {expected}: {PLAYERS} players with {len(cards.HANDS)} hands each.")
    return np.reshape([_number(f"-reach[{index}]", word) for index, word in enumerate(words)], (PLAYERS, -1))


def _number(name, word):
    """A number as the files write it. Python would also take `nan` and `1_000`, and its time on long ones grows fast."""
    if len(word) > LONGEST_NUMBER or not NUMBER.fullmatch(word):
        raise ValueError(f"{name} is {_shown(word)}, expected a number.")
    return float(word)


def _shown(word):
    return repr(word if len(word) <= SHOWN else word[:SHOWN] + "...")
