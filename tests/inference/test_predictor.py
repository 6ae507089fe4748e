"""The predictor against the training's own path, the mirror, and NumPy's skinning."""

from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from refusals import refused
from scipy.spatial.transform import Rotation
from torch.utils.data import default_collate

from gesturehand.camera import project
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import read_image
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference import HandBox, HandPredictor, ImageQuery
from gesturehand.inference.predictor import find_device
from gesturehand.skeleton import SIDES


def query(frame):
    hands = tuple(HandBox(tuple(hand["box"]), hand["hand"]) for hand in frame["hands"])
    return ImageQuery(frame["file"], hands, frame["intrinsics"])


@pytest.fixture(scope="module")
def predicted(predictor, pair_frames):
    return list(predictor.predict_many([query(frame) for frame in pair_frames]))


def test_every_hand_in_order(predicted, pair_frames):
    for frame, hands in zip(pair_frames, predicted, strict=True):
        assert [hand.side for hand in hands] == [hand["hand"] for hand in frame["hands"]]
        for true, hand in zip(frame["hands"], hands, strict=True):
            np.testing.assert_allclose(hand.box, true["box"], rtol=1e-6)


def test_same_prediction_as_the_test_loop(predictor, synthetic_root):
    """Given a sample's crop as its box, the hand is the network's output for the loader's crop, unmirrored."""
    dataset = InterHandDataModule(str(synthetic_root), image_size=64, num_workers=0).dataset("test")
    sides = dataset.selection.hand[:, 0]
    dataset.boxes = np.array(dataset.boxes[np.arange(len(dataset))])
    dataset.boxes[:, 2] = 200  # larger ones are averaged down first
    for side in (0, 1):
        number = int(np.flatnonzero(sides == side)[0])
        batch = default_collate([dataset[number]])
        with torch.no_grad():
            network, gesture = predictor.model(batch["image"], batch["is_right"])
        x, y, length = dataset.boxes[number]
        inner = length / predictor.box_scale
        box = (x - (inner - 1) / 2, y - (inner - 1) / 2, inner, inner)
        (hand,) = predictor(dataset.image_file(number), boxes=box, hands=SIDES[side])
        mirror = np.array([-1.0 if side else 1.0, 1, 1])
        np.testing.assert_allclose(hand.joints - hand.joints[0], network["joints"][0, 0] * mirror, atol=2e-5)
        np.testing.assert_allclose(hand.gesture_fine.probabilities, gesture["fine_logits"][0].softmax(-1), atol=1e-5)
        np.testing.assert_allclose(hand.gesture_embedding, gesture["gesture_embedding"][0], atol=1e-4)


def test_mirrored_image_and_side_give_the_mirrored_hand(predictor, frame_with_both):
    """A property of every mirrored network with a mirrored hand model, whatever its weights."""
    image = read_image(frame_with_both["file"])
    width = image.shape[1]
    k = frame_with_both["intrinsics"].copy()
    box = np.array(frame_with_both["hands"][0]["box"])
    (right,) = predictor(image, box, "right", k)
    k[0, 2] = width - 1 - k[0, 2]
    box[0] = width - box[0] - box[2]
    (left,) = predictor(np.ascontiguousarray(image[:, ::-1]), box, "left", k)
    mirror = np.array([-1.0, 1, 1])
    for name in ("vertices", "joints", "cam_t"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name) * mirror, atol=2e-4)
    np.testing.assert_allclose(left.joints_2d, [width - 1, 0] + right.joints_2d * [-1, 1], atol=0.05)
    np.testing.assert_allclose(left.global_orient, right.global_orient * mirror * mirror[:, None], atol=1e-4)
    np.testing.assert_allclose(
        left.hand_pose_axis_angle.reshape(15, 3), right.hand_pose_axis_angle.reshape(15, 3) * [1, -1, -1], atol=1e-4
    )
    np.testing.assert_array_equal(left.faces, right.faces[:, ::-1])


def test_parameters_give_the_mesh(predicted):
    """NumPy skinning with the result's own parameters, added as axis-angle or as matrices."""
    for hand in (hand for hands in predicted for hand in hands):
        data = open_hand(hand.side)
        pose = np.concatenate([hand.global_orient[None], hand.hand_pose])
        flat = np.concatenate([hand.global_orient_axis_angle, hand.hand_pose_axis_angle_flat]).reshape(16, 3)
        relative = np.concatenate([hand.global_orient_axis_angle, hand.hand_pose_axis_angle + data.hands_mean])
        for rotations in (pose, *(Rotation.from_rotvec(v.reshape(16, 3)).as_matrix() for v in (flat, relative))):
            vertices, joints = skin(data, rotations[None].astype(float), hand.betas[None], hand.cam_t[None])
            np.testing.assert_allclose(vertices[0], hand.vertices, atol=1e-5)
            np.testing.assert_allclose(joints[0, 0], hand.joints[0], atol=1e-5)


def test_projections(predicted, pair_frames):
    """The mesh projects to where the network sees the joints, except for the disagreement of shape and joints."""
    for frame, hands in zip(pair_frames, predicted, strict=True):
        for hand in hands:
            np.testing.assert_allclose(hand.joints_2d, project(hand.joints, frame["intrinsics"]), atol=1e-2)
            assert not hand.intrinsics_assumed
            assert (hand.vertices[:, 2] > 0).all()
            offset = (hand.joints_2d - hand.joints_2d_image).mean(0)
            assert np.abs(offset).max() < 0.1 * max(hand.box[2:])


def test_batches_do_not_matter(predictor, pair_frames, predicted):
    again = list(predictor.predict_many([query(frame) for frame in pair_frames], batch_size=2))
    for hands, others in zip(predicted, again, strict=True):
        for hand, other in zip(hands, others, strict=True):
            np.testing.assert_allclose(hand.joints - hand.joints[0], other.joints - other.joints[0], atol=1e-5)
    alone = predictor(
        pair_frames[0]["file"],
        [h["box"] for h in pair_frames[0]["hands"]],
        [h["hand"] for h in pair_frames[0]["hands"]],
    )
    np.testing.assert_allclose(alone[0].betas, predicted[0][0].betas, atol=1e-4)


def test_images_are_read_as_they_are_needed(predictor, pair_frames):
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield ImageQuery(pair_frames[0]["file"], (HandBox(),))

    results = predictor.predict_many(endless(), batch_size=2)
    assert len(next(results)) == 1
    assert len(asked) == 2


def test_no_hands_no_results(predictor, pair_frames):
    assert predictor(pair_frames[0]["file"], boxes=[]) == []
    assert list(predictor.predict_many([])) == []
    mixed = [ImageQuery(pair_frames[0]["file"], hands) for hands in ((), (HandBox(),), ())]
    assert [len(hands) for hands in predictor.predict_many(mixed)] == [0, 1, 0]


def test_without_intrinsics_the_camera_is_stated(predictor, pair_frames):
    (hand,) = predictor(pair_frames[0]["file"], "whole", "left")
    height, width = read_image(pair_frames[0]["file"]).shape[:2]
    assert hand.intrinsics_assumed
    assert hand.intrinsics[0, 0] == max(width, height)
    assert hand.box.tolist() == [0, 0, width, height]


def test_results_are_plain_arrays(predicted):
    hand = predicted[0][0]
    for field in fields(hand):
        value = getattr(hand, field.name)
        if isinstance(value, np.ndarray):
            assert value.dtype == (np.int64 if field.name == "faces" else np.float32), field.name
    assert hand.gesture_fine.top(2)[0] == (hand.gesture_fine.name, hand.gesture_fine.probability)
    assert len(hand.gesture_coarse.probabilities) == len(hand.gesture_coarse.names) == 27
    assert hand.gesture_coarse.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_left_hands_as_they_are_if_training_mirrored_none(trained_checkpoint, pair_frames):
    """Such a network gets the unmirrored crop, with the left hand's own side."""
    predictor = HandPredictor.from_checkpoint(trained_checkpoint, "cpu")
    predictor.mirror_left = False
    seen = []
    predictor.model.forward = lambda image, is_right: (
        seen.append((image, is_right)) or type(predictor.model).forward(predictor.model, image, is_right)
    )
    image = read_image(pair_frames[0]["file"])
    (hand,) = predictor(image, "whole", "left")
    pixels, shown = seen[0]
    assert hand.side == "left"
    assert shown.tolist() == [[False]]
    assert np.linalg.det(hand.crop_affine[:, :2]) > 0
    size = max(image.shape[:2])
    square = np.zeros((size, size, 3), np.uint8)
    top, start = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    square[top : top + image.shape[0], start : start + image.shape[1]] = image
    difference = cv2.resize(square, (64, 64), interpolation=cv2.INTER_AREA) - pixels[0].permute(1, 2, 0).numpy().astype(
        float
    )
    assert np.abs(difference).mean() < 10


def test_devices():
    assert find_device("cpu").type == "cpu"
    assert find_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("gpu", "cuda:99", "meta", None):
        with pytest.raises(UserError, match=f"The device '{name}' cannot be used"):
            find_device(name)


def test_wrong_settings(predictor, trained_checkpoint, pair_frames):
    for batch_size in (0, 1.5, "2", True):
        with refused("batch_size", batch_size):
            list(predictor.predict_many([pair_frames[0]["file"]], batch_size=batch_size))
    for box_scale in (0, float("nan"), "1.4", True):
        with refused("box_scale", box_scale):
            HandPredictor.from_checkpoint(trained_checkpoint, box_scale=box_scale)
    for checkpoint in (None, 5, ["openphoto"]):
        with refused("checkpoint", checkpoint):
            HandPredictor.from_checkpoint(checkpoint)


def test_a_single_image_is_not_many(predictor, pair_frames):
    file = pair_frames[0]["file"]
    picture = np.zeros((20, 30, 3), np.uint8)
    for one in (file, str(file), picture, ImageQuery(picture, ()), None):
        with refused("predict_many takes a list"):
            list(predictor.predict_many(one))
    queries = np.zeros((2, 20, 30, 3), np.uint8)
    assert len(list(predictor.predict_many([ImageQuery(picture, ()) for picture in queries]))) == 2


def test_both_hands_are_only_for_networks_that_see_two(predictor):
    with refused("sees one hand at a time"):
        predictor(np.zeros((20, 30, 3), np.uint8), hands="both")


@pytest.fixture(scope="module")
def two_hands():
    """A photo of a right hand beside its mirror image."""
    file = Path(__file__).parents[1] / "detection" / "mediapipe_reference.npz"
    with np.load(file) as arrays:
        photo = cv2.resize(arrays["photo"], (200, 200), interpolation=cv2.INTER_CUBIC)
    return np.hstack([photo, photo[:, ::-1]])


def test_without_boxes_hands_and_sides_are_found(predictor, two_hands):
    """The picture is its own mirror image, and so are the hands."""
    hands = sorted(predictor(two_hands), key=lambda hand: hand.box[0])
    assert [hand.side for hand in hands] == ["right", "left"]
    assert all(hand.score > 0.5 for hand in hands)
    right, left = (hand.box for hand in hands)
    np.testing.assert_allclose(left[0], 400 - right[0] - right[2], atol=4)
    given = predictor(two_hands, [hand.box for hand in hands], ["right", "left"])
    assert [hand.score for hand in given] == [None, None]
    for hand, other in zip(hands, given, strict=True):
        # The given box has been rounded to float32.
        np.testing.assert_allclose(hand.joints, other.joints, atol=1e-4)
    assert len(predictor(two_hands, max_hands=1)) == 1
    assert {hand.side for hand in predictor(two_hands, hands="left")} == {"left"}
    assert [len(hands) for hands in predictor.predict_many([two_hands, np.zeros_like(two_hands)])] == [2, 0]
    with pytest.raises(UserError, match="boxes is 'all'"):
        predictor(two_hands, "all")
