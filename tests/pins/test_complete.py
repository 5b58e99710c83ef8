"""No claim without a pin."""

import importlib

from marlpaper import claims
from tests.pins.pinned import PINNED


def test_every_claim_with_a_function_is_pinned():
    for module in ("zero_sum", "meta_zero_sum", "correlated", "potential", "softmax"):
        importlib.import_module(f"tests.pins.test_pinned_{module}")
    assert set(PINNED) == {id for id, claim in claims.all().items() if claim.function}
