"""The reports that a sweep reads from its trials, and a trial from its sweep."""

import json
import subprocess
import sys

import pytest

from gesturehand.callbacks.trial_report import SWEEP_PROCESS_VARIABLE, check_sweep_goes_on, read_trial
from gesturehand.errors import UserError


def test_steps_trained_again_count_once(tmp_path):
    """A trial was killed after its validation at step 20, has continued from step 10, and is writing a line."""
    lines = [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0}, {"step": 20, "loss": 2.5}, {"step": 30, "loss": 1.0}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "trial.jsonl").write_text(text + '{"step": 40, "lo')
    assert read_trial(tmp_path) == [lines[0], *lines[2:]]


def test_lines_without_a_step_all_count(tmp_path):
    (tmp_path / "trial.jsonl").write_text('{"loss": 1}\n{"loss": 2}\n')
    assert [line["loss"] for line in read_trial(tmp_path)] == [1, 2]


def test_a_trial_notices_that_its_sweep_has_gone(monkeypatch):
    check_sweep_goes_on()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        monkeypatch.setenv(SWEEP_PROCESS_VARIABLE, str(process.pid))
        check_sweep_goes_on()
    with pytest.raises(UserError, match="has ended: start the sweep again"):
        check_sweep_goes_on()
