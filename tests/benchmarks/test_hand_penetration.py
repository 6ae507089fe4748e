"""Fingers do not pass through each other or the palm."""

import numpy as np
import pytest
from hand_penetration import TOLERANCE_M, PenetrationCheck, winding_number

from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import MANO_JOINT_NAMES
from gesturehand.synthetic.articulation import ANGLE_NAMES, articulation_of, pose_table, rotations_from_angles

HAND = open_hand("right")
CHECK = PenetrationCheck(HAND)


def posed(angles: np.ndarray) -> np.ndarray:
    rotations = rotations_from_angles(angles[None], articulation_of(HAND))
    return skin(HAND, rotations, np.zeros((1, 10)), np.zeros((1, 3)))[0][0]


@pytest.mark.parametrize("name", pose_table())
def test_no_gesture_passes_through_the_hand(name):
    deepest = CHECK.depths(posed(pose_table()[name]))
    assert all(depth <= TOLERANCE_M for depth in deepest.values()), deepest


def test_a_finger_bent_through_the_palm_is_found():
    angles = pose_table()["fist"].copy()
    angles[ANGLE_NAMES.index("ring_mcp")] += 20
    angles[ANGLE_NAMES.index("ring_dip")] += 30
    assert CHECK.depths(posed(angles))["ring", "palm"] > TOLERANCE_M


def test_depth_of_a_finger_pushed_into_its_neighbour():
    # The whole index finger is moved sideways by one and a half times its width: its middle line lies inside the
    # neighbour.
    vertices = posed(pose_table()["palm_down"])
    joint = HAND.weights.argmax(1)
    index = np.isin(joint, [MANO_JOINT_NAMES.index(f"index{k}") for k in (1, 2, 3)])
    middle = np.isin(joint, [MANO_JOINT_NAMES.index(f"middle{k}") for k in (1, 2, 3)])
    assert ("index", "middle") not in CHECK.depths(vertices)
    shift = vertices[middle].mean(0) - vertices[index].mean(0)
    vertices[index] += shift
    half_width = np.linalg.norm(shift) / 2
    assert CHECK.depths(vertices)["index", "middle"] == pytest.approx(half_width, rel=0.7)


def test_winding_number_of_a_tetrahedron():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    triangles = corners[[[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]]
    points = np.random.default_rng(0).uniform(-0.3, 1.1, (500, 3))
    inside = (points > 0).all(1) & (points.sum(1) < 1)
    np.testing.assert_allclose(winding_number(points, triangles), inside, atol=1e-9)
    assert inside.any()
