"""A thousand instances of every claim's kind: no claim raises, and no side is no number."""

import importlib

import numpy as np
import pytest

from marlpaper import falsifier
from marlpaper.falsifier.assignments import ASSIGNED
from marlpaper.falsifier.kinds import KINDS, sizes

search = importlib.import_module("marlpaper.falsifier.search")  # the package's attribute of that name is the function


def batches(claim):
    """Settings and arrays of a thousand instances; of some fifty where they are checked one by one."""
    assignment = falsifier.assigned(claim)
    kind, rng = KINDS[assignment.kind], np.random.default_rng([7, *claim.encode()])
    short = {name: value for name, value in assignment.options.items() if name != "long"}
    for _ in range(40 if kind.games_axis else 9):
        settings = kind.settings(rng, short)
        lengths = sizes(settings)
        yield kind, settings, {name: array.draw(rng, 25 if kind.games_axis else 6, lengths) for name, array in kind.arrays(settings).items()}


@pytest.mark.parametrize("claim", ASSIGNED)
def test_no_instance_raises(claim):
    """Extremes included: one state, one action, T=1, discounts to 0.9999, starts at and near vertices, rewards that tie."""
    decided = 0
    for kind, settings, arrays in batches(claim):
        decided += search.scores(claim, kind, settings, arrays)[2].sum()
        alone = {name: values[0] for name, values in arrays.items()}
        sides = search._sides(claim, kind, settings, arrays if kind.games_axis else alone)
        extrapolated = kind.name.endswith(" copies")  # NaN where one run cannot stand for later ones, which decides nothing
        assert sides is None or extrapolated or not any(np.isnan(side).any() for side in sides), settings
    assert decided > 0
