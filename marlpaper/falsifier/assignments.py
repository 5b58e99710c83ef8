"""Which kind of instance each claim takes, and what its assumptions fix: order of steps, step size, start.

This is all that the search knows of a claim. A longer id comes before a shorter one that it begins with.
"""

from dataclasses import dataclass, field

from marlpaper.claims import registry
from marlpaper.falsifier import agnostic, lemmas, potential, runs  # noqa: F401 - importing them registers the kinds
from marlpaper.lookup import require

ASSIGNED = {}
"""Claim id to its `Assignment`."""


@dataclass(frozen=True)
class Least:
    """The fewest iterations that are drawn, `constant + linear H + square H²`."""

    constant: float = 0
    linear: float = 0
    square: float = 0

    def __call__(self, horizon):
        return round(self.constant + self.linear * horizon + self.square * horizon**2)


@dataclass(frozen=True)
class Assignment:
    """The kind that a claim takes, and what is fixed when instances are drawn."""

    kind: str
    options: dict = field(default_factory=dict)


def assigned(claim):
    """The assignment of a claim.

    Raises
    ------
    UnknownNameError
        If there is no such claim.
    ValueError
        If the claim has no kind yet.
    """
    require("claim", claim, registry)
    if claim not in ASSIGNED:
        raise ValueError(f"the claim {claim!r} has no kind of instances to search, expected an entry in falsifier/assignments.py.")
    return ASSIGNED[claim]


def _assign(kind, ids, **options):
    paper = "" if "." in ids.split()[0] else "mao2023."
    ASSIGNED.update({f"{paper}{id}": Assignment(kind, options) for id in ids.split()})


PRINTED = {"order": "printed", "step": "1/(8H²)"}
REPAIRED = {"order": "repaired", "step": "1/(4H)", "first_values": True}
FREE = {"step": "1/(4H)", "factors": (0.01, 0.1, 1.0, 4.0, 40.0)}
EXACT = (1.0,)
STAGE = {"long": {"iterations": (511, 2047, 8191)}}
"""Claims on a single stage are tried on long ones, too."""
MANY_STAGES = {"horizon": (6, 10), "iterations": (300, 600), "games": (5, 8)}
"""What sums over steps and stages is tried where there are hundreds of these."""

_assign("zero-sum run", "stage-count stage-count-repaired lemma7 lemma7-repaired lemma10 lemma10-repaired lemma11 lemma9-repaired", **FREE)
_assign("zero-sum run", "stage-count-restricted", **FREE, shortest=Least(2))
_assign("zero-sum run", "lemma8", **FREE, **STAGE, order="printed")
_assign("zero-sum run", "lemma8-repaired", **FREE, **STAGE, order="repaired", first_values=True)
_assign("zero-sum run", "lemma8-sum", **PRINTED, long={"iterations": (2047, 8191), "factor": EXACT})
_assign("zero-sum run", "lemma9 theorem1 theorem1-step-size", **PRINTED, shortest=Least(linear=2))
_assign("zero-sum run", "theorem1-restricted", order="repaired", step="1/(8H²)")
_assign("zero-sum run", "theorem1-uniform", **PRINTED, start="uniform", shortest=Least(2), long={"iterations": (32767,), "factor": (1e-2, 1e-3)})
_assign("zero-sum run", "theorem1-uniform-restricted", **PRINTED | {"factors": EXACT}, start="uniform", shortest=Least(2))
_assign("zero-sum run", "lemma8-sum-repaired theorem1-repaired theorem1-repaired-b theorem1-free-energy", **REPAIRED, **STAGE)
_assign("zero-sum run", "theorem1-precise", **REPAIRED | {"step": "√(2/3)/H"})
_assign("zero-sum run", "lemma8-printed-order theorem1-printed-order", **REPAIRED | {"order": "printed"}, **STAGE)
_assign(
    "zero-sum run", "theorem1-repaired-uniform", order="repaired", step="1/(4H)", factors=(1.0, 0.5), start="uniform", shortest=Least(2)
)  # fmt: skip

_assign("zero-sum copies", "theorem2 equation33", **PRINTED, factors=EXACT, shortest=Least(linear=2))
_assign("zero-sum sequence", "equation34", **PRINTED, fewest=5)
_assign("zero-sum sequence", "equation35", **PRINTED, long=MANY_STAGES)
_assign("zero-sum sequence", "equation36", **PRINTED)
_assign("zero-sum sequence", "equation33-repaired equation35-repaired theorem2-repaired", order="repaired", step="1/(4H)")
_assign("zero-sum sequence", "theorem2-laplace", order="repaired", step="1/(4H)", rule="laplace")
_assign(
    "zero-sum sequence", "critic-warm-start", order="repaired", step="1/(4H)", rule="laplace and critic-warm-start",
    shortest=Least(1, -0.5, 1.5),
)  # fmt: skip

_assign("general-sum run", "lemma17", **FREE, order="printed", long={"iterations": (2**18 - 1,), "factor": (1e-3, 6e-4, 3e-4), "start": ("constant",)})
_assign("general-sum run", "lemma18", **FREE, order="printed")
_assign("general-sum run", "lemma19 theorem5", **FREE, order="printed", shortest=Least(linear=10))
_assign("general-sum run", "lemma17-repaired", **FREE, **STAGE)
_assign("general-sum run", "lemma18-repaired lemma19-repaired theorem5-repaired theorem5-free-energy", **FREE)
_assign("general-sum run", "theorem5-discarded theorem5-last-stages", **FREE, shortest=Least(1, 1.5, 1.5))
_assign("general-sum run", "theorem5-uniform", order="printed", step="Theorem 5", factors=EXACT, start="uniform")
_assign("general-sum run", "theorem5-uniform-repaired", step="Theorem 5", factors=EXACT, start="uniform", shortest=Least(2))
_assign("general-sum run", "theorem5-sharper", step="Theorem 5, sharper", factors=EXACT, start="uniform")
_assign("general-sum copies", "theorem6", order="printed", step="Theorem 6", factors=EXACT, shortest=Least(2))
_assign("general-sum sequence", "equation72", **FREE, order="printed", fewest=5)
_assign("general-sum sequence", "equation73", **FREE, order="printed", long=MANY_STAGES | {"alone": (False,)})
_assign("general-sum sequence", "equation72-repaired equation73-repaired", **FREE, order="printed")
_assign("general-sum sequence", "theorem6-repaired", **FREE)
_assign("general-sum sequence", "theorem6-laplace", **FREE, rule="laplace")

_assign("ascent run", "prop1")
_assign("ascent run", "prop1-repaired prop1-improvement", step="1/L", factors=(0.9, 0.5, 0.1, 0.01))
_assign("ascent sequence", "theorem3 theorem3-oscillation", factors=EXACT)
_assign("ascent sequence", "theorem3-repaired theorem3-normalised", step="1/L", factors=(0.9, 0.5, 0.1))
COOPERATIVE = {"step": "(1-γ)/(2NA)", "structure": "common"}
_assign("ascent run", "ding2022.cooperative-regret", **COOPERATIVE, factors=EXACT, lows=(0.0,))
_assign("ascent run", "ding2022.cooperative-regret-repaired ding2022.cooperative-improvement", **COOPERATIVE, factors=(1.0, 0.1, 3.0))
_assign("ascent run", "ding2022.mpg-regret", step="1/(2L) at the better start", factors=EXACT)
_assign("ascent run", "ding2022.mpg-regret-repaired", step="1/L", factors=(0.9, 0.5, 0.1))
_assign("projected gradient run", "ding2022.projected-gradient-regret", step="1/(2L max ρ)", factors=(1.0, 0.1))
_assign("ascent run by itself", "ding2022.equivalence", step="(1-γ)/(2NA)", factors=(1.0, 0.3, 3.0))
_assign("ascent to a tolerance", "ding2022.no-state-dependence", **COOPERATIVE, factors=EXACT)
_assign("potential game", "ding2022.mismatch-order", states=(2, 2, 3), discounts=potential.DISCOUNTS[2:])  # else its sides are 1
_assign("plain ascent on pennies", "ding2022.plain-ascent-cycles", factors=(0.01, 0.1, 1.0, 3.0))
_assign("optimistic ascent in one state", "ding2022.game-agnostic-one-state")
_assign("run from rollouts", "ding2022.cooperative-agnostic-regret", **COOPERATIVE, factors=EXACT)
_assign("run from rollouts", "ding2022.mpg-agnostic-regret", step="1/L", factors=(0.5,))
NOISY = {"samples": (2, 30, 300), "explorations": (0.03, 0.3)}
_assign("run from rollouts", "ding2022.cooperative-agnostic-regret-repaired", **COOPERATIVE, **NOISY, factors=(1.0, 0.1, 3.0))
_assign("run from rollouts", "ding2022.mpg-agnostic-regret-repaired", step="1/L", **NOISY, factors=(0.9, 0.5, 0.1))
_assign("run from rollouts to its smallest gap", "ding2022.sample-complexity", **COOPERATIVE, **NOISY, factors=EXACT)

_assign("mixed pair", "lemma1", alphas=(1e-6, 1e-3, 0.1, 0.3, 0.49))
_assign("mixed pair", "lemma1-repaired", alphas=(1e-6, 1e-3, 0.1, 0.3, 0.7, 1.0))
_assign("weighted points", "lemma2")
_assign("points after eq. (5)", "lemma2-used lemma2-repaired")
_assign("points after the Laplace rule", "laplace-regret")
_assign("two products of matrices", "lemma3")
_assign("expectation at two points", "lemma4")
_assign("diagonal blocks", "lemma5")
_assign("matrix in blocks", "lemma6")
_assign("two logits", "lemma12 lemma12-i lemma12-ii lemma12-iii lemma12-sharper")
_assign("softmax game", "lemma13 lemma13-i lemma13-ii lemma13-iii lemma13-sharper-gradient lemma13-sharper-hessian lemma13-visitation")
_assign("softmax game", "lemma15 lemma15-repaired", structure="common", agents=((2, 2), (3, 3)))
_assign("softmax game", "lemma16 lemma16-sharper", structure="common")
_assign("set of softmax games", "lemma14 lemma14-sharper")
_assign("coordination game", "lemma14-saddle")
_assign("MAML run", "theorem4 theorem4-ascent", constant="printed")
_assign("MAML run", "theorem4-sharper", constant="sharper")
