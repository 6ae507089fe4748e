"""A training on three sets at once, one of them with 2D joints only."""

import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from trainings import SMALL, experiment, quiet_trainer

from gesturehand.cli.main import main
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.mixture import AddedSet
from gesturehand.errors import UserError
from gesturehand.hand.conventions import NUM_MANO_VERTICES
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz
from gesturehand.skeleton import SIDES
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE, BATCH = 32, 16
SHARES = (0.55, 0.25, 0.2)


@pytest.fixture
def data_of(synthetic_root, two_hand_root, flat_root):
    def make(**settings):
        sets = [
            AddedSet(str(two_hand_root), SHARES[1], hands="all", name="two hands", val_split="val"),
            AddedSet(str(flat_root), SHARES[2], name="flat", val_split="val"),
        ]
        shared = {"image_size": SIZE, "batch_size": BATCH, "num_workers": 0, "sets": sets, **settings}
        return InterHandDataModule(str(synthetic_root), **shared)

    return make


def model_of(stage, **others):
    torch.manual_seed(1)
    settings = {"backbone": "test_resnet", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 16}
    return (
        GesturePretrainer(**settings)
        if stage == "pretrain"
        else TokenFusionRegressor(**settings, **others, width=16, depth=1)
    )


@pytest.fixture(scope="module")
def mano_sized_folder(tmp_path_factory):
    """Files of right and left hands with as many vertices as MANO's: part of the open hand's."""
    folder = tmp_path_factory.mktemp("mano_sized")
    kept, rng = slice(0, NUM_MANO_VERTICES), np.random.default_rng(0)
    for side in SIDES:
        hand = open_hand(side)
        fewer = replace(
            hand,
            **{name: getattr(hand, name)[kept] for name in ("v_template", "shapedirs", "posedirs", "weights")},
            J_regressor=hand.J_regressor[:, kept],
            faces=rng.integers(0, NUM_MANO_VERTICES, (50, 3)),
        )
        write_npz(fewer, folder / f"MANO_{side.upper()}.npz")
    return str(folder)


def warnings_of_setup(stage, mano, data):
    """What a module warns of at the start of a stage, about definitions of joints."""
    model = model_of("finetune", mano=mano)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = quiet_trainer(max_steps=1, limit_val_batches=1, limit_test_batches=1)
        {"fit": trainer.fit, "validate": trainer.validate, "test": trainer.test}[stage](model, data)
    return [str(warning.message) for warning in caught if "joint_definition" in str(warning.message)]


@pytest.mark.parametrize(("stage", "warned"), [("fit", [0, 2]), ("validate", [0]), ("test", [])])
def test_offsets_that_mano_lacks_are_named_once(stage, warned, mano_sized_folder, synthetic_root, two_hand_root):
    """Of the sets whose joints the stage compares: neither one without offsets, nor one whose joints do not count."""
    marked = {"joint_definition": "mediapipe"}
    sets = [
        AddedSet(str(two_hand_root), 0.2, hands="all", name="first", val_split="val", **marked),
        AddedSet(str(synthetic_root), 0.2, name="second", val_split="val", joint_definition="freihand"),
        AddedSet(str(synthetic_root), 0.2, **marked),
        AddedSet(str(synthetic_root), 0.2, name="third", val_split="val", joints=False, **marked),
    ]
    data = InterHandDataModule(str(synthetic_root), image_size=SIZE, batch_size=BATCH, num_workers=0, sets=sets)
    if stage == "fit":
        assert warnings_of_setup(stage, None, data) == []
    said = warnings_of_setup(stage, mano_sized_folder, data)
    assert len(said) == (1 if warned else 0)
    for text in said:
        named = [place for place in range(len(sets)) if f"data.sets[{place}].joint_definition=mediapipe" in text]
        assert named == warned
        assert "model.mano=null" in text


def test_an_epoch_reaches_the_shares_and_every_batch_has_them(data_of):
    loader = data_of(read_images=False).train_dataloader()
    loader.sampler.set_epoch(3)
    seen = [batch["set_number"] for batch in loader]
    for numbers in seen:
        for number, share in enumerate(SHARES):
            assert abs((numbers == number).sum() - share * BATCH) <= 1
    together = torch.cat(seen)
    for number, share in enumerate(SHARES):
        assert abs((together == number).double().mean() - share) < 0.01


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_metrics_of_each_set_are_those_of_the_set_alone(stage, data_of, synthetic_root, two_hand_root, flat_root):
    """Batches of 7 mix the sets."""
    model = model_of(stage)
    (together,) = quiet_trainer().validate(model, data_of(batch_size=7), verbose=False)
    alone = {
        "val": InterHandDataModule(str(synthetic_root), image_size=SIZE, batch_size=5, num_workers=0),
        "val_two_hands": InterHandDataModule(
            str(two_hand_root), image_size=SIZE, batch_size=5, num_workers=0, hands="all"
        ),
        "val_flat": InterHandDataModule(str(flat_root), image_size=SIZE, batch_size=5, num_workers=0),
    }
    found = 0
    for name, data in alone.items():
        (wanted,) = quiet_trainer().validate(model_of(stage), data, verbose=False)
        for metric, value in wanted.items():
            measured = together[metric.replace("val/", f"{name}/")]
            assert measured == pytest.approx(value, rel=1e-4, nan_ok=True), (name, metric)
            found += 1
    assert found == len(together)
    if stage == "finetune":
        assert together["val_flat/loss_joint_2d"] > 0
        assert together["val_flat/loss_pose"] == together["val_flat/loss_joint_3d"] == 0


def test_first_samples_of_a_validation_are_of_all_sets(data_of):
    loader = data_of(batch_size=7, read_images=False).val_dataloader()
    batches = list(loader)
    assert set(batches[0]["set_number"].tolist()) == {0, 1, 2}
    together = torch.cat([batch["set_number"] for batch in batches])
    ids = torch.cat([batch["annotation_id"] for batch in batches])
    data = loader.dataset
    for number, dataset in enumerate(data.datasets):
        wanted = dataset.index.annotation_id[dataset.selection.row]
        assert ids[together == number].tolist() == wanted.tolist()


def test_names_that_would_be_the_same_are_refused(flat_root):
    sets = [AddedSet(str(flat_root), 0.1, val_split="val"), AddedSet(str(flat_root), 0.1, val_split="train")]
    with pytest.raises(UserError, match="val_set/…: give them different names"):
        InterHandDataModule(sets=sets)


def test_validation_of_a_set_beside_a_root_without_one_is_refused(data_of, tmp_path):
    data = data_of(val_split="val")
    data.root, data.format = str(tmp_path), None
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UserError):
        data.setup("fit")


def words(roots, workers):
    first, second, third = roots
    sets = (
        f"[{{root: {second}, share: 0.25, hands: all, name: pairs, val_split: val}}, "
        f"{{root: {third}, share: 0.2, name: flat, val_split: val}}]"
    )
    model = {"imagenet_weights": "false", "pretrained": "none", "width": 16, "depth": 1, "feature_stride": 16}
    return [
        "fit", experiment("mixed/finetune"), f"--data.root={first}", f"--data.sets={sets}", *SMALL,
        *(f"--model.init_args.{name}={value}" for name, value in model.items()), f"--data.image_size={SIZE}",
        f"--data.batch_size={BATCH}", f"--data.num_workers={workers}", "--trainer.accelerator=cpu",
        "--trainer.devices=1", "--trainer.strategy=auto", "--trainer.precision=32", "--trainer.max_epochs=2",
        "--trainer.limit_val_batches=3", "--trainer.log_every_n_steps=1", "--resume_every_n_steps=3",
        "--pictures_every_n_epochs=0", "--wandb=false",
    ]  # fmt: skip


def weights(folder):
    (run,) = (folder / "runs" / "mixed" / "finetune").iterdir()
    assert (run / "finished.json").exists()
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_weights_do_not_depend_on_workers_nor_on_a_kill(
    synthetic_root, two_hand_root, flat_root, tmp_path, monkeypatch, one_thread
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    roots = (synthetic_root, two_hand_root, flat_root)
    ends = {}
    for workers in (0, 1, 2):
        (tmp_path / str(workers)).mkdir()
        monkeypatch.chdir(tmp_path / str(workers))
        assert main(words(roots, workers)) == 0
        ends[workers] = weights(tmp_path / str(workers))
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [str(Path(sys.executable).parent / "gesturehand"), *words(roots, 1)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        while not list(folder.rglob("step-*.ckpt")):
            assert process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    monkeypatch.chdir(folder)
    assert main(words(roots, 1)) == 0
    ends["killed"] = weights(folder)
    first = ends.pop(0)
    for name, end in ends.items():
        assert end.keys() == first.keys()
        for key, value in first.items():
            assert torch.equal(end[key], value), (name, key)
