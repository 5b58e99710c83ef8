"""Which modules of the package a notebook uses, found without running it.

The code is parsed and every name that an import binds is followed to the module that defines it, through re-exports:
``from marlpaper import learners`` and ``learners.q_ascent(...)`` lead to ``marlpaper/learners/q_ascent.py`` alone.
The same is done with that module, and so on. A name that cannot be followed counts as its whole package.
"""

import ast

__all__ = ["modules_used"]

REGISTRIES = ("claims",)
"""Packages whose functions look up, by id, what their modules registered with ``registry.claim("id", ...)``."""


def modules_used(code, package):
    """Return the files of `package` that `code` depends on.

    Parameters
    ----------
    code : str
        Python source that imports the package by its name.
    package : pathlib.Path
        The folder of the package.

    Returns
    -------
    list of pathlib.Path
        Sorted; all files of the package if `code` cannot be parsed.

    Notes
    -----
    An ``__init__`` counts only if it defines a name that is used: re-exports alone do not, so that a new learner does
    not touch the notebooks that use the old ones. A registry leads to the modules that register an id of which the
    code has the whole or the beginning as a string, and to all of them if there is none.
    """
    house = _House(package)
    try:
        pending = house.used_by(ast.parse(code), "")
    except SyntaxError:
        pending = house.below(package.name)
    found = set()
    while pending:
        module = pending.pop()
        found.add(module)
        pending |= house.used_by(house.tree(module), module) - found
    return sorted(house.file(module) for module in found)


class _House:
    """The modules of one package, by dotted name."""

    def __init__(self, package):
        self.package = package
        self.trees = {}

    def file(self, module):
        path = self.package.parent.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def exists(self, module):
        return self.file(module).is_file()

    def is_package(self, module):
        return self.exists(module) and self.file(module).name == "__init__.py"

    def is_registry(self, module):
        return module in [f"{self.package.name}.{name}" for name in REGISTRIES]

    def tree(self, module):
        if module not in self.trees:
            self.trees[module] = ast.parse(self.file(module).read_text(encoding="utf-8"))
        return self.trees[module]

    def below(self, module):
        """Return `module` and all modules inside it."""
        if not self.is_package(module):
            return {module}
        folder = self.file(module).parent
        relative = [path.relative_to(self.package.parent).with_suffix("").parts for path in folder.rglob("*.py")]
        return {".".join(parts).removesuffix(".__init__") for parts in relative}

    def used_by(self, tree, module):
        """Return the modules that the code of `module` (empty for a notebook) leads to directly."""
        found = set()
        imports = self.imports(tree, module)
        chains = _attribute_chains(tree)
        # An import that the code never uses by name is made for its effect, hence for all of it;
        # a registry's own imports are made to fill it, and what is used of them depends on the ids.
        unused = [] if self.is_registry(module) else [()]
        for local, (source, attributes) in imports.items():
            for chain in chains.get(local, unused):
                found |= self.locate(source, (*attributes, *chain))
        for registry in filter(self.is_registry, sorted(found)):
            found |= self.registered(registry, tree)
        return found

    def registered(self, registry, tree):
        """Return the modules of a registry whose ids the code mentions, all if it mentions none."""
        words = tuple(word for word in _strings(ast.walk(tree)) if word)
        spoken = {
            module
            for module in self.below(registry)
            for id in _registered_ids(self.tree(module))
            if any(id.startswith(word) and word.startswith(id.split(".")[0]) for word in words)
        }
        return spoken or self.below(registry)

    def imports(self, tree, module):
        """Return what each imported name stands for: a module and the attributes to follow from it."""
        bound = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    target = alias.name if alias.asname else alias.name.split(".")[0]
                    bound[alias.asname or target] = (target, ())
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node, module)
                for alias in node.names:
                    # A package's own __init__ that imports from the package means its modules.
                    inside = source == module and self.exists(f"{source}.{alias.name}")
                    target = (f"{source}.{alias.name}", ()) if inside else (source, (alias.name,))
                    bound[alias.asname or alias.name] = (source, ()) if alias.name == "*" else target
        return {name: target for name, target in bound.items() if target[0].split(".")[0] == self.package.name}

    def _absolute(self, node, module):
        if not node.level:
            return node.module
        parts = module.split(".") if module else [""]
        base = parts[: len(parts) - node.level + self.is_package(module)]
        return ".".join([*base, *([node.module] if node.module else [])])

    def locate(self, module, attributes):
        """Return the modules behind ``module.attributes``."""
        if not self.exists(module):
            return self.below(self.package.name)
        if not self.is_package(module):
            return {module}
        if not attributes:
            return self.below(module)
        name, *rest = attributes
        child = f"{module}.{name}"
        imported = self.imports(self.tree(module), module).get(name)
        is_child = imported == (child, ()) or (imported is None and self.exists(child))
        if name in _defined(self.tree(module)):
            return {module}
        if is_child:
            return self.locate(child, rest)
        found = self.locate(imported[0], (*imported[1], *rest)) if imported else self.below(module)
        return found | {module} if self.is_registry(module) else found


def _attribute_chains(tree):
    """Return, for each name in the code, the attributes read from it: ``a.b.c`` gives ``a: ("b", "c")``."""
    chains, inner = {}, set()
    for node in ast.walk(tree):  # outer attributes come before the inner ones they contain
        attributes, end = [], node
        while isinstance(end, ast.Attribute):
            attributes.append(end.attr)
            inner.add(end.value)
            end = end.value
        if isinstance(end, ast.Name) and node not in inner:
            chains.setdefault(end.id, []).append(tuple(reversed(attributes)))
    return chains


def _defined(tree):
    """Return the names that the top level of a module defines itself."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _registered_ids(tree):
    """Return the ids in calls like ``registry.claim("mao2023.lemma8", ...)``."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return _strings(argument for call in calls if call.func.attr == "claim" for argument in call.args[:1])


def _strings(nodes):
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
