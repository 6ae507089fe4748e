import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.inference import HandPredictor
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.inference.joint_definition import AnnotatedHand, joint_frames, moved_joints, offsets_in_m
from gesturehand.skeleton import JOINT_NAMES

RNG = np.random.default_rng(0)
OFFSETS = RNG.normal(size=(21, 3)) * 0.004
RIGHT, LEFT = np.array([True]), np.array([False])


@pytest.fixture(scope="module")
def joints():
    """A right hand's, (1, 21, 3) m, with bent fingers."""
    rotations = torch.from_numpy(Rotation.from_rotvec(RNG.normal(size=(16, 3)) * 0.3).as_matrix()).float()[None]
    _, found = HandModel()(rotations, torch.zeros(1, 10), None, torch.tensor([True]))
    return found.double().numpy()


def test_offsets_turn_and_move_with_the_hand(joints):
    turn, shift = Rotation.random(rng=1).as_matrix(), np.array([0.1, -0.2, 0.5])
    moved = moved_joints(joints, RIGHT, OFFSETS)
    np.testing.assert_allclose(
        moved_joints(joints @ turn.T + shift, RIGHT, OFFSETS), moved @ turn.T + shift, atol=1e-12
    )


def test_a_mirrored_hand_has_mirrored_offsets(joints):
    mirror = np.array([-1.0, 1, 1])
    moved = moved_joints(joints, RIGHT, OFFSETS)
    np.testing.assert_allclose(moved_joints(joints * mirror, LEFT, OFFSETS), moved * mirror, atol=1e-12)


def test_directions_are_those_of_the_flat_hand():
    """At rest a right hand's fingers point to -x, its palm faces -y and its thumb lies on the side of +z."""
    rest = torch.eye(3).expand(1, 16, 3, 3)
    hand_model = HandModel()
    _, joints = hand_model(rest, torch.zeros(1, 10), None, torch.tensor([True]))
    frames = joint_frames(joints.double().numpy(), RIGHT)[0]
    for name, expected in (("wrist", np.eye(3)), ("middle1", np.eye(3))):
        towards_index, along, out_of_palm = frames[JOINT_NAMES.index(name)].T
        assert towards_index @ expected[2] > 0.9
        assert along @ -expected[0] > 0.9
        assert out_of_palm @ -expected[1] > 0.9
    orthonormal = [j for j, name in enumerate(JOINT_NAMES) if name not in ("thumb2", "thumb3", "thumb4")]
    np.testing.assert_allclose(
        frames[orthonormal].transpose(0, 2, 1) @ frames[orthonormal], np.tile(np.eye(3), (18, 1, 1)), atol=1e-12
    )


def test_one_offset_moves_one_joint_by_its_length(joints):
    for joint in range(21):
        offsets = np.zeros((21, 3))
        offsets[joint, 1] = 0.005
        moved = moved_joints(joints, RIGHT, offsets) - joints
        assert np.linalg.norm(moved[0, joint]) == pytest.approx(0.005)
        assert not np.delete(moved[0], joint, axis=0).any()


def test_a_hand_with_moved_joints_keeps_its_mesh():
    hand_model = HandModel()
    arguments = (torch.eye(3).expand(2, 16, 3, 3), torch.zeros(2, 10), None, torch.tensor([True, False]))
    vertices, joints = hand_model(*arguments)
    same, moved = AnnotatedHand(hand_model, OFFSETS)(*arguments)
    assert torch.equal(vertices, same)
    expected = moved_joints(joints.double().numpy(), np.array([True, False]), OFFSETS)
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("engine", ["torch", "onnx"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_predictor_moves_the_joints_alone(engine, side):
    """Whatever runs the network, and for both sides: the same mesh about the wrist, and joints moved as asked for."""
    image = np.ascontiguousarray(np.repeat(np.repeat(RNG.integers(0, 256, (15, 20, 3), dtype=np.uint8), 16, 0), 16, 1))
    (own,), (moved,) = (
        HandPredictor.from_checkpoint("openphoto", "cpu", engine=engine, joints=joints)(
            image, (40.0, 30.0, 200.0, 180.0), side, turns=0.0
        )
        for joints in ("model", "annotated")
    )
    np.testing.assert_array_equal(own.hand_pose, moved.hand_pose)
    np.testing.assert_allclose(own.vertices - own.cam_t, moved.vertices - moved.cam_t, atol=1e-6)
    offsets = load_regressor("openphoto").joint_offsets_m
    expected = moved_joints(own.joints[None].astype(float), np.array([side == "right"]), offsets)[0]
    np.testing.assert_allclose(moved.joints - moved.cam_t, expected - own.cam_t, atol=1e-6)
    assert 0.5e-3 < np.abs(moved.joints - moved.cam_t - (own.joints - own.cam_t)).max() < 10e-3


def test_offsets_of_weights_are_checked():
    assert offsets_in_m(None, "x.json") is None
    np.testing.assert_allclose(offsets_in_m([[1, 2, 3]] * 21, "x.json")[0], [0.001, 0.002, 0.003])
    for wrong in ([[1, 2]] * 21, "none", [[1, 2, 3]] * 20, [[float("nan"), 0, 0]] * 21):
        with pytest.raises(UserError, match=r"x\.json: joint_offsets_mm must be 21 lists"):
            offsets_in_m(wrong, "x.json")


def test_another_definition_is_refused():
    with pytest.raises(UserError, match=r"joints is 'knuckles': give one of annotated, model\."):
        HandPredictor.from_checkpoint("openphoto", "cpu", joints="knuckles")
