"""A sample against a hand-made one; image and geometry move together; augmentation repeats."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from refusals import refused

from gesturehand.camera import normalised_to_px
from gesturehand.data.appearance import AppearanceJitter
from gesturehand.data.boxes import crop_boxes
from gesturehand.data.crop import CropJitter, crop_affine
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import Augmentation, InterHandDataset, SampleKey
from gesturehand.data.index import read_index
from gesturehand.data.selection import select
from gesturehand.gestures import gesture_of_sequence, vocabulary
from gesturehand.targets import build_targets

SIZE = 96


def dataset_of(root, split="val", *, hands="all", layout="per_hand", **settings):
    index = read_index(root, split)
    selection = select(index, hands=hands, layout=layout)
    return InterHandDataset(
        index, selection, crop_boxes(index, selection, "joints"), **{"image_size": SIZE, **settings}
    )


def only(sample):
    """A batch of one."""
    return {name: value[None] for name, value in sample.items()}


@pytest.mark.parametrize("layout", ["per_hand", "two_hand"])
@pytest.mark.parametrize("mirror_left", [False, True])
def test_sample_is_the_hand_made_one(two_hand_root, plain_records, layout, mirror_left):
    records = plain_records(two_hand_root, "train")
    dataset = dataset_of(two_hand_root, "train", layout=layout, mirror_left=mirror_left)
    kinds = set()
    for number in range(len(dataset)):
        record, slots = records[dataset.selection.row[number]], dataset.selection.hand[number]
        hands = [record["hands"][slot] for slot in slots]
        mirrored = layout == "per_hand" and mirror_left and hands[0]["side"] == "left"
        kinds.add((record["hand_type"], mirrored))
        sample = dataset[number]

        affine = crop_affine(dataset.boxes[number], SIZE, mirror=mirrored)
        np.testing.assert_allclose(sample["crop_affine"], affine, rtol=1e-6)
        image = cv2.imread(str(two_hand_root / "images" / "train" / record["file_name"]))[..., ::-1]
        crop = cv2.warpAffine(np.ascontiguousarray(image), affine, (SIZE, SIZE))
        assert np.array_equal(sample["image"].numpy(), crop.transpose(2, 0, 1))

        assert sample["annotation_id"] == record["id"]
        assert sample["counted"]
        np.testing.assert_allclose(sample["intrinsics"], record["intrinsics"], rtol=1e-6)
        np.testing.assert_allclose(sample["camera_rotation"], record["rotation"], rtol=1e-6)
        translation = -record["rotation"] @ record["position"]
        np.testing.assert_allclose(sample["camera_translation"], translation, atol=1e-6)
        assert sample["interacting"] == (record["hand_type"] == "interacting")
        labels = (sample["gesture_coarse"].item(), sample["gesture_fine"].item())
        assert labels == gesture_of_sequence(record["seq_name"])
        for slot, hand in enumerate(hands):
            assert sample["is_right"][slot] == ((hand["side"] == "right") != mirrored)
            assert sample["hand_present"][slot] == hand["shown"]
            in_image, in_frame = (hand[name] & hand["shown"] for name in ("valid_image", "valid_frame"))
            assert np.array_equal(sample["joint_valid_image"][slot], in_image)
            assert np.array_equal(sample["joint_valid_frame"][slot], in_frame)
            np.testing.assert_allclose(sample["joints_world"][slot][in_frame], hand["joints"][in_frame], atol=1e-6)
            fitted = hand["fit"] is not None and hand["shown"]
            assert sample["mano_valid"][slot] == fitted
            if fitted:
                for field, key in (("mano_pose", "pose"), ("mano_betas", "shape"), ("mano_trans", "trans")):
                    np.testing.assert_allclose(sample[field][slot], hand["fit"][key], rtol=1e-5, atol=1e-6)
    assert {kind for kind, _ in kinds} == {"right", "left", "interacting"}
    assert (("left", True) in kinds) == (mirror_left and layout == "per_hand")


def test_hand_that_is_not_shown_is_masked(two_hand_root, everything_flagged):
    dataset = dataset_of(everything_flagged(two_hand_root, "train"), "train", layout="two_hand")
    absent = 0
    for number in range(len(dataset)):
        sample = dataset[number]
        for slot in range(2):
            shown = bool(dataset.index.hand_type[dataset.selection.row[number]] & (1, 2)[slot])
            assert sample["hand_present"][slot] == shown
            assert sample["joint_valid_image"][slot].all() == sample["joint_valid_image"][slot].any() == shown
            assert sample["joint_valid_frame"][slot].all() == sample["joint_valid_frame"][slot].any() == shown
            assert shown or not sample["mano_valid"][slot]
            absent += not shown
    assert absent


def test_gesture_classes_per_hand_stay_those_of_the_annotated_hand(synthetic_root, plain_records):
    """A mirrored left hand looks like a right one but keeps the left hand's classes."""
    records = plain_records(synthetic_root, "val")
    for mirror_left in (False, True):
        dataset = dataset_of(synthetic_root, gesture_classes="per_hand", mirror_left=mirror_left)
        for number in range(len(dataset)):
            record, sample = records[dataset.selection.row[number]], dataset[number]
            coarse, fine = gesture_of_sequence(record["seq_name"])
            left = record["hand_type"] == "left"
            assert sample["gesture_coarse"] == coarse + 27 * left
            assert sample["gesture_fine"] == fine + 35 * left


@dataclass(frozen=True)
class FixedCrop(CropJitter):
    """Applies a given change instead of a random one."""

    turn: float = 0.0
    zoom: float = 1.0
    flip: bool = False

    def draw(self, box, generator):
        return np.array([box[0] + 0.1 * box[2], box[1] - 0.05 * box[2], box[2] * self.zoom]), self.turn, self.flip


@pytest.fixture(scope="module")
def dotted_root(tmp_path_factory, synthetic_root):
    """The val split with black images that show nothing; the test draws a bright dot."""
    root = tmp_path_factory.mktemp("dots")
    folder = root / "annotations" / "val"
    folder.mkdir(parents=True)
    for path in (synthetic_root / "annotations" / "val").glob("*.json"):
        text = path.read_text(encoding="utf-8").replace(".jpg", ".png")
        (folder / path.name).write_text(text, encoding="utf-8")
    return root


def write_dots(root, records, project_point, joint):
    for record in records:
        width, height = record["size"]
        hand = next(hand for hand in record["hands"] if hand["shown"])
        x, y = project_point(record, hand["joints"][joint])
        ys, xs = np.mgrid[:height, :width]
        dot = 255 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 3.0**2))
        path = root / "images" / "val" / record["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.repeat(dot.round().astype(np.uint8)[..., None], 3, -1))


def centroid(image):
    weight = image.numpy().astype(float).sum(0)
    ys, xs = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * xs).sum(), (weight * ys).sum()]) / weight.sum()


@pytest.mark.parametrize("mirror_left", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        None,
        FixedCrop(),
        FixedCrop(turn=0.7),
        FixedCrop(zoom=1.3),
        FixedCrop(flip=True),
        FixedCrop(turn=-1.1, zoom=1.2, flip=True),
    ],
)
def test_image_and_geometry_move_together(dotted_root, plain_records, project_point, hand_model, change, mirror_left):
    """A bright dot at a joint's pixel is found in the crop where the joint's 2D target lies, to a tenth of a pixel."""
    joint = 9  # the middle finger's base, inside every crop
    records = plain_records(dotted_root, "val")
    if not (dotted_root / "images").exists():
        write_dots(dotted_root, records, project_point, joint)
    augmentation = Augmentation(change, AppearanceJitter(0, 0, 0)) if change else None
    dataset = dataset_of(dotted_root, mirror_left=mirror_left, augmentation=augmentation)
    found = 0
    sides = set()
    for number in range(0, len(dataset), 3):
        sample = dataset[number]
        targets = build_targets(only(sample), hand_model)
        if not targets["joint_valid_2d"][0, 0, joint]:
            continue
        expected = normalised_to_px(targets["joints_2d"][0, 0, joint].numpy(), SIZE)
        np.testing.assert_allclose(centroid(sample["image"]), expected, atol=0.1)
        found += 1
        sides.add((bool(sample["is_right"][0]), bool(targets["source_is_right"][0, 0])))
    assert found > 5
    flipped = change is not None and change.flip
    shown = {(source != flipped, source) for source in (True, False)}
    if mirror_left:
        shown = {(True ^ flipped, True), (True ^ flipped, False)}
    assert sides == shown


def test_mirrored_left_hand_is_the_flipped_crop(synthetic_root):
    plain, mirrored = (dataset_of(synthetic_root, hands="left", mirror_left=mirror) for mirror in (False, True))
    assert len(plain) == len(mirrored) > 0
    flip = np.array([[-1, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]])
    for number in range(len(plain)):
        one, other = plain[number], mirrored[number]
        # Bilinear weights are fixed-point numbers: a mirrored map rounds them a little differently.
        difference = one["image"].flip(-1).int() - other["image"].int()
        assert difference.abs().max() <= 8
        assert difference.abs().float().mean() < 0.3
        np.testing.assert_allclose(
            other["crop_affine"], (flip @ [*one["crop_affine"].tolist(), [0, 0, 1]])[:2], rtol=1e-5
        )
        assert not one["is_right"].any()
        assert other["is_right"].all()
        for name in set(one) - {"image", "crop_affine", "is_right"}:
            assert torch.equal(one[name], other[name]), name


def test_right_hands_are_never_mirrored(synthetic_root):
    plain, mirrored = (dataset_of(synthetic_root, hands="right", mirror_left=mirror) for mirror in (False, True))
    for number in range(len(plain)):
        one, other = plain[number], mirrored[number]
        for name in one:
            assert torch.equal(one[name], other[name]), name


def test_flipping_two_hands_swaps_their_slots(two_hand_root):
    jitter = CropJitter(scale=0, rotation_rad=0, flip_probability=1.0)
    still = CropJitter(scale=0, rotation_rad=0)
    plain, flipped = (
        dataset_of(
            two_hand_root, "train", layout="two_hand", augmentation=Augmentation(crop, AppearanceJitter(0, 0, 0))
        )
        for crop in (still, jitter)
    )
    for number in range(len(plain)):
        one, other = plain[number], flipped[number]
        assert one["is_right"].tolist() == other["is_right"].tolist() == [True, False]
        assert torch.det(other["crop_affine"][:, :2]) < 0 < torch.det(one["crop_affine"][:, :2])
        for name in (
            "joints_world",
            "joint_valid_image",
            "joint_valid_frame",
            "hand_present",
            "mano_valid",
            "mano_pose",
        ):
            assert torch.equal(one[name].flip(0), other[name]), name
        for name in ("gesture_coarse", "gesture_fine", "annotation_id", "intrinsics"):
            assert torch.equal(one[name], other[name]), name


@pytest.fixture(scope="module")
def augmented(synthetic_root):
    return dataset_of(
        synthetic_root, augmentation=Augmentation(CropJitter(shift=0.1), AppearanceJitter(0.2, 0.5, 0.5)), seed=3
    )


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_augmentation_is_a_function_of_seed_epoch_and_sample(synthetic_root, augmented):
    key = SampleKey(5, 2)
    first = augmented[key]
    np.random.default_rng().random()
    torch.rand(3)
    augmented[4]
    assert same(augmented[key], first)
    other_seed = dataset_of(synthetic_root, augmentation=augmented.augmentation, seed=4)
    for changed in (augmented[SampleKey(5, 3)], other_seed[key]):
        assert not torch.equal(changed["crop_affine"], first["crop_affine"])
        assert not torch.equal(changed["image"], first["image"])


def test_neighbouring_samples_epochs_and_seeds_do_not_share_their_draws(synthetic_root):
    turns = set()
    for seed in range(3):
        augmentation = Augmentation(CropJitter(rotation_probability=1), AppearanceJitter(0, 0, 0))
        dataset = dataset_of(synthetic_root, hands="right", augmentation=augmentation, seed=seed, read_images=False)
        for number in range(4):
            for epoch in range(3):
                linear = dataset[SampleKey(number, epoch)]["crop_affine"]
                turns.add(round(float(torch.atan2(linear[1, 0], linear[0, 0])), 5))
    assert len(turns) > 32, "a few are alike, cut off at two standard deviations"


def test_integers_are_keys_of_the_first_epoch(augmented):
    assert same(augmented[5], augmented[SampleKey(5, 0, True)])
    filler = augmented[SampleKey(5, 0, False)]
    assert not filler.pop("counted")
    full = augmented[5]
    assert full.pop("counted")
    assert same(filler, full)


def test_workers_do_not_change_the_batches(synthetic_root):
    """The batches are the same with 0 and 2 workers, also in the next epoch, whose batches differ from the first."""

    def epochs(workers):
        data = InterHandDataModule(
            str(synthetic_root),
            image_size=64,
            batch_size=20,
            num_workers=workers,
            shift_jitter=0.1,
            noise_probability=0.5,
            blur_probability=0.5,
            seed=7,
        )
        loader = data.train_dataloader()
        result = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            result.append(list(loader))
        return result

    alone, shared = epochs(0), epochs(2)
    for one, other in zip(alone, shared, strict=True):
        assert len(one) == len(other) > 1
        assert all(same(a, b) for a, b in zip(one, other, strict=True))
    seen = [
        {int(i): row for batch in epoch for row, i in zip(batch["image"], batch["annotation_id"], strict=True)}
        for epoch in alone
    ]
    common = set(seen[0]) & set(seen[1])
    assert len(common) > 20
    assert not any(torch.equal(seen[0][i], seen[1][i]) for i in common)


def test_without_images_only_the_image_is_black(augmented, synthetic_root):
    blind = dataset_of(synthetic_root, augmentation=augmented.augmentation, seed=3, read_images=False)
    for number in range(4):
        one, other = augmented[number], blind[number]
        assert not other["image"].any()
        assert (other["image"].shape, other["image"].dtype) == (one["image"].shape, torch.uint8)
        assert all(torch.equal(one[name], other[name]) for name in one if name != "image")


@pytest.mark.parametrize("change", [None, FixedCrop(turn=0.4, zoom=1.3), FixedCrop(zoom=0.8, flip=True)])
def test_shuffled_images_show_another_samples_crop_changed_as_this_samples(synthetic_root, change):
    order = np.roll(np.arange(32), 1)
    augmentation = Augmentation(change, AppearanceJitter(0, 0, 0)) if change else None
    plain, shuffled = (
        dataset_of(synthetic_root, mirror_left=False, augmentation=augmentation, image_of=image_of)
        for image_of in (None, order)
    )
    for number in range(0, len(plain), 5):
        own, shown = shuffled[number], plain[int(order[number])]
        for name in set(own) - {"image"}:
            assert torch.equal(own[name], plain[number][name]), name
        difference = own["image"].int() - shown["image"].int()
        assert difference.abs().float().mean() < 0.5
        assert (own["image"].int() - plain[number]["image"].int()).abs().float().mean() > 1


def test_image_paths(synthetic_root, plain_records):
    dataset = dataset_of(synthetic_root)
    for number, record in enumerate(plain_records(synthetic_root, "val")):
        assert dataset.image_file(number) == synthetic_root / "images" / "val" / record["file_name"]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "is missing"), (b"", "not a readable"), (b"GIF", "not a readable")]
)
def test_image_that_cannot_be_read_is_named(tmp_path, synthetic_root, content, says):
    (tmp_path / "annotations").symlink_to(synthetic_root / "annotations", target_is_directory=True)
    dataset = dataset_of(tmp_path)
    file = dataset.image_file(0)
    if content is not None:
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    with refused(says, f"The image '{file}'", "complete the download of split 'val'"):
        dataset[0]


def test_classes_per_hand_follow_a_flip(synthetic_root):
    """A flipped right hand is a left hand with a left hand's gesture."""
    settings = {"image_size": 32, "num_workers": 0, "gesture_classes": "per_hand", "read_images": False}
    flipped = InterHandDataModule(str(synthetic_root), mirror_left=False, flip_probability=1.0, **settings).dataset(
        "train"
    )
    fine = len(vocabulary().fine)
    left = flipped.index.hand_type[flipped.selection.row] == 2
    for number in (int(np.flatnonzero(left)[0]), int(np.flatnonzero(~left)[0])):
        assert (int(flipped[number]["gesture_fine"]) < fine) == left[number]
