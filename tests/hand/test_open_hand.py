"""What the open hand must be, for code written for MANO to run on it and for wrong formulas to show."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.open_hand import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    FINGERS,
    INTERHAND_TIP_VERTICES,
    MANO_JOINT_NAMES,
    SIDES,
    SMPLX_TIP_VERTICES,
)


@pytest.fixture(scope="module")
def right() -> ManoData:
    return open_hand("right")


def shaped(hand: ManoData, betas: np.ndarray) -> np.ndarray:
    return hand.v_template + np.einsum("vcb,nb->nvc", hand.shapedirs, betas)


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("side", SIDES)
def test_sizes(side):
    hand = open_hand(side)
    assert hand.side == side
    assert hand.source == "open hand"
    assert hand.num_vertices == 1609
    assert hand.faces.shape == (3196, 3)
    assert len(np.unique(hand.faces)) == 1609
    np.testing.assert_array_equal(hand.hands_components @ hand.hands_components.T, np.eye(45))
    assert not hand.has_posedirs


def test_left_is_the_right_one_mirrored(right):
    left = open_hand("left")
    np.testing.assert_allclose(left.v_template, right.v_template * [-1, 1, 1])
    np.testing.assert_allclose(left.joints, right.joints * [-1, 1, 1])
    assert left.fingerprint != right.fingerprint


def test_joint_regressor_is_local_non_negative_and_sums_to_one(right):
    assert right.J_regressor.min() >= 0
    np.testing.assert_array_equal(right.J_regressor.sum(axis=1), 1)
    distances = np.linalg.norm(right.v_template[None] - right.joints[:, None], axis=2)
    reach = dict(zip(MANO_JOINT_NAMES, np.where(right.J_regressor > 0, distances, 0).max(axis=1), strict=True))
    assert reach.pop("wrist") < 0.06
    assert reach.pop("thumb1") < 0.04
    assert max(reach.values()) < 0.03


def test_regressed_joints_follow_the_posed_skeleton(right, rotations, rng):
    turns = rotations(20, 16, scale=0.3)
    vertices, joints = skin(right, turns, rng.normal(size=(20, 10)), np.zeros((20, 3)))
    errors = np.linalg.norm(right.J_regressor @ vertices - joints, axis=2)
    assert errors.mean() < 0.001
    assert errors.max() < 0.005


def test_joints_lie_inside_the_hand_of_any_shape(right, rest_joints):
    """From each finger joint the mesh fills nearly the whole solid angle; the rest is the open wrist."""
    for betas in np.concatenate([np.zeros((1, 10)), 3 * np.eye(10), -3 * np.eye(10)]):
        vertices = shaped(right, betas[None])[0]
        corners = vertices[right.faces][None] - rest_joints(right, betas[None])[0, 1:, None, None]
        a, b, c = np.moveaxis(corners / np.linalg.norm(corners, axis=-1, keepdims=True), 2, 0)
        triple = np.sum(a * np.cross(b, c), axis=-1)
        angles = 2 * np.arctan2(triple, 1 + np.sum(a * b + b * c + c * a, axis=-1))
        assert (angles.sum(axis=1) / (4 * np.pi)).min() > 0.85


def test_root_joint_is_where_mano_has_it_and_depends_on_the_shape(right, rng, rest_joints):
    np.testing.assert_allclose(right.joints[0], [0.096, 0.006, 0.006], atol=1e-6)
    roots = rest_joints(right, rng.normal(size=(200, 10)))[:, 0]
    assert np.linalg.norm(roots.std(axis=0)) > 0.002


def test_rest_frame(right):
    """Fingers towards −x, flat; palm towards −y; thumb and index towards +z."""
    tips = dict(zip(FINGERS, right.v_template[list(EANET_TIP_VERTICES)], strict=True))
    for finger in FINGERS[1:]:
        knuckle = right.joints[MANO_JOINT_NAMES.index(f"{finger}1")]
        direction = unit(tips[finger] - knuckle)
        assert direction[0] < -0.85
        assert abs(direction[1]) < 0.12
    assert tips["thumb"][2] > tips["index"][2] > tips["middle"][2] > tips["ring"][2] > tips["pinky"][2]
    assert tips["thumb"][1] < right.joints[0, 1] - 0.02
    assert 0.18 < np.linalg.norm(tips["middle"] - right.joints[0]) < 0.20


def test_flexion_about_plus_z_brings_the_fingers_to_the_palm(right):
    turns = np.tile(np.eye(3), (1, 16, 1, 1))
    turns[:, 1:13] = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    vertices, _ = skin(right, turns, np.zeros((1, 10)), np.zeros((1, 3)))
    for tip in EANET_TIP_VERTICES[1:]:
        assert vertices[0, tip, 1] < right.v_template[tip, 1] - 0.03
        assert vertices[0, tip, 0] > right.v_template[tip, 0] + 0.03


def test_fingertips_are_the_extreme_vertices_with_neighbours_beside_them(right):
    edges = {
        tuple(sorted(edge)) for face in right.faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)
    }
    for finger, tip, neighbour in zip(FINGERS, EANET_TIP_VERTICES, SMPLX_TIP_VERTICES, strict=True):
        distal = MANO_JOINT_NAMES.index(f"{finger}3")
        own = np.flatnonzero(right.weights[:, distal] > 0.5)
        assert tip in own
        along = right.v_template @ unit(right.v_template[tip] - right.joints[distal])
        assert along[tip] > along[own].max() - 0.002
        distances = np.linalg.norm(right.v_template[own] - right.joints[distal], axis=1)
        assert np.linalg.norm(right.v_template[tip] - right.joints[distal]) > distances.max() - 0.002
        assert tuple(sorted((tip, neighbour))) in edges
        assert np.linalg.norm(right.v_template[tip] - right.v_template[neighbour]) < 0.008
    middle, other = EANET_TIP_VERTICES[2], INTERHAND_TIP_VERTICES[2]
    assert other != middle
    assert tuple(sorted((middle, other))) in edges


def test_shape_directions_are_standard_deviations_of_human_hands(right, rng):
    hands = shaped(right, rng.normal(size=(2000, 10)))
    lengths = np.linalg.norm(hands[:, EANET_TIP_VERTICES[2]] - rest_joints_of(right, hands), axis=1)
    assert 0.04 < lengths.std() / lengths.mean() < 0.06
    assert 0.15 < lengths.min() < lengths.max() < 0.24
    rms = np.sqrt((right.shapedirs**2).sum(axis=1).mean(axis=0))
    assert np.all(np.diff(rms) <= 0)
    assert rms[0] < 0.005


def rest_joints_of(hand, vertices):
    return np.einsum("v,nvc->nc", hand.J_regressor[0], vertices)


def test_not_every_direction_is_size(right):
    """How much of each direction a change of overall size explains, the hand's own position aside."""
    size = right.v_template - right.v_template.mean(axis=0)
    explained = []
    for k in range(10):
        direction = right.shapedirs[..., k] - right.shapedirs[..., k].mean(axis=0)
        explained.append((size * direction).sum() ** 2 / (size**2).sum() / (direction**2).sum())
    assert explained[0] > 0.8
    assert max(explained[1:]) < 0.3


def test_skinning_weights(right):
    assert right.weights.min() >= 0
    np.testing.assert_array_equal(right.weights.sum(axis=1), 1)
    assert (right.weights.max(axis=0) > 0.75).all()


def test_mesh_is_one_piece_open_at_the_wrist(right):
    edges = Counter(
        tuple(sorted(edge)) for face in right.faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)
    )
    assert Counter(edges.values()) == {2: 4784, 1: 20}
    rim = {vertex for edge, count in edges.items() if count == 1 for vertex in edge}
    assert right.v_template[list(rim), 0].min() > right.joints[0, 0]


def test_mean_pose_is_a_relaxed_hand(right):
    pose = right.hands_mean.reshape(15, 3)
    flexion = np.linalg.norm(pose, axis=1)
    assert flexion.min() > 0.05
    assert flexion.max() < 0.8
    fingers = {MANO_JOINT_NAMES[1 + 3 * k][:-1]: flexion[3 * k : 3 * k + 3] for k in range(5)}
    assert len({tuple(np.round(angles, 3)) for angles in fingers.values()}) == 5
    assert (pose[:12, 2] > 0.1).all()


def test_reading_it_needs_neither_torch_nor_smplx_nor_anny():
    code = (
        "import sys; from gesturehand.hand.open_hand import open_hand; open_hand('left'); "
        "from gesturehand.hand import skinning, load; "
        "sys.exit(bool({'torch', 'smplx', 'anny', 'chumpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
