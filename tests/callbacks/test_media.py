"""Everything that is to be seen of a run reaches its folder, W&B's offline file and TensorBoard's."""

import json

import cv2
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STAGES = ("GesturePretrainer", "TokenFusionRegressor")
LOSSES = {
    "GesturePretrainer": {"gesture_coarse", "gesture_fine", "gesture_hierarchy"},
    "TokenFusionRegressor": {
        "pose",
        "shape",
        "joint_25d",
        "joint_3d",
        "joint_mano",
        "joint_2d",
        "bone_length",
        "bone_direction",
        "gesture_coarse",
        "gesture_fine",
        "gesture_hierarchy",
    },
}
PICTURES = {
    "GesturePretrainer": {"confusion_coarse", "confusion_fine", "embedding"},
    "TokenFusionRegressor": {"confusion_coarse", "confusion_fine", "embedding", "predictions"},
}


@pytest.mark.parametrize("stage", STAGES)
def test_pictures_of_the_second_epoch_lie_in_the_run_folder(stage, runs):
    pictures = runs[stage].folder / "pictures"
    assert {path.name for path in pictures.iterdir()} == {f"{name}-epoch-002.png" for name in PICTURES[stage]}
    for path in pictures.iterdir():
        picture = cv2.imread(str(path))
        assert picture.shape[0] > 200
        assert picture.std() > 5


@pytest.mark.parametrize("stage", STAGES)
def test_wandb_keeps_terms_metrics_rate_and_pictures_offline(stage, runs):
    logged = runs[stage].logged()
    for split in ("train", "val"):
        assert {f"{split}/loss", *(f"{split}/loss_{name}" for name in LOSSES[stage])} <= logged
    assert "val/gesture_fine_top1" in logged
    assert any(name.startswith("lr-") for name in logged)
    assert "throughput/images_per_s" in logged
    assert {f"val/{name}/_type" for name in PICTURES[stage]} <= logged


@pytest.mark.parametrize("stage", STAGES)
def test_tensorboard_has_the_same_pictures(stage, runs):
    events = EventAccumulator(str(runs[stage].folder / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["images"]) == {f"val/{name}" for name in PICTURES[stage]}
    assert "train/loss" in events.Tags()["scalars"]


def test_table_of_samples_has_a_picture_and_the_error_of_each(runs):
    run = runs["TokenFusionRegressor"]
    (path,) = run.folder.glob("wandb/offline-run-*/files/media/table/val/samples*.json")
    table = json.loads(path.read_text())
    assert len(table["data"]) == 3
    for row in table["data"]:
        cells = dict(zip(table["columns"], row, strict=True))
        assert cells["mpjpe_mm"] > 0
        assert cells["gesture"] in ("open_spread", "fist", "index_point", "a_okay")
    (artifact,) = (r.artifact for r in run.of("artifact") if r.artifact.type == "run_table")
    pictures = [entry for entry in artifact.manifest.contents if entry.path.endswith(".png")]
    assert len(pictures) == 3
    for entry in pictures:
        assert cv2.imread(entry.local_path).shape == (64, 4 * 64, 3)


def test_configuration_and_code_version_are_logged(runs):
    for run in runs.values():
        keys = {update.key for record in run.of("config") for update in record.config.update}
        keys |= {update.key for record in run.of("run") for update in record.run.config.update}
        assert {"config", "code", "learning_rate"} <= keys
        assert "commit" in json.loads((run.folder / "finished.json").read_text())["code"]


def test_best_checkpoint_is_an_artifact(runs):
    for stage in STAGES:
        models = [r.artifact for r in runs[stage].of("artifact") if r.artifact.type == "model"]
        assert [entry.path for artifact in models for entry in artifact.manifest.contents] == ["best.ckpt"]
