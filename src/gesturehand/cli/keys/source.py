"""Finds the things that names stand for in source, without importing them: PyTorch's import takes seconds."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

#: Largest number of names that are followed: more than in any chain of re-exports.
_DEEPEST: Final = 12
_PACKAGE: Final = "gesturehand"


class Found(NamedTuple):
    """The thing that a name stands for.

    Attributes:
        module: The module in whose source it is defined; the module itself if ``node`` is None.
        node: A class, a function, or the expression that the name was given; None for a module.
    """

    module: str
    node: ast.ClassDef | ast.FunctionDef | ast.expr | None


@cache
def tree_of(module: str) -> ast.Module | None:
    """A module's syntax tree; None if there is no such module, or it is not written in Python.

    Args:
        module: Dotted name. Nothing is imported, not even its packages.
    """
    name, *rest = module.split(".")
    try:
        spec = find_spec(name)
        for part in rest:
            name = f"{name}.{part}"
            spec = None if spec is None else PathFinder.find_spec(name, list(spec.submodule_search_locations or ()))
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            return None
        return ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def find(module: str, name: str, depth: int = 0) -> Found | None:
    """The thing that a name of a module stands for, through re-exports; None if that cannot be read.

    Args:
        module: Dotted name.
        name: A name in it, without dots.
        depth: Number of re-exports that led here.
    """
    tree = tree_of(module)
    if tree is None or depth > _DEEPEST:
        return None
    for node in _statements(tree.body):
        match node:
            case ast.ClassDef() | ast.FunctionDef() if node.name == name:
                return Found(module, node)
            case ast.Assign(targets=[ast.Name(id=given)]) if given == name:
                return Found(module, node.value)
            case ast.AnnAssign(target=ast.Name(id=given), value=ast.expr()) if given == name:
                return Found(module, node.value)
            case ast.Import():
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return Found(alias.name, None)
            case ast.ImportFrom(module=str(source), level=0):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return _imported(source, alias.name, depth)
    return None


def find_dotted(name: str, module: str = "") -> Found | None:
    """The thing that a dotted name stands for: ``gesturehand.GesturePretrainer``, or ``pl.Callback`` within a module.

    Args:
        name: Dotted name.
        module: The module in whose source it is used; if not given, the name begins with a package.
    """
    first, *rest = name.split(".")
    found = find(module, first) if module else (Found(first, None) if tree_of(first) is not None else None)
    for part in rest:
        if found is None or found.node is not None:
            return None
        found = _imported(found.module, part, 0)
    return found


def value_of(expression: ast.expr, module: str) -> Any:
    """The value of an expression in a module's source, such as a default.

    Constants of this package are followed; only computed values are imported.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return ast.literal_eval(expression)
    except ValueError:
        pass
    name = ast.unparse(expression)
    found = find(module, name) if name.isidentifier() else None
    if found is not None and isinstance(found.node, ast.expr):
        return value_of(found.node, found.module)
    home = module
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and (root := find(module, node.id)) is not None:
            home = root.module
    # Computed values of other packages would run their code, which nobody has asked for.
    if {module.partition(".")[0], home.partition(".")[0]} != {_PACKAGE}:
        raise ValueError(name)
    return eval(name, dict(vars(importlib.import_module(home))))


def _imported(module: str, name: str, depth: int) -> Found | None:
    """A name of a module, or a module of a package."""
    found = find(module, name, depth + 1)
    if found is None and tree_of(f"{module}.{name}") is not None:
        return Found(f"{module}.{name}", None)
    return found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, including those below ``if`` and ``try``."""
    for node in body:
        match node:
            case ast.If():
                yield from _statements([*node.body, *node.orelse])
            case ast.Try():
                yield from _statements([*node.body, *(s for h in node.handlers for s in h.body), *node.orelse])
            case _:
                yield node
