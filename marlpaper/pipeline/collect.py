"""What is known once the notebooks have run: the ledger of all claims, and with what everything was made."""

import shutil
import subprocess

import pandas as pd

import marlpaper
from marlpaper import certificates, results
from marlpaper.pipeline import stamps

__all__ = ["write_build", "write_ledger"]


def write_ledger(project, ledger):
    """Write ``ledger.json``, and the same as ``ledger.csv``, from the checks that the notebooks left and from ``data/certificates``.

    Parameters
    ----------
    project : Project
        The checkout.
    ledger : callable
        Turns the checks of each notebook, a dict of lists, into the entries of the ledger: `marlpaper.claims.ledger`.
    """
    paths = {name: project.results / name / "checks.json" for name in _in_order_of_reading(project)}
    checks = {name: results.read(path) for name, path in paths.items() if path.is_file()}
    rows = ledger(checks)
    sealed = certificates.known(project.root / "data" / "certificates")
    for row in rows:
        found = sealed.get(row.get("claim"))
        row["certificate"] = dict(zip(("measured", "bound"), certificates.shortened(found), strict=True)) if found else None
    results.write_text(project.results / "ledger.json", results.to_json(rows))
    results.write_text(project.results / "ledger.csv", pd.DataFrame(rows).drop(columns="certificate", errors="ignore").to_csv(index=False, float_format=f"%.{results.DIGITS}g"))


def _in_order_of_reading(project):
    """The notebooks in the order of the table of contents, so that of two chapters the earlier one counts as a claim's own."""
    path = project.root / "_toc.yml"
    contents = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    places = {line.rpartition("/")[2].strip(): place for place, line in enumerate(contents)}
    return sorted(project.names(), key=lambda name: places.get(name, len(contents)))


def write_build(project, outcomes):
    """Write ``build.json``: versions, source commit (None outside git), seeds, and seconds per notebook, on the wall and of processors.

    Parameters
    ----------
    project : Project
        The checkout.
    outcomes : sequence of Outcome
        How long the notebooks of this run took; for the others the last known times stay.
    """
    names = project.names()
    parameters = {name: stamps.parameters(project, name) for name in names}
    build = {
        "versions": {"marlpaper": marlpaper.__version__} | stamps.versions(),
        "commit": commit(project),
        "seeds": {name: found["seed"] for name, found in parameters.items() if "seed" in found},
    } | {kind: _seconds(project, kind, outcomes) for kind in ("seconds", "cpu_seconds")}
    results.write_text(project.results / "build.json", results.to_json(build))


def previous(project, kind):
    """Return what ``build.json`` says under ``seconds`` or ``cpu_seconds``, nothing if there is no such file."""
    path = project.results / "build.json"
    return results.read(path).get(kind, {}) if path.is_file() else {}


def _seconds(project, kind, outcomes):
    known = previous(project, kind) | {outcome.name: getattr(outcome, kind) for outcome in outcomes}
    return {name: round(known[name], 1) for name in project.names() if name in known}


def commit(project):
    """Return the commit that is checked out, or None if this is no git checkout."""
    if not shutil.which("git") or not (project.root / ".git").exists():
        return None
    command = ["git", "-C", str(project.root), "rev-parse", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None
