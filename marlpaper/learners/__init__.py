"""One file per algorithm; each sees a game only through full-information feedback and returns a `Run`."""

from marlpaper.learners.mirror_descent import optimistic_mirror_descent
from marlpaper.learners.run import Run
from marlpaper.learners.stages import Stages, stage_lengths

__all__ = ["Run", "Stages", "optimistic_mirror_descent", "stage_lengths"]
