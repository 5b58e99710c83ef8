"""nbval with the outputs of a finished run: what agrees passes, and everything else fails."""

import pathlib
import re
import subprocess
import sys

import nbformat

CHECKOUT = pathlib.Path(__file__).parents[1]


def write(path, *cells):
    """A notebook of (source, printed text) with the cells numbered from 1; `None` in place of the text: not executed."""
    code = [
        nbformat.v4.new_code_cell(
            source,
            execution_count=None if text is None else number,
            outputs=[] if text is None else [nbformat.v4.new_output("stream", name="stdout", text=text)],
        )
        for number, (source, text) in enumerate(cells, 1)
    ]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)


def test_a_finished_run_is_compared_cell_by_cell(tmp_path):
    committed, fresh = tmp_path / "committed", tmp_path / "fresh"
    cells = [("x = 2", ""), ("print(x)", "2\n"), ("print(x / 2)", "1.0\n")]
    for name in ("same", "another-number", "another-source", "a-cell-less", "not-executed", "missing"):
        write(committed / f"{name}.ipynb", *cells)
    write(fresh / "same.ipynb", *cells)
    write(fresh / "another-number.ipynb", *cells[:2], ("print(x / 2)", "1.1\n"))
    write(fresh / "another-source.ipynb", cells[0], ("print(2 * x)", "2\n"), cells[2])
    write(fresh / "a-cell-less.ipynb", *cells[:2])
    write(fresh / "not-executed.ipynb", *cells[:2], ("print(x / 2)", None))
    words = ["-p", "tests.notebook_runs", "--nbval", "--nbval-current-env", f"--executed={fresh}", "-n", "0", "-rA", "-W", "default", committed]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    passed = set(re.findall(r"^PASSED \S*?([\w-]+)\.ipynb::Cell (\d)", done.stdout, re.M))
    expected = {("same", "0"), ("same", "1"), ("same", "2"), ("another-source", "0"), ("another-source", "2")}
    expected |= {(name, cell) for name in ("another-number", "a-cell-less", "not-executed") for cell in "01"}
    assert passed == expected, done.stdout
    assert done.returncode == 1
