"""A loss that is not finite ends the run before the weights are spoilt, and the sample is named."""

import pytest
import pytorch_lightning as pl
import torch

from gesturehand.callbacks.training_guard import TrainingGuard
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": 32, "embedding_dim": 16}


def fit(model, data, steps=2, **settings):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        callbacks=[TrainingGuard(**settings)],
    )
    trainer.fit(model, data)


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


def test_network_that_diverges_is_told_from_data(synthetic_root):
    model = GesturePretrainer(**SETTINGS)
    with torch.no_grad():
        model.gesture_head.fine.bias[0] = float("inf")
    with pytest.raises(UserError, match=r"though its data is.*learning_rate"):
        fit(model, data_of(synthetic_root))
