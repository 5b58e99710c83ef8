"""Every claim has a default instance that `marlpaper check ID` can run."""

import pytest

from marlpaper import claims
from marlpaper.claims import examples


@pytest.mark.parametrize("id", [id for id, claim in claims.all().items() if claim.function])
def test_default_instance_decides_the_claim(id):
    found = examples.run(id)
    assert found.claim == id and found.instance and not found.unmet


def test_unknown_and_uncovered_claims_are_named(monkeypatch):
    with pytest.raises(KeyError, match="did you mean 'mao2023.lemma8'"):
        examples.run("mao2023.lemma8x")
    monkeypatch.setitem(claims.registry, "mao2023.listed", claims.Claim("mao2023.listed", "Only listed", "$1\\le2$"))
    with pytest.raises(ValueError, match="not covered yet"):
        examples.run("mao2023.listed")
    with pytest.raises(ValueError, match="'ding2022.game-agnostic' names no constant, so no instance decides it"):
        examples.run("ding2022.game-agnostic")
