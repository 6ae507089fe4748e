"""Angles of joints, against the angles that hands were posed with and against bones of the posed hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.hand.layer import HandModel
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference.joint_angles import articulation_of_model, joint_angles
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINT_NAMES, JOINTS_FROM_MANO_AND_TIPS
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    ANGLE_NAMES,
    LONG_FINGERS,
    articulation_of,
    mirror_rotations,
    rotations_from_angles,
)

HAND = open_hand("right")
ARTICULATION = articulation_of(HAND)


def by_name(rotations, side="right"):
    """{("index", "PIP"): (flexion, abduction), ...} of rotations (16, 3, 3)."""
    return {
        (a.finger, a.joint): (a.flexion_deg, a.abduction_deg) for a in joint_angles(rotations[1:], side, ARTICULATION)
    }


def random_angles(seed):
    low, high = ANGLE_LIMITS_DEG.T
    return dict(zip(ANGLE_NAMES, low + np.random.default_rng(seed).random(len(low)) * (high - low), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_a_posed_hand_has_the_angles_it_was_posed_with(seed):
    angles = random_angles(seed)
    found = by_name(rotations_from_angles(np.array([list(angles.values())]), ARTICULATION)[0])
    for finger in LONG_FINGERS:
        spread, mcp = np.radians([angles[f"{finger}_spread"], angles[f"{finger}_mcp"]])
        flexion = np.arctan2(np.sin(mcp), np.cos(mcp) * np.cos(spread))
        abduction = np.arcsin(np.cos(mcp) * np.sin(spread))
        assert found[finger, "MCP"] == pytest.approx(np.degrees([flexion, abduction]), abs=1e-6)
        for joint in ("PIP", "DIP"):
            assert found[finger, joint] == pytest.approx((angles[f"{finger}_{joint.lower()}"], 0), abs=1e-6)
    assert found["thumb", "CMC"] == pytest.approx((angles["thumb_palmar"], angles["thumb_radial"]), abs=1e-6)
    assert found["thumb", "MCP"] == pytest.approx((angles["thumb_mcp"], 0), abs=1e-6)
    assert found["thumb", "IP"] == pytest.approx((angles["thumb_ip"], 0), abs=1e-6)


def test_flexion_and_abduction_together_are_the_angle_between_the_bones_of_the_mesh():
    """In poses that no table of angles gives, including sideways and twisted ones."""
    rng = np.random.default_rng(0)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.4, (16, 3))).as_matrix()
    rotations[0] = np.eye(3)
    vertices, joints = skin(HAND, rotations[None], np.zeros((1, 10)), np.zeros((1, 3)))
    every = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
    at = dict(zip(JOINT_NAMES, every, strict=True))
    found = by_name(rotations)
    # Not for the thumb, whose bones lean sideways at rest, which counts as no abduction.
    for finger, joint, k in ((finger, joint, k) for finger in LONG_FINGERS for joint, k in (("PIP", 2), ("DIP", 3))):
        before, behind = at[f"{finger}{k}"] - at[f"{finger}{k - 1}"], at[f"{finger}{k + 1}"] - at[f"{finger}{k}"]
        between = np.degrees(np.arccos(before @ behind / np.linalg.norm(before) / np.linalg.norm(behind)))
        flexion, abduction = np.radians(found[finger, joint])
        # At rest the bones of a finger lie only nearly in one plane.
        assert np.degrees(np.arccos(np.cos(flexion) * np.cos(abduction))) == pytest.approx(between, abs=6), finger


def test_a_fist_bends_and_a_spread_hand_spreads():
    angles = dict.fromkeys(ANGLE_NAMES, 0.0)
    fist = {**angles, **{f"{finger}_{joint}": 80.0 for finger in LONG_FINGERS for joint in ("mcp", "pip")}}
    found = by_name(rotations_from_angles(np.array([list(fist.values())]), ARTICULATION)[0])
    assert all(found[finger, joint][0] == pytest.approx(80) for finger in LONG_FINGERS for joint in ("MCP", "PIP"))
    spread = {**angles, "index_spread": 20.0, "pinky_spread": -25.0}
    found = by_name(rotations_from_angles(np.array([list(spread.values())]), ARTICULATION)[0])
    assert (found["index", "MCP"][1], found["pinky", "MCP"][1]) == pytest.approx((20, -25))


def test_a_left_hand_has_the_angles_of_its_mirror_image():
    rotations = rotations_from_angles(np.array([list(random_angles(9).values())]), ARTICULATION)[0]
    right, left = by_name(rotations), by_name(mirror_rotations(rotations), "left")
    assert left.keys() == right.keys()
    np.testing.assert_allclose(list(left.values()), list(right.values()), atol=1e-9)


def test_axes_of_the_network_s_hand_model():
    found = articulation_of_model(HandModel())
    np.testing.assert_allclose(found.forward, ARTICULATION.forward, atol=1e-5)
    for name, finger in found.fingers.items():
        np.testing.assert_allclose(finger.axis, ARTICULATION.fingers[name].axis, atol=1e-4)
        np.testing.assert_allclose(finger.bends_deg, ARTICULATION.fingers[name].bends_deg, atol=0.05)
