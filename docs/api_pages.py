"""Writes a page of the API reference for every package and module, from the tree of files."""

import ast
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PACKAGE = "gesturehand"
#: Largest number of characters of a value that is written out.
_LONGEST_VALUE = 80


def write_api_pages(root: Path, folder: Path) -> None:
    """Writes ``index.rst`` and a page named after every package and module; removes those of modules that are gone.

    Args:
        root: The repository's root.
        folder: The folder of the pages; created if it is missing.
    """
    source = root / "src"
    pages = {f"{name}.rst": _page(path, name) for path, name in _modules(source)}
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        # An unchanged page keeps its time, and is not built again.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def skip_member(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out fields of a class without their own text, since the class's description lists them."""
    if what == "class" and not skip and not callable(member) and not isinstance(member, _DESCRIBED):
        return True
    return None


def keep_first_colon(app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Keeps napoleon from taking the words before a value's first colon for its type, with a comment before them."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


#: Members of a class that have their own docstrings, in addition to functions.
_DESCRIBED = (property, cached_property, classmethod, staticmethod)


def _modules(source: Path) -> list[tuple[Path, str]]:
    """Files and dotted names of everything public, packages before their contents."""
    found = []
    for path in sorted((source / PACKAGE).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            found.append((path, ".".join(parts)))
    return found


def _page(path: Path, name: str) -> str:
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "", *_plain_constants(path, name)]
    if path.name == "__init__.py":
        lines += _short_names(path, name)
        children = [file for file in path.parent.glob("*.py") if not file.name.startswith("_")]
        children += path.parent.glob("*/__init__.py")
        lines += _contents(name, children)
    return "\n".join(lines) + "\n"


def _plain_constants(path: Path, name: str) -> list[str]:
    """Entries of public names that have a value but no `#:` comment, which automodule leaves out."""
    text = path.read_text(encoding="utf-8")
    rows, lines = text.splitlines(), []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if not isinstance(target, ast.Name) or target.id.startswith("_"):
                continue
            if rows[node.lineno - 2].lstrip().startswith("#:"):
                continue
            value = "" if node.value is None else ast.unparse(node.value)
            shown = [f"   :value: {value}"] if 0 < len(value) <= _LONGEST_VALUE else []
            lines += [f".. py:data:: {target.id}", f"   :module: {name}", *shown, ""]
    return lines


def _short_names(path: Path, name: str) -> list[str]:
    """A table of the package's short names, with links to their descriptions."""
    homes = {
        short: home for short, home in _imports(path).items() if home.startswith(f"{name}.") and short[0].isupper()
    }
    rows = [f"   * - ``{name}.{short}``\n     - :obj:`{_home(path, home)}`" for short, home in sorted(homes.items())]
    return [".. rubric:: Short names", "", ".. list-table::", "", *rows, ""] if rows else []


def _imports(path: Path) -> dict[str, str]:
    """Dotted names of everything that a file imports from modules, by the names that it uses."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


def _home(path: Path, dotted: str) -> str:
    """The module that defines something which a package may re-export."""
    source = next(parent for parent in path.parents if parent.name == "src")
    module, _, short = dotted.rpartition(".")
    package = source.joinpath(*module.split("."), "__init__.py")
    passed_on = _imports(package).get(short) if package.is_file() else None
    return _home(path, passed_on) if passed_on else dotted


def _contents(name: str, children: Iterable[Path]) -> list[str]:
    """A table of the modules with the first sentence of each, and their places in the navigation."""
    rows, entries = [], []
    for file in sorted(children, key=lambda file: (file.name == "__init__.py", file)):
        short = file.parent.name if file.name == "__init__.py" else file.stem
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        rows.append(
            f"   * - :doc:`{short} <{name}.{short}>`\n     - {' '.join(about.partition(chr(10) * 2)[0].split())}"
        )
        entries.append(f"   {short} <{name}.{short}>")
    if not rows:
        return []
    table = [".. list-table::", "   :widths: 30 70", "", *rows, ""]
    return [".. rubric:: Modules", "", *table, ".. toctree::", "   :hidden:", "", *entries, ""]
