"""The translation solver against exact data, the synthetic set's truth and SciPy's general minimiser."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from gesturehand.camera import project
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.translation import (
    ASSUMED_FOCAL_OVER_LONGER_SIDE,
    assumed_intrinsics,
    scaled_translation,
    solve_translation,
)

K = np.array([[1200.0, 0, 256], [0, 1180, 167], [0, 0, 1]])


def scene(rng, count=1):
    """Hand-sized joints relative to the first, their place and their pixels."""
    joints = rng.normal(0, 0.05, (count, 21, 3))
    joints -= joints[:, :1]
    place = np.column_stack([rng.uniform(-0.1, 0.1, (count, 2)), rng.uniform(0.5, 1.5, count)])
    return joints, place, project(joints + place[:, None], K)


@pytest.mark.parametrize("seed", range(5))
def test_exact_data_gives_the_exact_place(seed):
    joints, place, pixels = scene(np.random.default_rng(seed), 20)
    np.testing.assert_allclose(solve_translation(joints, pixels, K), place, atol=1e-8)


def test_true_joints_and_intrinsics_of_synthetic_frames(pair_frames):
    """Annotated joints are what a perfect network would give: depth must come out within 2 %."""
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
