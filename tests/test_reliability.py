"""What a loss of power, a second run, and a disk that takes nothing leave of the results: the last good ones or new ones."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from test_pipeline import ASCENT, notebook, outputs, processes, project, start, wait_until  # noqa: F401

from marlpaper import cli, pipeline, storage
from marlpaper.pipeline import Project

pytestmark = pytest.mark.slow

CHECKOUT = pathlib.Path(__file__).parents[1]
KILLED_OFTEN = """\
    import functools, os, pathlib, signal, sys, time
    import numpy as np
    from marlpaper.pipeline import Project

    project, rng, mixed, seen = Project(pathlib.Path(sys.argv[1])), np.random.default_rng(5), [], set()
    folder = project.results / "ascent"

    def install(version):
        product = project.staging("ascent") / "product"
        (product / "results/ascent").mkdir()
        for number in range(20):
            (product / "results/ascent" / str(number)).write_text(version)
        (product / "notebook.ipynb").write_text(version)
        project.install("ascent")

    def slowly(function, *words, **options):
        found = function(*words, **options)
        time.sleep(0.003)
        return found

    def versions():
        return {path.read_text() for path in folder.iterdir()}

    project.notebooks.mkdir(parents=True)
    install("0")
    for life in range(1, 61):
        child = os.fork()
        if not child:
            # Steps that take no time would never be hit in between.
            os.rename, os.replace = functools.partial(slowly, os.rename), functools.partial(slowly, os.replace)
            for number in range(1000):
                install(f"{life}.{number}")
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = versions()
        project.recover()
        if len(found) != 1 or versions() != {project.executed("ascent").read_text()}:
            mixed.append((life, sorted(found)))
        seen |= found
    print(len(seen), mixed)
    """


def test_results_are_whole_at_whatever_moment_a_run_is_killed(tmp_path):
    """Sixty times, at random moments: before and after the next start each folder holds one version, and then the notebook's."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED_OFTEN), str(tmp_path / "checkout")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    count, mixed = done.stdout.split(" ", 1)
    assert mixed == "[]\n"
    assert int(count) > 10, "the kills did not fall between installations"


@pytest.mark.skipif(not pathlib.Path("/proc/self/environ").exists(), reason="needs /proc to see which processes live")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_killed_at_random_is_made_good_by_the_next(project, seed):  # noqa: F811
    start(project, "ascent").communicate(timeout=120)
    before = outputs(project)
    notebook(project, "ascent", ASCENT.replace("q_ascent(count)", "q_ascent(count + 1)"))
    process = start(project, "ascent")
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=np.random.default_rng(seed).uniform(0.5, 2.5))
    process.kill()
    process.communicate(timeout=60)
    assert outputs(project) == before
    assert wait_until(lambda: not processes(project))
    start(project, "ascent").communicate(timeout=120)
    after = outputs(project)
    assert set(after) == set(before)
    assert b'"ratio": 4' in after["data/results/ascent/checks.json"]
    assert not list((project.cache / "staging").glob("*"))


def test_two_runs_at_once_leave_what_one_leaves(project):  # noqa: F811
    both = [start(project, "ascent"), start(project, "ascent")]
    printed = [process.communicate(timeout=180)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert sorted("unchanged" in text for text in printed) == [False, True], printed
    assert outputs(project)["data/results/ascent/checks.json"] == b'[{"claim": "ascent", "ratio": 3}]'


ON_A_SMALL_DISK = """\
    mkdir -p "$1" && mount -t tmpfs -o size=$3 none "$1" && cp -r "$2/." "$1" || exit 77
    if [ "$4" = readonly ]; then mount -o remount,ro "$1" || exit 77; fi
    "$5" -P -c "$6" "$1"; status=$?
    cp -r "$1/." "$7"; exit $status
    """
FORCED = """\
    import pathlib, sys
    from marlpaper import cli, pipeline

    root = pathlib.Path(sys.argv[1])
    def on_it(names, jobs, force, parameters):
        return inner(pipeline.Project(root), ["ascent"], jobs, force, parameters, lambda checks: [])
    if __name__ == "__main__":
        inner, pipeline.reproduce = pipeline.reproduce, on_it
        sys.exit(cli.main(["reproduce", "--force"]))
    """


def small_disk(project, tmp_path, size, *, readonly=False):  # noqa: F811
    """Reproduce on a file system of its own that is small or read-only; return the process and what is left there."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare, of util-linux")
    left, script = tmp_path / "left", tmp_path / "run.py"
    left.mkdir()
    script.write_text(textwrap.dedent(FORCED))
    runner = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    words = [tmp_path / "disk", project.root, size, "readonly" if readonly else "", sys.executable, runner, left]
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", textwrap.dedent(ON_A_SMALL_DISK), "sh", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"may not mount a file system of its own: {done.stderr}")
    return done, Project(left)


def fill(project, what):  # noqa: F811
    """Give the notebook, which has outputs already, a cell that writes more than the disk takes."""
    (project.results / "ascent").mkdir(parents=True)
    (project.results / "ascent/checks.json").write_text("[]")
    notebook(project, "ascent", ASCENT, f"\n```{{code-cell}} ipython3\n{what}\n```\n")


def test_a_full_disk_is_told_in_one_sentence(project, tmp_path):  # noqa: F811
    fill(project, "(folder / 'large').write_bytes(bytes(1 << 23))")
    before = outputs(project)
    done, left = small_disk(project, tmp_path, "2m")
    assert done.returncode == 1
    assert "A file cannot be written: the disk is full.\n" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert outputs(left) == before


def test_a_read_only_disk_is_told_before_anything_runs(project, tmp_path):  # noqa: F811
    fill(project, "pass")
    done, left = small_disk(project, tmp_path, "2m", readonly=True)
    assert done.returncode == 1
    assert done.stderr == f"marlpaper: {tmp_path / 'disk/.cache'} cannot be written: the file system is read-only.\n"
    assert outputs(left) == outputs(project)


def test_results_that_may_not_be_written_are_named(project, monkeypatch, capsys):  # noqa: F811
    """Whatever the reason, and before a notebook is run; permissions do not bind the administrator, so they are played."""

    def forbidden(dir):
        raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/tmpx")

    monkeypatch.setattr("tempfile.TemporaryFile", forbidden)
    reproduce = pipeline.reproduce
    monkeypatch.setattr(pipeline, "reproduce", lambda **options: reproduce(project, ["ascent"]))
    assert cli.main(["reproduce"]) == 1
    assert capsys.readouterr().err == f"marlpaper: {project.notebooks} cannot be written: permission is denied.\n"
    assert not project.executed("ascent").exists()


def test_other_errors_are_not_taken_for_a_full_disk(monkeypatch):
    def broken(**options):
        raise OSError(errno.EIO, "Input/output error", "x")

    monkeypatch.setattr(pipeline, "reproduce", broken)
    with pytest.raises(OSError, match="Input/output error"):
        cli.main(["reproduce"])
    assert storage.complaint_about("[Errno 5] Input/output error: 'x'") is None
    assert storage.complaint_about("the gap is 28") is None


def test_the_second_path_of_a_rename_is_the_one_in_the_way():
    error = OSError(errno.EROFS, "Read-only file system", "new", None, "old")
    assert storage.complaint(error) == "old cannot be written: the file system is read-only."
    assert storage.complaint_about("[Errno 28] No space left on device: 'a b'") == "a b cannot be written: the disk is full."
