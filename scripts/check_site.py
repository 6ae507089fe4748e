"""Checks the built site: internal links and anchors must lead somewhere, and every public name must have an entry.

python scripts/check_site.py build/site
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).resolve().parents[1]
#: Generated pages, whose links are not checked for anchors.
GENERATED = {"genindex.html", "search.html", "py-modindex.html"}


class Page(HTMLParser):
    """A page's links and anchors.

    Attributes:
        links: Values of ``href`` and ``src``.
        anchors: Values of ``id``.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag's link and anchor."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and name == "id":
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Internal links that lead nowhere, each with its page."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link in ("#", ""):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            missing = not target.exists()
            if target in pages and parts.fragment and path.name not in GENERATED:
                missing = unquote(parts.fragment) not in pages[target].anchors
            if missing:
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    return sorted(set(broken))


def public_names(source: Path) -> Iterator[str]:
    """Dotted names of the public classes, functions, constants and methods in a package's folder."""
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if any(part.startswith("_") for part in module.split(".")) or parts[-1] == "__init__":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = []
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            for name in names:
                if name.startswith("_"):
                    continue
                yield f"{module}.{name}"
                if isinstance(node, ast.ClassDef):
                    methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
                    yield from (f"{module}.{name}.{method}" for method in methods if not method.startswith("_"))


def missing_names(site: Path, source: Path) -> list[str]:
    """Public names without an entry in the site's index."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    entries = {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}
    return sorted(set(public_names(source)) - entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="the built site's folder")
    arguments = parser.parse_args()
    links, names = broken_links(arguments.site), missing_names(arguments.site, ROOT / "src" / "gesturehand")
    for text, found in (("broken link", links), ("public name without an entry", names)):
        for each in found:
            print(f"{text}: {each}")
    if links or names:
        sys.exit(1)
    pages = sum(1 for _ in arguments.site.rglob("*.html"))
    print(f"{arguments.site}: {pages} pages, no broken link, every public name has an entry")


if __name__ == "__main__":
    main()
