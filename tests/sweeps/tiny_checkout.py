"""A tiny checkout with one notebook, for sweeps."""

import textwrap

from marlpaper.pipeline import Project
from tests.front_matter import FRONT_MATTER

SOURCE = """\
    # A tiny notebook

    ```{code-cell} ipython3
    :tags: [parameters]
    seed = 3
    sizes = (1, 2)
    pause = 0
    ```

    ```{code-cell} ipython3
    import json, os, pathlib, time
    from marlpaper import simplex
    assert seed >= 0 and isinstance(sizes, tuple)
    pathlib.Path(BEGAN, f"{seed}-{os.getppid()}").touch()
    time.sleep(pause)
    folder = pathlib.Path(os.environ["MARLPAPER_RESULTS"]) / "tiny"
    folder.mkdir(parents=True)
    values = "".join(f"individual,{size},{simplex.step(seed) / size:.6g}\\n" for size in sizes)
    (folder / "curve.csv").write_text("series,x,mean\\n" + values)
    check = {"claim": "lemma", "parameters": {"T": 1}, "measured": 1e-05 * seed, "bound": "inf", "holds": True}
    (folder / "checks.json").write_text(json.dumps([check]))
    ```
    """


def checkout(root):
    """Make the checkout; `root/began` gets a file for every run of the notebook, named by its seed and its worker's process."""
    for path, text in {
        "marlpaper/__init__.py": "",
        "marlpaper/simplex.py": "def step(x):\n    return x + 1\n",
        "data/games/game.toml": "reward = 1\n",
        "notebooks/tiny.md": (FRONT_MATTER + textwrap.dedent(SOURCE)).replace("BEGAN", repr(str(root / "began"))),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "began").mkdir()
    return Project(root)
