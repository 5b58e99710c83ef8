"""Every covered claim has a default instance that `marlpaper check ID` can run."""

import pytest

from marlpaper import claims
from marlpaper.claims import examples

COVERED = [id for id, claim in claims.all().items() if claim.function is not None]


@pytest.mark.parametrize("id", COVERED)
def test_default_instance_decides_the_claim(id):
    found = examples.run(id)
    assert found.claim == id and found.instance and not found.unmet


def test_unknown_and_uncovered_claims_are_named():
    with pytest.raises(KeyError, match="did you mean 'mao2023.lemma8'"):
        examples.run("mao2023.lemma8x")
    uncovered = next(id for id, claim in claims.all().items() if claim.function is None)
    with pytest.raises(ValueError, match="not covered yet"):
        examples.run(uncovered)
