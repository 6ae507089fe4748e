"""A two-hand network (EANet, not trained): which slot is which, pairs, placement, export."""

import numpy as np
import onnxruntime
import pytest
import pytorch_lightning as pl
import torch
from trainings import quiet_trainer

from gesturehand.data.image_file import read_image
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference import HandPredictor
from gesturehand.inference.assemble import assemble_hands
from gesturehand.inference.export_file import export_regressor
from gesturehand.inference.query import CropRequest
from gesturehand.skeleton import WRIST
from gesturehand.trainers.eanet_regressor import EANetRegressor


@pytest.fixture(scope="module")
def two_hand_checkpoint(tmp_path_factory):
    pl.seed_everything(0, verbose=False)
    model = EANetRegressor("test_resnet", feature_stride=16, image_size=64, width=32, depth=1)
    trainer = quiet_trainer()
    trainer.strategy.connect(model)
    path = tmp_path_factory.mktemp("eanet") / "eanet.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def both(two_hand_checkpoint):
    return HandPredictor.from_checkpoint(two_hand_checkpoint, "cpu")


def test_class_is_recognised_by_its_settings(both):
    assert isinstance(both.model, EANetRegressor)
    assert both.two_hand
    assert not both.mirror_left


def test_boxes_of_a_pair_become_one_crop(both, frame_with_both):
    """The two hands come back in the order of their boxes, each from its own slot; no left hand is mirrored."""
    image, k = read_image(frame_with_both["file"]), frame_with_both["intrinsics"]
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    right, left = both(image, boxes, ["right", "left"], k)
    assert (right.side, left.side) == ("right", "left")
    np.testing.assert_array_equal(right.crop_affine, left.crop_affine)
    assert np.linalg.det(left.crop_affine[:, :2]) > 0
    swapped = both(image, boxes[::-1], ["left", "right"], k)
    for hand, other in zip((left, right), swapped, strict=True):
        assert hand.side == other.side
        np.testing.assert_allclose(hand.vertices, other.vertices, atol=1e-5)
    assert right.gesture_fine is None
    for hand in (right, left):
        rotations = np.concatenate([hand.global_orient[None], hand.hand_pose])[None].astype(float)
        mesh, _ = skin(open_hand(hand.side), rotations, hand.betas[None], hand.cam_t[None])
        np.testing.assert_allclose(mesh[0], hand.vertices, atol=1e-5 * max(1, abs(hand.cam_t).max()))


def test_both_are_the_default_and_one_may_be_asked(both, frame_with_both):
    image = read_image(frame_with_both["file"])
    assert (
        [hand.side for hand in both(image, "whole")]
        == [hand.side for hand in both(image, "whole", "both")]
        == ["right", "left"]
    )
    (left,) = both(image, "whole", "left")
    np.testing.assert_allclose(left.betas, both(image, "whole")[1].betas, atol=1e-6)


def test_one_hand_networks_take_no_pairs(predictor, frame_with_both):
    with pytest.raises(UserError, match="sees one hand at a time"):
        predictor(frame_with_both["file"], "whole", "both")


def test_the_way_between_hands_is_kept():
    """True joints of two hands, seen exactly, keep their places, and the left hand lies where the way leads."""
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 0.05, (2, 21, 3))
    roots = np.array([[0.05, 0.02, 0.8], [-0.1, 0.0, 0.95]])
    placed = joints - joints[:, :1] + roots[:, None]
    k = np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
    pixels = placed @ k.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    size = 64
    affine = np.array([[0.2, 0, 0], [0, 0.2, 4]])
    seen = (pixels @ affine[:, :2].T + affine[:, 2] + 0.5) * 2 / size - 1
    arrays = {
        "joints": joints,
        "joints_25d": np.concatenate([seen, np.zeros((2, 21, 1))], -1),
        "joints_2d": seen,
        "way": roots[1] - roots[0],
        "is_right": np.array([True, False]),
        "rotations": np.tile(np.eye(3), (2, 16, 1, 1)),
        "axis_angle": np.zeros((2, 16, 3)),
        "betas": np.zeros((2, 10)),
        "vertices": joints,
        "camera": np.ones((2, 3)),
    }
    request = CropRequest(np.zeros(3), (0.0, 0.0, 1.0, 1.0), ("right", "left"), (0, 0.5))
    hands = assemble_hands(
        arrays,
        [0, 1],
        request,
        affine,
        k,
        source="given",
        joints_25d_share=0.5,
        image_size=size,
        faces=np.zeros((2, 1, 3), np.int64),
        hands_mean=np.zeros((2, 45)),
        names={"coarse": (), "fine": ()},
    )
    for hand, root in zip(hands, roots, strict=True):
        np.testing.assert_allclose(hand.joints[WRIST], root, atol=1e-5)


@pytest.mark.slow
def test_export(both, tmp_path, frame_with_both):
    done = export_regressor(both, tmp_path / "m.onnx", "onnx")
    assert done.outputs["vertices"][:2] == ("B", 2)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert [entry.name for entry in session.get_inputs()] == ["image"]
    images = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8).numpy()
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(None, {"image": images}), strict=True))
    for image, rotation in zip(images, outputs["global_orient"], strict=True):
        hands = both(np.ascontiguousarray(image.transpose(1, 2, 0)), "whole")
        np.testing.assert_allclose(rotation, [hand.global_orient for hand in hands], atol=1e-4)
