import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.skeleton import SIDES
from gesturehand.synthetic.posed_hand import pose_from_rotations, rotations_from_pose


@pytest.mark.parametrize("side", SIDES)
def test_round_trip_with_the_mean(side):
    mean = open_hand(side).hands_mean
    assert np.abs(mean).max() > 0.1
    rotations = Rotation.random(16, random_state=3).as_matrix()
    pose = pose_from_rotations(rotations, mean)
    np.testing.assert_allclose(rotations_from_pose(pose, mean), rotations, atol=1e-12)


def test_the_mean_is_added_to_the_axis_angle_vector_and_not_to_the_root():
    mean = open_hand("right").hands_mean
    pose = np.zeros(48)
    pose[:3], pose[3:6] = [0.1, 0.2, 0.3], [0.0, 0.5, 0.0]
    rotations = rotations_from_pose(pose, mean)
    np.testing.assert_allclose(rotations[0], Rotation.from_rotvec([0.1, 0.2, 0.3]).as_matrix())
    np.testing.assert_allclose(rotations[1], Rotation.from_rotvec(mean[:3] + pose[3:6]).as_matrix())
    composed = Rotation.from_rotvec([0.0, 0.5, 0.0]) * Rotation.from_rotvec(mean[:3])
    assert not np.allclose(rotations[1], composed.as_matrix(), atol=1e-4)


def test_mirrored_hands_have_mirrored_poses():
    rotations = Rotation.random(16, random_state=4).as_matrix()
    mirror = np.diag([-1.0, 1.0, 1.0])
    right = pose_from_rotations(rotations, open_hand("right").hands_mean).reshape(16, 3)
    left = pose_from_rotations(mirror @ rotations @ mirror, open_hand("left").hands_mean).reshape(16, 3)
    np.testing.assert_allclose(left, right * [1, -1, -1], atol=1e-12)
