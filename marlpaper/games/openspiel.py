r"""Games of OpenSpiel as Markov games, by writing out all their states.

A perfect-information game with simultaneous moves *is* a finite-horizon Markov game: step $h$ is the $h$-th time that
players move, and chance is folded into the kernel. A state is its history, for OpenSpiel's text of it need not tell
all that matters; histories with the same text after which everything is the same are then one state. States are
numbered anew in each step, so that a game of many steps needs no more room than its widest one. Paths that end early
wait in a state called `over`, where nothing happens.
"""

import collections
import importlib
import itertools
import math

import numpy as np

from marlpaper import validation
from marlpaper.games.tabular import MarkovGame
from marlpaper.lookup import require

SIZE_LIMIT = 20_000_000
HISTORY_LIMIT = 100_000
"""Moves that are played out, at most, which takes a few seconds."""
ROUNDING_DIGITS = 12
"""Rewards that agree to so many digits, of the range of what can be won, are the same."""
OVER = "over"
KEYS = ("history", "information", "text")


class SpielGame(MarkovGame):
    """A finite-horizon game that `from_openspiel` has written out.

    Attributes
    ----------
    source : str
        The game in OpenSpiel's words, with all its parameters.
    state_names : tuple of H tuples of str
        OpenSpiel's text of each state of a step, with a history behind it where the text is that of several; states
        beyond are never reached.
    legal_actions : tuple of N arrays of bool (H, S, A_i)
        Actions are numbered as in OpenSpiel. In a state with $n$ legal actions, an illegal action $a$ does what the
        legal action number $a\\bmod n$ does, so that no policy is invalid and equilibria stay what they are. A player who does not
        move has the one legal action 0.
    """

    def __init__(self, rewards, transitions, initial, *, source, state_names, legal_actions):
        super().__init__(rewards, transitions, initial)
        self.source, self.state_names, self.legal_actions = source, state_names, legal_actions


def from_openspiel(game, size_limit=SIZE_LIMIT, key="history"):
    r"""A game of OpenSpiel as a `MarkovGame`.

    Parameters
    ----------
    game : str or pyspiel.Game
        E.g. `"goofspiel(num_cards=4,points_order=descending)"`, `"matrix_rps"`,
        `"oshi_zumo(coins=3,size=1,horizon=4)"`, `"markov_soccer(horizon=2)"`. Perfect information, explicit chance;
        any number of players.
    size_limit : int
        Largest number of entries of kernel and rewards together, $HSA_1\cdots A_N(S+N)$, where $A_i$ counts
        OpenSpiel's numbers of actions, legal or not; 20 million take 160 MB.
    key : {"history", "information", "text"} or callable
        What tells states of a step apart. `history` is always right, and plays out every history, at most
        HISTORY_LIMIT moves. Faster, but on your word that nothing else matters for what follows: `information`, what
        OpenSpiel says that each player knows; `text`, what it prints of the state; a function from a state of
        OpenSpiel to a string.

    Returns
    -------
    SpielGame

    Raises
    ------
    ModuleNotFoundError
        If OpenSpiel is not installed.
    UnknownNameError
        If OpenSpiel has no game of that name.
    TypeError, ValueError
        If the game has imperfect information or hidden chance, is larger than the limit, or `key` does not tell legal
        actions apart.
    """
    pyspiel = _pyspiel()
    size_limit = validation.whole("size_limit", size_limit, 1)
    game = _loaded(pyspiel, game)
    _check_kind(pyspiel, game)
    tell = _key_function(game, key)
    layers, initial = _layers(game, size_limit, tell)
    _pay(pyspiel, game, layers)
    if tell is _history:
        layers, initial = _merged(game, layers, initial)
        _check_size(game, size_limit, layers)
    return _written_out(game, layers, initial)


def _key_function(game, key):
    if callable(key):
        return key
    validation.choice("key", key, KEYS)
    if key == "information" and not game.get_type().provides_information_state_string:
        raise ValueError(f"key is 'information', which {str(game)!r} does not provide, expected 'history' or 'text'.")
    return {"history": _history, "information": _information, "text": str}[key]


def _history(state):
    return tuple(state.history())


def _information(state):
    return tuple(state.information_state_string(player) for player in range(state.num_players()))


def _pyspiel():
    try:
        return importlib.import_module("pyspiel")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("from_openspiel needs OpenSpiel, which is not installed: pip install 'marlpaper[games]'.", name="pyspiel") from None


def _loaded(pyspiel, game):
    if isinstance(game, pyspiel.Game):
        return game
    if not isinstance(game, str):
        raise TypeError(f"game is {game!r}, expected the name of an OpenSpiel game, with its parameters in parentheses.")
    name = game.partition("(")[0].strip()
    require("OpenSpiel game", name, pyspiel.registered_names())
    try:
        return pyspiel.load_game(game)
    except (RuntimeError, ValueError) as error:  # SpielError is a RuntimeError
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        if name == "nfg_game":
            raise ValueError(
                f"game is {game!r}, which OpenSpiel does not load: games.read(path) reads .nfg files, of payoff and "
                f"of outcome form."
            ) from None
        if "CHECK_" in reason:  # a line of its source code, which tells nobody what to change
            reason = "its parameters do not fit"
        raise ValueError(f"game is {game!r}, which OpenSpiel does not load: {reason}.") from None


def _check_kind(pyspiel, game):
    kind = game.get_type()
    known = (pyspiel.GameType.Information.PERFECT_INFORMATION, pyspiel.GameType.Information.ONE_SHOT)
    if kind.information not in known:
        raise ValueError(f"game is {str(game)!r} with imperfect information, expected one whose players see everything but each other's next move.")
    if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        raise ValueError(f"game is {str(game)!r}, whose chance outcomes are drawn but not listed, expected explicit chances.")
    if kind.dynamics == pyspiel.GameType.Dynamics.MEAN_FIELD:
        raise ValueError(f"game is {str(game)!r}, a mean-field game, expected one of finitely many players.")


class _Layer:
    """The states of one step: what tells them apart, OpenSpiel's state (`None` when over), text, legal actions, and
    what joint actions lead to."""

    def __init__(self):
        self.numbers, self.states, self.texts, self.legal, self.rows = {}, [], [], [], []

    def number(self, state, tell):
        """The number of a state, new or known."""
        over = state is None or state.is_terminal()
        name = OVER if state is None else tell(state)
        legal = None if state is None else ((0,),) * state.num_players() if over else _legal(state)
        if name not in self.numbers:
            self.numbers[name] = len(self.states)
            self.states.append(state)
            self.texts.append(OVER if state is None else str(state))
            self.legal.append(legal)
        known = self.numbers[name]
        if self.legal[known] != legal:
            raise ValueError(
                f"game has two states with the key {name!r} that differ in their legal actions, expected a key that "
                f"tells states apart."
            )
        return known


def _layers(game, size_limit, tell):
    """All steps, and the start distribution over the states of the first one; chance may end the game before anyone
    moves."""
    layer, layers, played = _Layer(), [], 0
    start = [(chance, layer.number(state, tell)) for chance, state in _settled(game.new_initial_state())]
    if all(state.is_terminal() for state in layer.states):
        raise ValueError(f"game is {str(game)!r}, in which nobody ever moves, expected at least one decision.")
    while any(state is not None for state in layer.states):
        layers.append(layer)
        _check_size(game, size_limit, layers)
        played += sum(math.prod(map(len, legal)) for legal in layer.legal if legal)
        if tell is _history and played > HISTORY_LIMIT:
            raise ValueError(
                f"game is {str(game)!r}, in which at least {played} moves follow different histories up to step "
                f"{len(layers)}, expected at most {HISTORY_LIMIT}: "
                "choose smaller parameters or, if OpenSpiel's text of a state says all that matters, key='text'."
            )
        following = _Layer()
        layer.rows = [
            None if state is None else _moves(state, legal, following, tell)
            for state, legal in zip(layer.states, layer.legal, strict=True)
        ]
        if None in layer.states:
            following.number(None, tell)
        layer = following
    initial = np.bincount([number for _, number in start], [chance for chance, _ in start])
    return layers, initial


def _check_size(game, size_limit, layers):
    """Refuse what would be too large before it is there: several histories of one text may be one state, states of
    different texts are not."""
    widest = max(len(set(layer.texts)) for layer in layers)
    agents = game.num_players()
    legal = [own for layer in layers for own in layer.legal if own]
    joint = math.prod(1 + max(max(own[i]) for own in legal) for i in range(agents))
    needed = len(layers) * widest * joint * (widest + agents)
    if needed > size_limit:
        raise ValueError(
            f"game is {str(game)!r}, which has {widest} states of up to {joint} joint actions in step {len(layers)}, "
            f"and at least "
            f"{needed:.1e} entries, expected at most {size_limit:.1e}: choose smaller parameters or raise size_limit."
        )


def _merged(game, layers, initial):
    """The same game with one state in place of histories that have the same text and the same future, from the last
    step backwards."""
    scale = game.max_utility() - game.min_utility()
    scale = scale if 0 < scale < math.inf else 1.0
    result, into = [], None
    for layer in reversed(layers):
        merged, places = _Layer(), []
        for name, text, state, legal, moves in zip(
            layer.numbers, layer.texts, layer.states, layer.legal, layer.rows, strict=True
        ):
            moves = None if moves is None else [(reward, _joined(ends, into)) for reward, ends in moves]
            future = moves and tuple(
                (
                    *np.round(reward / scale, ROUNDING_DIGITS) + 0.0,
                    *((round(chance, ROUNDING_DIGITS), number) for chance, number in ends),
                )
                for reward, ends in moves
            )
            place = merged.numbers.setdefault((text, legal, future), len(merged.states))
            places.append(place)
            if place == len(merged.states):
                merged.states.append(state)
                merged.texts.append(text)
                merged.legal.append(legal)
                merged.rows.append(moves)
        _name_apart(merged, places, list(layer.numbers))
        result.append(merged)
        into = places
    return result[::-1], np.bincount(into[: len(initial)], initial)


def _joined(ends, into):
    """Chances of next states, those of the same one added up; after the last step there is nothing to tell apart."""
    total = {}
    for chance, number in ends:
        place = 0 if into is None else into[number]
        total[place] = total.get(place, 0.0) + chance
    return [(chance, place) for place, chance in sorted(total.items())]


def _name_apart(layer, places, histories):
    """Texts that several states share get the first history of each."""
    first = {place: histories[k] for k, place in reversed(list(enumerate(places)))}
    shared = {text for text, count in collections.Counter(layer.texts).items() if count > 1}
    layer.texts = [
        f"{text} after {' '.join(map(str, first[place]))}" if text in shared else text
        for place, text in enumerate(layer.texts)
    ]


def _legal(state):
    """Each player's legal actions; a player who does not move has one."""
    return tuple(tuple(state.legal_actions(player)) or (0,) for player in range(state.num_players()))


def _moves(state, legal, following, tell):
    """For each joint action in order: where it leads, triples (chance, OpenSpiel's state, its number in the next
    step)."""
    if state.is_terminal():
        return [[(1.0, state, following.number(None, tell))]]
    moves = []
    for joint in itertools.product(*legal):
        child = state.clone()
        if state.is_simultaneous_node():
            child.apply_actions(list(joint))
        else:
            child.apply_action(joint[state.current_player()])
        moves.append(
            [
                (chance, end, following.number(None if end.is_terminal() else end, tell))
                for chance, end in _settled(child)
            ]
        )
    return moves


def _pay(pyspiel, game, layers):
    """Put rewards in: rows become pairs of a reward and pairs (chance, number of the next state).

    Returns are asked for in the order of a walk through the tree, branch by branch: some games draw them when they
    are first asked. What chance has paid before the first step counts for that step.
    """
    at_end = game.get_type().reward_model == pyspiel.GameType.RewardModel.TERMINAL
    rewards = [
        [None if moves is None else np.zeros((len(moves), game.num_players())) for moves in layer.rows]
        for layer in layers
    ]
    seen = [[False] * len(layer.states) for layer in layers]
    walk = [(0, s, None) for s in reversed(range(len(layers[0].states)))]
    while walk:
        h, s, end = walk.pop()
        if end is not None:
            k, chance, state, number = end
            if state.is_terminal() or not at_end:
                rewards[h][s][k] += chance * np.array(state.returns())
            if state.is_terminal():
                continue
            h, s = h + 1, number
        if not seen[h][s]:
            seen[h][s] = True
            if h > 0 and not at_end:
                rewards[h][s] -= np.array(layers[h].states[s].returns())
            ends = [(k, *end) for k, move in enumerate(layers[h].rows[s]) for end in move]
            walk += [(h, s, end) for end in reversed(ends)]
    for layer, own in zip(layers, rewards, strict=True):
        layer.rows = [
            (
                None
                if moves is None
                else [
                    (reward, [(chance, number) for chance, _, number in move])
                    for reward, move in zip(paid, moves, strict=True)
                ]
            )
            for moves, paid in zip(layer.rows, own, strict=True)
        ]


def _settled(state):
    """Pairs (chance, state) of where chance leads until a player moves or the game ends."""
    if not state.is_chance_node():
        return [(1.0, state)]
    return [
        (chance * further, end) for outcome, chance in state.chance_outcomes() for further, end in _settled(state.child(outcome))
    ]


def _written_out(game, layers, initial):
    agents, horizon, states = game.num_players(), len(layers), max(len(layer.states) for layer in layers)
    counts = tuple(1 + max(max(legal[i]) for layer in layers for legal in layer.legal if legal) for i in range(agents))
    rewards = np.zeros((agents, horizon, states, *counts))
    transitions = np.zeros((horizon, states, *counts, states))
    masks = tuple(np.zeros((horizon, states, count), bool) for count in counts)
    for s in range(states):  # states that are over or do not exist stay where they are
        transitions[:, s, ..., s] = 1
    for h, layer in enumerate(layers):
        if None in layer.states and h + 1 < horizon:
            transitions[h, layer.states.index(None)] = np.eye(states)[layers[h + 1].states.index(None)]
        for s, (legal, moves) in enumerate(zip(layer.legal, layer.rows, strict=True)):
            if moves is None:
                continue
            meant = np.ix_(*(_meant(own, count) for own, count in zip(legal, counts, strict=True)))
            shape = tuple(map(len, legal))
            rewards[:, h, s] = np.stack([reward for reward, _ in moves], -1).reshape(agents, *shape)[(slice(None), *meant)]
            transitions[h, s] = _kernel(moves, states, last=h + 1 == horizon).reshape(*shape, states)[meant]
            for mask, own in zip(masks, legal, strict=True):
                mask[h, s, list(own)] = True
    names = tuple(tuple(layer.texts) for layer in layers)
    initial = np.pad(initial, (0, states - len(initial)))
    return SpielGame(rewards, transitions, initial, source=str(game), state_names=names, legal_actions=masks)


def _meant(legal, count):
    """Which of the legal actions each action stands for."""
    return [legal.index(action) if action in legal else action % len(legal) for action in range(count)]


def _kernel(moves, states, last):
    """Next-state distributions (joint actions, S); after the last step the next state means nothing, and is 0."""
    kernel = np.zeros((len(moves), states))
    for row, (_, ends) in zip(kernel, moves, strict=True):
        for chance, number in ends:
            row[0 if last else number] += chance
    return kernel / kernel.sum(-1, keepdims=True)
