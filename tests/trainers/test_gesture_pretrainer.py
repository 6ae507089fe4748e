"""The first stage, and labels outside the gesture vocabulary in both stages: learned, and kept in checkpoints."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from trainings import quiet_trainer

from gesturehand.checkpoints.checkpoint_io import load_checkpoint
from gesturehand.cli.main import main
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": 32, "embedding_dim": 32}
STAGES = [(GesturePretrainer, {}), (TokenFusionRegressor, {"width": 16, "depth": 1})]
LABELS = [("shades", "dark"), ("shades", "light")]


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    """Photos with two labels that anybody can tell apart, half of each in both splits."""
    folder = tmp_path_factory.mktemp("shades")
    rng = np.random.default_rng(0)
    hands = []
    for number in range(32):
        dark = number % 2 == 0
        pixels = np.clip(rng.normal(40 if dark else 210, 10, (48, 48, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        label = {"label": "dark" if dark else "light", "set": "shades"}
        split = "train" if number < 16 else "test"
        hands.append({"image": f"{number}.png", "hand": "right", "box": [4, 4, 40, 40], "split": split, **label})
    (folder / "hands.json").write_text(json.dumps(hands))
    convert(read_entries(folder / "hands.json"), folder, folder / "set")
    return folder / "set"


def data_of(root, **settings):
    return InterHandDataModule(
        str(root), image_size=32, batch_size=8, num_workers=0, hands="all", min_valid_joints=0, **settings
    )


def trained(stage, settings, root, epochs, tmp_path, **data_settings):
    torch.manual_seed(0)
    data = data_of(root, own_labels="auto", **data_settings)
    model = stage(
        **SETTINGS, **settings, own_labels=list(data.label_vocabulary()), weight_own_label=1.0, learning_rate=3e-3
    )
    trainer = quiet_trainer(max_epochs=epochs, limit_val_batches=0, default_root_dir=tmp_path)
    trainer.fit(model, data)
    (result,) = trainer.test(model, data, verbose=False)
    return model, trainer, result


@pytest.mark.filterwarnings("ignore:.*val_dataloader")
@pytest.mark.parametrize(("stage", "settings"), STAGES)
def test_both_stages_learn_them(stage, settings, shades, tmp_path):
    model, trainer, result = trained(stage, settings, shades, 12, tmp_path)
    assert result["test/own_label_top1"] == 1
    assert model.own_labels == LABELS
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = load_checkpoint(tmp_path / "last.ckpt")
    again = stage.load_from_checkpoint(tmp_path / "last.ckpt", map_location="cpu")
    assert again.own_labels == LABELS
    assert torch.equal(content["state_dict"]["own_label_head.classify.weight"], again.own_label_head.classify.weight)


@pytest.mark.filterwarnings("ignore:.*val_dataloader")
def test_shuffled_labels_are_those_of_other_hands(shades):
    """The control: the label of another hand says nothing about this one's shade."""
    data = data_of(shades, own_labels="auto")
    data.setup("fit")
    true = data.dataset("train").__getitems__(range(16))["own_label"]
    shuffled = data_of(shades, own_labels="auto", shuffled_labels=True)
    shuffled.setup("fit")
    other = shuffled.dataset("train").__getitems__(range(16))["own_label"]
    assert sorted(other.tolist()) == sorted(true.tolist())
    assert not torch.equal(other, true)


@pytest.mark.filterwarnings("ignore:.*val_dataloader")
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_encoder_has_its_own_learning_rate(factor, shades, tmp_path):
    torch.manual_seed(0)
    fresh = GesturePretrainer(**SETTINGS, own_labels=LABELS)
    model, _, _ = trained(GesturePretrainer, {"encoder_lr_factor": factor}, shades, 1, tmp_path)
    before, after = (dict(module.named_parameters()) for module in (fresh, model))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("gesture_head.embed") for name in changed)
    assert any(name.startswith("encoder.") for name in changed) == bool(factor)


def test_wrong_settings_are_one_sentence(shades, tmp_path):
    with pytest.raises(UserError, match=r"label_vocabulary\(\)"):
        GesturePretrainer(**SETTINGS, own_labels="auto")
    model = GesturePretrainer(**SETTINGS, own_labels=[("shades", "dark"), ("shades", "grey")])
    with pytest.raises(UserError, match="not those of the data"):
        quiet_trainer(default_root_dir=tmp_path).test(model, data_of(shades, own_labels="auto"), verbose=False)


def test_command_line_puts_the_labels_of_the_data_in(shades, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"own_labels": "auto", "root": shades, "hands": "all", "min_valid_joints": 0, "image_size": 32}
    data |= {"batch_size": 8, "num_workers": 0}
    words = [
        "fit", "--model=GesturePretrainer", *(f"--model.{name}={value}" for name, value in SETTINGS.items()),
        "--model.own_labels=auto", *(f"--data.{name}={value}" for name, value in data.items()), "--name=labels",
        "--seed_everything=0", "--wandb=false", "--pictures_every_n_epochs=0", "--trainer.accelerator=cpu",
        "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", "--checkpoint.monitor=null",
    ]  # fmt: skip
    main(words)
    (checkpoint,) = (tmp_path / "runs").rglob("last.ckpt")
    kept = load_checkpoint(checkpoint)["hyper_parameters"]["own_labels"]
    assert [tuple(pair) for pair in kept] == LABELS
    main(["test", "--run", str(checkpoint.parents[1])])
    (report,) = (tmp_path / "runs").rglob("report.json")
    content = json.loads(report.read_text())
    assert content["tested_samples"] == 16
    assert 0 <= content["metrics"]["own_label_top1"] <= 1
    assert "own_label_top1" in report.with_name("report.md").read_text()
