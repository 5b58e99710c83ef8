"""How good a policy is, and how far from equilibrium: values, best responses, gaps, visitation."""

from marlpaper.evaluate.values import (
    agent_gaps,
    averaged_q,
    best_response_values,
    decision_process,
    expected,
    initial_value,
    nash_gap,
    state_values,
    visitation,
)

__all__ = [
    "agent_gaps",
    "averaged_q",
    "best_response_values",
    "decision_process",
    "expected",
    "initial_value",
    "nash_gap",
    "state_values",
    "visitation",
]
