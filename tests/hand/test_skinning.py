"""NumPy skinning against a loop over vertices and joints, and its invariants."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import MANO_PARENTS


def world_transform(joint, rotations, rest):
    """4×4 transform of one joint's frame, from the chain of its parents up to the root."""
    parent = MANO_PARENTS[joint]
    local = np.eye(4)
    local[:3, :3] = rotations[joint]
    local[:3, 3] = rest[joint] - (rest[parent] if parent >= 0 else 0)
    return local if parent < 0 else world_transform(parent, rotations, rest) @ local


def skin_slowly(hand, rotations, betas, transl):
    shaped = hand.v_template + sum(betas[k] * hand.shapedirs[:, :, k] for k in range(10))
    rest = hand.J_regressor @ shaped
    features = [rotations[j][a, b] - (a == b) for j in range(1, 16) for a in range(3) for b in range(3)]
    shaped = shaped + sum(value * hand.posedirs[:, :, k] for k, value in enumerate(features))
    frames = [world_transform(joint, rotations, rest) for joint in range(16)]
    to_rest = [np.block([[np.eye(3), -rest[j][:, None]], [np.zeros((1, 3)), np.ones((1, 1))]]) for j in range(16)]
    vertices = np.array(
        [
            sum(weights[j] * (frames[j] @ to_rest[j] @ [*vertex, 1]) for j in np.flatnonzero(weights))[:3]
            for vertex, weights in zip(shaped, hand.weights, strict=True)
        ]
    )
    return vertices + transl, np.array([frame[:3, 3] for frame in frames]) + transl


@pytest.mark.parametrize("side", ["right", "left"])
def test_agrees_with_a_loop(posed_hand, rotations, rng, side):
    hand = posed_hand(side)
    turns, betas, transl = rotations(2, 16), rng.normal(size=(2, 10)), rng.normal(size=(2, 3))
    vertices, joints = skin(hand, turns, betas, transl)
    for k in range(2):
        expected_vertices, expected_joints = skin_slowly(hand, turns[k], betas[k], transl[k])
        np.testing.assert_allclose(vertices[k], expected_vertices, atol=1e-12)
        np.testing.assert_allclose(joints[k], expected_joints, atol=1e-12)


def test_rest_pose_is_the_shaped_template(rng, rest_joints):
    hand = open_hand("right")
    betas, transl = rng.normal(size=(3, 10)), rng.normal(size=(3, 3))
    vertices, joints = skin(hand, np.tile(np.eye(3), (3, 16, 1, 1)), betas, transl)
    shaped = hand.v_template + np.stack([hand.shapedirs @ beta for beta in betas])
    np.testing.assert_allclose(vertices, shaped + transl[:, None], atol=1e-14)
    np.testing.assert_allclose(joints, rest_joints(hand, betas) + transl[:, None], atol=1e-14)
    np.testing.assert_allclose(rest_joints(hand, betas)[1], hand.J_regressor @ shaped[1], atol=1e-14)


def test_root_turns_about_the_root_joint(rng, rest_joints):
    hand = open_hand("right")
    turn = Rotation.random(rng=1).as_matrix()
    pose = np.tile(np.eye(3), (1, 16, 1, 1))
    pose[0, 0] = turn
    betas = rng.normal(size=(1, 10))
    vertices, joints = skin(hand, pose, betas, np.zeros((1, 3)))
    root = rest_joints(hand, betas)[0, 0]
    shaped = hand.v_template + hand.shapedirs @ betas[0]
    np.testing.assert_allclose(vertices[0], (shaped - root) @ turn.T + root, atol=1e-14)
    np.testing.assert_allclose(joints[0, 0], root)


def test_empty_batch():
    vertices, joints = skin(open_hand("right"), np.zeros((0, 16, 3, 3)), np.zeros((0, 10)), np.zeros((0, 3)))
    assert vertices.shape == (0, 1609, 3)
    assert joints.shape == (0, 16, 3)
