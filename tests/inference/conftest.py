"""A small network, trained for seconds, and frames with their true hands."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from gesturehand.camera import project, transform_points
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.inference import HandPredictor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE = 64


def small_regressor(**settings) -> TokenFusionRegressor:
    """A network that was never trained."""
    torch.manual_seed(3)
    small = {"backbone": "test_resnet", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 32}
    return TokenFusionRegressor(**{**small, "width": 32, "depth": 1, "learning_rate": 4e-3, **settings}).eval()


def save(model: pl.LightningModule, path: Path) -> Path:
    """A checkpoint as Lightning writes it."""
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, synthetic_root) -> Path:
    """Of a network trained for seconds: joints lie about where hands are, so that hands stand before the camera."""
    model = small_regressor().train()
    data = InterHandDataModule(str(synthetic_root), image_size=SIZE, batch_size=16, num_workers=0, augment=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=8,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    path = tmp_path_factory.mktemp("checkpoint") / "small.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def predictor(checkpoint) -> HandPredictor:
    return HandPredictor.from_checkpoint(checkpoint, "cpu")


@pytest.fixture(scope="session")
def frames(two_hand_root) -> list[dict]:
    """Test frames of the set with pairs: ``file``, ``intrinsics`` (3, 3), ``hands`` (box, side, joints m, valid)."""
    module = InterHandDataModule(
        str(two_hand_root), image_size=8, hands="all", layout="two_hand", mirror_left=False, num_workers=0
    )
    dataset = module.dataset("test")
    found = []
    for number in range(len(dataset)):
        sample = dataset[number]
        joints = transform_points(sample["joints_world"], sample["camera_rotation"], sample["camera_translation"])
        hands = []
        for slot in np.flatnonzero(sample["hand_present"]):
            valid = sample["joint_valid_frame"][slot].numpy()
            px = project(joints[slot].double().numpy()[valid], sample["intrinsics"].double().numpy())
            low, high = px.min(0), px.max(0)
            hands.append(
                {
                    "box": [*low.tolist(), *(high - low).tolist()],
                    "hand": ("right", "left")[slot],
                    "joints": joints[slot].double().numpy(),
                    "valid": valid,
                }
            )
        found.append({"file": dataset.image_file(number), "intrinsics": sample["intrinsics"].numpy(), "hands": hands})
    return found


@pytest.fixture(scope="session")
def frame_with_both(frames) -> dict:
    """A frame with a right and a left hand."""
    return next(frame for frame in frames if len(frame["hands"]) == 2)


@pytest.fixture
def regressor_checkpoint(tmp_path) -> Callable[..., Path]:
    """Writes a checkpoint of a regressor with other settings."""
    return lambda **settings: save(small_regressor(**settings), tmp_path / "other.ckpt")
