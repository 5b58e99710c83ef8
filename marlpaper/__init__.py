"""A reproducible companion to two theory papers on multi-agent reinforcement learning."""

__version__ = "0.1.0"
