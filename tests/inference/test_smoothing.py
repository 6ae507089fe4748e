"""Smoothed hands, against NumPy's skinning and the network's own hands."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.camera import project
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference.smoothing import HandSmoother


@pytest.fixture(scope="module")
def pair(predictor, frame_with_both):
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    return predictor(frame_with_both["file"], boxes, ["right", "left"], frame_with_both["intrinsics"])


@pytest.fixture
def smoother(predictor):
    return HandSmoother(predictor.model.hand_model, 30)


def noisy(hand, rng, size=0.08):
    """The hand with another pose and place, and all that follows from them."""
    rotations = np.concatenate([hand.global_orient[None], hand.hand_pose])
    rotations = rotations @ Rotation.from_rotvec(rng.normal(0, size, (16, 3))).as_matrix()
    cam_t = hand.cam_t * (1 + rng.normal(0, 0.02, 3))
    betas = hand.betas + rng.normal(0, 0.3, 10)
    joints = hand.joints - hand.cam_t + cam_t
    return replace(
        hand, global_orient=rotations[0], hand_pose=rotations[1:], betas=betas, cam_t=cam_t, joints=joints.astype("f4")
    )


def test_a_hand_that_does_not_change_stays_as_it_is(smoother, pair):
    for frame in range(4):
        for before, after in zip(pair, smoother(frame, [3, 1], pair), strict=True):
            for name in ("vertices", "joints", "cam_t", "hand_pose", "global_orient", "betas", "hand_pose_axis_angle"):
                np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=2e-5, err_msg=name)
            np.testing.assert_allclose(after.joints_2d, before.joints_2d, atol=0.05)
            assert after.gesture_fine is before.gesture_fine


def test_what_is_smoothed_fits_together(smoother, pair):
    """Mesh and joints are those of the smoothed parameters, and shapes are the mean of the frames so far."""
    rng = np.random.default_rng(0)
    frames = [[noisy(hand, rng) for hand in pair] for _ in range(5)]
    for number, hands in enumerate(frames):
        smooth = smoother(number, [0, 1], hands)
    for place, hand in enumerate(smooth):
        rotations = np.concatenate([hand.global_orient[None], hand.hand_pose]).astype(np.float64)
        mesh, _ = skin(open_hand(hand.side), rotations[None], hand.betas[None].astype(float), hand.cam_t[None])
        np.testing.assert_allclose(mesh[0], hand.vertices, atol=1e-5)
        np.testing.assert_allclose(hand.betas, np.mean([hands[place].betas for hands in frames], 0), atol=1e-5)
        np.testing.assert_allclose(hand.joints_2d, project(hand.joints, hand.intrinsics), atol=0.01)
        np.testing.assert_allclose(
            Rotation.from_rotvec(hand.hand_pose_axis_angle_flat.reshape(15, 3)).as_matrix(), hand.hand_pose, atol=1e-5
        )


def test_noise_is_at_least_halved(smoother, pair):
    rng = np.random.default_rng(1)
    raw, smooth = [], []
    for number in range(40):
        hands = [noisy(hand, rng) for hand in pair]
        raw.append([np.concatenate([[hand.global_orient], hand.hand_pose]) for hand in hands])
        smooth.append([np.concatenate([[h.global_orient], h.hand_pose]) for h in smoother(number, [0, 1], hands)])
    steps = [np.linalg.norm(np.diff(rotations, axis=0), axis=(-2, -1)).mean() for rotations in (raw, smooth)]
    assert steps[1] < steps[0] / 2


def test_tracks_are_smoothed_apart_and_a_new_one_starts_as_it_is(smoother, pair):
    right = pair[0]
    smoother(0, [0], [right])
    other = noisy(right, np.random.default_rng(2))
    (found,) = smoother(1, [7], [other])
    np.testing.assert_allclose(found.hand_pose, other.hand_pose, atol=1e-5)
    (found,) = smoother(2, [0], [other])
    assert np.abs(found.hand_pose - other.hand_pose).max() > 0.01
    assert smoother(3, [], []) == []
