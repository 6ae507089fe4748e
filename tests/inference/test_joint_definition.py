import numpy as np
import pytest
import torch

from gesturehand.errors import UserError
from gesturehand.hand.joint_offsets import moved_joints
from gesturehand.hand.layer import HandModel
from gesturehand.inference import HandPredictor
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.inference.joint_definition import AnnotatedHand, offsets_in_m

RNG = np.random.default_rng(0)
OFFSETS = tuple(map(tuple, (RNG.normal(size=(21, 3)) * 0.004).tolist()))


def test_a_hand_with_moved_joints_keeps_its_mesh():
    hand_model = HandModel()
    arguments = (torch.eye(3).expand(2, 16, 3, 3), torch.zeros(2, 10), None, torch.tensor([True, False]))
    vertices, joints = hand_model(*arguments)
    same, moved = AnnotatedHand(hand_model, OFFSETS)(*arguments)
    assert torch.equal(vertices, same)
    torch.testing.assert_close(moved, moved_joints(joints, torch.tensor([True, False]), torch.tensor(OFFSETS)))


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
    offsets = torch.tensor(load_regressor("openphoto").joint_offsets_m)
    expected = moved_joints(torch.from_numpy(own.joints), torch.tensor(side == "right"), offsets).numpy()
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
