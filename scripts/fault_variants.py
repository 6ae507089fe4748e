"""Tries every variant of files and habits that could break something, and records the outcome of each.

``python scripts/fault_variants.py`` runs the tests that are marked ``fault(kind, variant, outcome)``, collects the
marks, and writes ``docs/results/variants.json`` and the table of ``docs/robustness.md``. If a test fails, nothing is
written. Further arguments are passed to pytest. With ``--new`` only variants that the last run did not have are tried;
the others keep their results, under the present wording of their outcomes.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.text_file import read_json, write_json

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
RESULTS = DOCS / "results" / "variants.json"
MARKERS = ("<!-- variants:begin -->", "<!-- variants:end -->")


class Variants:
    """A pytest plugin that collects the marks and the outcomes of their tests.

    Args:
        kept: Variants that are not tried again, with their results, by kind and name.
    """

    def __init__(self, kept: dict[tuple[str, str], dict[str, Any]] | None = None) -> None:
        self.kept = kept or {}
        self.marks: dict[str, list[dict[str, str]]] = {}
        self.results: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keeps the marks of the chosen tests, of which each may have several; leaves out what is not tried again."""
        for item in items:
            self.marks[item.nodeid] = [dict(mark.kwargs) for mark in item.iter_markers("fault")]
        items[:] = [
            item
            for item in items
            if any((mark["kind"], mark["variant"]) not in self.kept for mark in self.marks[item.nodeid])
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the outcome of a test; a failure or a skip in any of its three phases counts."""
        if report.outcome != "passed" or report.when == "call":
            self.results[report.nodeid] = report.outcome

    def each(self) -> list[dict[str, Any]]:
        """Every variant once, with the number of its tests; it has held if all of them passed."""
        variants: dict[tuple[str, str], dict[str, Any]] = {}
        for test, marks in self.marks.items():
            for mark in marks:
                found = variants.setdefault((mark["kind"], mark["variant"]), {**mark, "tests": 0, "results": Counter()})
                if found["outcome"] != mark["outcome"]:
                    raise SystemExit(f"{test}: the variant '{mark['variant']}' has two outcomes: correct one of them.")
                found["tests"] += 1
                found["results"][self.results.get(test, "not run")] += 1
        for key in variants.keys() & self.kept.keys():
            variants[key] |= {name: self.kept[key][name] for name in ("tests", "results")}
        return [variants[key] for key in sorted(variants)]


def table(variants: list[dict[str, Any]]) -> str:
    """The kinds with their numbers of variants and their outcomes."""
    rows = [["kind", "variants", "outcomes"]]
    for kind in sorted({variant["kind"] for variant in variants}):
        outcomes = Counter(variant["outcome"] for variant in variants if variant["kind"] == kind)
        shown = "; ".join(f"{outcome} ({count})" for outcome, count in outcomes.most_common())
        rows.append([kind, str(sum(outcomes.values())), shown])
    rows.append(["**all**", str(len(variants)), ""])
    return markdown_table(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new", action="store_true", help="try only what the last run did not have")
    options, words = parser.parse_known_args()
    last = read_json(RESULTS, "The last run's variants", "run all of them")["variants"] if options.new else []
    plugin = Variants({(variant["kind"], variant["variant"]): variant for variant in last})
    sys.path.insert(0, str(REPOSITORY))  # processes that tests start import the tests from there
    code = pytest.main(["-m", "fault", "-q", str(REPOSITORY / "tests"), *words], plugins=[plugin])
    if code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED if options.new else 0):
        return int(code)
    variants = plugin.each()
    skipped = sum(variant["results"].get("passed", 0) == 0 for variant in variants)
    print(f"{len(variants)} variants, {skipped} of them skipped")
    command = "python scripts/fault_variants.py"
    write_json(RESULTS, {"command": command, "skipped": skipped, "variants": variants})
    text = f"<!-- written by `{command}` -->\n{table(variants)}"
    write_between_markers(DOCS / "robustness.md", text, MARKERS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
