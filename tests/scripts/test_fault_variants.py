"""Variants are tried, counted and reworded, on marked tests that are written here."""

import importlib
from collections import Counter
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.fault(kind="box", variant="none", outcome="refused")
@pytest.mark.parametrize("number", [1, 2])
def test_known(number):
    raise AssertionError("it has a result, so it is not tried again")

@pytest.mark.fault(kind="box", variant="empty", outcome="read")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_new(number):
    if number == 3:
        pytest.skip()

def test_without_a_mark():
    raise AssertionError("it is no variant")
"""


@pytest.fixture
def variants_of(monkeypatch, tmp_path):
    """The plugin after a run of :data:`TESTS` with it, and the exit code."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    script = importlib.import_module("fault_variants")
    (tmp_path / "test_here.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = fault\n")

    def run(kept):
        plugin = script.Variants(kept)
        words = [
            "--import-mode=importlib",
            "-m",
            "fault",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            str(tmp_path / "pytest.ini"),
            str(tmp_path),
        ]
        return plugin, pytest.main(words, plugins=[plugin])

    return run


def test_only_new_variants_are_tried_and_the_others_keep_their_results(variants_of):
    before = {
        "kind": "box",
        "variant": "none",
        "outcome": "as it was called then",
        "tests": 7,
        "results": {"passed": 7},
    }
    plugin, code = variants_of({("box", "none"): before})
    assert code == 0
    assert plugin.each() == [
        {"kind": "box", "variant": "empty", "outcome": "read", "tests": 3, "results": Counter(passed=2, skipped=1)},
        {"kind": "box", "variant": "none", "outcome": "refused", "tests": 7, "results": {"passed": 7}},
    ]


def test_without_earlier_results_all_are_tried(variants_of):
    plugin, code = variants_of({})
    assert code == pytest.ExitCode.TESTS_FAILED
    assert [variant["results"] for variant in plugin.each()] == [Counter(passed=2, skipped=1), Counter(failed=2)]
