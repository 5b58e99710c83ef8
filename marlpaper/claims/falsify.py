r"""Looking for the worst case of a claim: the instance with the largest ratio of its two sides.

Random games are kind to bounds. A *family* turns a plain vector of numbers into the arguments of a claim, so that the ratio
becomes a function of that vector, which random starts and then quasi-Newton ascent (SciPy's L-BFGS-B) drive up. What is found is
kept as the rounded vector and the family's name, a few lines of JSON from which anybody can check the claim again.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from marlpaper import results, validation
from marlpaper.claims.check import check
from marlpaper.lookup import require

FAMILIES = {}
"""Name of a family to its (function, shapes): how instances are made of vectors."""

DIGITS = 3
"""Decimals kept of a vector."""


@dataclass(frozen=True)
class Instance:
    """One instance of a claim, small enough to print.

    Attributes
    ----------
    claim : str
    family : str
    settings : dict
        Keyword arguments of the family.
    vector : tuple of float
    """

    claim: str
    family: str
    settings: dict
    vector: tuple

    def arguments(self):
        """What the claim's function takes."""
        require("family", self.family, FAMILIES)
        function, shapes = FAMILIES[self.family]
        return function(**unpack(self.vector, shapes(**self.settings)), **self.settings)

    def check(self, words=None):
        """The check of the claim on this instance."""
        return check(self.claim, *self.arguments(), instance=words or f"worst case found, {_in_words(self)}")


def family(name, shapes):
    """Decorator: register the function that makes a claim's arguments from named arrays.

    Parameters
    ----------
    name : str
    shapes : callable
        From the settings to a dict of array names and shapes, which are cut from the vector in this order.
    """

    def register(function):
        FAMILIES[name] = (function, shapes)
        return function

    return register


def unpack(vector, shapes):
    """Named arrays, cut one after the other from a vector.

    Raises
    ------
    ValueError
        If the vector is too short or too long.
    """
    vector = validation.array("vector", vector)
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"vector has shape {vector.shape}, expected ({sum(sizes)},) for {', '.join(shapes)}.")
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def worst_case(claim, family, settings, rng, starts=50, climbs=2, evaluations=2000):
    """Search for the instance of `family` on which `claim` is tightest.

    Parameters
    ----------
    claim, family : str
    settings : dict
        Of the family.
    rng : numpy.random.Generator
    starts : int
        Normally distributed vectors, of three sizes, to choose the climbs' starts from.
    climbs : int
        How many of the best starts are improved.
    evaluations : int
        Of the claim, at most, in one climb.

    Returns
    -------
    Instance
        Its vector is rounded to `DIGITS` decimals: the ratio counts after that.
    """
    require("family", family, FAMILIES)
    size = sum(int(np.prod(shape)) for shape in FAMILIES[family][1](**settings).values())
    starts = validation.whole("starts", starts, 1)

    def loss(vector):
        ratio = Instance(claim, family, settings, vector).check().ratio
        return -ratio if np.isfinite(ratio) else -1e6

    vectors = rng.standard_normal((starts, size)) * rng.choice([0.5, 1.5, 4.0], (starts, 1))
    best = sorted(vectors, key=loss)[: validation.whole("climbs", climbs, 0)]
    options = {"maxfun": evaluations}
    from scipy import optimize

    climbed = [optimize.minimize(loss, vector, method="L-BFGS-B", bounds=[(-30, 30)] * size, options=options).x for vector in best]
    final = min((np.round(vector, DIGITS) for vector in [*vectors, *climbed]), key=loss)
    return Instance(claim, family, settings, tuple(final.tolist()))


def save(path, instances):
    """Write instances to a JSON file, one line each."""
    lines = ",\n".join(json.dumps(asdict(item)) for item in instances)
    results.write_text(path, f"[\n{lines}\n]\n")


def load(path):
    """The instances of a JSON file.

    Raises
    ------
    ValueError
        If the file does not hold instances.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
        return [Instance(**(item | {"vector": tuple(item["vector"])})) for item in items]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} holds no instances: {error}.") from None


def _in_words(instance):
    return ", ".join([instance.family, *(f"{name}={value}" for name, value in instance.settings.items())])
