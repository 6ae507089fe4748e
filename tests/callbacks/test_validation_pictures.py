"""All pictures of a run reach its folder, W&B's offline file and TensorBoard's."""

import json

import cv2
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gesturehand.callbacks.validation_pictures import principal_components
from gesturehand.losses import TERMS

STAGES = ("GesturePretrainer", "TokenFusionRegressor")
GESTURES = {"gesture_coarse", "gesture_fine", "gesture_hierarchy"}
LOSSES = {"GesturePretrainer": GESTURES, "TokenFusionRegressor": {*TERMS, *GESTURES}}
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


def test_same_as_the_covariance_eigenvectors():
    generator = np.random.default_rng(0)
    data = generator.normal(size=(200, 6)) * [5, 3, 1, 1, 0.5, 0.1] @ np.linalg.qr(generator.normal(size=(6, 6)))[0]
    points, shares = principal_components(torch.from_numpy(data), 3)
    values, vectors = np.linalg.eigh(np.cov(data.T))
    expected = (data - data.mean(0)) @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(shares, values[::-1][:3] / values.sum(), rtol=1e-5)


def test_mirrored_directions_give_the_same_map():
    data = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(principal_components(data, 2)[0][order], principal_components(data[order], 2)[0])
