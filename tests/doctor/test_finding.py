"""Examinations that fail, crash or hang are findings."""

import pytest

from gesturehand.doctor.finding import Finding, examined_apart, guarded


def test_failing_examination_is_a_finding():
    def examine():
        yield Finding("a", "1")
        raise OSError("the disk\nis gone")

    found = guarded("disks", examine)
    assert found[0] == Finding("a", "1")
    assert (found[1].name, found[1].state) == ("disks", "problem")
    assert "OSError: the disk is gone" in found[1].value


PROGRAM = """
import os, signal, sys, time

def examine(how):
    yield "first"
    yield ["first", "works", "ok", ""]
    print("a library prints this")
    yield "second"
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "hang":
        time.sleep(600)
    if how == "raise":
        raise RuntimeError("second is broken")
    yield ["second", "works", "warning", "do this"]
"""


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("crash", "the process was ended by SIGSEGV"),
        ("hang", "the process did not answer within 3 s"),
        ("raise", "the process failed with exit code 1: RuntimeError: second is broken"),
    ],
)
def test_process_that_ends_early_names_what_it_was_at(how, value, tmp_path, monkeypatch):
    (tmp_path / "fragile.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = examined_apart("fragile", "examine", 3.0 if how == "hang" else 60.0, how)
    assert found[0] == Finding("first", "works")
    assert (found[1].name, found[1].value, found[1].state) == ("second", value, "problem")
    assert len(found) == 2


def test_process_that_ends_well(tmp_path, monkeypatch):
    (tmp_path / "fragile.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = examined_apart("fragile", "examine", 60.0, "well")
    assert found == [Finding("first", "works"), Finding("second", "works", "warning", "do this")]
