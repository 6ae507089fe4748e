"""Predictions to score."""

import numpy as np
import pytest

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets


@pytest.fixture
def saved(tmp_path, synthetic_root):
    """A file of the right hands of the validation split, each joint but the wrist 10.5 mm off."""
    data = InterHandDataModule(
        str(synthetic_root), image_size=8, num_workers=0, hands="right", test_split="val", read_images=False
    )
    (batch,) = data.test_dataloader()
    joints = build_targets(batch, HandModel())["joints"].numpy()
    joints[:, :, 1:, 1] += 0.0105
    np.savez(tmp_path / "theirs.npz", ids=batch["annotation_id"].numpy(), joints=joints)
    return tmp_path / "theirs.npz"
