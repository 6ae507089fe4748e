"""Each gesture's pose is what its name says, measured on the posed open hand."""

import numpy as np
import pytest

from gesturehand.gestures import vocabulary
from gesturehand.hand.open_hand import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, FINGERS, JOINT_NAMES, JOINTS_FROM_MANO_AND_TIPS
from gesturehand.synthetic.articulation import ANGLE_LIMITS_DEG, LONG_FINGERS, articulation_of, rotations_from_angles
from gesturehand.synthetic.poses import NEUTRAL, gesture_poses, neutral_pose, pose_table

HAND = open_hand("right")
#: Pads of the distal bones touch when the fingertip vertices are this close, m.
TOUCHING = 0.022


def joints_of(name: str) -> dict[str, np.ndarray]:
    rotations = rotations_from_angles(pose_table()[name][None], articulation_of(HAND))
    vertices, joints = skin(HAND, rotations, np.zeros((1, 10)), np.zeros((1, 3)))
    every = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
    return dict(zip(JOINT_NAMES, every, strict=True))


def extended(name: str) -> set[str]:
    """Fingers whose tip is nearly as far from their first joint as they are long."""
    joints, out = joints_of(name), set()
    for finger in FINGERS:
        chain = np.stack([joints[f"{finger}{k}"] for k in (1, 2, 3, 4)])
        length = np.linalg.norm(np.diff(chain, axis=0), axis=1).sum()
        if np.linalg.norm(chain[-1] - chain[0]) > 0.93 * length:
            out.add(finger)
    return out


def gap(name: str, first: str, second: str) -> float:
    """Distance of two fingertips, m."""
    joints = joints_of(name)
    return float(np.linalg.norm(joints[f"{first}4"] - joints[f"{second}4"]))


def test_the_table_has_every_fine_class_and_neutral():
    assert set(pose_table()) == {*vocabulary().fine, NEUTRAL}
    assert gesture_poses().shape == (35, 21)
    low, high = ANGLE_LIMITS_DEG.T
    for angles in (*gesture_poses(), neutral_pose()):
        assert (angles >= low).all()
        assert (angles <= high).all()


def test_poses_differ_from_each_other():
    rotations = rotations_from_angles(gesture_poses(), articulation_of(HAND))
    _, joints = skin(HAND, rotations, np.zeros((35, 10)), np.zeros((35, 3)))
    distance = np.linalg.norm(joints[:, None] - joints[None], axis=-1).max(-1) + np.eye(35)
    assert distance.min() > 0.008


@pytest.mark.parametrize(
    ("name", "fingers"),
    [
        ("open_spread", set(FINGERS)),
        ("fake_gun", {"thumb", "index", "middle"}),
        ("star_trek", set(FINGERS)),
        ("thumb_up", {"thumb"}),
        ("thumb_tuck", {"index", "middle", "ring", "pinky"}),
        ("surfer", {"thumb", "pinky"}),
        ("rocker", {"index", "pinky"}),
        ("rocker_frontside", {"thumb", "index", "pinky"}),
        ("fist", set()),
        ("index_point", {"index"}),
        ("two_count", {"index", "middle"}),
        ("three_count", {"index", "middle", "ring"}),
        ("four_count", {"index", "middle", "ring", "pinky"}),
        ("middle_finger", {"middle"}),
        ("palm_down", set(FINGERS)),
        ("claws", set()),
    ],
)
def test_which_fingers_are_extended(name, fingers):
    assert extended(name) - {"thumb"} == fingers - {"thumb"}
    if "thumb" in fingers:
        assert "thumb" in extended(name)


@pytest.mark.parametrize(
    ("name", "finger"),
    [
        ("a_okay", "index"),
        ("a_okay_upright", "index"),
        ("index_tip", "index"),
        ("middle_tip", "middle"),
        ("ring_tip", "ring"),
        ("pinky_tip", "pinky"),
    ],
)
def test_the_thumb_touches_that_finger_and_no_other(name, finger):
    assert gap(name, "thumb", finger) < TOUCHING
    assert all(gap(name, "thumb", other) > 2 * TOUCHING for other in LONG_FINGERS if other != finger)


def test_star_trek_splits_middle_and_ring():
    for name in ("star_trek", "star_trek_extended_thumb"):
        between = gap(name, "middle", "ring")
        assert between > 1.6 * max(gap(name, "index", "middle"), gap(name, "ring", "pinky") * 0.8)
    assert gap("star_trek_extended_thumb", "thumb", "index") > gap("star_trek", "thumb", "index") + 0.03


def test_good_luck_crosses_index_and_middle():
    radial = articulation_of(HAND).radial
    joints = joints_of("good_luck")
    assert (joints["index1"] - joints["middle1"]) @ radial > 0.01
    assert (joints["index4"] - joints["middle4"]) @ radial < 0.002


def test_bunched_fingertips():
    for name in ("pucker", "capisce"):
        assert max(gap(name, "thumb", finger) for finger in LONG_FINGERS) < 0.05
    assert min(gap("alligator_open", "thumb", finger) for finger in LONG_FINGERS) > 0.04
    assert gap("alligator_closed", "thumb", "index") < TOUCHING + 0.005
