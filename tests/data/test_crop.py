"""The crop's affine map and its random changes."""

import numpy as np
import pytest

from gesturehand.data.crop import CropJitter, crop_affine


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def apply(affine, point):
    return affine @ [*point, 1.0]


def test_boxs_corners_go_to_the_crops():
    """Outer edges to outer edges: half a pixel beyond the centres of the first and the last pixel."""
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


def test_defaults_are_eanets():
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
