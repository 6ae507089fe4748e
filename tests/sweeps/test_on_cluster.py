"""A sweep's trials on two workers are the same as one after the other, even after kills."""

import json
import signal
import sys
from itertools import islice

import pytest
import yaml
from dask_processes import client, end, kill, machines, until
from optuna.trial import TrialState

from gesturehand.cli.main import main
from gesturehand.errors import UserError
from gesturehand.sweeps.local import random_draws, reporter
from gesturehand.sweeps.on_cluster import next_trial
from gesturehand.sweeps.study import distributions, finished, open_study, running, shared_trial, take_up
from gesturehand.sweeps.sweep_file import read_sweep

from .conftest import REPOSITORY, TINY

TRIALS = 6


PROGRAM = REPOSITORY / "tests/support/quick_training.py"


@pytest.fixture
def sweep_file(workplace):
    """A sweep over random settings of the stand-in for a training."""
    content = {
        "program": str(PROGRAM),
        "command": [sys.executable, "${program}", "fit", "${args}"],
        "method": "random",
        "metric": {"name": "val/loss"},
        "run_cap": TRIALS,
        "parameters": {
            "model.init_args.learning_rate": {"min": 1e-4, "max": 1e-2, "distribution": "log_uniform_values"},
            "model.init_args.weight_hierarchy": {"values": [0.0, 0.2]},
        },
    }
    path = workplace / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def trained(sweep_file, synthetic_root):
    """The same sweep with tiny trainings."""
    words = ["--config=experiments/demo/pretrain.yaml", *TINY, f"--data.root={synthetic_root}"]
    return changed(sweep_file, program="gesturehand", command=["${program}", "fit", *words, "${args}"])


def trials_of(folder):
    """A sweep's results without the times."""
    return [{**trial, "seconds": None} for trial in json.loads((folder / "trials.json").read_text())]


@pytest.mark.slow
@pytest.mark.parametrize("program", ["sweep_file", "trained"])
def test_killed_twice_it_ends_as_one_trial_after_the_other_does(program, request, workplace, tmp_path):
    """A worker is killed within a trial, then the client; the same command continues."""
    sweep_file = request.getfixturevalue(program)
    alone = client("sweep", f"--file={sweep_file}", "--name=alone")
    folder = workplace / "runs/sweeps/shared"
    words = ["sweep", f"--file={sweep_file}", "--name=shared"]
    (tmp_path / "machines").mkdir()

    def began(number):
        return (folder / "trials" / f"{number:03d}" / "log.txt").exists()

    with machines(tmp_path / "machines") as cluster:
        words.append(f"--cluster={cluster.address}")
        first = client(*words)
        until(lambda: began(1) or first.poll() is not None)
        kill(cluster.workers[0])
        until(lambda: began(2) or first.poll() is not None)
        kill(first)
        second = client(*words)
        said = second.communicate()
    assert second.returncode == 0, said
    said = alone.communicate()
    assert alone.returncode == 0, said
    assert trials_of(folder) == trials_of(workplace / "runs/sweeps/alone")
    assert [trial["trial"] for trial in trials_of(folder)] == list(range(TRIALS))
    best = [yaml.safe_load((folder.with_name(name) / "best.yaml").read_text()) for name in ("alone", "shared")]
    assert best[0]["model"] == best[1]["model"]
    assert len(list((folder / "trials").iterdir())) == TRIALS


@pytest.mark.slow
def test_ctrl_c_ends_the_trials_and_the_next_run_continues(sweep_file, workplace, tmp_path):
    folder = workplace / "runs/sweeps/tiny"
    words = ["sweep", f"--file={sweep_file}", "--trials=2", "--cluster=local", "--processes=2"]
    first = client(*words)
    try:
        until(lambda: (folder / "trials/001/log.txt").exists() or first.poll() is not None)
        first.send_signal(signal.SIGINT)
        _, errors = first.communicate(timeout=120)
    finally:
        end(first)
    assert first.returncode == 130
    assert errors.strip().splitlines()[-1] == "gesturehand: interrupted"
    study = open_study(read_sweep(sweep_file), folder, 0, shared=True)
    assert [trial.number for trial in running(study)] == [0, 1]
    second = client(*words)
    said = second.communicate()
    assert second.returncode == 0, said
    assert [trial["trial"] for trial in trials_of(folder)] == [0, 1]


def test_processes_are_those_of_a_cluster(sweep_file, capsys):
    assert main(["sweep", f"--file={sweep_file}", "--processes=2"]) == 2
    assert "--processes says how many trials --cluster runs" in capsys.readouterr().err


def test_a_number_decides_on_random_values_however_often_it_is_interrupted(sweep_file, tmp_path):
    sweep = read_sweep(sweep_file)
    for name in ("alone", "shared"):
        (tmp_path / name).mkdir()
    alone = open_study(sweep, tmp_path / "alone", seed=3)
    expected = [alone.ask(distributions(sweep)).params for _ in range(TRIALS)]
    found = []
    for number in range(TRIALS):
        study = open_study(sweep, tmp_path / "shared", seed=3, shared=True)
        assert [trial.number for trial in running(study)] == list(range(number))
        found.append(next_trial(sweep, study, seed=3).params)
    assert found == expected
    assert len({str(params) for params in found}) == TRIALS


def test_a_trial_that_was_running_is_taken_up_with_its_values(sweep_file, tmp_path):
    sweep = read_sweep(sweep_file)
    study = open_study(sweep, tmp_path, seed=0, shared=True)
    begun = next_trial(sweep, study, seed=0)
    study.enqueue_trial(next(islice(random_draws(sweep, 0), 1, None)))
    study.ask()  # killed before it had its values
    again = open_study(sweep, tmp_path, seed=0, shared=True)
    taken = [take_up(sweep, again, trial.number) for trial in running(again)]
    assert [trial.params for trial in taken] == list(islice(random_draws(sweep, 0), 2)) != [begun.params] * 2
    for trial in taken:
        again.tell(trial, 0.5)
    assert [trial.number for trial in finished(again)] == [0, 1]


def test_a_sweep_of_one_machine_is_shared_and_taken_back(sweep_file, tmp_path):
    sweep = read_sweep(sweep_file)
    study = open_study(sweep, tmp_path, seed=0)
    study.tell(study.ask(distributions(sweep)), 0.25)
    lost = study.ask(distributions(sweep))
    shared = open_study(sweep, tmp_path, seed=0, shared=True)
    assert [trial.params for trial in shared.trials] == [trial.params for trial in study.trials]
    assert [trial.number for trial in running(shared)] == [lost.number]
    shared.tell(lost.number, 0.5)
    back = open_study(sweep, tmp_path, seed=0)
    assert [trial.value for trial in finished(back)] == [0.25, 0.5]
    assert next_trial(sweep, back, seed=0).number == 2
    with pytest.raises(UserError, match="--name"):
        open_study(read_sweep(changed(sweep_file, metric={"name": "val/other"})), tmp_path, seed=0, shared=True)


def test_hyperband_compares_with_trials_of_other_processes(sweep_file, tmp_path):
    file = changed(sweep_file, early_terminate={"type": "hyperband", "min_iter": 2, "eta": 2})
    sweep = read_sweep(file)
    study = open_study(sweep, tmp_path, seed=0, shared=True)
    ended = []
    for loss in (1.0, 2.0, 5.0, 0.5):
        number = next_trial(sweep, study, seed=0).number
        report = reporter(sweep, shared_trial(sweep, tmp_path, number))
        count = next((count for count in range(1, 4) if not report({"val/loss": loss})), 3)
        study.tell(number, loss if count == 3 else None, state=None if count == 3 else TrialState.PRUNED)
        ended.append((count, study.trials[number].value))
    # After two validations the better half continues.
    assert ended == [(3, 1.0), (2, 2.0), (2, 5.0), (3, 0.5)]


def changed(file, **entries):
    path = file.with_name("changed.yaml")
    path.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "name": "tiny", **entries}))
    return path
