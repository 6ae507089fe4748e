"""Poses of the photo-like set: limits, fingers that do not pass through each other, and the whole range."""

import numpy as np
import pytest
from hand_penetration import TOLERANCE_M, PenetrationCheck

from gesturehand.hand.skinning import skin
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    ANGLE_NAMES,
    gesture_poses,
    hand_model,
    neutral_pose,
    right_articulation,
    rotations_from_angles,
)
from gesturehand.synthetic.photo.pose_sampling import amplitude, any_pose, hand_angles, overlap


def depth_m(angles: np.ndarray) -> float:
    """The depth according to the meshes' winding numbers, which know nothing of rods."""
    data = hand_model("right")
    rotations = rotations_from_angles(angles[None], right_articulation())
    vertices, _ = skin(data, rotations, np.zeros((1, 10)), np.zeros((1, 3)))
    return max(PenetrationCheck(data).depths(vertices[0]).values(), default=0.0)


@pytest.mark.parametrize("kind", ["gesture", "mixture", "free", "grip"])
def test_poses_keep_limits_and_seldom_go_deep_into_each_other(kind):
    rng = np.random.default_rng(0)
    poses = [hand_angles(kind, fine, 1.0, rng) for fine in range(35)]
    for angles in poses:
        assert (angles >= ANGLE_LIMITS_DEG[:, 0]).all()
        assert (angles <= ANGLE_LIMITS_DEG[:, 1]).all()
    depths = np.array([depth_m(angles) for angles in poses[::2]])
    assert np.mean(depths > 2 * TOLERANCE_M) <= 0.15
    assert np.median(depths) <= TOLERANCE_M


def test_rods_tell_clear_cases():
    poses = np.stack([neutral_pose(), neutral_pose()])
    # The index finger stretched through the middle one.
    poses[1, ANGLE_NAMES.index("index_spread")] = -35
    apart, through = overlap(poses)
    assert apart < 0.002
    assert through > 0.005
    assert depth_m(poses[1]) > TOLERANCE_M


def test_a_gesture_is_formed_to_the_given_degree():
    rng = np.random.default_rng(1)
    fist = gesture_poses()[14]
    mean = np.mean([hand_angles("gesture", 14, 1.0, rng) for _ in range(40)], axis=0)
    relaxed = np.mean([hand_angles("gesture", 14, 0.0, rng) for _ in range(40)], axis=0)
    assert np.abs(mean - fist).mean() < np.abs(relaxed - fist).mean() / 3
    assert np.abs(relaxed - neutral_pose()).mean() < 3


def test_amplitudes_are_distributed_as_beta_3_1():
    places = (np.arange(1000) + 0.5) / 1000
    drawn = np.array([amplitude(place) for place in places])
    assert abs(drawn.mean() - 0.75) < 1e-3
    assert abs((drawn < 0.5).mean() - 0.125) < 2e-3


def test_unlabelled_poses_cover_the_range_of_every_angle():
    rng = np.random.default_rng(2)
    drawn = np.stack([any_pose(rng, gestures=True)[1] for _ in range(400)])
    low, high = np.percentile(drawn, [2, 98], axis=0)
    for name in ("index_pip", "middle_pip", "ring_mcp", "pinky_mcp"):
        column = ANGLE_NAMES.index(name)
        assert high[column] - low[column] > 80, name
