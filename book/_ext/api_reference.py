"""Directive `{api-reference}`: a module and everything public in it, from its docstrings.

Docstrings are written for `help()`: mathematics between dollars, code between single backticks. Sphinx reads
reStructuredText, so the dollars are rewritten on the way; the backticks are its default role.
"""

import importlib
import inspect
import pkgutil
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE = re.compile(r"(?<![\\`$])\$([^$\n](?:[^$]*?[^$\s])?)\$(?!\$)")
# What is neither code nor mathematics: there, a bar or a lone star is the character itself.
PROTECTED = re.compile(r"(``.+?``|:\w+:`[^`]+`|`[^`\n]+`|\.\. math::.*|^ *(?:>>>|\.\.\. ).*$)", re.MULTILINE)
STAR = re.compile(r"(?<=[ (,])\*(?=\w)(?![^\s*]*\*)")


class ApiReference(SphinxDirective):
    """One section for each public module of the package named by the argument, in alphabetical order."""

    required_arguments = 1

    def run(self):
        root = importlib.import_module(self.arguments[0])
        lines = []
        for name in module_names(root):
            lines += [f"{'#' * min(name.count('.') + 1, 3)} {name}", "", *_block(name), ""]
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, "api-reference"), self.content_offset, node, match_titles=True)
        return node.children


def module_names(package):
    """The public modules below a package, each package before what it holds."""
    found = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return sorted(name for name in found if not any(part.startswith("_") for part in name.split(".")))


def public_names(name):
    """What a module offers under its own name: its `__all__`, else what it defines, but for what a package above exports."""
    module = importlib.import_module(name)
    own = [key for key, value in vars(module).items() if not key.startswith("_") and getattr(value, "__module__", None) == name]
    return [key for key in getattr(module, "__all__", own) if callable(getattr(module, key)) and not _shown_above(name, key)]


def _shown_above(name, key):
    """Whether a package above exports the same object, which is then the name to use."""
    target = getattr(importlib.import_module(name), key)
    parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
    return any(key in getattr(module, "__all__", ()) and getattr(module, key, None) is target
               for module in map(importlib.import_module, parents))


def _block(name):
    parent, _, last = name.rpartition(".")
    # A module named like a function of its package (`claims.check`) leaves the name to the function.
    hidden = last in getattr(importlib.import_module(parent), "__all__", ())
    lines = [f".. automodule:: {name}", *["   :no-index:"] * hidden, ""]
    for key in public_names(name):
        value = getattr(importlib.import_module(name), key)
        if inspect.isclass(value):
            lines += [f".. autoclass:: {name}.{key}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: {name}.{key}", ""]
    return ["```{eval-rst}", *lines, "```"]


def to_restructuredtext(text):
    """A docstring as reStructuredText: mathematics between dollars as roles, stray markup characters escaped."""
    text = DISPLAY.sub(lambda match: f"\n\n.. math:: {_one_line(match)}\n\n", text)
    text = INLINE.sub(lambda match: f":math:`{_one_line(match)}`\\ ", text)
    parts = PROTECTED.split(text)
    parts[::2] = [STAR.sub(r"\\*", part.replace("|", r"\|")) for part in parts[::2]]
    return "".join(parts)


def one_attribute_each(text):
    """Entries such as "first, second : float" of an Attributes section, split: napoleon reads one name per entry there."""
    head, title, rest = text.partition("Attributes\n----------\n")
    body, following, tail = _until_next_section(rest)
    entries = re.split(r"^(?=\S)", body, flags=re.MULTILINE)
    return head + title + "".join(map(_split_entry, entries)) + following + tail


def _until_next_section(text):
    found = re.search(r"^\S.*\n-{3,}$", text, re.MULTILINE)
    return (text[: found.start()], found.group(), text[found.end() :]) if found else (text, "", "")


def _split_entry(entry):
    names, colon, rest = entry.partition(" : ")
    several = colon and re.fullmatch(r"\w+(?:, \w+)+", names)
    return "".join(f"{name} : {rest.rstrip()}\n" for name in names.split(", ")) if several else entry


def _one_line(match):
    return " ".join(match.group(1).split())


def rewrite(app, what, name, obj, options, lines):
    lines[:] = to_restructuredtext(one_attribute_each("\n".join(lines))).split("\n")


def skip_fields(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, whose own docstring ("Alias for field number 0") says nothing."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.add_directive("api-reference", ApiReference)
    # Before napoleon (priority 500) cuts the docstring into fields.
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", rewrite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
