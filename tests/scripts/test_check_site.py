"""The check of the site finds the faults that it is meant to find."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs gesturehand[docs]")
REPOSITORY = Path(__file__).parents[2]
CHECK = runpy.run_path(str(REPOSITORY / "scripts" / "check_site.py"))


def test_broken_links_and_anchors_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="sub/b.html#here">b</a><a href="#top">t</a><a href="https://example.org/x">x</a>'
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_text('<p id="here"><a href="../a.html#gone">a</a><img src="no.png"></p>')
    assert CHECK["broken_links"](tmp_path) == ["sub/b.html: ../a.html#gone", "sub/b.html: no.png"]


def test_public_names_of_a_package(tmp_path):
    package = tmp_path / "some"
    package.mkdir()
    (package / "__init__.py").write_text("LEFT_OUT = 1\n")
    (package / "part.py").write_text(
        "A: int = 1\n_B = 2\ndef f(): ...\nclass C:\n    x: int\n    def g(self): ...\n    def _h(self): ...\n"
    )
    assert list(CHECK["public_names"](package)) == ["some.part.A", "some.part.f", "some.part.C", "some.part.C.g"]


@pytest.mark.parametrize("folder", ["docs", "notebooks", "LICENSES"])
def test_every_page_is_in_a_table_of_contents(folder):
    """Sphinx refuses this as well, but only when the site is built."""
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    entries = [line for block in index.split("```{toctree}")[1:] for line in block.partition("```")[0].splitlines()]
    listed = {path.resolve() for entry in entries if entry and entry[0] != ":" for path in _files(entry)}
    pages = [path for kind in ("*.md", "*.ipynb") for path in (REPOSITORY / folder).glob(kind)]
    assert pages
    assert [path.name for path in pages if path.resolve() not in listed and path.name != "index.md"] == []


def _files(entry):
    folder, _, name = entry.rpartition("/")
    return [path for kind in ("md", "ipynb") for path in (REPOSITORY / "docs" / folder).glob(f"{name}.{kind}")]
