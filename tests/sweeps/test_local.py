"""A sweep run to its end with real trainings, killed in the middle and continued; and one with a plain command."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import yaml
from trainings import exit_code

from gesturehand.cli.main import main
from gesturehand.errors import UserError
from gesturehand.sweeps.local import outcome, reporter
from gesturehand.sweeps.study import finished, open_study
from gesturehand.sweeps.sweep_file import read_sweep
from gesturehand.sweeps.trial_process import run_trial

from .conftest import TINY


@pytest.fixture
def sweep_file(workplace, synthetic_root):
    """Two combinations of a tiny pretraining."""
    content = {
        "program": "gesturehand",
        "command": [
            "${program}",
            "fit",
            "--config=experiments/demo/pretrain.yaml",
            *TINY,
            f"--data.root={synthetic_root}",
            "${args}",
        ],
        "method": "grid",
        "metric": {"name": "val/gesture_fine_top1", "goal": "maximize"},
        "parameters": {"model.init_args.learning_rate": {"values": [0.001, 0.002]}},
    }
    path = workplace / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow
def test_killed_in_the_middle_it_continues(sweep_file, workplace, capsys):
    command = [Path(sys.executable).with_name("gesturehand"), "sweep", f"--file={sweep_file}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (workplace / "runs/sweeps/tiny/trials/001/log.txt").exists():
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert main(["sweep", f"--file={sweep_file}"]) == 0
    folder = workplace / "runs" / "sweeps" / "tiny"
    trials = json.loads((folder / "trials.json").read_text())
    assert [trial["trial"] for trial in trials] == [0, 2]
    rates = [trial["values"]["model.init_args.learning_rate"] for trial in trials]
    assert sorted(rates) == [0.001, 0.002]
    best = max(trials, key=lambda trial: trial["val/gesture_fine_top1"])
    config = yaml.safe_load((folder / "best.yaml").read_text())
    assert config["model"]["init_args"]["learning_rate"] == best["values"]["model.init_args.learning_rate"]
    assert (folder / "sweep.png").stat().st_size > 5000
    assert "learning_rate" in capsys.readouterr().out
    # The sweep is ready: the command that it prints is accepted as it is.
    assert exit_code(["fit", f"--config={folder / 'best.yaml'}", "--print_config"]) == 0
    # A finished sweep has nothing left to run.
    began = (folder / "study.db").stat().st_mtime
    assert main(["sweep", f"--file={sweep_file}"]) == 0
    assert json.loads((folder / "trials.json").read_text()) == trials
    assert began <= (folder / "study.db").stat().st_mtime


@pytest.mark.slow
def test_wrong_metric_and_wrong_parameter_are_refused_before_anything_runs(sweep_file, workplace, capsys):
    content = yaml.safe_load(sweep_file.read_text())
    sweep_file.write_text(yaml.safe_dump({**content, "metric": {"name": "val/accuracy"}}))
    assert main(["sweep", f"--file={sweep_file}", "--name=a"]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "val/accuracy" in message
    assert "val/gesture_fine_top1" in message
    sweep_file.write_text(yaml.safe_dump({**content, "parameters": {"model.init_args.learning_rat": {"value": 1}}}))
    assert main(["sweep", f"--file={sweep_file}", "--name=b"]) == 2
    assert "learning_rat" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not list((workplace / "runs").rglob("trials/*"))


def test_running_trial_is_put_back_in_line(sweep_file, tmp_path):
    sweep = read_sweep(sweep_file)
    (tmp_path / "study").mkdir()
    study = open_study(sweep, tmp_path / "study", seed=0)
    (parameter,) = sweep.parameters
    first = study.ask({parameter.name: parameter.distribution})
    study.tell(first, 0.5)
    lost = study.ask({parameter.name: parameter.distribution})

    study = open_study(sweep, tmp_path / "study", seed=0)
    assert study.trials[lost.number].state == optuna.trial.TrialState.FAIL
    again = study.ask({parameter.name: parameter.distribution})
    assert again.params == lost.params
    study.tell(again, 0.25)
    assert [trial.params for trial in finished(study)] == [first.params, again.params]


def test_random_values_continue_after_an_interruption(sweep_file, tmp_path):
    content = yaml.safe_load(sweep_file.read_text())
    content |= {"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}}
    sweep_file.write_text(yaml.safe_dump(content))
    sweep = read_sweep(sweep_file)
    drawn = []
    for _ in range(4):
        study = open_study(sweep, tmp_path, seed=0)
        trial = study.ask({"lr": sweep.parameters[0].distribution})
        study.tell(trial, 0.0)
        drawn.append(trial.params["lr"])
    assert len(set(drawn)) == 4


def test_other_parameters_under_the_same_name_are_refused(sweep_file, tmp_path):
    open_study(read_sweep(sweep_file), tmp_path, seed=0)
    content = yaml.safe_load(sweep_file.read_text())
    content["parameters"] = {"lr": {"values": [1, 2]}}
    sweep_file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="--name"):
        open_study(read_sweep(sweep_file), tmp_path, seed=0)


def test_trial_is_ended_when_its_report_is_bad(tmp_path):
    """The command reports a value and would run for an hour."""
    code = (
        "import os, pathlib, time; "
        "folder = pathlib.Path(os.environ['GESTUREHAND_TRIAL_FOLDER']); "
        "print('begun', flush=True); "
        '(folder / \'trial.jsonl\').write_text(\'{"loss": 1.0}\\n{"loss": 2.0}\\n{"lo\'); '
        "time.sleep(3600)"
    )
    seen = []

    def good(report):
        seen.append(report["loss"])
        return report["loss"] < 2

    status, reports, ended = run_trial([sys.executable, "-c", code], tmp_path, good)
    assert ended
    assert status == -signal.SIGTERM
    assert seen == [1.0, 2.0]
    assert len(reports) == 2
    assert (tmp_path / "log.txt").read_text() == "begun\n"


def test_hyperband_ends_a_trial_that_is_worse_than_those_before(sweep_file, tmp_path):
    content = yaml.safe_load(sweep_file.read_text())
    content |= {
        "method": "random",
        "metric": {"name": "val/loss"},
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2},
    }
    sweep_file.write_text(yaml.safe_dump(content))
    sweep = read_sweep(sweep_file)
    study = open_study(sweep, tmp_path, seed=0)
    (parameter,) = sweep.parameters
    ended = []
    for loss in (1.0, 2.0, 5.0, 0.5):
        trial = study.ask({parameter.name: parameter.distribution})
        report = reporter(sweep, trial)
        reports = []
        for epoch in range(1, 4):
            reports.append({"epoch": epoch, "val/loss": loss})
            if not report(reports[-1]):
                break
        cut = len(reports) < 3
        state, value = outcome(sweep, -signal.SIGTERM if cut else 0, reports, cut)
        assert value == loss
        study.tell(trial, value if state.name == "COMPLETE" else None, state=state)
        ended.append((len(reports), state.name))
    # After two validations the better half continues.
    assert [trial.value for trial in study.trials] == [1.0, 2.0, 5.0, 0.5]
    assert ended == [(3, "COMPLETE"), (2, "PRUNED"), (2, "PRUNED"), (3, "COMPLETE")]
