"""The command line: ``marlpaper reproduce | figures | claims | check | falsify | sweep | solve | fetch | compare``."""

import argparse
import contextlib
import os
import pathlib
import sys

# Only what every command needs is imported here: the pipeline needs the book's packages, and takes a second to load.
from marlpaper import results, storage
from marlpaper.lookup import UnknownNameError, literal, require

__all__ = ["main"]

USAGE_ERROR = 2


def main(arguments=None):
    """Run a command and return its exit code: 0 fine, 1 failed, 2 asked for what does not exist.

    Parameters
    ----------
    arguments : list of str, optional
        The words after ``marlpaper``; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Interrupted: finished notebooks are in place, the others are as they were.", file=sys.stderr)
        return 130
    except UnknownNameError as problem:
        print(f"marlpaper: {problem}", file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:  # the reader of the output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        sentence = storage.complaint(problem) or (str(problem) if problem.errno is None else None)
        if sentence is None:
            raise
        print(f"marlpaper: {sentence}", file=sys.stderr)
        return 1


def _parser():
    parser = argparse.ArgumentParser(prog="marlpaper", description="Reproduce and check the two papers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function, name, help, *shared):
        chosen = commands.add_parser(name, help=help, description=help, parents=shared)
        chosen.set_defaults(command=function)
        return chosen

    _add_chapters(command)
    _add_claims(command)
    _add_games(command)
    return parser


def _add_chapters(command):
    """Commands that run notebooks or compare what they leave."""
    running = argparse.ArgumentParser(add_help=False)
    running.add_argument("--jobs", type=_positive, metavar="N", help="notebooks run side by side (default: all cores)")
    running.add_argument("--force", action="store_true", help="run also what has not changed")
    all_of_it = command(_reproduce, "reproduce", "execute the notebooks that changed, then write the ledger", running)
    all_of_it.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="names of notebooks (default: all)")
    all_of_it.add_argument(
        "-p", "--param", action="append", default=[], type=_parameter, metavar="NAME=VALUE",
        help="run with another value of a parameter, into the folder runs/; may be repeated",
    )  # fmt: skip
    command(_figures, "figures", "execute every notebook that makes figures, if it changed", running)
    grid = command(_sweep, "sweep", "execute a notebook on a grid of parameters, on all cores or a Dask cluster")
    grid.add_argument("notebook", metavar="NOTEBOOK", help="name of a notebook")
    grid.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME=VALUES",
        help="a range a:b without b, or values separated by commas; several make the product",
    )  # fmt: skip
    grid.add_argument("--jobs", type=_positive, metavar="N", help="worker processes here (default: all cores; 1: no Dask)")
    grid.add_argument("--scheduler", metavar="ADDRESS", help="run on this Dask cluster, e.g. tcp://10.0.0.5:8786")
    grid.add_argument("--force", action="store_true", help="run also the points that an earlier sweep has left")
    gate = command(_compare, "compare", "compare two folders of results or notebooks, number by number")
    gate.add_argument("old", metavar="OLD")
    gate.add_argument("new", metavar="NEW")


def _add_claims(command):
    """Commands about single claims."""
    table = command(_claims, "claims", "list all claims of the papers with their verdicts")
    table.add_argument("--json", action="store_true", help="print the ledger as JSON")
    one = command(_check, "check", "check one claim on its example: measured, bound, ratio")
    one.add_argument("id", metavar="ID", help="a claim, e.g. mao2023.lemma8")
    one.add_argument("--instance", metavar="FILE", help="check it on this instance, as `marlpaper falsify` writes them")
    seal = command(_certify, "certify", "decide refutations again in exact rationals and ball arithmetic, and compare with data/certificates")
    seal.add_argument("ids", metavar="ID", nargs="*", help="claims with a certificate (default: all)")
    seal.add_argument("--instance", metavar="FILE", help="make the certificate of one claim from this instance, as `marlpaper falsify` writes them")
    seal.add_argument("--output", default="runs/certificates", metavar="FOLDER", help="where to write that certificate (default: %(default)s)")
    hunt = command(_falsify, "falsify", "search for the worst case of a claim, and shrink it to one that can be read")
    hunt.add_argument("id", metavar="ID", help="a claim, e.g. mao2023.lemma9; all; or printed, for those that fail as printed")
    hunt.add_argument("--trials", type=_positive, default=100_000, metavar="N", help="instances to try (default: 100000)")
    hunt.add_argument("--seed", type=int, default=0, metavar="S", help="of the random numbers (default: 0)")
    hunt.add_argument("--budget", type=float, metavar="SECONDS", help="begin nothing new after this time (default: no limit)")
    hunt.add_argument("--first", action="store_true", help="stop at the first violation of each claim, and keep it as it is")
    hunt.add_argument("--jobs", type=_positive, default=os.cpu_count(), metavar="N", help="processes (default: all cores)")
    hunt.add_argument("--scheduler", metavar="ADDRESS", help="run on this Dask cluster, e.g. tcp://10.0.0.5:8786")
    hunt.add_argument("--output", default="runs/worst-cases", metavar="FOLDER", help="where to write the worst case (default: %(default)s)")


def _add_games(command):
    """Commands that take games of one's own, or of others."""
    own = command(_solve, "solve", "learn a game of one's own: its kind, the gap curve, the policy")
    own.add_argument(
        "game",
        metavar="GAME",
        help="a .toml, .npz or .nfg (Gambit) file, the name of a game of data/games, or openspiel:NAME",
    )
    own.add_argument(
        "--state-key",
        default="history",
        metavar="KEY",
        help="what tells states of OpenSpiel apart: history, information or text (default: history)",
    )
    own.add_argument("--learner", metavar="NAME", help="e.g. optimistic-mirror-descent, q-ascent (default: what suits the game)")
    own.add_argument("--iterations", type=_positive, default=1000, metavar="T", help="default: 1000")
    own.add_argument("--step-size", type=float, metavar="ETA", help="default: a rule of the learner, which the report tells")
    own.add_argument("--plot", metavar="FILE", help="draw the gap curve: .png, .svg or .pdf")
    own.add_argument("--json", action="store_true", help="print the report as JSON, with the whole policy")
    own.add_argument("--seed", type=int, default=0, help="of the test whether the game is a potential game (default: 0)")
    data = command(_fetch, "fetch", "download published data that is not part of this repository")
    data.add_argument("data", choices=["poker"], help="poker: the river endgames of the Libratus program")


def _reproduce(options):
    from marlpaper.pipeline import reproduce

    parameters = dict(options.param)
    return _report(
        reproduce(names=options.notebooks, jobs=options.jobs, force=options.force, parameters=parameters)
    )


def _figures(options):
    from marlpaper.pipeline import Project, reproduce, stamps

    project = Project()
    names = [name for name in project.names() if stamps.makes_figures(project, name)]
    code = _report(reproduce(project, names, options.jobs, options.force)) if names else 0
    for path in sorted(project.results.glob("*/*.svg")):
        print(path.relative_to(project.root))
    return code


def _report(outcomes):
    failed = [outcome.name for outcome in outcomes if outcome.error is not None]
    if failed:
        print(f"Failed: {', '.join(failed)}; their last good outputs are still in place.", file=sys.stderr)
    return 1 if failed else 0


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is given, but a whole number of at least 1 was expected")
    return int(text)


def _parameter(text):
    """Split ``name=value``; a value that is no Python literal is a string."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is given, but name=value was expected")
    return name, literal(value)


def _claims(options):
    path = results.root() / "ledger.json"
    if not path.is_file():
        raise UnknownNameError(f"There is no {path.name} in {path.parent}: run 'marlpaper reproduce' first.")
    if options.json:
        print(path.read_text(encoding="utf-8"), end="")
        return 0
    rows = results.read(path)
    columns = ("claim", "verdict", "worst_ratio", "notebook")
    cells = [columns, *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _cell(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _check(options):
    from marlpaper.claims import all, examples

    require("claim", options.id, all())
    if options.instance:
        from marlpaper import falsifier

        with _refused():
            check = falsifier.load(options.instance, options.id).check()
    else:
        check = examples.run(options.id)
    return _verdict(check)


@contextlib.contextmanager
def _refused():
    """Input that cannot be used is told like a name that does not exist: its sentence, and no traceback."""
    try:
        yield
    except (ValueError, ArithmeticError, ImportError, ConnectionError) as problem:  # the last two: no Dask, or no longer
        raise UnknownNameError(str(problem)) from None


def _verdict(check):
    if check.unmet:
        print(f"{check.claim}: not decided by {check.instance}: {check.unmet}")
        return 1
    print(f"{check.claim}: {'holds' if check.holds else 'does not hold'} on {check.instance}")
    print(f"measured {check.measured:.6g}, bound {check.bound:.6g}, ratio {check.ratio:.4g}")
    return 0 if check.holds else 1


def _certify(options):
    from marlpaper import certificates

    if options.instance:
        if len(options.ids) != 1:
            raise UnknownNameError(f"{len(options.ids)} claims are named, expected one for the instance {options.instance!r}.")
        with _refused():
            made = certificates.certify(options.ids[0], certificates.instances.read(options.instance))
        print(f"{certificates.in_words(made)}\nwritten to {certificates.save(made, options.output)}")
        return 0
    known, different = certificates.known(), 0
    for id in options.ids or known:
        require("certified claim", id, known)
        with _refused():
            again = certificates.certify(id, vars(known[id]), known[id].remark)
        print(certificates.in_words(again), flush=True)
        if again != known[id]:
            different += 1
            print(f"{id}: differs from its file, {certificates.in_words(known[id])}", file=sys.stderr)
    return 1 if different else 0


def _falsify(options):
    from marlpaper import claims, falsifier

    everything = claims.all()
    failing = [id for id, item in falsifier.known().items() if not item.check().holds] if options.id == "printed" else []
    ids = {"all": [id for id, claim in everything.items() if claim.function], "printed": failing}.get(options.id, [options.id])
    broken = 0
    for id in ids:
        with _refused():
            trials = options.trials if len(ids) == 1 else falsifier.all_trials(id, options.trials)
            found = falsifier.search(id, trials, options.seed, options.budget, options.jobs, options.scheduler, options.first)
        smallest = found.instance if options.first else falsifier.shrink(found.instance)
        path = falsifier.path_of(id, options.output)
        falsifier.save(path, smallest)
        print(f"{found.games} instances, {found.violations} violate the claim, largest ratio {found.check.ratio:.4g}; {'kept in' if options.first else 'shrunk to'} {path}:", flush=True)
        broken += _verdict(smallest.check())
    return 1 if broken else 0


def _sweep(options):
    from marlpaper import sweeps

    try:
        swept = sweeps.sweep(
            options.notebook, sweeps.points(options.param), None, options.jobs, options.scheduler, options.force
        )
    except (ImportError, ConnectionError) as problem:
        print(f"marlpaper: {problem}", file=sys.stderr)
        return 1
    print(f"{swept.executed} points run, {swept.found} found finished, {len(swept.failed)} failed.")
    for path in swept.tables:
        print(path)
    if swept.failed:
        print("Nothing is merged until all points are there; the same command runs those that are missing.", file=sys.stderr)
    return 1 if swept.failed else 0


def _compare(options):
    for folder in (options.old, options.new):
        if not pathlib.Path(folder).is_dir():
            raise UnknownNameError(f"There is no folder {folder!r}.")
    sentences = results.compare(options.old, options.new)
    for sentence in sentences:
        print(sentence)
    print(f"files that differ: {len(sentences)}")
    return 1 if sentences else 0


def _solve(options):
    from marlpaper import solve_report

    try:
        return solve_report.command(options)
    except UnknownNameError:
        raise
    except (ImportError, TypeError, ValueError, OSError) as problem:
        print(f"marlpaper: {problem}", file=sys.stderr)
        return 1


def _fetch(options):
    from marlpaper.games import endgames

    try:
        paths = [endgames.fetch(name) for name in endgames.available()]
    except (ImportError, OSError, ValueError) as problem:
        print(f"marlpaper: {problem}", file=sys.stderr)
        return 1
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
