"""A loss that is not finite ends the run before it spoils the weights, and the sample is named."""

import pytest
import torch
from trainings import quiet_trainer

from gesturehand.callbacks.training_guard import TrainingGuard
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": 32, "embedding_dim": 16}


def trainer_of(callbacks, steps):
    return quiet_trainer(max_steps=steps, limit_val_batches=0, callbacks=callbacks)


def fit(model, data, steps=2, **settings):
    trainer_of([TrainingGuard(**settings)], steps).fit(model, data)


def data_of(root):
    return InterHandDataModule(str(root), image_size=32, batch_size=4, num_workers=0)


def test_finite_losses_pass(synthetic_root):
    fit(GesturePretrainer(**SETTINGS), data_of(synthetic_root))


class Spoilt(InterHandDataModule):
    """The third sample of every batch has a fit that is not finite."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch["mano_betas"][2] = float("nan")
        batch["mano_valid"][2] = True
        self.spoilt = int(batch["annotation_id"][2])
        return batch


def test_sample_that_is_not_finite_is_named(synthetic_root):
    data = Spoilt(str(synthetic_root), image_size=32, batch_size=4, num_workers=0)
    model = TokenFusionRegressor(**SETTINGS, width=16, depth=1)
    before = {name: value.clone() for name, value in model.named_parameters()}
    with pytest.raises(UserError, match="mano_betas of annotation") as caught:
        fit(model, data)
    index = data.datasets["train"].index
    image = index.file_name[list(index.annotation_id).index(data.spoilt)].decode()
    assert f"annotation {data.spoilt} ('{image}')" in str(caught.value)
    assert str(caught.value).count("annotation ") == 1
    for name, value in model.named_parameters():
        assert torch.equal(value, before[name]), "the step must not be taken"


def test_divergence_is_distinguished_from_bad_data(synthetic_root):
    model = GesturePretrainer(**SETTINGS)
    with torch.no_grad():
        model.gesture_head.fine.bias[0] = float("inf")
    with pytest.raises(UserError, match=r"though its data is.*learning_rate"):
        fit(model, data_of(synthetic_root))


def test_unreadable_images_are_left_out_counted_and_limited(synthetic_root, tmp_path):
    root = tmp_path / "set"
    (root / "images" / "train").mkdir(parents=True)
    (root / "annotations").symlink_to(synthetic_root / "annotations")
    index = data_of(synthetic_root).dataset("train").index
    lost = {index.file_name[row].decode() for row in (0, 3, 5)}
    for path in (synthetic_root / "images" / "train").rglob("*.jpg"):
        name = str(path.relative_to(synthetic_root / "images" / "train"))
        link = root / "images" / "train" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if name in lost:
            link.write_bytes(b"no image")
        else:
            link.symlink_to(path)
    settings = {"image_size": 32, "batch_size": 4, "num_workers": 0}
    steps = len(index) // 4
    with pytest.raises(UserError, match=r"is not a readable image.*data\.unreadable to skip"):
        fit(GesturePretrainer(**SETTINGS), InterHandDataModule(str(root), **settings), steps)

    data = InterHandDataModule(str(root), **settings, unreadable="skip")
    guard = TrainingGuard()
    with pytest.warns(UserWarning, match="Left out: The image"):
        trainer_of([guard], steps).fit(GesturePretrainer(**SETTINGS), data)
    assert guard.unreadable == {int(index.annotation_id[row]) for row in (0, 3, 5)}

    with (
        pytest.warns(UserWarning, match="Left out"),
        pytest.raises(UserError, match=r"3 training images .* data\.unreadable_limit"),
    ):
        fit(GesturePretrainer(**SETTINGS), data, steps, unreadable_limit=2)


def test_left_out_sample_does_not_change_the_others(synthetic_root, tmp_path):
    """The batch keeps its shape, and the loss is that of the readable samples."""
    whole = data_of(synthetic_root).dataset("val")
    copy = InterHandDataModule(str(synthetic_root), image_size=32, num_workers=0, unreadable="skip").dataset("val")
    images, unreadable = copy.index.images, copy.index.file_name[copy.selection.row[1]].decode()
    real, missing = images.of, tmp_path / "nothing.jpg"
    images.of = lambda name: missing if name == unreadable else real(name)
    with pytest.warns(UserWarning, match="Left out"):
        batch = copy.__getitems__([0, 1, 2])
    expected = whole.__getitems__([0, 1, 2])
    assert batch["counted"].tolist() == [True, False, True]
    assert not batch["image"][1].any()
    assert torch.equal(batch["image"][[0, 2]], expected["image"][[0, 2]])
    assert batch["image"].shape == expected["image"].shape
