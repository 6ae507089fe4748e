"""Run folders: a new one is made each time, and finished ones are found again."""

import threading
from pathlib import Path

import pytest
from refusals import refused

from gesturehand import runs
from gesturehand.cli.main import main
from gesturehand.cli.training.preflight import expand_run
from gesturehand.errors import UserError
from gesturehand.inference.checkpoint import find_checkpoint
from gesturehand.text_file import write_json


def test_runs_of_one_moment_have_separate_folders(tmp_path):
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
    (tmp_path / name / "checkpoints").mkdir(exist_ok=True)
    (tmp_path / name / runs.BEST_CHECKPOINT).touch()
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
        with refused(folder, match=r"No finished TokenFusionRegressor under.*make finetune"):
            runs.newest_run(folder, "TokenFusionRegressor")


def test_best_checkpoint(tmp_path):
    with refused(tmp_path, match=r"has no 'checkpoints/best\.ckpt'"):
        runs.best_checkpoint(tmp_path)
    path = tmp_path / "checkpoints" / "best.ckpt"
    path.parent.mkdir()
    path.touch()
    assert runs.best_checkpoint(str(tmp_path)) == path


def fault(variant, *values, kind="latest", outcome="the ordinary run before it is chosen"):
    return pytest.param(*values, marks=pytest.mark.fault(kind=kind, variant=variant, outcome=outcome), id=variant)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        fault("shuffled images", "demo/1", "data: {shuffled_images: true}"),
        fault("shuffled labels", "demo/1", "data: {shuffled_labels: true}"),
        fault("black images", "demo/1", "data: {read_images: false}"),
        fault("a share of the MANO fits", "demo/1", "data: {fit_share: 1e-1}"),
        fault("one batch learned by heart", "demo/1", "trainer: {overfit_batches: 1}"),
        fault("a run of an ablation", "ablation-quick/1", ""),
        fault("a run kept under controls", "controls/shuffled/1", "data: {}"),
        fault("a trial of a sweep", "sweeps/a/trials/000", "data: {}"),
        fault("a configuration that is no YAML", "demo/1", "data: ["),
    ],
)
def test_controls_and_ablations_are_never_the_latest(tmp_path, monkeypatch, capsys, name, config):
    """Whichever command chooses, all of them take the ordinary run."""
    monkeypatch.chdir(tmp_path)
    description = {"model": "TokenFusionRegressor", "kinds": ["TokenFusionRegressor", "HandRegressor"]}
    ordinary = finish(tmp_path, "runs/paper/1", 10.0, **description)
    (ordinary / "config.yaml").write_text("data: {shuffled_images: false, fit_share: 1.0}\ntrainer: {}\n")
    later = finish(tmp_path, f"runs/{name}", 20.0, **description)
    if config:
        (later / "config.yaml").write_text(config)
    assert find_checkpoint("latest") == Path("runs/paper/1/checkpoints/best.ckpt")
    assert expand_run(["test", "--run=latest"])[1] == "--config=runs/paper/1/config.yaml"
    assert main(["run", "latest"]) == 0
    assert capsys.readouterr().out.strip() == "runs/paper/1"
    (ordinary / "finished.json").unlink()
    with pytest.raises(UserError, match=f"No finished HandRegressor under 'runs' .*'runs/{name}'"):
        find_checkpoint("latest")


@pytest.mark.parametrize(
    "content",
    [
        fault("an empty finished.json", b"", outcome="named in a warning; the others are found"),
        fault("finished.json cut short", b'{"model": "Tok', outcome="named in a warning; the others are found"),
        fault("finished.json is a list", b"[1, 2]", outcome="named in a warning; the others are found"),
        fault("a model that is a number", b'{"model": 5, "finished_at": 99}', outcome="named in a warning"),
        fault("a time that is text", b'{"model": "TokenFusionRegressor", "finished_at": "x"}', outcome="named"),
        fault("a time that is NaN", b'{"model": "TokenFusionRegressor", "finished_at": NaN}', outcome="named"),
        fault("bytes that are no text", b"\xff\xfe\0", outcome="named in a warning; the others are found"),
    ],
)
def test_a_broken_description_does_not_hide_the_others(tmp_path, content):
    good = finish(tmp_path, "a/1", 10.0, model="TokenFusionRegressor")
    broken = finish(tmp_path, "b/1", 20.0, model="TokenFusionRegressor")
    (broken / "finished.json").write_bytes(content)
    with pytest.warns(UserWarning, match="b/1/finished.json' cannot be read"):
        assert runs.newest_run(tmp_path) == good


@pytest.mark.fault(kind="latest", variant="an unfinished run", outcome="the finished run before it is chosen")
def test_an_unfinished_run_is_never_the_latest(tmp_path):
    good = finish(tmp_path, "a/1", 10.0, model="EANetRegressor")
    for name in ("a/2", "a/3"):
        finish(tmp_path, name, 20.0, model="EANetRegressor")
    (tmp_path / "a/2/finished.json").unlink()
    (tmp_path / "a/3/checkpoints/best.ckpt").unlink()
    assert runs.newest_run(tmp_path) == good


@pytest.mark.fault(kind="latest", variant="the pretraining of a control", outcome="`auto` takes the ordinary run")
def test_auto_takes_no_control(tmp_path):
    settings = {"backbone": "a", "mirror_left": True}
    good = finish(tmp_path, "a/1", 10.0, model="GesturePretrainer", settings=settings)
    control = finish(tmp_path, "a/2", 20.0, model="GesturePretrainer", settings=settings)
    (control / "config.yaml").write_text("data: {shuffled_labels: true}")
    assert runs.find_pretraining("auto", tmp_path, settings) == str(good / runs.BEST_CHECKPOINT)
