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
# A star before a word, as in "(..., S, *rest)", would open an emphasis; lines that start with one name parameters.
STAR = re.compile(r"(?<=[ (,])\*(?=\w)(?![^\s*]*\*)")
INLINE = re.compile(r"(?<![\\`$])\$([^$\n](?:[^$]*?[^$\s])?)\$(?!\$)")


class ApiReference(SphinxDirective):
    """One section for each of the modules named by the argument and below it."""

    required_arguments = 1

    def run(self):
        root = importlib.import_module(self.arguments[0])
        lines = []
        for name in module_names(root):
            lines += [f"### {name}", "", *_block(name), ""]
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, "api-reference"), self.content_offset, node, match_titles=True)
        return node.children


def module_names(root):
    """The module and the public modules below it, packages first."""
    below = getattr(root, "__path__", [])
    found = [module.name for module in pkgutil.walk_packages(below, f"{root.__name__}.")]
    return [root.__name__, *sorted(name for name in found if not any(part.startswith("_") for part in name.split(".")))]


def public_names(name):
    """Names a module offers as its own: those of a package's `__all__`, else what is defined in it."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = [key for key, value in vars(module).items() if not key.startswith("_") and getattr(value, "__module__", None) == name]
    return [key for key in own if callable(getattr(module, key)) and not _shown_above(name, key)]


def _shown_above(name, key):
    """Whether a package above exports the same object, which is then the name to use."""
    target = getattr(importlib.import_module(name), key)
    parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
    return any(key in getattr(module, "__all__", ()) and getattr(module, key, None) is target
               for module in map(importlib.import_module, parents))


def _block(name):
    lines = [f".. automodule:: {name}", ""]
    for key in public_names(name):
        value = getattr(importlib.import_module(name), key)
        if inspect.isclass(value):
            lines += [f".. autoclass:: {name}.{key}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: {name}.{key}", ""]
    return ["```{eval-rst}", *lines, "```"]


def dollars_to_roles(lines):
    """Mathematics between dollars as reStructuredText."""
    text = "\n".join(line if line.lstrip().startswith("*") or "`" in line else STAR.sub(r"\\*", line) for line in lines)
    text = DISPLAY.sub(lambda match: _display(match.group(1)), text)
    return INLINE.sub(lambda match: f":math:`{' '.join(match.group(1).split())}`\\ ", text).split("\n")


def _display(body):
    return f"\n\n.. math:: {' '.join(body.split())}\n\n"


def rewrite(app, what, name, obj, options, lines):
    lines[:] = dollars_to_roles(lines)


def setup(app):
    app.add_directive("api-reference", ApiReference)
    # Before napoleon (priority 500) cuts the docstring into fields.
    app.connect("autodoc-process-docstring", rewrite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
