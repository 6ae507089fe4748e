"""Camera and crop geometry against an example worked by hand, OpenCV and plain loops."""

import cv2
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from gesturehand import camera
from gesturehand.camera import (
    ASSUMED_FOCAL_OVER_LONGER_SIDE,
    assumed_intrinsics,
    project,
    scaled_translation,
    solve_translation,
)
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin

K = np.array([[1200.0, 0, 256], [0, 1180, 167], [0, 0, 1]])


def intrinsics_of(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def similarity(rng: np.random.Generator, mirror: bool) -> np.ndarray:
    angle, scale = rng.uniform(-np.pi, np.pi), rng.uniform(0.2, 3)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn @ np.diag([-1.0 if mirror else 1.0, 1.0]), rng.normal(0, 100, 2)])


def test_example_worked_by_hand():
    """A camera at (100, 0, −500) mm that looks along the world's +x axis, with its y axis down like the world's.

    Its axes in the world are x right = −z, y down = y, z forward = x. The point (1100, 50, −600) mm lies (1000, 50,
    −100) mm from it, which is (100, 50, 1000) mm in its frame. With f = 1200 px and (160, 250) px as the principal
    point, it is seen at 160 + 1200·0.1 = 280 and 250 + 1200·0.05 = 310 px. A crop of twice the size around (280, 300)
    px onto 128 px shows it at 63.5 and 63.5 + 20 = 83.5 px, which is 84 px below the upper edge of 128: 84/128 · 2 − 1.
    """
    rotation = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    position = np.array([0.1, 0.0, -0.5])
    point = np.array([[1.1, 0.05, -0.6]])
    seen = camera.transform_points(point, rotation, -rotation @ position)
    np.testing.assert_allclose(seen, [[0.1, 0.05, 1.0]], atol=1e-12)
    px = camera.project(seen, intrinsics_of(1200, 1200, 160, 250))
    np.testing.assert_allclose(px, [[280, 310]], atol=1e-9)
    affine = np.array([[2.0, 0, 63.5 - 560], [0, 2, 63.5 - 600]])
    crop = camera.transform_affine(px, affine)
    np.testing.assert_allclose(crop, [[63.5, 83.5]], atol=1e-9)
    np.testing.assert_allclose(camera.px_to_normalised(crop, 128), [[0.0, 84 / 128 * 2 - 1]], atol=1e-12)


def test_project_agrees_with_opencv(rng):
    intrinsics = intrinsics_of(1250, 1300, 170, 240)
    rotation = Rotation.from_rotvec(rng.normal(0, 0.5, 3))
    translation = np.array([0.1, -0.2, 1.5])
    points = rng.normal(0, 0.2, (50, 3))
    expected, _ = cv2.projectPoints(points, rotation.as_rotvec(), translation, intrinsics, None)
    seen = camera.transform_points(points, rotation.as_matrix(), translation)
    np.testing.assert_allclose(camera.project(seen, intrinsics), expected[:, 0], atol=1e-6)


def test_batches_and_tensors_give_what_single_arrays_give(rng):
    points = rng.normal(0, 0.2, (4, 3, 21, 3)) + np.array([0, 0, 1])
    intrinsics = np.stack([intrinsics_of(*rng.uniform(100, 900, 4)) for _ in range(4)])
    affine = np.stack([similarity(rng, mirror) for mirror in (True, False, True, False)])
    rotation = Rotation.from_rotvec(rng.normal(size=(4, 3))).as_matrix()
    translation = rng.normal(size=(4, 3))
    tensors = [torch.from_numpy(array) for array in (points, intrinsics, affine, rotation, translation)]
    t_points, t_intrinsics, t_affine, t_rotation, t_translation = tensors
    px = camera.project(t_points, t_intrinsics[:, None])
    crop = camera.transform_affine(px, t_affine[:, None])
    moved = camera.transform_points(t_points, t_rotation[:, None], t_translation[:, None])
    for b, h in np.ndindex(4, 3):
        expected = camera.project(points[b, h], intrinsics[b])
        np.testing.assert_allclose(px[b, h], expected, rtol=1e-12)
        for j in range(21):
            np.testing.assert_allclose(crop[b, h, j], affine[b] @ [*expected[j], 1], rtol=1e-12)
            np.testing.assert_allclose(
                moved[b, h, j], rotation[b] @ points[b, h, j] + translation[b], rtol=1e-9, atol=1e-12
            )


@pytest.mark.parametrize("size", [1, 8, 96, 256])
def test_pixels_edges_and_centres_in_normalised_coordinates(size):
    assert camera.px_to_normalised(np.array(-0.5), size) == -1
    assert camera.px_to_normalised(np.array(size - 0.5), size) == pytest.approx(1)
    assert camera.px_to_normalised(np.array((size - 1) / 2), size) == pytest.approx(0)


@pytest.mark.parametrize("cells", [1, 3, 8])
def test_px_to_cell_to_px_round_trip(rng, cells):
    px = rng.uniform(-20, 276, (100, 2))
    cell = camera.normalised_to_px(camera.px_to_normalised(px, 256), cells)
    back = camera.normalised_to_px(camera.px_to_normalised(cell, cells), 256)
    np.testing.assert_allclose(back, px, atol=1e-9)
    # A cell's centre is the mean of the pixels it covers.
    width = 256 / cells
    np.testing.assert_allclose(cell, (px + 0.5) / width - 0.5, atol=1e-9)


def test_normalised_coordinates_are_grid_samples(rng):
    """Sampling a ramp at a normalised place gives the pixel of that place."""
    size = 16
    ramp = torch.arange(size, dtype=torch.float64).expand(1, 1, size, size)
    px = torch.from_numpy(rng.uniform(0, size - 1, (10, 2)))
    grid = camera.px_to_normalised(px, size)[None, None]
    read = torch.nn.functional.grid_sample(ramp, grid, align_corners=False)[0, 0, 0]
    torch.testing.assert_close(read, px[:, 0])


def test_weak_perspective_scales_before_it_shifts():
    points = torch.tensor([[[0.1, -0.2, 5.0]]])
    projected = camera.weak_perspective(points, torch.tensor([[8.0, 0.25, -0.5]]))
    torch.testing.assert_close(projected, torch.tensor([[[8 * 0.1 + 0.25, 8 * -0.2 - 0.5]]]))


@pytest.mark.parametrize("mirror", [False, True])
def test_frame_of_affine_is_orthogonal_and_keeps_depth(rng, mirror):
    affine = np.stack([similarity(rng, mirror) for _ in range(20)])
    frame = camera.frame_of_affine(torch.from_numpy(affine)).numpy()
    np.testing.assert_allclose(frame @ frame.swapaxes(-1, -2), np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frame), -1 if mirror else 1, atol=1e-12)
    np.testing.assert_allclose(frame[:, 2], np.tile([0, 0, 1], (20, 1)))
    for matrix, turned in zip(affine[:, :, :2], frame[:, :2, :2], strict=True):
        scale = np.linalg.norm(matrix[:, 0])
        np.testing.assert_allclose(scale * turned, matrix, atol=1e-12)


@pytest.mark.parametrize("mirror", [False, True])
def test_turned_points_project_into_the_crop(rng, mirror):
    """K' M X is A(K X): projection by the crop's frame and intrinsics agrees with cropping the image."""
    intrinsics = intrinsics_of(1250, 1310, 170, 240)
    for _ in range(10):
        affine = similarity(rng, mirror)
        points = rng.normal(0, 0.1, (21, 3)) + np.array([0, 0, 1])
        frame = camera.frame_of_affine(torch.from_numpy(affine))
        crop_intrinsics = camera.crop_intrinsics(torch.from_numpy(affine), torch.from_numpy(intrinsics))
        turned = torch.from_numpy(points) @ frame.mT
        expected = camera.transform_affine(camera.project(points, intrinsics), affine)
        np.testing.assert_allclose(camera.project(turned, crop_intrinsics), expected, atol=1e-8)


def test_crop_intrinsics_of_an_unturned_crop_are_scaled_and_shifted():
    affine = torch.tensor([[2.0, 0, -30], [0, 2, 10]])
    result = camera.crop_intrinsics(affine, torch.tensor(intrinsics_of(1000, 1100, 160, 250)).float())
    expected = intrinsics_of(2000, 2200, 290, 510)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def scene(rng, count=1):
    """Joints of a hand's size relative to the first one, their place and their pixels."""
    joints = rng.normal(0, 0.05, (count, 21, 3))
    joints -= joints[:, :1]
    place = np.column_stack([rng.uniform(-0.1, 0.1, (count, 2)), rng.uniform(0.5, 1.5, count)])
    return joints, place, project(joints + place[:, None], K)


@pytest.mark.parametrize("seed", range(5))
def test_exact_data_gives_the_exact_place(seed):
    joints, place, pixels = scene(np.random.default_rng(seed), 20)
    np.testing.assert_allclose(solve_translation(joints, pixels, K), place, atol=1e-8)


def test_true_joints_and_intrinsics_of_synthetic_frames(pair_frames):
    """Annotated joints, as a perfect network would give them: depth must come out within 2 %."""
    errors = []
    for frame in pair_frames:
        for hand in frame["hands"]:
            joints, k = hand["joints"][hand["valid"]], frame["intrinsics"]
            solved = solve_translation(joints - joints[0], project(joints, k), k)
            errors.append(abs(solved[2] / joints[0, 2] - 1))
    assert len(errors) >= 12
    assert max(errors) < 1e-4


def test_joints_of_a_posed_hand_model():
    rng = np.random.default_rng(0)
    rotations = np.linalg.qr(rng.normal(size=(1, 16, 3, 3)))[0]
    rotations *= np.linalg.det(rotations)[..., None, None]
    joints = skin(open_hand("left"), rotations, rng.normal(size=(1, 10)), np.array([[0.02, -0.1, 0.8]]))[1]
    solved = solve_translation(joints - joints[:, :1], project(joints, K), K)
    np.testing.assert_allclose(solved, joints[:, 0], atol=1e-8)


@pytest.mark.parametrize("noise_px", [0.5, 3.0])
def test_noisy_pixels_give_the_place_of_least_reprojection_error(noise_px):
    rng = np.random.default_rng(1)
    joints, place, pixels = scene(rng, 8)
    pixels = pixels + rng.normal(0, noise_px, pixels.shape)
    solved = solve_translation(joints, pixels, K)
    for own, seen, start, found in zip(joints, pixels, place, solved, strict=True):
        best = least_squares(lambda t, own=own, seen=seen: (project(own + t, K) - seen).ravel(), start, xtol=1e-12).x
        np.testing.assert_allclose(found, best, atol=1e-5)


def test_error_shrinks_with_the_noise():
    rng = np.random.default_rng(2)
    joints, place, pixels = scene(rng, 200)
    noise = rng.normal(0, 1, pixels.shape)
    errors = [
        np.abs(solve_translation(joints, pixels + size * noise, K)[:, 2] / place[:, 2] - 1).mean() for size in (1, 0.1)
    ]
    assert errors[0] < 0.02
    assert errors[1] == pytest.approx(errors[0] / 10, rel=0.05)


def test_a_joint_of_no_weight_may_be_anywhere():
    joints, place, pixels = scene(np.random.default_rng(3))
    pixels[0, 7] += 300
    weights = np.ones(21)
    weights[7] = 0
    np.testing.assert_allclose(solve_translation(joints[0], pixels[0], K, weights), place[0], atol=1e-8)
    assert np.abs(solve_translation(joints[0], pixels[0], K) - place[0]).max() > 0.01


def test_no_answer_is_nan():
    joints, _, pixels = scene(np.random.default_rng(4), 3)
    pixels[0] = 100  # one point
    pixels[1] = 2 * pixels[1].mean(0) - pixels[1]  # turned by 180°: fits only a hand behind the camera
    solved = solve_translation(joints, pixels, K)
    assert np.isnan(solved[:2]).all()
    assert np.isfinite(solved[2]).all()


def test_scale_gives_the_place_of_a_flat_hand_across_the_view():
    joints = np.random.default_rng(5).normal(0, 0.05, (21, 3)) * [1, 1, 0]
    joints -= joints[0]
    place = np.array([0.03, -0.05, 0.9])
    k = np.array([[1000.0, 0, 200], [0, 1000, 150], [0, 0, 1]])
    pixels = project(joints + place, k)
    scale = np.linalg.norm(pixels[5] - pixels[0]) / np.linalg.norm(joints[5])
    np.testing.assert_allclose(scaled_translation(joints, pixels, scale, k), place, atol=1e-9)


def test_no_scale_brings_a_hand_behind_the_camera():
    joints = np.random.default_rng(6).normal(0, 0.1, (21, 3))
    place = scaled_translation(joints, np.zeros((21, 2)), np.array(1e6), K)
    assert (joints + place)[:, 2].min() > 0.04


def test_assumed_camera_looks_at_the_middle():
    k = assumed_intrinsics(640, 480)
    assert k[0, 0] == k[1, 1] == 640 * ASSUMED_FOCAL_OVER_LONGER_SIDE
    assert k[:2, 2].tolist() == [319.5, 239.5]
