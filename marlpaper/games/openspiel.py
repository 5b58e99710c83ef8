r"""Games of OpenSpiel as Markov games, by writing out all their states.

A perfect-information game with simultaneous moves *is* a finite-horizon Markov game: step $h$ is the $h$-th time that players move, the
state is what OpenSpiel prints of it, and chance is folded into the kernel. States are numbered anew in each step, so that a game of many
steps needs no more room than its widest one. Paths that end early wait in a state called `over`, where nothing happens.
"""

import importlib
import itertools
import math

import numpy as np

from marlpaper import validation
from marlpaper.games.tabular import MarkovGame
from marlpaper.lookup import require

SIZE_LIMIT = 20_000_000
OVER = "over"


class SpielGame(MarkovGame):
    """A finite-horizon game that `from_openspiel` has written out.

    Attributes
    ----------
    source : str
        The game in OpenSpiel's words, with all its parameters.
    state_names : tuple of H tuples of str
        OpenSpiel's text of each state of a step; states beyond are never reached.
    legal_actions : tuple of N arrays of bool (H, S, A_i)
        Actions are numbered as in OpenSpiel. In a state with $n$ legal actions, an illegal action $a$ does what the
        legal action number $a\\bmod n$ does, so that no policy is invalid and equilibria stay what they are. A player who does not
        move has the one legal action 0.
    """

    def __init__(self, rewards, transitions, initial, *, source, state_names, legal_actions):
        super().__init__(rewards, transitions, initial)
        self.source, self.state_names, self.legal_actions = source, state_names, legal_actions


def from_openspiel(game, size_limit=SIZE_LIMIT):
    r"""A game of OpenSpiel as a `MarkovGame`.

    Parameters
    ----------
    game : str or pyspiel.Game
        E.g. `"goofspiel(num_cards=4,points_order=descending)"`, `"matrix_rps"`, `"oshi_zumo(coins=4,size=1)"`,
        `"markov_soccer(horizon=2)"`. Perfect information, explicit chance; any number of players.
    size_limit : int
        Largest number of kernel entries, $H\cdot S\cdot A_1\cdots A_N\cdot S$; 20 million take 160 MB.

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
        If the game has imperfect information or hidden chance, or is larger than the limit.
    """
    pyspiel = _pyspiel()
    size_limit = validation.whole("size_limit", size_limit, 1)
    game = _loaded(pyspiel, game)
    _check_kind(pyspiel, game)
    layers, initial = _layers(game, size_limit)
    return _written_out(game, layers, initial)


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
    require("OpenSpiel game", game.partition("(")[0].strip(), pyspiel.registered_names())
    try:
        return pyspiel.load_game(game)
    except (RuntimeError, ValueError) as error:  # SpielError is a RuntimeError
        reason = str(error).strip().partition("\n")[0].rstrip(".")
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
    """The states of one step: OpenSpiel's state (`None` when over), its legal actions, and what its joint actions lead to."""

    def __init__(self):
        self.numbers, self.states, self.legal, self.rows = {}, [], [], []

    def number(self, state):
        """The number of a state, new or known."""
        name, legal = (OVER, None) if state is None else (str(state), _legal(state))
        if name not in self.numbers:
            self.numbers[name] = len(self.states)
            self.states.append(state)
            self.legal.append(legal)
        known = self.numbers[name]
        if self.legal[known] != legal:
            raise ValueError(f"game has two states with the text {name!r} that differ in their legal actions, expected texts that tell states apart.")
        return known


def _layers(game, size_limit):
    """All steps, and the start distribution over the states of the first one."""
    layer, layers = _Layer(), []
    start = [(chance, layer.number(state)) for chance, state in _settled(game.new_initial_state())]
    widest, joint = 0, 1
    while any(state is not None for state in layer.states):
        widest = max(widest, len(layer.states))
        joint = max(joint, *(math.prod(map(len, legal)) for legal in layer.legal if legal))
        needed = (len(layers) + 1) * widest**2 * joint
        if needed > size_limit:
            raise ValueError(
                f"game is {str(game)!r}, which has {widest} states of up to {joint} joint actions in step {len(layers) + 1}, and at least "
                f"{needed:.1e} kernel entries, expected at most {size_limit:.1e}: choose smaller parameters or raise size_limit."
            )
        following = _Layer()
        layer.rows = [None if state is None else _moves(state, legal, following) for state, legal in zip(layer.states, layer.legal, strict=True)]
        if None in layer.states:
            following.number(None)
        layers.append(layer)
        layer = following
    if not layers:
        raise ValueError(f"game is {str(game)!r}, in which nobody ever moves, expected at least one decision.")
    initial = np.bincount([number for _, number in start], [chance for chance, _ in start])
    return layers, initial


def _legal(state):
    """Each player's legal actions; a player who does not move has one."""
    return tuple(tuple(state.legal_actions(player)) or (0,) for player in range(state.num_players()))


def _moves(state, legal, following):
    """For each joint action in order: the rewards, and pairs (chance, number of the next state)."""
    before, moves = np.array(state.returns()), []
    for joint in itertools.product(*legal):
        child = state.clone()
        if state.is_simultaneous_node():
            child.apply_actions(list(joint))
        else:
            child.apply_action(joint[state.current_player()])
        ends = _settled(child)
        reward = sum(chance * np.array(end.returns()) for chance, end in ends) - before
        moves.append((reward, [(chance, following.number(None if end.is_terminal() else end)) for chance, end in ends]))
    return moves


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
            transitions[h, layer.numbers[OVER]] = np.eye(states)[layers[h + 1].numbers[OVER]]
        for s, (legal, moves) in enumerate(zip(layer.legal, layer.rows, strict=True)):
            if moves is None:
                continue
            meant = np.ix_(*(_meant(own, count) for own, count in zip(legal, counts, strict=True)))
            shape = tuple(map(len, legal))
            rewards[:, h, s] = np.stack([reward for reward, _ in moves], -1).reshape(agents, *shape)[(slice(None), *meant)]
            transitions[h, s] = _kernel(moves, states, last=h + 1 == horizon).reshape(*shape, states)[meant]
            for mask, own in zip(masks, legal, strict=True):
                mask[h, s, list(own)] = True
    names = tuple(tuple(layer.numbers) for layer in layers)
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
