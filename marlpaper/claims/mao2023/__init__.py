"""Claims of Mao et al. 2023, by section."""
