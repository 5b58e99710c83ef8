"""Claims of Mao et al. 2023, by section: importing a module registers its claims."""

from marlpaper.claims.mao2023 import zero_sum, zero_sum_repaired

__all__ = ["zero_sum", "zero_sum_repaired"]
