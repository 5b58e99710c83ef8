r"""Refutations decided again, in exact rationals and ball arithmetic, by code that shares nothing with the package's own.

A certificate is an instance of a printed claim and two enclosures: the measured side lies in one, the bound in the other, and every number of the first
is above every number of the second. The algorithm and both sides are typed anew from the papers (`stages`, `ascent`, `sides`); precision
is doubled until the enclosures do not touch. Needs `python-flint`.
"""

import decimal
import json
import pathlib
from dataclasses import dataclass

from marlpaper import results
from marlpaper.certificates import instances
from marlpaper.lookup import require

FOLDER = pathlib.Path(__file__).parents[2] / "data" / "certificates"
BITS = (128, 256, 512, 1024, 2048, 4096)
FIELDS = ("claim", "settings", "arrays", "bits", "measured", "bound", "remark")

__all__ = ["Certificate", "certify", "in_words", "known", "load", "save", "shortened"]


@dataclass(frozen=True)
class Certificate:
    """One refutation.

    Attributes
    ----------
    claim : str
    settings, arrays : dict
        The instance, plain data as in `data/worst-cases`; every decimal is meant exactly.
    bits : int
        Precision that was enough.
    measured, bound : list of two str
        Enclosures, decimals rounded outwards.
    remark : str
        What is to be said about the instance.
    """

    claim: str
    settings: dict
    arrays: dict
    bits: int
    measured: list
    bound: list
    remark: str = ""


def certify(claim, instance, remark=""):
    """Decide a claim on an instance.

    Parameters
    ----------
    claim : str
    instance : dict
        With `settings` and `arrays`; numbers as rationals, whole numbers or decimal strings.
    remark : str

    Returns
    -------
    Certificate

    Raises
    ------
    UnknownNameError
        If there is no such claim, or no code that decides it here.
    ArithmeticError
        If the claim is not violated, or 4096 bits do not decide.
    ImportError
        If python-flint is not installed.
    """
    from marlpaper.certificates import ascent  # noqa: F401 - registers its sides
    from marlpaper.certificates.balls import enclosure, flint
    from marlpaper.certificates.sides import SIDES

    require("certified claim", claim, SIDES)
    before = flint().ctx.prec
    try:
        for bits in BITS:
            flint().ctx.prec = bits
            pairs = SIDES[claim](instance["settings"], instance["arrays"])
            violated = [pair for pair in pairs if pair[0] > pair[1]]
            if violated:
                measured, bound = max(violated, key=_ratio)
                return Certificate(claim, instance["settings"], instance["arrays"], bits, enclosure(measured), enclosure(bound), remark)
            if all(pair[0] <= pair[1] for pair in pairs):
                raise ArithmeticError(f"the claim {claim!r} holds on this instance, expected one that violates it.")
        raise ArithmeticError(f"{BITS[-1]} bits do not tell the sides of {claim!r} apart on this instance.")
    finally:
        flint().ctx.prec = before


def in_words(certificate):
    """The claim and both enclosures in one line."""
    return f"{certificate.claim}: measured ∈ [{', '.join(certificate.measured)}], bound ∈ [{', '.join(certificate.bound)}], {certificate.bits} bits"


def shortened(certificate):
    """Both enclosures with as few digits, three at least, as still keep them apart: two lists of two str."""
    for digits in range(3, 20):
        pairs = [[_rounded(pair[0], digits, "ROUND_FLOOR"), _rounded(pair[1], digits, "ROUND_CEILING")] for pair in (certificate.measured, certificate.bound)]
        if pairs[0][0] > pairs[1][1]:
            break
    return [[f"{end:g}" if end == 0 or 1e-4 <= abs(end) < 1e6 else f"{end:e}" for end in pair] for pair in pairs]


def _rounded(text, digits, mode):
    return decimal.Context(prec=digits, rounding=getattr(decimal, mode)).create_decimal(text).normalize()


def _ratio(pair):
    """Measured over bound, roughly: which violation to show."""
    bound = float(pair[1].mid())
    return float(pair[0].mid()) / bound if pair[1] > 0 else float("inf")


def load(path):
    """The certificate of a JSON file, its numbers as they are written.

    Raises
    ------
    ValueError
        If the file holds no certificate; the sentence begins with its name.
    """
    path = pathlib.Path(path)
    try:
        data = instances.read(path)
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path.name} holds no certificate: {problem}") from None
    if not isinstance(data, dict) or set(data) != set(FIELDS):
        given = sorted(data) if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"{path.name} holds no certificate: it holds {given}, expected {', '.join(FIELDS)}.")
    return Certificate(**data)


def save(certificate, folder=FOLDER):
    """Write a certificate as JSON, one setting and one array a line; rationals as strings that give them back exactly."""
    lines = []
    for name in FIELDS:
        value = getattr(certificate, name)
        if isinstance(value, dict):
            inner = ",\n".join(f"    {json.dumps(key)}: {json.dumps(part, ensure_ascii=False, default=_written)}" for key, part in value.items())
            lines.append(f"  {json.dumps(name)}: {{\n{inner}\n  }}")
        else:
            lines.append(f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    path = pathlib.Path(folder) / f"{certificate.claim}.json"
    results.write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _written(number):
    """A rational as a decimal where that is exact and short, else as p/q."""
    decimal = repr(float(number))
    return decimal if type(number)(decimal) == number else str(number)


def known(folder=FOLDER):
    """Stored certificates, {claim: Certificate}, in order of their names."""
    return {path.stem: load(path) for path in sorted(pathlib.Path(folder).glob("*.json"))}
