"""Mirrored hands and the repair of the left hand's shape directions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.errors import UserError
from gesturehand.hand.mirror import mirror, repair_left_shapedirs
from gesturehand.hand.skinning import skin

M = np.diag([-1.0, 1.0, 1.0])


@pytest.mark.parametrize("side", ["right", "left"])
def test_mirrored_parameters_give_the_mirrored_mesh(posed_hand, rotations, rng, side):
    hand = posed_hand(side)
    turns, betas, transl = rotations(3, 16), rng.normal(size=(3, 10)), rng.normal(size=(3, 3))
    vertices, joints = skin(hand, turns, betas, transl)
    other_vertices, other_joints = skin(mirror(hand), M @ turns @ M, betas, transl @ M)
    np.testing.assert_allclose(other_vertices, vertices @ M, atol=1e-14)
    np.testing.assert_allclose(other_joints, joints @ M, atol=1e-14)


def test_mean_pose_is_mirrored_as_a_rotation(posed_hand):
    hand = posed_hand("right")
    turns = Rotation.from_rotvec(hand.hands_mean.reshape(15, 3)).as_matrix()
    mirrored = Rotation.from_rotvec(mirror(hand).hands_mean.reshape(15, 3)).as_matrix()
    np.testing.assert_allclose(mirrored, M @ turns @ M, atol=1e-14)


def test_faces_keep_their_outside(posed_hand):
    def volume(hand):
        corners = hand.v_template[hand.faces] - hand.v_template.mean(axis=0)
        return np.linalg.det(corners).sum() / 6

    hand = posed_hand("right")
    assert 1e-4 < volume(hand) < 1e-3
    np.testing.assert_allclose(volume(mirror(hand)), volume(hand))


def test_twice_is_nothing(posed_hand):
    hand = posed_hand("right")
    assert mirror(hand).side == "left"
    assert mirror(hand).fingerprint != hand.fingerprint
    assert mirror(mirror(hand)).fingerprint == hand.fingerprint


def test_wrong_left_shapedirs_are_repaired(posed_hand):
    right = posed_hand("right")
    left = mirror(right)
    wrong = replace(left, shapedirs=left.shapedirs * [[-1], [1], [1]])
    np.testing.assert_array_equal(wrong.shapedirs, right.shapedirs)
    repaired = repair_left_shapedirs(wrong, right)
    np.testing.assert_array_equal(repaired.shapedirs, left.shapedirs)
    assert repaired.fingerprint == left.fingerprint


def test_right_left_shapedirs_stay(posed_hand):
    right = posed_hand("right")
    left = mirror(right)
    assert repair_left_shapedirs(left, right) is left


def test_hands_of_different_models(posed_hand, small_hand):
    with pytest.raises(UserError, match="1609 vertices and random has 30"):
        repair_left_shapedirs(posed_hand("left"), small_hand)
