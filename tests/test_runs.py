"""Run folders: a new one each time, finished ones found again."""

import threading

import pytest

from gesturehand import runs
from gesturehand.errors import UserError
from gesturehand.json_files import write_json


def test_runs_of_one_moment_have_folders_of_their_own(tmp_path):
    folders = [runs.new_run(tmp_path / "demo" / "finetune") for _ in range(5)]
    assert len(set(folders)) == 5
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)
    assert all(folder.parent == tmp_path / "demo" / "finetune" for folder in folders)


def test_runs_started_together_do_not_share_a_folder(tmp_path):
    folders = []
    threads = [threading.Thread(target=lambda: folders.append(runs.new_run(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 8


def test_name_is_the_time_after_a_prefix(tmp_path):
    folder = runs.new_run(tmp_path, "test-")
    assert folder.name.startswith("test-20")
    date, time = folder.name.removeprefix("test-").split("-")[:2]
    assert (len(date), len(time)) == (8, 6)


def test_an_earlier_run_is_never_touched(tmp_path):
    first = runs.new_run(tmp_path)
    (first / "weights").write_text("mine")
    for _ in range(3):
        assert runs.new_run(tmp_path) != first
    assert (first / "weights").read_text() == "mine"


def finish(tmp_path, name, finished_at, **description):
    write_json(tmp_path / name / runs.FINISHED_FILE, {**description, "finished_at": finished_at})
    return tmp_path / name


def test_finished_runs_are_found_newest_first(tmp_path):
    finish(tmp_path, "a/1", 30.0, model="GesturePretrainer")
    finish(tmp_path, "a/2", 10.0, model="TokenFusionRegressor")
    finish(tmp_path, "b/c/3", 20.0, model="TokenFusionRegressor")
    (tmp_path / "a" / "unfinished").mkdir()
    found = runs.finished_runs(tmp_path)
    assert [run for run, _ in found] == [tmp_path / "a/1", tmp_path / "b/c/3", tmp_path / "a/2"]
    assert found[0][1]["model"] == "GesturePretrainer"


def test_newest_run_is_that_of_the_model_asked_for(tmp_path):
    finish(tmp_path, "a/1", 30.0, model="GesturePretrainer")
    finish(tmp_path, "a/2", 10.0, model="TokenFusionRegressor")
    finish(tmp_path, "b/3", 20.0, model="TokenFusionRegressor")
    assert runs.newest_run(tmp_path, "TokenFusionRegressor") == tmp_path / "b/3"
    assert runs.newest_run(tmp_path / "a", "TokenFusionRegressor") == tmp_path / "a/2"
    assert runs.newest_run(tmp_path, "GesturePretrainer") == tmp_path / "a/1"


def test_marking_a_run_finished_keeps_what_it_trained(tmp_path):
    run = runs.new_run(tmp_path)
    assert runs.finished_runs(tmp_path) == []
    runs.mark_finished(run, {"stage": "pretrain", "backbone": "test_resnet"})
    ((found, description),) = runs.finished_runs(tmp_path)
    assert found == run
    assert description["backbone"] == "test_resnet"
    assert description["finished_at"] > 1.6e9


def test_without_finished_runs_the_remedy_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert runs.finished_runs(folder) == []
        with pytest.raises(UserError, match=r"No finished TokenFusionRegressor under.*make finetune") as caught:
            runs.newest_run(folder, "TokenFusionRegressor")
        assert str(folder) in str(caught.value)


def test_best_checkpoint(tmp_path):
    with pytest.raises(UserError, match=r"has no 'checkpoints/best\.ckpt'") as caught:
        runs.best_checkpoint(tmp_path)
    assert str(tmp_path) in str(caught.value)
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    path.touch()
    assert runs.best_checkpoint(str(tmp_path)) == path
