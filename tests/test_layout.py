"""CONTRIBUTING against the tree: tests mirror the package, and every file that it names exists."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src" / "gesturehand"
#: Tests of several modules together, or of folders outside the package.
OF_MANY = {
    "benchmarks/": "mirrors benchmarks/",
    "experiments/": "the scripts for clusters",
    "fuzz/": "mutated files of every kind, through every reader",
    "notebooks/": "the notebooks, executed",
    "scripts/": "mirrors scripts/",
    "cluster/test_two_machines.py": "workers and clients that are killed, up to the written results",
    "cli/test_impossible_settings.py": "settings that every command refuses",
    "cli/test_outputs.py": "places that no command can write to",
    "inference/test_two_hands.py": "networks of two hands, from image to mesh",
    "own_data/test_labels.py": "labels and gestures without joints, through the import",
    "test_imports.py": "who may import whom, and what only some systems have",
    "test_layout.py": "this file",
    "test_release.py": "versions, workflows, the Makefile's demo and the built package",
    "trainers/test_distributed.py": "both stages on two processes, one of which may die",
    "trainers/test_multi_node.py": "a training on two machines, both of which are this one",
    "trainers/test_mixed_sets.py": "a training on three sets at once",
}
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
WALKS = re.findall(r"^### (How a .*)\n((?:.*\n)*?)(?=^##)", CONTRIBUTING, re.MULTILINE)


def test_tests_mirror_the_package():
    tests = [path.relative_to(REPOSITORY / "tests") for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert len(tests) > 100
    strangers = [
        str(path)
        for path in tests
        if not (PACKAGE / path.with_name(path.name.removeprefix("test_"))).is_file()
        and not (PACKAGE / path.with_name(path.stem.removeprefix("test_"))).is_dir()
        and not str(path).startswith(tuple(OF_MANY))
    ]
    assert strangers == [], "name a test after the module that it tests, or list it in OF_MANY"


def test_exceptions_exist():
    assert [name for name in OF_MANY if not (REPOSITORY / "tests" / name).exists()] == []


@pytest.mark.parametrize(("title", "text"), WALKS, ids=[title for title, _ in WALKS])
def test_a_walk_names_at_most_eight_files_that_exist(title, text):
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert 3 <= len(named) <= 8
    assert [name for name in named if not (PACKAGE / name).is_file()] == []


def test_there_are_three_walks():
    assert len(WALKS) == 3
