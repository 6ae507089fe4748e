"""A run that was interrupted continues with the same command and ends like an uninterrupted one, bit for bit."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from faults import fault
from trainings import SMALL, exit_code, experiment

from gesturehand.checkpoints.resume_points import ResumePoints
from gesturehand.cli import train
from gesturehand.cli.training.resume import place_of_run, release_locks
from gesturehand.data.set_images import SetImages
from gesturehand.errors import UserError
from gesturehand.runs import mark_finished

WORDS = [
    "fit", experiment("demo/pretrain"), *SMALL, "--data.image_size=32", "--data.batch_size=8", "--trainer.max_epochs=2",
    "--trainer.limit_val_batches=2", "--trainer.log_every_n_steps=2", "--resume_every_n_steps=3", "--wandb=false",
]  # fmt: skip
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def command(synthetic_root, tmp_path, monkeypatch):
    """Runs the command in a folder; returns its exit code."""
    monkeypatch.setattr(train, "remove_points", lambda folder: None)

    def run(folder: str, *more: str) -> int:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        return exit_code([*WORDS, f"--data.root={synthetic_root}", *more])

    return run


@pytest.fixture
def sigterm_at_sample(monkeypatch):
    """Sends this process a cluster's signal when this many samples of an epoch's training have been read."""
    real = SetImages.of
    read = []

    def arm(count: int) -> None:
        def reading(self, name):
            read.append(name)
            if len(read) == count:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(self, name)

        read.clear()
        monkeypatch.setattr(SetImages, "of", reading)

    return arm


def final(folder: Path) -> dict:
    (run,) = (folder / "runs" / "demo" / "pretrain").iterdir()
    assert (run / "finished.json").exists()
    newest = max((run / "checkpoints" / "resume").glob("step-*.ckpt"))
    # Only the time that steps took may differ.
    rows = csv.DictReader((run / "metrics.csv").open())
    log = [{name: value for name, value in row.items() if not name.startswith("throughput/")} for row in rows]
    return torch.load(newest, weights_only=True) | {"log": log}


def assert_same(one, two, name=""):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), name
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), name
        for key in one:
            assert_same(one[key], two[key], f"{name}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(two), name
        for place, pair in enumerate(zip(one, two, strict=True)):
            assert_same(*pair, f"{name}.{place}")
    else:
        assert one == two, name


def test_stopped_twice_and_damaged_gives_the_uninterrupted_result(
    command, sigterm_at_sample, tmp_path, caplog, recwarn
):
    assert command("whole") == 0
    for samples in (40, 150):  # in the first epoch's training; later, in a validation or after it
        sigterm_at_sample(samples)
        assert command("stopped") == 143
    *_, before, newest = sorted((tmp_path / "stopped").rglob("step-*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    assert command("stopped") == 0
    assert any(f"{newest.name}' is damaged" in str(warning.message) for warning in recwarn.list)
    assert f"from {before.name}" in caplog.text
    one, two = final(tmp_path / "whole"), final(tmp_path / "stopped")
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "log"):
        assert_same(one[key], two[key], key)


def test_stopped_with_changes_on_the_device_and_averaged_weights(command, sigterm_at_sample, tmp_path):
    words = (
        "--trainer.max_epochs=1",
        "--data.device_augmentation={}",
        "--trainer.callbacks+=gesturehand.callbacks.WeightAverage",
    )
    assert command("whole", *words) == 0
    sigterm_at_sample(40)
    assert command("stopped", *words) == 143
    assert command("stopped", *words) == 0
    one, two = final(tmp_path / "whole"), final(tmp_path / "stopped")
    for key in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "global_step", "log"):
        assert_same(one[key], two[key], key)


def test_steps_of_another_size_are_refused(command, sigterm_at_sample, tmp_path, capsys):
    sigterm_at_sample(40)
    assert command("stopped", "--trainer.max_epochs=1") == 143
    (run,) = (tmp_path / "stopped" / "runs" / "demo" / "pretrain").iterdir()
    assert command("stopped", "--trainer.max_epochs=1", "--data.batch_size=4", f"--resume={run}") == 2
    assert (
        "The run was interrupted with 1 process of 8 samples each and continues with 1 process of 4 samples each: set "
        "data.batch_size to 8 and name the run with --resume=FOLDER" in capsys.readouterr().err
    )


CONFIG = "name: a\nseed: 0\nresume: auto\n"


def test_the_run_that_continues(tmp_path):
    first = place_of_run(tmp_path, CONFIG, "auto")
    release_locks()
    assert place_of_run(tmp_path, CONFIG, "auto").folder == first.folder
    release_locks()
    assert place_of_run(tmp_path, CONFIG.replace("auto", "x"), "auto").folder == first.folder, "resume is no setting"
    release_locks()
    assert place_of_run(tmp_path, "name: a\nseed: 1\n", "auto").folder != first.folder, "another configuration"
    assert place_of_run(tmp_path, CONFIG, "never").folder != first.folder
    release_locks()
    mark_finished(first.folder, {"model": "x"})
    assert place_of_run(tmp_path, CONFIG, "auto").folder != first.folder, "a finished run is left alone"
    with pytest.raises(UserError, match="has finished: test it"):
        place_of_run(tmp_path, CONFIG, str(first.folder))
    with pytest.raises(UserError, match="not a run that can be resumed"):
        place_of_run(tmp_path, CONFIG, str(tmp_path / "nowhere"))
    release_locks()


def test_run_of_a_living_process_is_left_alone(tmp_path):
    program = (
        "import sys; from pathlib import Path; from gesturehand.cli.training.resume import place_of_run\n"
        f"print(place_of_run(Path({str(tmp_path)!r}), {CONFIG!r}, 'auto').folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        assert place_of_run(tmp_path, CONFIG, "auto").folder != folder
        with pytest.raises(UserError, match="still being trained by another process"):
            place_of_run(tmp_path, CONFIG, str(folder))
        other.kill()
    release_locks()
    assert json.loads((folder / "resume.json").read_text())["wandb_id"]
    assert place_of_run(tmp_path, CONFIG, str(folder)).folder == folder, "a killed process holds nothing"
    release_locks()


def test_run_continues_with_other_machines_and_devices(tmp_path):
    config = "name: a\ntrainer:\n  num_nodes: 2\n  devices: 4\n  max_epochs: 3\n"
    first = place_of_run(tmp_path, config, "auto")
    release_locks()
    assert place_of_run(tmp_path, config.replace("2", "1").replace("4", "8"), "auto").folder == first.folder
    release_locks()
    assert place_of_run(tmp_path, config.replace("3", "5"), "auto").folder != first.folder, "another training"
    release_locks()


SIGNALS = "signals to all processes of a job"


@pytest.fixture
def signal_at_step(monkeypatch):
    """Lets another process signal this one and the workers of its loader, as a terminal or a scheduler does."""
    real = ResumePoints.on_train_batch_start

    def arm(step: int, *numbers: int, workers_only: bool = False) -> None:
        def start(self, trainer, module, batch, batch_idx):
            if trainer.global_step == step and not sent:
                sent.append(step)
                processes = [str(child.pid) for child in multiprocessing.active_children()]
                assert len(processes) >= 2
                for number in numbers:
                    whom = processes if workers_only else [*processes, str(os.getpid())]
                    subprocess.run(["kill", f"-{int(number)}", *whom], check=True)
            return real(self, trainer, module, batch, batch_idx)

        sent: list[int] = []
        monkeypatch.setattr(ResumePoints, "on_train_batch_start", start)

    return arm


@pytest.mark.parametrize(
    ("numbers", "code", "said"),
    [
        pytest.param(
            numbers,
            code,
            said,
            marks=[
                fault(SIGNALS, variant, f"the resume point is written; exit code {code}"),
                *([pytest.mark.slow] if len(numbers) > 1 else []),
            ],
            id=variant,
        )
        for variant, numbers, code, said in (
            ("SIGTERM", [signal.SIGTERM], 143, "step 4 is saved, and the same command continues from it"),
            ("SIGTERM twice", [signal.SIGTERM] * 2, 143, "step 4 is saved, and the same command continues from it"),
            ("Ctrl-C", [signal.SIGINT], 130, "step 4 is saved, and the same command continues from it"),
            ("Ctrl-C, then SIGTERM", [signal.SIGINT, signal.SIGTERM], 143, "step 4 is saved, and the same command"),
        )
    ],
)
def test_all_processes_of_a_job_are_signalled(command, signal_at_step, tmp_path, caplog, numbers, code, said):
    signal_at_step(3, *numbers)
    assert command("stopped", "--data.num_workers=2") == code
    assert said in caplog.text
    newest = max((tmp_path / "stopped").rglob("step-*.ckpt"))
    assert newest.name == "step-000000004-epoch-000000.ckpt"
    assert torch.load(newest, weights_only=True)["global_step"] == 4
    assert not multiprocessing.active_children(), "the workers have ended"


@fault(SIGNALS, "Ctrl-C twice", "ends at once and says how to continue; exit code 130")
def test_second_interrupt_ends_at_once(command, signal_at_step, tmp_path, capsys):
    signal_at_step(3, signal.SIGINT, signal.SIGINT)
    assert command("stopped", "--data.num_workers=2") == 130
    assert "gesturehand: interrupted: the same command continues from step 3" in capsys.readouterr().err


@fault(SIGNALS, "SIGKILL to a worker, as for want of memory", "ends with one sentence that names the workers")
def test_killed_worker_is_one_sentence(command, signal_at_step, tmp_path, capsys):
    signal_at_step(3, signal.SIGKILL, workers_only=True)
    assert command("stopped", "--data.num_workers=2") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("gesturehand: A worker process of the data loader was killed")
