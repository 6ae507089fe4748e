"""The loaders: which datasets a stage reads, and batches exactly as the contract says."""

import numpy as np
import pytest
import torch

from gesturehand.camera import normalised_to_px
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.loading import EpochSampler
from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets

#: Every field of a batch after B: shape (H hands, S px) and type.
FIELDS = {
    "image": ((3, "S", "S"), torch.uint8),
    "annotation_id": ((), torch.int64),
    "counted": ((), torch.bool),
    "crop_affine": ((2, 3), torch.float32),
    "intrinsics": ((3, 3), torch.float32),
    "camera_rotation": ((3, 3), torch.float32),
    "camera_translation": ((3,), torch.float32),
    "is_right": (("H",), torch.bool),
    "hand_present": (("H",), torch.bool),
    "interacting": ((), torch.bool),
    "pair_fitted": ((), torch.bool),
    "depth_known": ((), torch.bool),
    "joints_world": (("H", 21, 3), torch.float32),
    "joint_valid_image": (("H", 21), torch.bool),
    "joint_valid_frame": (("H", 21), torch.bool),
    "mano_valid": (("H",), torch.bool),
    "mano_pose": (("H", 48), torch.float32),
    "mano_betas": (("H", 10), torch.float32),
    "mano_trans": (("H", 3), torch.float32),
    "pose_form": ((), torch.int64),
    "joint_definition": ((), torch.int64),
    "set_number": ((), torch.int64),
    "gesture_coarse": ((), torch.int64),
    "gesture_fine": ((), torch.int64),
    "own_label": ((), torch.int64),
}


def data_of(root, **settings):
    return InterHandDataModule(str(root), **{"image_size": 64, "batch_size": 10, "num_workers": 0, **settings})


def check(batch, count, hands, size=64):
    assert batch.keys() == FIELDS.keys()
    for name, (shape, dtype) in FIELDS.items():
        expected = (count, *({"H": hands, "S": size}.get(n, n) for n in shape))
        assert tuple(batch[name].shape) == expected, name
        assert batch[name].dtype == dtype, name


@pytest.mark.parametrize(("layout", "hands"), [("per_hand", 1), ("two_hand", 2)])
def test_batches_are_what_the_contract_says(two_hand_root, layout, hands):
    data = data_of(two_hand_root, hands="all", layout=layout)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        check(next(iter(loader)), min(10, len(loader.dataset)), hands)


def test_size_of_the_crop_is_a_setting(synthetic_root):
    check(next(iter(data_of(synthetic_root, image_size=96, batch_size=3).val_dataloader())), 3, 1, size=96)


def test_evaluation_sees_every_sample_once_in_order(synthetic_root):
    data = data_of(synthetic_root, augment=False)
    loaders = {
        "train": data.evaluation_dataloader("train"),
        "val": data.val_dataloader(),
        "test": data.test_dataloader(),
    }
    for stage, loader in loaders.items():
        batches = list(loader)
        dataset = data.dataset(stage)
        assert len(batches) == -(-len(dataset) // 10)
        ids = torch.cat([batch["annotation_id"] for batch in batches])
        assert ids.tolist() == dataset.index.annotation_id[dataset.selection.row].tolist()
        assert all(batch["counted"].all() for batch in batches)


def test_training_is_shuffled_augmented_and_drops_the_incomplete_batch(synthetic_root):
    data = data_of(synthetic_root, batch_size=30)
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler)
    assert len(data.dataset("train")) % 30
    batches = list(loader)
    assert len(batches) == len(loader) == len(data.dataset("train")) // 30
    assert all(len(batch["image"]) == 30 for batch in batches)
    ids = torch.cat([batch["annotation_id"] for batch in batches]).tolist()
    assert ids != sorted(ids)
    # A crop that is neither turned nor mirrored has equal diagonal entries and no others.
    turned = torch.cat([batch["crop_affine"] for batch in batches])[:, 0, 1] != 0
    assert 0.4 < turned.float().mean() < 0.8
    still = torch.cat([batch["crop_affine"] for batch in data.evaluation_dataloader("val")])
    assert not still[:, 0, 1].any()


def test_incomplete_training_batch_is_kept_if_it_is_the_only_one(synthetic_root):
    data = data_of(synthetic_root, batch_size=1000)
    batches = list(data.train_dataloader())
    assert [len(batch["image"]) for batch in batches] == [len(data.dataset("train"))]


def test_unaugmented_training_crops_are_not_changed(synthetic_root):
    data = data_of(synthetic_root, augment=False)
    for batch in data.train_dataloader():
        assert not batch["crop_affine"][:, 0, 1].any()
    augmented, plain = (
        {int(i): a for batch in loader for i, a in zip(batch["annotation_id"], batch["crop_affine"], strict=True)}
        for loader in (data_of(synthetic_root).train_dataloader(), data.train_dataloader())
    )
    assert any(not torch.equal(augmented[i], plain[i]) for i in set(augmented) & set(plain))


@pytest.mark.parametrize(
    ("stage", "read"), [("fit", {"train", "val"}), ("validate", {"val"}), ("test", {"test"}), ("predict", {"test"})]
)
def test_a_stage_reads_its_splits_only(synthetic_root, stage, read):
    data = data_of(synthetic_root)
    data.setup(stage)
    assert data.datasets.keys() == read
    assert all(dataset.index.split == name for name, dataset in data.datasets.items())


def test_stages_can_use_other_splits(synthetic_root):
    data = data_of(synthetic_root, train_split="val", val_split="test", test_split="val")
    for stage, split in (("train", "val"), ("val", "test"), ("test", "val")):
        assert data.dataset(stage).index.split == split


def test_a_choice_that_leaves_nothing_is_refused(synthetic_root):
    with pytest.raises(UserError, match="loosen one of these settings"):
        data_of(synthetic_root, hands="interacting").dataset("val")


def test_data_sets_are_read_once(synthetic_root):
    data = data_of(synthetic_root)
    data.setup("fit")
    first = data.dataset("train")
    data.setup("fit")
    assert data.dataset("train") is first
    assert data.train_dataloader().dataset is first


def test_subsets_belong_to_their_stage(synthetic_root, tmp_path):
    ids = data_of(synthetic_root).dataset("train").index.annotation_id
    path = tmp_path / "train.txt"
    path.write_text("\n".join(str(i) for i in ids[:5]))
    data = data_of(synthetic_root, train_subset=str(path))
    assert data.dataset("train").index.annotation_id[data.dataset("train").selection.row].tolist() == ids[:5].tolist()
    assert len(data.dataset("val")) == len(data_of(synthetic_root).dataset("val"))


def test_labelled_only_concerns_training_and_validation(two_hand_root):
    """The test set is fixed by its protocol."""
    everything, labelled = (data_of(two_hand_root, hands="all", labelled_only=only) for only in (False, True))
    for stage in ("train", "val", "test"):
        fine = [int(labelled.dataset(stage)[n]["gesture_fine"]) for n in range(len(labelled.dataset(stage)))]
        assert (-1 in fine) == (stage == "test")
    assert len(labelled.dataset("train")) < len(everything.dataset("train"))
    assert len(labelled.dataset("test")) == len(everything.dataset("test"))


def test_box_source_of_the_test_set(synthetic_root):
    joints, mixed = data_of(synthetic_root), data_of(synthetic_root, test_boxes="annotation")
    assert np.array_equal(joints.dataset("val").boxes, mixed.dataset("val").boxes)
    assert not np.allclose(joints.dataset("test").boxes, mixed.dataset("test").boxes)
    annotation = data_of(synthetic_root, boxes="annotation")
    assert np.array_equal(annotation.dataset("test").boxes, mixed.dataset("test").boxes)
    assert not np.allclose(annotation.dataset("val").boxes, mixed.dataset("val").boxes)


def test_shuffled_images_are_the_training_sets_alone(synthetic_root):
    data = data_of(synthetic_root, shuffled_images=True)
    order = data.dataset("train").image_of
    assert sorted(order) == list(range(len(data.dataset("train"))))
    assert (order != np.arange(len(order))).mean() > 0.9
    assert data.dataset("val").image_of is None
    assert data.dataset("test").image_of is None


def test_flipping_mirrored_left_hands_is_refused(synthetic_root):
    with pytest.raises(UserError, match=r"data\.flip_probability.*data\.mirror_left"):
        data_of(synthetic_root, flip_probability=0.5)
    for settings in ({"mirror_left": False}, {"layout": "two_hand", "hands": "all"}):
        batch = next(iter(data_of(synthetic_root, flip_probability=0.5, **settings).train_dataloader()))
        mirrored = torch.linalg.det(batch["crop_affine"][..., :2]) < 0
        assert 0 < mirrored.float().mean() < 1


def test_without_fits(synthetic_root):
    data = data_of(synthetic_root, mano_fits=False)
    assert not next(iter(data.val_dataloader()))["mano_valid"].any()
    assert next(iter(data_of(synthetic_root).val_dataloader()))["mano_valid"].any()


@pytest.mark.parametrize(("layout", "hands", "count"), [("per_hand", 1, 6), ("two_hand", 2, 4)])
def test_real_frames_load(real_sample, layout, hands, count):
    """All joints of the real frames lie inside their crops, and on something brighter than the dome's darkness."""
    data = data_of(real_sample, image_size=128, hands="all", layout=layout, mano_fits=False)
    batches = list(data.test_dataloader())
    assert len(batches) == 1
    batch = batches[0]
    check(batch, count, hands, size=128)
    assert not batch["mano_valid"].any()
    targets = build_targets(batch, HandModel())
    shown = targets["joint_valid_2d"]
    assert shown.sum() == 6 * 21
    assert (targets["joints_2d"][shown].abs() < 1).all()
    px = normalised_to_px(targets["joints_2d"], 128).round().long()
    light = batch["image"].float().mean(1)
    on_joints = torch.stack([light[b, y, x] for b, h, j in shown.nonzero().tolist() for x, y in [px[b, h, j].tolist()]])
    assert on_joints.median() > light.median() + 20


def test_real_frames_are_labelled(real_sample):
    data = data_of(real_sample, mano_fits=False)
    batch = next(iter(data.test_dataloader()))
    assert (batch["gesture_fine"] >= 0).all()
    assert sorted(batch["annotation_id"].tolist()) == [471953, 680801]
    # The left hand is shown as a right one.
    assert batch["is_right"].all()
    mirrored = torch.linalg.det(batch["crop_affine"][..., :2]) < 0
    assert mirrored.tolist() == [int(i) == 680801 for i in batch["annotation_id"]]
