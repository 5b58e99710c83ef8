"""Commands answer in words and in exit codes: 0 fine, 1 failed, 2 asked for what does not exist."""

import dataclasses
import json
import os
import subprocess
import sys
import types

import pytest

from marlpaper import claims, cli, pipeline, results

LEDGER = [
    {"claim": "mao2023.lemma8", "verdict": "holds on all runs", "worst_ratio": 0.123456, "notebook": "mao2023-theorem-1"},
    {"claim": "ding2022.theorem1", "verdict": "not covered yet", "worst_ratio": None, "notebook": None},
]


def test_claims_are_listed(results_folder, capsys):
    results.write_text(results_folder / "ledger.json", results.to_json(LEDGER))
    assert cli.main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["claim", "mao2023.lemma8", "ding2022.theorem1"]
    assert "0.1235" in lines[1]
    assert cli.main(["claims", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == LEDGER


def test_claims_without_a_ledger(capsys):
    assert cli.main(["claims"]) == 2
    assert "run 'marlpaper reproduce' first" in capsys.readouterr().err


@dataclasses.dataclass
class Call:
    """A stand-in for `reproduce` that remembers how it was called."""

    error: str | None = None

    def __call__(self, project=None, names=(), jobs=None, force=False, parameters=None):
        self.seen = (tuple(names), jobs, force, parameters)
        return [types.SimpleNamespace(name="ascent", seconds=1.0, error=self.error)]


def test_options_reach_the_pipeline(monkeypatch):
    call = Call()
    monkeypatch.setattr(pipeline, "reproduce", call)
    words = ["reproduce", "ascent", "--jobs", "3", "--force", "--param", "T=200", "--param", "rule=last-policy"]
    assert cli.main(words) == 0
    assert call.seen == (("ascent",), 3, True, {"T": 200, "rule": "last-policy"})


def test_a_failed_notebook_is_a_failed_command(monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "reproduce", Call(error="Cell 3 failed"))
    assert cli.main(["reproduce"]) == 1
    assert "Failed: ascent; their last good outputs are still in place." in capsys.readouterr().err


def test_an_interrupted_run_says_so(monkeypatch, capsys):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "reproduce", interrupted)
    assert cli.main(["reproduce"]) == 130
    assert "Interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reproduce", "--param", "T"], "'T' is given, but name=value was expected"),
        (["reproduce", "--jobs", "0"], "'0' is given, but a whole number of at least 1 was expected"),
        (["replicate"], "invalid choice: 'replicate'"),
        ([], "COMMAND"),
    ],
)
def test_wrong_words_are_answered(words, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_an_unknown_claim_is_answered_with_the_nearest(capsys):
    assert cli.main(["check", "mao2023.lemma88"]) == 2
    assert "There is no claim 'mao2023.lemma88'; did you mean 'mao2023.lemma8'?" in capsys.readouterr().err


def test_a_check_prints_both_sides_and_its_verdict_is_the_exit_code(capsys):
    examples = pytest.importorskip("marlpaper.claims.examples")
    for id in ("mao2023.lemma8", "mao2023.theorem1"):
        check = examples.run(id)
        assert cli.main(["check", id]) == (0 if check.holds else 1)
        printed = capsys.readouterr().out
        assert f"measured {check.measured:.6g}, bound {check.bound:.6g}, ratio {check.ratio:.4g}" in printed
        assert (f"{id}: holds on" in printed) == check.holds
    assert id in claims.all()


def test_folders_are_compared(tmp_path, capsys):
    for folder, value in (("old", 1.0), ("same", 1.0), ("new", 1.1)):
        results.write_text(tmp_path / folder / "checks.json", results.to_json([value]))
    assert cli.main(["compare", str(tmp_path / "old"), str(tmp_path / "same")]) == 0
    assert capsys.readouterr().out == "files that differ: 0\n"
    assert cli.main(["compare", str(tmp_path / "old"), str(tmp_path / "new")]) == 1
    assert capsys.readouterr().out == "checks.json: [0] is 1.1 instead of 1.0.\nfiles that differ: 1\n"
    assert cli.main(["compare", str(tmp_path / "old"), str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_a_reader_that_stops_early_is_no_error(results_folder):
    """As in `marlpaper claims | head -1`."""
    results.write_text(results_folder / "ledger.json", results.to_json(LEDGER))
    process = subprocess.Popen([sys.executable, "-m", "marlpaper.cli", "claims", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, b"")


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (["--help"], {"numpy", "scipy", "pandas", "matplotlib", "tqdm"}),
        (["claims"], {"numpy", "scipy", "pandas", "matplotlib", "tqdm"}),
        (["check", "mao2023.lemma9"], {"pandas", "matplotlib", "tqdm", "numba"}),
    ],
)
def test_a_command_loads_only_what_it_uses(words, without):
    """Waiting for the command line is waiting for imports: the modules loaded, not the seconds, are what can be tested."""
    code = "import sys\nfrom marlpaper import cli\ntry:\n    cli.main(sys.argv[1:])\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    environment = {name: value for name, value in os.environ.items() if name != "MARLPAPER_RESULTS"}  # the committed ledger
    process = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env=environment)
    assert "marlpaper.cli" in process.stderr.split() and process.stdout
    assert not without & set(process.stderr.split())
