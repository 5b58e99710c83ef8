"""Names and values that a person typed: names are found, or answered with the nearest one that exists."""

import ast
import difflib

__all__ = ["UnknownNameError", "literal", "require"]


class UnknownNameError(KeyError, ValueError):
    """A name that does not exist."""

    __str__ = Exception.__str__  # a KeyError would show the sentence in quotation marks


def require(kind, name, known):
    """Raise an error unless `name` is known.

    Parameters
    ----------
    kind : str
        What it is a name of, e.g. ``"notebook"``.
    name : str
        What was typed.
    known : iterable of str
        The names that exist.

    Raises
    ------
    UnknownNameError
        With the nearest name, or all names if none is near.

    Examples
    --------
    >>> require("claim", "mao2023.lemma88", ["mao2023.lemma8", "mao2023.theorem1"])
    Traceback (most recent call last):
    marlpaper.lookup.UnknownNameError: There is no claim 'mao2023.lemma88'; did you mean 'mao2023.lemma8'?
    """
    known = list(known)
    if name in known:
        return
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}."
    raise UnknownNameError(f"There is no {kind} {name!r}; {hint}")


def literal(text):
    """What a typed value means: a truth value, a Python literal, else the text itself.

    Parameters
    ----------
    text : str

    Returns
    -------
    object

    Examples
    --------
    >>> literal("false"), literal("1e-3"), literal("'1'"), literal("best")
    (False, 0.001, '1', 'best')
    """
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
