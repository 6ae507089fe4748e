"""Synthetic frames that are imported as a user's data come back through the loader as they were."""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from refusals import refused
from torch.utils.data import default_collate
from trainings import SHORT, experiment

from gesturehand.camera import normalised_to_px
from gesturehand.cli.main import main
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.gestures import class_names
from gesturehand.hand.layer import HandModel
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries
from gesturehand.runs import finished_runs
from gesturehand.skeleton import JOINT_NAMES
from gesturehand.targets import build_targets

SIZE = 64


def written(tmp_path, hands):
    path = tmp_path / "joints.json"
    path.write_text(json.dumps(hands))
    return path


def without(hands, *keys):
    return [{key: value for key, value in hand.items() if key not in keys} for hand in hands]


def batch_of(root):
    data = InterHandDataModule(
        str(root), image_size=SIZE, hands="all", num_workers=0, augment=False, test_split="train"
    )
    dataset = data.dataset("test")
    return default_collate([dataset[number] for number in range(len(dataset))])


def pixels_of(batch):
    """Annotated joints in px of the original image, through the crop and back."""
    targets = build_targets(batch, HandModel())
    inverse = torch.linalg.inv(
        torch.cat(
            [batch["crop_affine"].double(), torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(batch["image"]), 1, 3)], 1
        )
    )
    crop = normalised_to_px(targets["joints_2d"].double(), SIZE)
    points = torch.cat([crop, torch.ones_like(crop[..., :1])], -1) @ inverse[:, None].mT
    return targets, points[..., :2].numpy()


@pytest.mark.parametrize(
    "left_out", [(), ("joints_3d",), ("joints_3d", "intrinsics")], ids=["3D", "2D", "2D no camera"]
)
def test_projections_return_the_given_pixels(left_out, own_data, tmp_path):
    entries = read_entries(written(tmp_path, without(own_data.hands, *left_out)))
    convert(entries, own_data.images, tmp_path / "set")
    batch = batch_of(tmp_path / "set")
    targets, pixels = pixels_of(batch)
    assert len(pixels) == len(entries)
    order = sorted(range(len(entries)), key=lambda n: (entries[n].image, entries[n].side != "right"))
    for sample, number in enumerate(order):
        given = np.array(entries[number].joints_2d, float)
        valid = np.isfinite(given).all(-1)
        np.testing.assert_array_equal(targets["joint_valid_2d"][sample, 0].numpy(), valid)
        np.testing.assert_allclose(pixels[sample, 0][valid], given[valid], atol=0.05)
        fine = int(batch["gesture_fine"][sample])
        assert (class_names("fine")[fine] if fine >= 0 else None) == own_data.hands[number].get("gesture")


def test_joints_in_space_return(own_data, tmp_path):
    convert(read_entries(written(tmp_path, own_data.hands)), own_data.images, tmp_path / "set")
    batch = batch_of(tmp_path / "set")
    valid = batch["joint_valid_frame"][:, 0].numpy()
    hands = sorted(own_data.hands, key=lambda hand: (hand["image"], hand["hand"] != "right"))
    given = np.array([[point or [np.nan] * 3 for point in hand["joints_3d"]] for hand in hands])
    np.testing.assert_allclose(batch["joints_world"][:, 0].numpy()[valid], given[valid], atol=1e-5)


def test_only_the_terms_that_two_dimensions_allow_are_counted(own_data, tmp_path):
    convert(read_entries(written(tmp_path, without(own_data.hands, "joints_3d"))), own_data.images, tmp_path / "set")
    targets = build_targets(batch_of(tmp_path / "set"), HandModel())
    assert targets["joint_valid_2d"].any()
    assert targets["joint_valid_25d"][..., :2].any()
    assert not targets["joint_valid_25d"][..., 2].any()
    for name in ("joint_valid_3d", "joint_valid_eval", "mano_valid", "betas_valid"):
        assert not targets[name].any()


@pytest.mark.parametrize("left_out", [(), ("joints_3d",)], ids=["3D", "2D"])
def test_imported_set_is_trained_on(left_out, own_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    hands = without(own_data.hands, *left_out)
    for hand in hands:
        hand["split"] = ("train", "val")[int(hand["image"][-7:-4]) % 4 == 0]
    path = written(tmp_path, hands)
    assert main(["data", "import", f"--images={own_data.images}", f"--joints={path}", "--out=set"]) == 0
    assert f"{len(hands) if left_out else 0} with 2D joints only" in capsys.readouterr().out

    words = ["--data.root=set", *SHORT, "--trainer.limit_train_batches=1", "--trainer.log_every_n_steps=1"]
    assert main(["fit", experiment("own_data/finetune"), *words]) == 0
    ((folder, _),) = finished_runs("runs")
    assert yaml.safe_load((folder / "config.yaml").read_text())["data"]["root"] == "set"
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    for term in ("joint_2d", "joint_25d"):
        assert float(rows[0][f"train/loss_{term}"]) > 0
    for term in ("joint_3d", "bone_length", "bone_direction"):
        assert (float(rows[0][f"train/loss_{term}"]) > 0) == (not left_out)
    for term in ("pose", "shape", "joint_mano"):
        assert float(rows[0][f"train/loss_{term}"]) == 0


def test_table_says_the_same_as_the_list(own_data, tmp_path):
    columns = [f"{joint}_{ending}" for joint in JOINT_NAMES for ending in ("x", "y", "x_m", "y_m", "z_m")]
    with (tmp_path / "joints.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "hand", "gesture", "subject", "split", "fx", "fy", "cx", "cy", *columns])
        for hand in own_data.hands:
            points = [
                value
                for flat, deep in zip(hand["joints_2d"], hand["joints_3d"], strict=True)
                for value in (*(flat or ["", ""]), *(deep or ["", "", ""]))
            ]
            head = [hand["image"], hand["hand"], hand.get("gesture", ""), hand["subject"], hand["split"]]
            table.writerow([*head, *hand["intrinsics"], *points])
    from_table, from_list = read_entries(tmp_path / "joints.csv"), read_entries(written(tmp_path, own_data.hands))
    for one, other in zip(from_table, from_list, strict=True):
        np.testing.assert_allclose(one.joints_2d, other.joints_2d)
        np.testing.assert_allclose(one.joints_3d, other.joints_3d)
        assert (one.image, one.side, one.sequence, one.subject, one.intrinsics) == (
            other.image,
            other.side,
            other.sequence,
            other.subject,
            other.intrinsics,
        )


def test_subject_is_in_one_split(own_data, tmp_path):
    hands = without(own_data.hands, "split")
    for hand in hands:
        hand["subject"] = int(hand["image"][-7:-4]) % 5
    convert(read_entries(written(tmp_path, hands)), own_data.images, tmp_path / "set", val_share=0.2, test_share=0.2)
    seen = {}
    for split in ("train", "val", "test"):
        path = tmp_path / "set" / "annotations" / split / f"InterHand2.6M_{split}_data.json"
        seen[split] = {image["subject"] for image in json.loads(path.read_text())["images"]}
    assert [len(subjects) for subjects in seen.values()] == [3, 1, 1]
    assert len(set.union(*seen.values())) == 5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"image": None}, "no image"),
        ({"image": "photos/none.png"}, "none.png"),
        ({"hand": "both"}, "both"),
        ({"gesture": "fisd"}, "fist"),
        ({"split": "training"}, "training"),
        ({"joints_2d": [[0, 0]] * 20}, "21 points"),
        ({"joints_2d": None, "joints_3d": None}, "neither"),
        ({"joint": []}, "'joint'"),
        ({"intrinsics": [1, 2, 3]}, "intrinsics"),
        ({"intrinsics": None}, "--intrinsics"),
        ({"mano": {"pose": [0] * 48, "shape": [0] * 10}}, "mano.trans"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistake_is_one_sentence_that_names_it(change, named, own_data, tmp_path):
    hands = [{**own_data.hands[0], **change}, *own_data.hands[1:]]
    with refused(named):
        convert(read_entries(written(tmp_path, hands)), own_data.images, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    assert not list(tmp_path.glob(".*"))


def test_joints_in_space_beside_the_ones_in_the_image_are_noticed(own_data, tmp_path):
    hands = [dict(hand) for hand in own_data.hands]
    hands[0]["joints_3d"] = [point and [point[0] + 0.1, *point[1:]] for point in hands[0]["joints_3d"]]
    with pytest.raises(UserError, match="px beside"):
        convert(read_entries(written(tmp_path, hands)), own_data.images, tmp_path / "set")


def test_folder_with_something_in_it_is_left_alone(own_data, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        convert(read_entries(written(tmp_path, own_data.hands)), own_data.images, tmp_path / "set")
