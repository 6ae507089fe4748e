"""Records of run folders: the folders are written by hand, and the answers counted by hand."""

import json
from datetime import datetime

import pytest
import yaml

from gesturehand.errors import UserError
from gesturehand.evaluation.run_record import RunRecord, find_run, find_runs
from gesturehand.file_writing import try_lock
from gesturehand.runs import RUNNING_FILE

CSV = (
    "epoch,step,train/loss,val/mpjpe_mm,val/acc\n0,0,3.0,,\n0,1,,40.5,0.1\n1,2,2.0,,\n1,3,,30.25,0.3\n2,5,,nan,0.2\n2,"
)


def write_run(folder, monitor="val/mpjpe_mm", mode="min", model="TokenFusionRegressor", finish=None, metrics=CSV):
    folder.mkdir(parents=True)
    config = {
        "name": "x",
        "model": {"class_path": f"gesturehand.{model}", "init_args": {"backbone": "timm/resnet50"}},
        "checkpoint": {"monitor": monitor, "mode": mode},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.csv").write_text(metrics)
    if finish is not None:
        (folder / "finished.json").write_text(json.dumps(finish))
    return folder


def test_an_interrupted_run(tmp_path):
    folder = write_run(tmp_path / "demo" / "finetune" / "20260102-030405")
    (run,) = find_runs(tmp_path)
    assert (run.name, run.folder) == ("demo/finetune/20260102-030405", folder)
    assert run.started == datetime(2026, 1, 2, 3, 4, 5)
    assert (run.state, run.finished, run.stage) == ("interrupted", None, 2)
    assert (run.model, run.backbone) == ("TokenFusionRegressor", "resnet50")
    assert (run.best.metric, run.best.value, run.best.epoch) == ("val/mpjpe_mm", 30.25, 1)
    assert run.curve("train/loss") == [(0, 3.0), (2, 2.0)]
    assert run.curve("val/mpjpe_mm") == [(1, 40.5), (3, 30.25)], "no value that is not finite"


def test_the_largest_is_the_best_if_the_settings_say_so(tmp_path):
    folder = write_run(tmp_path / "a", "val/acc", "max", "GesturePretrainer")
    run = RunRecord(folder, "a")
    assert (run.stage, run.best.value, run.best.epoch) == (1, 0.3, 1)


def test_a_finished_run_tells_its_own_score_and_time(tmp_path):
    finish = {"model": "TokenFusionRegressor", "monitor": "val/mpjpe_mm", "score": 29.5, "finished_at": 1.7e9}
    run = RunRecord(write_run(tmp_path / "20260102-030405-2", finish=finish), "a")
    assert (run.state, run.best.value) == ("finished", 29.5)
    assert run.finished == datetime.fromtimestamp(1.7e9)
    assert run.started == datetime(2026, 1, 2, 3, 4, 5)


def test_a_locked_run_is_running_and_looking_leaves_the_lock_alone(tmp_path):
    folder = write_run(tmp_path / "a")
    lock = try_lock(folder / RUNNING_FILE)
    assert RunRecord(folder, "a").state == "running"
    lock.release()
    assert RunRecord(folder, "a").state == "interrupted"
    again = try_lock(folder / RUNNING_FILE)
    assert again is not None
    again.release()


def test_folders_inside_a_run_are_not_runs(tmp_path):
    folder = write_run(tmp_path / "demo" / "a")
    write_run(folder / "test-20260101-000000")
    write_run(folder / "wandb" / "offline-run-1" / "files")
    assert [run.name for run in find_runs(tmp_path)] == ["demo/a"]
    assert find_run(str(folder / "test-20260101-000000"), tmp_path).folder == folder


@pytest.mark.parametrize("broken", ["config.yaml", "metrics.csv", "finished.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2", b"- 1\n- 2\n", b"model: 3\ncheckpoint: []\n"])
def test_a_broken_file_leaves_the_rest_readable(tmp_path, broken, content):
    folder = write_run(tmp_path / "20260102-030405")
    (folder / broken).write_bytes(content)
    (run,) = find_runs(tmp_path)
    assert run.started.year == 2026
    assert run.state == "interrupted"
    for value in ("model", "stage", "backbone", "best", "finished", "logged"):
        getattr(run, value)


def test_names_of_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    older = write_run(tmp_path / "runs" / "demo" / "20260101-000000")
    newer = write_run(tmp_path / "runs" / "demo" / "20260102-000000")
    assert find_run("demo/20260101-000000", "runs").folder.resolve() == older
    assert find_run(str(older), "runs").name == "demo/20260101-000000"
    assert find_run("demo", "runs").folder.resolve() == newer
    for name in ("demo/20270101-000000", "", "nowhere", "a\0b", "x" * 5000):
        with pytest.raises(UserError, match="run list"):
            find_run(name, "nothing_here")
