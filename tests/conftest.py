"""What every test starts from: one BLAS thread, no display, results in a temporary folder, repeatable examples."""

import os

# NumPy reads these when it is first imported, so they come before any other import.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest
from hypothesis import settings

# A shared machine stalls now and then, which must not fail a test; a failing example must come back.
settings.register_profile("marlpaper", deadline=None, derandomize=True)
settings.load_profile("marlpaper")


@pytest.fixture(autouse=True)
def results_folder(tmp_path, monkeypatch):
    """Let nothing that a test does reach the committed results."""
    folder = tmp_path / "results"
    monkeypatch.setenv("MARLPAPER_RESULTS", str(folder))
    return folder
