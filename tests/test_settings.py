"""Impossible settings are refused with the key's path, for the command line and for Python."""

import pytest
from refusals import refused

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.settings import check_range
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

DATA = [
    ("batch_size", 0), ("batch_size", 2.5), ("batch_size", True), ("image_size", 0), ("image_size", -64),
    ("num_workers", -1), ("flip_probability", 1.5), ("noise_probability", -0.1), ("blur_probability", float("nan")),
    ("rotation_probability", 2), ("scale_jitter", 1.0), ("colour_jitter", -1), ("seed", -1), ("batch_size", "many"),
    ("unreadable_limit", -1), ("min_valid_joints", 22),
]  # fmt: skip
MODEL = [
    (TokenFusionRegressor, "weight_pose", -1.0), (TokenFusionRegressor, "weight_gesture", float("inf")),
    (TokenFusionRegressor, "volume_depth", 0), (TokenFusionRegressor, "heads", 3), (TokenFusionRegressor, "heads", 0),
    (TokenFusionRegressor, "width", 0), (TokenFusionRegressor, "depth", 0), (TokenFusionRegressor, "dropout", 1.0),
    (TokenFusionRegressor, "learning_rate", 0.0), (TokenFusionRegressor, "warmup_share", 1.1),
    (TokenFusionRegressor, "mlp_ratio", 0), (TokenFusionRegressor, "encoder_lr_factor", -1),
    (TokenFusionRegressor, "image_size", 16), (EANetRegressor, "weight_relative_translation", -1),
    (EANetRegressor, "volume_depth", -8), (GesturePretrainer, "weight_fine", -1),
    (GesturePretrainer, "encoder_lr_factor", -0.5),
    (GesturePretrainer, "embedding_dim", 0),
    (GesturePretrainer, "label_smoothing", 1.0), (GesturePretrainer, "learning_rate", float("nan")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), DATA)
def test_data(name, value):
    with refused("give a", match=rf"^data\.{name} is "):
        InterHandDataModule(**{name: value})


@pytest.mark.parametrize(("model", "name", "value"), MODEL)
def test_models(model, name, value):
    with pytest.raises(UserError, match=rf"model\.{name}"):
        model(backbone="test_resnet", **{name: value})


def test_nothing_to_learn():
    with pytest.raises(UserError, match="nothing to learn"):
        GesturePretrainer("test_resnet", weight_coarse=0, weight_fine=0, weight_hierarchy=0)


@pytest.mark.parametrize("value", [0, 0.5, 1, None])
def test_possible_values_pass(value):
    check_range("data", 0, 1, share=value)


def test_sentences():
    for arguments, ends, text in (
        ((0, 1), "", "a number from 0 to 1."),
        ((0, 1), "high", "a number from 0 to below 1."),
        ((0,), "low", "a number above 0."),
        ((0,), "", "a number from 0 upwards."),
    ):
        with pytest.raises(UserError) as caught:
            check_range("data", *arguments, open_ends=ends, share=-1)
        assert str(caught.value) == f"data.share is -1: give {text}"
