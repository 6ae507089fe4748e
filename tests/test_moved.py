"""Old dotted names, as they occur in configurations and in people's programs."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from jsonargparse.util import import_object

import gesturehand
from gesturehand.moved import MOVED

#: The public names that each module had before it was moved.
OLD_NAMES = {
    module: names.split()
    for module, names in (
        line.split(": ", 1) for line in Path(__file__).with_name("old_names.txt").read_text("utf-8").splitlines()
    )
}


def test_the_list_is_that_of_the_table():
    assert sorted(OLD_NAMES) == sorted(MOVED)


@pytest.mark.parametrize("module", OLD_NAMES)
def test_every_name_of_a_moved_module_is_found(module):
    old = importlib.import_module(f"gesturehand.{module}")
    for name in OLD_NAMES[module]:
        found = getattr(old, name)
        assert getattr(found, "__module__", "") != old.__name__
    with pytest.raises(AttributeError, match=f"module 'gesturehand.{module}' has no attribute 'nothing'"):
        _ = old.nothing


def test_a_class_path_may_be_an_old_name():
    """Configurations may contain it; it stands for the class itself."""
    found = import_object("gesturehand.evaluation.test_report.TestReport")
    assert found is gesturehand.callbacks.TestReport


def test_functions_are_not_hidden_by_old_modules_of_their_name():
    """In a separate process, in which nothing has been imported."""
    program = """
import importlib

old = importlib.import_module("gesturehand.metrics.functional.mpjpe")
from gesturehand.metrics.functional import mpjpe, mpvpe

importlib.import_module("gesturehand.metrics.functional.mpvpe")
from gesturehand.metrics import functional

assert callable(functional.mpjpe) and callable(functional.mpvpe) and old.mpjpe is mpjpe
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_unknown_module_is_still_an_import_error():
    with pytest.raises(ModuleNotFoundError, match=r"gesturehand\.nothing"):
        importlib.import_module("gesturehand.nothing")
