"""A sample of the changes that `make mutate` tries all of: each is noticed, or has a reason."""

import pathlib
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_changed_numbers_are_noticed():
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-m", "tests.mutations", "--sample", "60"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "60 mutants" in done.stdout
