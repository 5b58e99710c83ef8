"""From notebook sources to executed notebooks and results: what has changed is executed, and nothing is left half done.

``project`` knows where things are and replaces them in one step; ``dependencies`` finds the modules a notebook uses;
``stamps`` tells whether it must run; ``execute`` runs one notebook in a worker process and ``scrub`` removes what
differs from run to run; ``reproduce`` runs them all and ``collect`` writes the ledger and the build information.
"""

from marlpaper.pipeline.project import Project
from marlpaper.pipeline.reproduce import reproduce

__all__ = ["Project", "reproduce"]
