"""The documents' tables against the JSON files beside them, through the script that writes them."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def write(monkeypatch):
    """Runs the script in the repository, so that the paths that it notes in a document are the documented ones."""

    def run(*words):
        monkeypatch.chdir(REPOSITORY)
        monkeypatch.setattr(sys, "argv", ["document_tables.py", *map(str, words)])
        runpy.run_path("scripts/document_tables.py", run_name="__main__")

    return run


@pytest.mark.parametrize(
    ("kind", "results", "document"),
    [
        ("summary", "docs/results/demo.json", "docs/five_minutes.md"),
        ("statistics", "docs/results/openhand.json", "docs/openhand.md"),
    ],
)
def test_tables_in_the_repository_are_those_of_the_results(write, kind, results, document, tmp_path):
    copy = tmp_path / "page.md"
    shutil.copyfile(REPOSITORY / document, copy)
    write(kind, results, copy)
    assert copy.read_text().replace(str(copy), document) == (REPOSITORY / document).read_text()


def test_ablation_is_written_with_its_pictures(write, tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copyfile(REPOSITORY / "docs/results/ablation_quick.json", tmp_path / "out/results.json")
    for name in ("differences", "curves"):
        shutil.copyfile(REPOSITORY / "docs/images/gallery.jpg", tmp_path / f"out/ablation_{name}.png")
    document = tmp_path / "docs/ablation.md"
    document.parent.mkdir()
    text = (REPOSITORY / "docs/ablation.md").read_text()
    begin, end = "<!-- ablation:begin -->\n", "<!-- ablation:end -->"
    document.write_text(f"before\n{begin}old\n{end}\nafter\n")
    write("ablation", tmp_path / "out/results.json", document)
    written = document.read_text()
    tables = text.partition(begin)[2].partition(end)[0].partition("\n")[2]
    assert tables in written
    assert "old" not in written
    assert (document.parent / "images/ablation_curves.jpg").is_file()
    assert (document.parent / "results/ablation_quick.json").is_file()
