"""What `marlpaper solve` says about a solution: lines for a reader, a dictionary for a program, a plot."""

import io
import pathlib

import numpy as np

from marlpaper import equilibrium, evaluate, figures, games, results, validation
from marlpaper.games import files
from marlpaper.lookup import UnknownNameError
from marlpaper.solve import METHODS, solve

ROWS = 12
"""Rows of the policy that are printed; `--json` has all."""
SPIEL = "openspiel:"
LONGEST_NAME = 40
"""Characters of a state's name that are printed."""
ROUNDING = 1e-12
"""Of gaps, as a part of the range of returns."""
FORMATS = (".png", ".svg", ".pdf")


def command(options):
    """Read the game, learn, and print the report that the command line asks for; the exit code."""
    validation.whole("seed", options.seed, 0)
    if options.plot is not None:
        _plot_path(options.plot)
    game, title, labels = find(options.game, options.state_key)
    solution = solve(game, options.learner, options.iterations, options.step_size, np.random.default_rng(options.seed))
    if options.json:
        print(results.to_json(summary(solution, title)), end="")
    else:
        print(text(solution, title, labels, options.step_size is not None))
    if options.plot is not None:
        plot(solution, title, options.plot)
    return 0


def find(name, state_key="history"):
    """The game that a word means: a file, ``openspiel:`` and the name of a game there, else a game of `data/games`.

    Parameters
    ----------
    name : str
    state_key : str
        `key` of `games.from_openspiel`.

    Returns
    -------
    game : MarkovGame
    title : str
    labels : dict
        What a table's file says, with the names of states and actions; empty for families and arrays.

    Raises
    ------
    UnknownNameError
        If there is no such file or game.
    """
    if name.startswith(SPIEL):
        game = games.from_openspiel(name.removeprefix(SPIEL), key=state_key)
        return game, game.source, {}
    path = pathlib.Path(name)
    if path.suffix in files.ENDINGS:
        if not path.is_file():
            raise UnknownNameError(f"There is no file {name!r}.")
        game, content = files.read_labelled(path)
    elif path.is_file():
        raise UnknownNameError(
            f"{name!r} is a file of a kind that is not read, expected a name that ends in {', '.join(files.ENDINGS)}."
        )
    else:
        game, content = games.load(name), games.describe(name)
    # The names in a family's file were not compared with the game.
    return game, str(content.get("title", path.stem)), {} if "family" in content else content


def text(solution, title, labels=None, given_step_size=False):
    """The report in lines.

    Parameters
    ----------
    solution : Solution
    title : str
        What the game is called.
    labels : dict, optional
        The content of the game's TOML file, whose `states` and `actions` are shown in place of numbers.
    given_step_size : bool
        Whether the step size was chosen by the user, so that there is no rule to tell.

    Returns
    -------
    str
    """
    method, run = METHODS[solution.learner], solution.run
    one = isinstance(solution.step_size, float)
    rule = (
        ""
        if given_step_size
        else f", the default: {method.rule}" if one else f", the default for each agent: {method.rule}"
    )
    size = f"{solution.step_size:.4g}" if one else ", ".join(f"{step:.4g}" for step in solution.step_size)
    lines = [
        f"{title}: {solution.game!r}",
        f"kind: {solution.kind}",
        f"learner: {solution.learner}, {run.parameters['iterations']} iterations, step size {size}{rule}",
    ]
    if not method.covered(solution.game, solution.kind):
        lines.append("note: no theorem of the papers covers this learner on this kind of game, its gap need not fall")
    lines += ["", f"iteration   of the range   {method.gap} ({method.output})"]
    lines += [
        f"{t:9d}   {'0' if _is_rounding(part) else f'{part:.2g}':>12}   "
        f"{'0 up to rounding' if _is_rounding(part) else f'{gap:.4g}'}"
        for t, gap, part in zip(run.checkpoints, run.gaps, solution.relative_gaps, strict=True)
    ]
    if not one:
        lines.append(
            "ranges of returns: "
            + ", ".join(f"agent {agent} {width:.4g}" for agent, width in enumerate(solution.ranges))
        )
    return "\n".join([*lines, "", *_policy_lines(solution, labels or {}), *_equilibrium_lines(solution, labels or {})])


def summary(solution, title):
    """The report as a dictionary that `results.to_json` writes."""
    game, method, run = solution.game, METHODS[solution.learner], solution.run
    return {
        "game": {
            "name": title,
            "agents": game.agents,
            "states": game.states,
            "actions": game.actions,
            "horizon": game.horizon,
            "discount": game.discount,
        },
        "kind": {
            "zero_sum": solution.kind.zero_sum,
            "common_reward": solution.kind.common_reward,
            "potential": solution.kind.potential,
            "potential_defect": solution.kind.potential_defect,
        },
        "learner": solution.learner,
        "iterations": run.parameters["iterations"],
        "step_size": solution.step_size,
        "gap_is": f"{method.gap} ({method.output})",
        "checkpoints": run.checkpoints,
        "gaps": run.gaps,
        "gap": solution.gap,
        "ranges": solution.ranges,
        "relative_gaps": solution.relative_gaps,
        "policy_is": _policy_name(solution),
        "policy": solution.policy,
    }


def plot(solution, title, path):
    """Draw the gap curve into `path`, which ends in .png, .svg or .pdf.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    path = _plot_path(path)
    method, run = METHODS[solution.learner], solution.run
    figure, axes = figures.canvas(height=3.2)
    axes.plot(run.checkpoints, np.maximum(run.gaps, 1e-16 * solution.ranges.max()), marker="o")
    axes.set(xscale="log", yscale="log", xlabel="iteration", ylabel=method.gap.split(",")[0], title=f"{title}, {solution.learner}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:])
    figures.plt.close(figure)
    results.write_bytes(path, buffer.getvalue())


def _plot_path(path):
    path = pathlib.Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"plot is {str(path)!r}, expected a name that ends in {', '.join(FORMATS)}.")
    return path


def _policy_name(solution):
    averaged = solution.run.average_policy is not None
    return "average over the iterations, of each agent on its own" if averaged else "last policy"


def _policy_lines(solution, labels):
    """One row for each state that the policy can reach in the first step, then the next, until `ROWS` are full."""
    game = solution.game
    visits = evaluate.visitation(game, solution.policy)
    timed = game.horizon is not None
    reached = [tuple(index) for index in np.argwhere(visits > 1e-12)]
    states = labels.get("states") or [str(state) for state in range(game.states)]
    spoken = getattr(game, "state_names", None)
    lines = [f"policy ({_policy_name(solution)}) in the states it reaches:"]
    for index in reached[:ROWS]:
        step = f"step {index[0] + 1}  " if timed else ""
        rows = "  ".join(f"agent {agent}: {_row(part[index], agent, labels)}" for agent, part in enumerate(solution.policy))
        name = states[index[-1]] if spoken is None else spoken[index[0]][index[-1]]
        lines.append(f"  {step}{_short(name)}  {rows}")
    if len(reached) > ROWS:
        lines.append(f"  ... and {len(reached) - ROWS} more rows: --json has all")
    return lines


def _equilibrium_lines(solution, labels):
    """Which of its equilibria learning went to, of a small game of two players with one decision."""
    game = solution.game
    if (
        game.agents != 2
        or game.states != 1
        or game.horizon != 1
        or solution.kind.zero_sum
        or max(game.actions) > equilibrium.EXTREME_LIMIT
    ):
        return []
    try:
        extremes, complete = equilibrium.bimatrix_equilibria(game.rewards[:, 0, 0])
    except ModuleNotFoundError as error:
        return [f"equilibria: {error}"]
    if not extremes:
        return []
    learned = [part[0, 0] for part in solution.policy]
    distances = [max(np.abs(p - q).sum() / 2 for p, q in zip(learned, extreme, strict=True)) for extreme in extremes]
    nearest = int(np.argmin(distances))
    rows = "  ".join(f"agent {agent}: {_row(part, agent, labels)}" for agent, part in enumerate(extremes[nearest]))
    return [
        f"nearest of {'' if complete else 'at least '}{len(extremes)} extreme "
        f"equilibri{'um' if len(extremes) == 1 else 'a'}, at distance {distances[nearest]:.2g} (total variation):",
        f"  {rows}",
    ]


def _short(name):
    """A name in one line: OpenSpiel draws boards."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _row(row, agent, labels):
    names = labels.get("actions")
    if names is None:
        return "[" + " ".join(f"{p:.3f}" for p in row) + "]"
    return "[" + ", ".join(f"{name} {p:.3f}" for name, p in zip(names[agent], row, strict=True)) + "]"


def _is_rounding(part):
    """Whether a gap, as a part of the range of returns, is no more than rounding."""
    return abs(part) < ROUNDING
