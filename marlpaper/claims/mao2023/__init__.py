"""Claims of Mao et al. 2023, by section: importing a module registers its claims."""

from marlpaper.claims.mao2023 import (
    correlated,
    correlated_repaired,
    maml,
    meta_correlated,
    meta_lemmas,
    meta_zero_sum,
    meta_zero_sum_repaired,
    potential,
    softmax,
    zero_sum,
    zero_sum_repaired,
)

__all__ = [
    "correlated",
    "correlated_repaired",
    "maml",
    "meta_correlated",
    "meta_lemmas",
    "meta_zero_sum",
    "meta_zero_sum_repaired",
    "potential",
    "softmax",
    "zero_sum",
    "zero_sum_repaired",
]
