"""Angles in, posed joints out: the angles are measured again on the skinned hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.gestures import vocabulary
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    FINGERS,
    JOINT_NAMES,
    JOINTS_FROM_MANO_AND_TIPS,
    MANO_JOINT_NAMES,
    SIDES,
)
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    ANGLE_NAMES,
    LONG_FINGERS,
    NEUTRAL,
    articulation_of,
    gesture_poses,
    mirror_rotations,
    neutral_pose,
    pose_from_rotations,
    pose_table,
    rotations_from_angles,
    rotations_from_pose,
)

HAND = open_hand("right")
ARTICULATION = articulation_of(HAND)


def posed_joints(angles: np.ndarray) -> dict[str, np.ndarray]:
    rotations = rotations_from_angles(angles[None], ARTICULATION)
    vertices, joints = skin(HAND, rotations, np.zeros((1, 10)), np.zeros((1, 3)))
    every = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
    return dict(zip(JOINT_NAMES, every, strict=True))


def bone(joints: dict[str, np.ndarray], finger: str, k: int) -> np.ndarray:
    vector = joints[f"{finger}{k + 1}"] - joints[f"{finger}{k}"]
    return vector / np.linalg.norm(vector)


def random_angles(seed: int) -> np.ndarray:
    low, high = ANGLE_LIMITS_DEG.T
    return low + np.random.default_rng(seed).random(len(low)) * (high - low)


def test_axes_of_the_rest_hand():
    np.testing.assert_allclose(ARTICULATION.forward, [-1, 0, 0], atol=0.05)
    np.testing.assert_allclose(ARTICULATION.palmar, [0, -1, 0], atol=0.05)
    np.testing.assert_allclose(ARTICULATION.radial, [0, 0, 1], atol=0.05)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("finger", LONG_FINGERS)
def test_bends_of_a_posed_finger_are_the_given_angles(finger, seed):
    angles = random_angles(seed)
    joints = posed_joints(angles)
    for k, name in ((1, "pip"), (2, "dip")):
        measured = np.degrees(np.arccos(bone(joints, finger, k) @ bone(joints, finger, k + 1)))
        # The fingertip is a vertex, slightly off the plane in which the finger bends.
        assert measured == pytest.approx(abs(angles[ANGLE_NAMES.index(f"{finger}_{name}")]), abs=2.0)


@pytest.mark.parametrize("finger", LONG_FINGERS)
def test_direction_of_a_first_bone(finger):
    angles = np.zeros(len(ANGLE_NAMES))
    angles[ANGLE_NAMES.index(f"{finger}_spread")] = 20.0
    direction = bone(posed_joints(angles), finger, 1)
    np.testing.assert_allclose(
        [direction @ axis for axis in (ARTICULATION.forward, ARTICULATION.radial, ARTICULATION.palmar)],
        [np.cos(np.radians(20)), np.sin(np.radians(20)), 0],
        atol=1e-6,
    )
    angles[:] = 0
    angles[ANGLE_NAMES.index(f"{finger}_mcp")] = 60.0
    assert np.degrees(np.arcsin(bone(posed_joints(angles), finger, 1) @ ARTICULATION.palmar)) == pytest.approx(60.0)


@pytest.mark.parametrize("seed", range(4))
def test_direction_of_the_thumb(seed):
    angles = random_angles(seed)
    direction = bone(posed_joints(angles), "thumb", 1)
    radial, palmar = angles[ANGLE_NAMES.index("thumb_radial")], angles[ANGLE_NAMES.index("thumb_palmar")]
    assert np.degrees(np.arcsin(direction @ ARTICULATION.palmar)) == pytest.approx(palmar)
    measured = np.degrees(np.arctan2(direction @ ARTICULATION.radial, direction @ ARTICULATION.forward))
    assert measured == pytest.approx(radial)


def test_the_root_and_nothing_but_its_joints_are_turned():
    angles = np.zeros((1, len(ANGLE_NAMES)))
    before = rotations_from_angles(angles, ARTICULATION)[0]
    angles[0, ANGLE_NAMES.index("ring_pip")] = 50.0
    after = rotations_from_angles(angles, ARTICULATION)[0]
    changed = [name for name, a, b in zip(MANO_JOINT_NAMES, before, after, strict=True) if not np.allclose(a, b)]
    assert changed == ["ring2"]
    np.testing.assert_array_equal(after[0], np.eye(3))


def test_rotations_are_rotations():
    rotations = rotations_from_angles(np.stack([random_angles(seed) for seed in range(20)]), ARTICULATION)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)


def test_mirrored_rotations_mirror_the_mesh():
    rotations = rotations_from_angles(random_angles(0)[None], ARTICULATION)
    rotations[0, 0] = Rotation.from_rotvec([0.3, -0.8, 1.1]).as_matrix()
    betas = np.random.default_rng(1).normal(size=(1, 10))
    right, _ = skin(HAND, rotations, betas, np.zeros((1, 3)))
    left, _ = skin(open_hand("left"), mirror_rotations(rotations), betas, np.zeros((1, 3)))
    np.testing.assert_allclose(left, right * [-1, 1, 1], atol=1e-12)


#: Pads of the distal bones touch when the fingertip vertices are this close, m.
TOUCHING = 0.022


def joints_of(name: str) -> dict[str, np.ndarray]:
    return posed_joints(pose_table()[name])


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
