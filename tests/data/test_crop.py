"""The crop's affine map and its random changes."""

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.batch import HandPrediction
from gesturehand.camera import frame_of_affine
from gesturehand.data.crop import CropJitter, TurnJitter, crop_affine, turned_extent, upright_turns
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import SampleKey
from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.skeleton import JOINT_NAMES
from gesturehand.targets import build_targets


def apply(affine, point):
    return affine @ [*point, 1.0]


def test_boxs_corners_go_to_the_crops():
    """Outer edges go to outer edges, half a pixel beyond the centres of the first and the last pixel."""
    box = np.array([100.0, 50.0, 60.0])
    affine = crop_affine(box, 96)
    for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        corner = (100 + 30 * u, 50 + 30 * v)
        np.testing.assert_allclose(apply(affine, corner), [47.5 + 48 * u, 47.5 + 48 * v], atol=1e-12)


def test_rotation_is_clockwise_as_seen_and_keeps_the_centre():
    box = np.array([100.0, 50.0, 64.0])
    affine = crop_affine(box, 64, angle=np.pi / 2)
    np.testing.assert_allclose(apply(affine, (100, 50)), [31.5, 31.5], atol=1e-12)
    np.testing.assert_allclose(apply(affine, (110, 50)), [31.5, 41.5], atol=1e-12)  # right of the centre → below it
    np.testing.assert_allclose(apply(affine, (100, 60)), [21.5, 31.5], atol=1e-12)  # below it → left of it


def test_mirroring_flips_the_rotated_crop_left_to_right(rng):
    box = np.array([120.0, 80.0, 90.0])
    for angle in rng.uniform(-3, 3, 5):
        plain, mirrored = (crop_affine(box, 128, angle=angle, mirror=mirror) for mirror in (False, True))
        for point in rng.uniform(0, 200, (5, 2)):
            x, y = apply(plain, point)
            np.testing.assert_allclose(apply(mirrored, point), [127 - x, y], atol=1e-9)


@pytest.mark.parametrize("mirror", [False, True])
def test_it_is_a_similarity(rng, mirror):
    for _ in range(10):
        side, size = rng.uniform(20, 400), int(rng.integers(32, 256))
        affine = crop_affine(np.array([*rng.uniform(0, 300, 2), side]), size, angle=rng.uniform(-3, 3), mirror=mirror)
        linear, scale = affine[:, :2], size / side
        np.testing.assert_allclose(linear.T @ linear, scale**2 * np.eye(2), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(linear), (-1 if mirror else 1) * scale**2)


def draws(jitter, count=3000):
    rng = np.random.default_rng(1)
    box = np.array([100.0, 50.0, 80.0])
    boxes, angles, flips = zip(*(jitter.draw(box, rng) for _ in range(count)), strict=True)
    return np.array(boxes), np.array(angles), np.array(flips)


def test_jitter_stays_within_its_bounds_and_reaches_them():
    boxes, angles, flips = draws(
        CropJitter(scale=0.2, rotation_rad=0.5, rotation_probability=0.6, shift=0.1, flip_probability=0.3)
    )
    assert boxes[:, 2].min() == pytest.approx(80 * 0.8)
    assert boxes[:, 2].max() == pytest.approx(80 * 1.2)
    for axis, centre in ((0, 100), (1, 50)):
        assert boxes[:, axis].min() == pytest.approx(centre - 8)
        assert boxes[:, axis].max() == pytest.approx(centre + 8)
    assert abs(np.corrcoef(boxes[:, 0], boxes[:, 1])[0, 1]) < 0.1
    assert np.abs(angles).max() == pytest.approx(1.0)
    assert np.mean(angles != 0) == pytest.approx(0.6, abs=0.04)
    assert np.std(angles[angles != 0]) == pytest.approx(0.5, rel=0.1)
    assert flips.mean() == pytest.approx(0.3, abs=0.04)


def test_no_jitter_leaves_the_box():
    boxes, angles, flips = draws(CropJitter(scale=0, rotation_rad=0, shift=0), 50)
    assert (boxes == [100.0, 50.0, 80.0]).all()
    assert not angles.any()
    assert not flips.any()


def test_defaults_are_those_of_eanet():
    jitter = CropJitter()
    assert (jitter.scale, jitter.rotation_probability, jitter.shift) == (0.25, 0.6, 0.0)
    assert np.rad2deg(jitter.rotation_rad) == pytest.approx(30)


def test_one_setting_does_not_disturb_the_draws_of_another():
    everything = draws(CropJitter(shift=0.1, flip_probability=0.5), 50)
    for changed in (CropJitter(shift=0.1, flip_probability=0), CropJitter(flip_probability=0.5)):
        boxes, angles, _ = draws(changed, 50)
        assert np.array_equal(boxes[:, 2], everything[0][:, 2])
        assert np.array_equal(angles, everything[1])
    unturned = draws(CropJitter(shift=0.1, flip_probability=0.5, rotation_probability=0), 50)
    assert np.array_equal(unturned[0], everything[0])
    assert np.array_equal(unturned[2], everything[2])


MIDDLE, RING, INDEX, PINKY = (JOINT_NAMES.index(f"{finger}1") for finger in ("middle", "ring", "index", "pinky"))


def module(root, **settings):
    settings = {"image_size": 96, "batch_size": 1000, "num_workers": 0, "upright": True, **settings}
    return InterHandDataModule(str(root), **settings)


def turned(points, angle):
    """Clockwise as seen, which is the mathematically positive sense with x right and y down."""
    return Rotation.from_euler("z", angle).apply(np.pad(points, ((0, 0), (0, 1))))[:, :2]


@pytest.mark.parametrize("degrees", [-170, -90, -20, 0, 45, 120, 179])
def test_the_turn_of_an_upright_hand_is_undone(degrees):
    points = np.random.default_rng(0).normal(0, 20, (21, 2)) + 100
    points[MIDDLE] = points[0] + [0, -50]
    back = upright_turns(turned(points, math.radians(degrees)))
    assert math.degrees(back) == pytest.approx(-degrees)


def test_the_first_known_knuckle_says_where_up_is():
    points, valid = np.zeros((21, 2)), np.ones(21, bool)
    for knuckle, direction in zip((MIDDLE, RING, INDEX, PINKY), ((0, -5), (5, 0), (0, 5), (-5, 0)), strict=True):
        points[knuckle] = direction
    found = []
    for knuckle in (MIDDLE, RING, INDEX, PINKY):
        found.append(math.degrees(upright_turns(points, valid)))
        valid[knuckle] = False
    assert np.abs(found).tolist() == pytest.approx([0, 90, 180, 90])
    assert found[1] < 0 < found[3]
    assert upright_turns(points, valid) == 0
    valid[:] = True
    valid[0] = False
    assert upright_turns(points, valid) == 0
    assert upright_turns(np.ones((21, 2))) == 0, "the palm's way is a point"


def test_turned_extent_is_that_of_turned_points():
    rng = np.random.default_rng(1)
    points, valid = rng.normal(50, 30, (7, 21, 2)), rng.random((7, 21)) < 0.7
    angles = rng.uniform(-4, 4, 7)
    centres, sizes = turned_extent(points, valid, angles)
    for own, known, angle, centre, size in zip(points, valid, angles, centres, sizes, strict=True):
        there = turned(own[known], angle)
        np.testing.assert_allclose(size, np.ptp(there, 0))
        np.testing.assert_allclose(turned(centre[None], angle)[0], (there.min(0) + there.max(0)) / 2)


def test_jitter():
    rng = np.random.default_rng(0)
    near = [TurnJitter(0.2, 0.0).draw(rng) for _ in range(2000)]
    assert np.std(near) == pytest.approx(0.2, rel=0.06)
    far = [TurnJitter(0.0, 0.25).draw(rng) for _ in range(2000)]
    assert np.mean(np.array(far) != 0) == pytest.approx(0.25, abs=0.03)
    assert min(far) < -1.3
    assert 1.3 < max(far) <= math.pi / 2
    one, other = (np.random.default_rng(1) for _ in range(2))
    TurnJitter(0.0, 0.0).draw(one)
    TurnJitter(1.0, 1.0).draw(other)
    assert one.random() == other.random()


@pytest.mark.parametrize("mirror_left", [False, True])
def test_hands_of_the_loader_are_upright_and_fill_the_crop(synthetic_root, mirror_left):
    """Wrist → middle knuckle points up; the joints' box fills 1 / 1.25² of the crop's side, in its middle."""
    (batch,) = module(synthetic_root, mirror_left=mirror_left, hands="all").evaluation_dataloader("val")
    points = build_targets(batch, HandModel())["joints_2d"][:, 0].numpy()
    valid, clear = batch["joint_valid_frame"][:, 0].numpy(), 0
    for own, known in zip(points, valid, strict=True):
        if known[0] and known[MIDDLE]:
            way = own[MIDDLE] - own[0]
            assert way[1] < 0
            assert abs(way[0]) < 1e-4
        low, high = own[known].min(0), own[known].max(0)
        # A joint outside the image changes the crop; nearly all hands lie inside.
        inside = (high - low).max() == pytest.approx(2 / 1.25**2, abs=1e-3)
        clear += bool(inside and np.abs(low + high).max() < 1e-3)
    assert clear > 0.8 * len(points)
    assert valid[:, 0].any()
    sides = torch.linalg.det(batch["crop_affine"][:, :, :2]) < 0
    assert sides.any() == mirror_left


def test_without_a_turn_the_box_is_the_joints_box(synthetic_root):
    """Except at the image's edge, where the overhang is cut off before the margin is added and not after it."""
    dataset = module(synthetic_root).dataset("val")
    numbers = np.arange(len(dataset))
    same = np.isclose(dataset.boxes.turned(numbers, np.zeros(len(numbers))), dataset.boxes[numbers], atol=1e-2)
    assert same.all(-1).mean() > 0.8


def test_annotated_boxes_are_turned_about_their_centres(synthetic_root):
    upright, plain = (
        module(synthetic_root, upright=on, boxes="annotation", mirror_left=False, read_images=False).dataset("val")
        for on in (True, False)
    )
    turns = 0
    for number in range(len(plain)):
        one, other = (dataset[number]["crop_affine"].double().numpy() for dataset in (upright, plain))
        centre = np.array([*plain.boxes[number][:2], 1])
        np.testing.assert_allclose(one @ centre, other @ centre, atol=1e-2)
        np.testing.assert_allclose(np.linalg.det(one[:, :2]), np.linalg.det(other[:, :2]), rtol=1e-4)
        turns += not np.allclose(one, other, atol=1e-2)
    assert turns > len(plain) / 2


def test_jitter_is_a_function_of_seed_epoch_and_sample(synthetic_root):
    data, other = (module(synthetic_root, read_images=False, seed=seed).dataset("train") for seed in (0, 1))

    def affine(dataset, *key):
        return dataset[SampleKey(*key)]["crop_affine"]

    first = affine(data, 3, 2)
    data[SampleKey(4, 1)]
    assert torch.equal(affine(data, 3, 2), first)
    for changed in (affine(data, 3, 3), affine(other, 3, 2)):
        assert not torch.equal(changed, first)


def test_deviations_are_the_settings(synthetic_root):
    """Over many draws, turns have the given standard deviation and the given share of outliers."""

    def leaning(**settings):
        data = module(synthetic_root, hands="right", read_images=False, scale_jitter=0.0, **settings)
        dataset, model, found = data.dataset("train"), HandModel(), []
        for epoch in range(4):
            batch = dataset.__getitems__([SampleKey(number, epoch) for number in range(len(dataset))])
            known = batch["joint_valid_frame"][:, 0, [0, MIDDLE]].all(-1)
            points = build_targets(batch, model)["joints_2d"][:, 0].numpy()
            found.append(upright_turns(points)[known.numpy()])
        return np.degrees(np.concatenate(found))

    turns = leaning(upright_far_share=0.0)
    assert np.std(turns) == pytest.approx(12, rel=0.15)
    far = leaning(upright_far_share=1.0, upright_jitter_deg=0.0)
    assert 80 < np.abs(far).max() <= 90.001
    assert np.mean(np.abs(far) < 45) == pytest.approx(0.5, abs=0.1)


def test_image_and_geometry_stay_together(synthetic_root):
    """The maps lead from the turned crop's pixels to the same pixels of the plain crop."""
    upright, plain = (module(synthetic_root, upright=on, image_size=256).dataset("val") for on in (True, False))
    for number in range(0, len(plain), 5):
        one, other = upright[number], plain[number]
        maps = [np.vstack([sample["crop_affine"].double().numpy(), [0, 0, 1]]) for sample in (one, other)]
        across = (maps[1] @ np.linalg.inv(maps[0]))[:2]
        size = other["image"].shape[-1]
        image = np.ascontiguousarray(one["image"].permute(1, 2, 0).numpy())
        back = cv2.warpAffine(image, across, (size, size)).astype(float)
        seen = cv2.warpAffine(np.full_like(image, 255), across, (size, size))[..., 0] == 255
        difference = np.abs(back - other["image"].permute(1, 2, 0).numpy())[seen]
        assert seen.mean() > 0.4
        assert difference.mean() < 6


def test_shuffled_images_are_upright_too(synthetic_root):
    """Another sample's image is placed as in its own upright crop."""
    shuffled = module(synthetic_root, shuffled_images=True, augment=False, hands="right").dataset("train")
    plain = module(synthetic_root, augment=False, hands="right").dataset("train")
    for number in range(3):
        other = plain[int(shuffled.image_of[number])]["image"].int()
        assert (shuffled[number]["image"].int() - other).abs().float().mean() < 1


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_no_metric_knows_whether_crops_are_upright(synthetic_root, noise):
    """The same hands, correct or with the same errors in the camera's frame, have the same scores."""
    hand_model, reports = HandModel(), []
    for upright in (False, True):
        (batch,) = module(synthetic_root, upright=upright, hands="all").evaluation_dataloader("test")
        targets = build_targets(batch, hand_model)
        frame = frame_of_affine(batch["crop_affine"])[:, None]
        generator = torch.Generator().manual_seed(0)
        errors = [
            noise * torch.randn(targets[name].shape, generator=generator) @ frame.mT for name in ("joints", "vertices")
        ]
        away = torch.from_numpy(Rotation.from_euler("xyz", [noise, 10 * noise, -noise]).as_matrix()).float()
        # A turn of the whole hand, given in the camera's axes as the errors are.
        turn = frame @ away @ frame.mT
        rotations = targets["rotations"].clone()
        rotations[:, :, 0] = turn @ rotations[:, :, 0]
        wrist = targets["joints"][..., :1, :]
        prediction = HandPrediction(
            joints_25d=targets["joints_25d"],
            rotations=rotations,
            betas=targets["betas"],
            camera=torch.ones(len(wrist), 1, 3),
            vertices=targets["vertices"] + errors[1] - wrist,
            joints=targets["joints"] + errors[0] - wrist,
            joints_2d=targets["joints_2d"],
        )
        metrics = HandMetrics(detailed=True)
        metrics.update(prediction, targets, batch, hand_model)
        reports.append({name: float(value) for name, value in metrics.compute().items() if np.ndim(value) == 0})
    plain, turned_ = reports
    assert len(plain) > 12
    # Rounding decides whether a perfect joint is within 0 mm, which is a hundredth of the AUC at most.
    assert turned_ == pytest.approx(plain, rel=1e-3, abs=1e-2 if noise == 0 else 2e-3, nan_ok=True)
    assert plain["mpjpe_mm"] == pytest.approx(0, abs=1e-3) if noise == 0 else plain["mpjpe_mm"] > 10


def test_two_hands_do_not_share_a_turn(synthetic_root):
    with pytest.raises(UserError, match=r"data\.upright turns crops of one hand: set data\.layout"):
        module(synthetic_root, layout="two_hand")
    with pytest.raises(UserError, match=r"upright_far_share"):
        module(synthetic_root, upright_far_share=1.5)
