"""Both architectures and the first stage on every family of backbones, and their common behaviour."""

import pytest
import torch
from trainings import quiet_trainer

from gesturehand.checkpoints.checkpoint_io import load_checkpoint
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE = 64
#: A backbone of each family, and one of its strides.
FAMILIES = [
    ("resnet10t", 16),
    ("hrnet_w18_small", 32),
    ("convnext_atto", 16),
    ("mobilenetv3_small_050", 16),
    ("test_vit", 16),
    ("swin_tiny_patch4_window7_224", 16),
]
ARCHITECTURES = {TokenFusionRegressor: 1, EANetRegressor: 2}


@pytest.mark.parametrize(("backbone", "stride"), FAMILIES)
def test_every_family_serves_both_stages_and_architectures(backbone, stride):
    """Heads take channels and strides from the backbone; the first stage's state fits both architectures."""
    encoder = {"backbone": backbone, "feature_stride": stride, "image_size": SIZE, "embedding_dim": 16}
    image = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8)
    pretrainer = GesturePretrainer(**encoder).eval()
    with torch.no_grad():
        assert pretrainer(image)["fine_logits"].shape == (2, 35)
    for architecture, hands in ARCHITECTURES.items():
        model = architecture(**encoder, width=32, depth=1).eval()
        is_right = torch.tensor([True, False])[:hands].expand(2, hands)
        with torch.no_grad():
            hand, _ = model(image, is_right)
        assert hand["joints"].shape == (2, hands, 21, 3)
        assert all(value.isfinite().all() for value in hand.values())
        model.network.encoder.load_state_dict(pretrainer.encoder.state_dict())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_settings_are_kept_and_named(architecture):
    """Settings are explicit arguments, so that the command line and checkpoints know all of them."""
    model = architecture(
        backbone="test_resnet", feature_stride=16, image_size=SIZE, embedding_dim=16, width=32, depth=1
    )
    assert isinstance(model, HandRegressor)
    assert model.hparams["image_size"] == SIZE
    for name in ("backbone", "gesture_classes", "pretrained", "mano", "tips", "learning_rate", "weight_pose"):
        assert name in model.hparams
    assert not any("hand_model" in key for key in model.state_dict())
    again = architecture(**model.hparams)
    again.load_state_dict(model.state_dict())


def trainer_for(folder):
    return quiet_trainer(default_root_dir=folder, max_steps=1, limit_val_batches=0)


def test_origin_of_the_encoders_weights_reaches_every_checkpoint(tmp_path, synthetic_root):
    """From the first stage into the second, and from there into the network that is loaded to predict."""
    settings = {"backbone": "mediapipe_hand", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 16}
    data = InterHandDataModule(str(synthetic_root), image_size=SIZE, batch_size=4, num_workers=0, augment=False)
    paths = [tmp_path / f"{stage}.ckpt" for stage in ("first", "second", "third")]
    stages = (
        lambda: GesturePretrainer(**settings, encoder_weights="mediapipe_hand", freeze_encoder=8),
        lambda: TokenFusionRegressor(**settings, width=32, depth=1, pretrained=str(paths[0])),
        lambda: TokenFusionRegressor(**settings, width=32, depth=1, encoder_weights=str(paths[1])),
    )
    for build, path in zip(stages, paths, strict=True):
        trainer = trainer_for(tmp_path)
        trainer.fit(build(), data)
        trainer.save_checkpoint(path)
    origins = [load_checkpoint(path)["encoder_weights_origin"] for path in paths]
    assert origins[0]["licence"] == "Apache-2.0"
    assert origins[1] == origins[0]
    assert origins[2]["based_on"] == origins[0]
    assert load_regressor(paths[2]).model.encoder.origin == origins[2]
    resumed = GesturePretrainer(**settings)
    resumed.on_load_checkpoint(load_checkpoint(paths[0]))
    assert resumed.encoder.origin == origins[0]


@pytest.mark.parametrize("wrong", [-1, 3, 64])
def test_stride_to_freeze_is_checked_by_every_model(wrong):
    for model in (*ARCHITECTURES, GesturePretrainer):
        with pytest.raises(UserError, match=f"freeze_encoder is {wrong}"):
            model(backbone="test_resnet", feature_stride=16, image_size=SIZE, freeze_encoder=wrong)


def test_the_base_class_alone_is_not_a_model():
    with pytest.raises(TypeError, match="abstract"):
        HandRegressor()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_argument_that_nobody_takes_is_an_error(architecture):
    with pytest.raises(TypeError, match="depht"):
        architecture("test_resnet", depht=1)
