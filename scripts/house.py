"""Counts the package at several git revisions: files, lines, type-ignores, duplicated lines, public names.

    python scripts/house.py [--revisions 5889f5d ad6e7fe f16bd67 HEAD] [--document CONTRIBUTING.md]

A second table follows what the first revision defines to the last one. Both are printed; with ``--document`` they
also go between that document's ``house`` markers. A line counts as duplicated if it lies in a run of six or more
lines of code (without imports, comments and docstrings) that also occurs elsewhere in the package, whatever its
indentation.
"""

import argparse
import ast
import io
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gesturehand.markdown import markdown_table, write_between_markers

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/gesturehand"
MARKERS = ("<!-- house:begin -->", "<!-- house:end -->")
#: Before the package was put in order, before each consolidation since, and now.
REVISIONS = ["5889f5d", "ad6e7fe", "f16bd67", "HEAD"]
RUN = 6
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def sources(revision: str) -> dict[str, str]:
    """The package's Python files at a revision, by path."""
    paths = git("ls-tree", "-r", "--name-only", revision, PACKAGE).splitlines()
    return {path: git("show", f"{revision}:{path}") for path in paths if path.endswith(".py")}


def lines_of(nodes: list[ast.AST]) -> set[int]:
    return {line for node in nodes for line in range(node.lineno, node.end_lineno + 1)}  # type: ignore[attr-defined]


def docstring_lines(tree: ast.Module) -> set[int]:
    owners = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None]
    return lines_of([owner.body[0] for owner in owners])


def code_lines(text: str, docstrings: set[int]) -> list[int]:
    """Numbers of the lines that hold code, including all lines of a string that spans several."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            found |= set(range(token.start[0], token.end[0] + 1))
    return sorted(found - docstrings)


def public_names(tree: ast.Module) -> int:
    """Public names: a module's functions, classes and constants, and the methods of its public classes."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, DOCUMENTED[1:]):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, DOCUMENTED[2:])}
    return sum(not name.rpartition(".")[2].startswith("_") for name in names)


def duplicated(files: list[list[str]]) -> tuple[int, int]:
    """Lines in runs that also occur elsewhere, and the number of those runs."""
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for number, lines in enumerate(files):
        for start in range(len(lines) - RUN + 1):
            places[tuple(lines[start : start + RUN])].append((number, start))
    marked: set[tuple[int, int]] = set()
    for found in places.values():
        apart = len({number for number, _ in found}) > 1 or found[-1][1] - found[0][1] >= RUN
        if apart:
            marked |= {(number, start + step) for number, start in found for step in range(RUN)}
    runs = sum((number, line - 1) not in marked for number, line in marked)
    return len(marked), runs


def count(revision: str) -> dict[str, int]:
    """The counts at a revision, by name."""
    texts = sources(revision)
    code: list[list[str]] = []
    total = documented = ignores = names = 0
    for text in texts.values():
        tree = ast.parse(text)
        docstrings = docstring_lines(tree)
        numbers = code_lines(text, docstrings)
        imports = lines_of([node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)])
        lines = text.splitlines()
        code.append([lines[number - 1].strip() for number in numbers if number not in imports])
        total += len(numbers)
        documented += len(docstrings)
        ignores += text.count("# type: ignore")
        names += public_names(tree)
    repeated, runs = duplicated(code)
    return {
        "files": len(texts),
        "lines of code": total,
        "docstring lines": documented,
        "type-ignores": ignores,
        "duplicated lines": repeated,
        "… in runs of six or more": runs,
        "public names": names,
        "lines of code a file": round(total / len(texts)),
    }


def definitions(texts: dict[str, str]) -> dict[str, dict[str, int]]:
    """Lines of every function and class at a module's top level, by name and by the files that define that name."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for path, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, DOCUMENTED[1:]):
                found[node.name][path] += len(lines_of([node]))
    return found


def succession(first: dict[str, str], last: dict[str, str]) -> list[tuple[str, int, int]]:
    """The fate of the first revision's functions and classes, and the additions of the last one.

    A definition is identified by its name, wherever it is: a renamed one counts as gone and as new. Definitions of one
    name count as one, with the lines and files of all; among private names, such as ``_text``, that is mostly
    coincidence.

    Args:
        first: The sources of the first revision, by path.
        last: Those of the last one.

    Returns:
        Rows: a description, its number at the first revision, and at the last.
    """
    revisions = [definitions(texts) for texts in (first, last)]
    before, after = revisions
    kept, new = before.keys() & after.keys(), after.keys() - before.keys()
    public = {name for name in before if not name.startswith("_")}

    def lines(found: dict[str, dict[str, int]], names: Iterable[str]) -> int:
        return sum(sum(found[name].values()) for name in names)

    def files(found: dict[str, dict[str, int]], names: Iterable[str]) -> set[str]:
        return {path for name in names for path in found[name]}

    homes = [files(found, kept) for found in revisions]
    return [
        ("functions and classes that the first revision defined", len(before), len(kept)),
        ("… files that define them", len(files(before, before)), len(homes[1])),
        ("… the public ones among them", len(public), len(public & kept)),
        ("… files that define the public ones", len(files(before, public)), len(files(after, public & kept))),
        ("… lines of those that still exist", *(lines(found, kept) for found in revisions)),
        ("functions and classes that were added since", 0, len(new)),
        ("… lines of those", 0, lines(after, new)),
        ("… files that define no older ones", 0, len(files(after, new) - homes[1])),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revisions", nargs="+", default=REVISIONS, help="git revisions")
    parser.add_argument("--document", type=Path, help="Markdown file with markers")
    arguments = parser.parse_args()
    names = [git("rev-parse", "--short", revision).strip() for revision in arguments.revisions]
    counts = [count(name) for name in names]
    rows = [[f"`{PACKAGE}`", *names]]
    rows += [[what, *(f"{of_revision[what]:,}" for of_revision in counts)] for what in counts[0]]
    first, *_, last = names
    became = [["defined in the package", first, last]]
    became += [[what, f"{before:,}", f"{after:,}"] for what, before, after in succession(sources(first), sources(last))]
    table = f"{markdown_table(rows)}\n{markdown_table(became)}"
    print(table, end="")
    if arguments.document:
        source = f"<!-- written by `python scripts/house.py --document {arguments.document}` -->\n"
        write_between_markers(arguments.document, source + table, MARKERS)


if __name__ == "__main__":
    main()
