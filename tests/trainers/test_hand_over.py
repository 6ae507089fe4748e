"""The start of a second stage: everything is loaded, or an error names what does not fit."""

import pytest
import torch
from omegaconf import OmegaConf
from refusals import refused
from torch import nn
from trainings import REPOSITORY, quiet_trainer

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.hand_over import hand_over
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor


def modules_of(backbone="test_resnet", stride=16, embedding=16, classes=(27, 35)):
    encoder = Encoder(backbone, feature_stride=stride, image_size=64)
    return {"encoder": encoder, "gesture_head": GestureHead(encoder.pooled_channels, *classes, embedding_dim=embedding)}


def save(path, modules, **extra):
    state = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    state["gesture_metrics.val.total"] = torch.zeros(3)
    torch.save({"state_dict": state, "epoch": 3, **extra}, path)
    return path


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    modules = modules_of()
    return save(tmp_path / "stage1.ckpt", modules), modules


def test_every_tensor_is_loaded(checkpoint):
    path, trained = checkpoint
    torch.manual_seed(2)
    fresh = modules_of()
    differing = [
        k for k, v in fresh["encoder"].state_dict().items() if not torch.equal(v, trained["encoder"].state_dict()[k])
    ]
    assert differing
    hand_over(path, fresh)
    for name, module in fresh.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, trained[name].state_dict()[key]), f"{name}.{key}"


def test_it_reports_what_it_loaded(checkpoint):
    path, trained = checkpoint
    result = hand_over(path, modules_of())
    counts = {name: len(module.state_dict()) for name, module in trained.items()}
    assert result.tensors == counts
    text = str(result)
    assert str(path) in text
    for name, count in counts.items():
        assert f"{count} tensors of {name}" in text


def error(path, modules) -> str:
    with refused(path) as caught:
        hand_over(path, modules)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "module", "key"),
    [
        ({"embedding": 24}, "gesture_head", "gesture_head.coarse.weight"),
        ({"classes": (54, 70)}, "gesture_head", "gesture_head.coarse"),
        ({"stride": 32}, "encoder", "encoder.merge"),
        ({"backbone": "test_efficientnet"}, "encoder", "encoder."),
    ],
)
def test_mismatch_names_its_keys(checkpoint, settings, module, key):
    path, _ = checkpoint
    text = error(path, modules_of(**settings))
    assert f"does not fit this model's {module}" in text
    assert f"the first: {key}" in text
    assert "both stages the same backbone, feature_stride, embedding_dim and gesture_classes" in text


def test_missing_and_left_over_tensors_are_told_apart(tmp_path):
    modules = modules_of()
    path = save(tmp_path / "a.ckpt", modules)
    content = torch.load(path)
    del content["state_dict"]["gesture_head.fine.bias"]
    content["state_dict"]["gesture_head.extra"] = torch.zeros(1)
    torch.save(content, path)
    text = error(path, modules)
    assert "1 missing (the first: gesture_head.fine.bias)" in text
    assert "1 left over (the first: gesture_head.extra)" in text
    assert "another shape" not in text


def test_mismatch_of_the_first_module_leaves_it_as_it_was(checkpoint):
    path, _ = checkpoint
    modules = modules_of(stride=32)
    before = {key: value.clone() for key, value in modules["encoder"].state_dict().items()}
    error(path, modules)
    assert all(torch.equal(value, before[key]) for key, value in modules["encoder"].state_dict().items())


def test_missing_file(tmp_path):
    text = error(tmp_path / "nowhere.ckpt", {"encoder": nn.Linear(1, 1)})
    assert "does not exist" in text
    assert "make pretrain" in text


def test_file_that_is_not_a_checkpoint(tmp_path):
    """Further ones are in tests/checkpoints/test_checkpoint_io.py; the same reader is used here."""
    path = tmp_path / "file.ckpt"
    path.write_bytes(b"this is text")
    assert f"'{path}' is damaged or not a checkpoint: use another" in error(path, {"encoder": nn.Linear(1, 1)})


def test_origin_of_the_first_weights_comes_along(tmp_path):
    origin = {"source": "somewhere", "licence": "CC0 1.0"}
    told = save(tmp_path / "told.ckpt", modules_of(), encoder_weights_origin=origin)
    untold = save(tmp_path / "untold.ckpt", modules_of())
    assert hand_over(told, modules_of()).encoder_weights_origin == origin
    assert hand_over(untold, modules_of()).encoder_weights_origin is None


SMALL = {
    "backbone": "test_resnet",
    "feature_stride": 16,
    "image_size": 64,
    "embedding_dim": 16,
    "width": 32,
    "depth": 1,
}


def data_of(root, **settings):
    return InterHandDataModule(
        str(root), image_size=64, batch_size=4, num_workers=0, augment=False, **{"layout": "per_hand", **settings}
    )


def fit(model, data, folder):
    trainer = quiet_trainer(default_root_dir=folder, max_steps=1, limit_val_batches=0)
    trainer.fit(model, data)
    return trainer


@pytest.fixture
def trained(tmp_path, synthetic_root):
    """A checkpoint of a small token fusion network, and that network."""
    model = TokenFusionRegressor(**SMALL)
    path = tmp_path / "trained.ckpt"
    fit(model, data_of(synthetic_root), tmp_path).save_checkpoint(path)
    return path, model


def test_a_training_starts_from_all_weights_of_a_trained_network(trained, tmp_path, synthetic_root):
    path, model = trained
    again = TokenFusionRegressor(**SMALL, start_from=str(path), learning_rate=1e-12, weight_decay=0.0)
    wanted = {name: value.clone() for name, value in model.network.named_parameters()}
    assert not torch.allclose(
        dict(again.network.named_parameters())["mano_head.pooled.weight"], wanted["mano_head.pooled.weight"]
    )
    fit(again, data_of(synthetic_root), tmp_path)
    for name, value in again.network.named_parameters():
        assert torch.allclose(value, wanted[name], atol=1e-7), name


def test_a_training_starts_from_the_weights_of_the_package_with_the_recipes_settings(tmp_path, synthetic_root):
    recipe = OmegaConf.load(REPOSITORY / "experiments" / "photo" / "finetune.yaml").model.init_args
    left_out = ("image_size", "gesture_classes", "own_labels", "pretrained", "learning_rate")
    settings = {name: value for name, value in recipe.items_ex(resolve=False) if name not in left_out}
    model = TokenFusionRegressor(
        **settings, image_size=64, start_from="openphoto", learning_rate=1e-12, weight_decay=0.0
    )
    fit(model, data_of(synthetic_root, upright=True), tmp_path)
    for name, value in load_regressor("openphoto").model.network.named_parameters():
        assert torch.allclose(dict(model.network.named_parameters())[name], value, atol=1e-7), name
    assert model.encoder.origin["licence"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("model", "data", "named"),
    [
        ({"depth": 2}, {}, ["model.depth=1", "set that"]),
        ({"heads": 2, "gesture_levels": "fine"}, {}, ["model.heads=4", "model.gesture_levels=both"]),
        ({"class": EANetRegressor}, {"layout": "two_hand"}, ["holds TokenFusionRegressor", "EANetRegressor"]),
    ],
)
def test_weights_of_another_network_are_refused(trained, tmp_path, two_hand_root, model, data, named):
    path, _ = trained
    settings = {**SMALL, **model}
    regressor = settings.pop("class", TokenFusionRegressor)(**settings, start_from=str(path))
    with refused(path, *named):
        fit(regressor, data_of(two_hand_root, **data), tmp_path)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("data: {upright: true, mirror_left: true}", ["data.upright=true"]),
        ("data: {upright: false, mirror_left: false}", ["data.mirror_left=false"]),
        ("data: {upright: false, mirror_left: true}", None),
        ("data: {upright: null}", None),
        ("model: {}", None),
        ("data: {upright", ["config.yaml", "cannot be read"]),
    ],
)
def test_a_checkpoint_of_other_crops_is_refused_by_what_its_run_says(config, named, trained, tmp_path, synthetic_root):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    path = trained[0].rename(run / "checkpoints" / "best.ckpt")
    (run / "config.yaml").write_text(config)
    model = TokenFusionRegressor(**SMALL, start_from=str(path))
    if named is None:
        fit(model, data_of(synthetic_root), tmp_path)
    else:
        with refused(run, *named):
            fit(model, data_of(synthetic_root), tmp_path)


def test_weights_of_other_crops_a_first_stage_and_missing_ones_are_refused(trained, tmp_path, synthetic_root):
    settings = load_regressor("openphoto").model.hparams | {"start_from": "openphoto"}
    with refused("openphoto", "data.upright=true"):
        fit(TokenFusionRegressor(**settings), data_of(synthetic_root), tmp_path)
    # Settings that the package's weights leave out have their defaults; two heads have tensors of the same shapes as
    # four.
    for other, named in (({"heads": 2}, "model.heads=4"), ({"fusion": "none"}, "model.fusion=concat")):
        with refused("openphoto", named):
            fit(TokenFusionRegressor(**settings | other), data_of(synthetic_root, upright=True), tmp_path)
    first = save(tmp_path / "first.ckpt", modules_of(), model_class="GesturePretrainer", hyper_parameters={})
    for start, named in ((first, "model.pretrained"), (tmp_path / "gone.ckpt", "does not exist")):
        with refused(start, named):
            fit(TokenFusionRegressor(**SMALL, start_from=str(start)), data_of(synthetic_root), tmp_path)
    with refused("model.start_from", "model.pretrained"):
        TokenFusionRegressor(**SMALL, start_from="openphoto", pretrained="first.ckpt")
