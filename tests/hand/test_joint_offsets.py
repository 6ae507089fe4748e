from typing import get_args

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.hand.conventions import JOINT_DEFINITIONS, DefinitionName, definition_number
from gesturehand.hand.joint_offsets import joint_directions, moved_joints
from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import JOINT_NAMES

OFFSETS = torch.from_numpy(np.random.default_rng(0).normal(size=(21, 3)) * 0.004)
RIGHT, LEFT = torch.tensor([True]), torch.tensor([False])


@pytest.fixture(scope="module")
def joints():
    """Joints (1, 21, 3) m, float64, of a right hand with bent fingers."""
    rotations = Rotation.from_rotvec(np.random.default_rng(1).normal(size=(16, 3)) * 0.3).as_matrix()
    _, found = HandModel().double()(torch.from_numpy(rotations)[None], torch.zeros(1, 10), None, RIGHT)
    return found


def test_offsets_turn_and_move_with_the_hand(joints):
    turn, shift = torch.from_numpy(Rotation.random(rng=1).as_matrix()), torch.tensor([0.1, -0.2, 0.5])
    expected = moved_joints(joints, RIGHT, OFFSETS) @ turn.mT + shift
    torch.testing.assert_close(moved_joints(joints @ turn.mT + shift, RIGHT, OFFSETS), expected)


def test_a_mirrored_hand_has_mirrored_offsets(joints):
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    expected = moved_joints(joints, RIGHT, OFFSETS) * mirror
    torch.testing.assert_close(moved_joints(joints * mirror, LEFT, OFFSETS), expected)


def test_directions_are_those_of_the_flat_hand():
    """At rest, a right hand's fingers point to -x, its palm faces -y and its thumb lies on the side of +z."""
    _, joints = HandModel()(torch.eye(3).expand(1, 16, 3, 3), torch.zeros(1, 10), None, RIGHT)
    frames = torch.stack(joint_directions(joints, RIGHT), -1)[0].numpy()
    for name in ("wrist", "middle1"):
        towards_index, along, out_of_palm = frames[JOINT_NAMES.index(name)].T
        assert towards_index[2] > 0.9
        assert along[0] < -0.9
        assert out_of_palm[1] < -0.9
    np.testing.assert_allclose(frames.transpose(0, 2, 1) @ frames, np.tile(np.eye(3), (21, 1, 1)), atol=1e-5)


def test_numpy_and_pytorch_agree(joints):
    expected = moved_joints(joints, RIGHT, OFFSETS).numpy()
    np.testing.assert_allclose(moved_joints(joints.numpy(), RIGHT.numpy(), OFFSETS.numpy()), expected, atol=1e-12)


def test_one_offset_moves_one_joint_by_its_length(joints):
    for joint in range(21):
        offsets = torch.zeros(21, 3, dtype=torch.float64)
        offsets[joint, 1] = 0.005
        moved = (moved_joints(joints, RIGHT, offsets) - joints)[0].norm(dim=-1)
        assert float(moved[joint]) == pytest.approx(0.005)
        assert float(moved.sum()) == pytest.approx(0.005)


def test_every_definition_can_be_named():
    assert get_args(DefinitionName) == tuple(definition.name for definition in JOINT_DEFINITIONS)


def test_a_set_of_marked_joints_has_their_offsets_and_others_none(joints):
    """On batches that mix sets and sides; the mesh, from which other sets take their fingertips, is not needed here."""
    hand_model = HandModel().double()
    both = torch.cat([joints, joints * torch.tensor([-1.0, 1.0, 1.0])])[:, None]
    vertices = torch.zeros(2, 1, hand_model.num_vertices, 3, dtype=torch.float64)
    tips = list(JOINT_DEFINITIONS[definition_number("mediapipe") - 1].open_hand_tips["right"])
    vertices[:, :, tips] = both[:, :, 4::4]
    sides = torch.tensor([[True], [False]])
    marked = hand_model.joints_as_defined(both, vertices, sides, torch.full((2,), definition_number("mediapipe")))
    own = hand_model.joints_as_defined(both, vertices, sides, torch.zeros(2, dtype=torch.int64))
    torch.testing.assert_close(own, both)
    offsets = torch.tensor(JOINT_DEFINITIONS[definition_number("mediapipe") - 1].open_hand_offsets_mm) / 1000
    torch.testing.assert_close(marked, moved_joints(both, sides, offsets.double()), atol=1e-8, rtol=0)
    # The knuckles lie nearer to the wrist than where the fingers bend.
    for knuckle in (5, 9, 13, 17):
        before, after = ((hands[0, 0, knuckle] - hands[0, 0, 0]).norm() for hands in (both, marked))
        assert float(after) < float(before) - 0.002
