"""Stored crops give the network the same as the images do, except for one more resampling."""

import numpy as np
import pytest
import torch

from gesturehand.ablation.stored_crops import StoredCropDataModule, store_crops
from gesturehand.data.datamodule import InterHandDataModule

SIZE = 48
VIEWS = {
    "TokenFusion": {"hands": "single"},
    "EANet": {"hands": "all", "layout": "two_hand", "mirror_left": False, "flip_probability": 0.5},
}


@pytest.fixture(scope="module")
def crops(tmp_path_factory, two_hand_root):
    folder = tmp_path_factory.mktemp("crops")
    store_crops(str(two_hand_root), "train", folder, SIZE, progress=False)
    return folder


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("augment", [False, True])
def test_sample_is_that_of_the_images(two_hand_root, crops, view, augment):
    settings = {
        "root": str(two_hand_root),
        "image_size": SIZE,
        "num_workers": 0,
        "augment": augment,
        "scale_jitter": 0.1,
        "colour_jitter": 0.0,
        "noise_probability": 0.0,
        "blur_probability": 0.0,
        **VIEWS[view],
    }
    direct = InterHandDataModule(**settings).dataset("train")
    stored = StoredCropDataModule(crops, **settings).dataset("train")
    assert len(direct) == len(stored) > 10
    for number in range(len(direct)):
        one, other = direct[number], stored[number]
        for name, value in one.items():
            if name != "image":
                assert torch.equal(value, other[name]), name
        difference = (one["image"].int() - other["image"].int()).abs().float()
        shifted = (one["image"].int() - one["image"].roll(1, -1).int()).abs().float()
        # Resampling blurs edges a little; being a pixel off would cost several times as much.
        assert difference.mean() < 0.6 * shifted.mean()


def test_existing_crops_are_not_written_again(two_hand_root, crops):
    before = (crops / "train.npy").stat().st_mtime_ns
    store_crops(str(two_hand_root), "train", crops, SIZE, progress=False)
    assert (crops / "train.npy").stat().st_mtime_ns == before
    assert np.load(crops / "train.npy", mmap_mode="r").shape[1:] == (72, 72, 3)
