"""The written files have the real files' keys, nesting and types, and all four of them agree."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gesturehand.data.files import annotation_path
from gesturehand.skeleton import INTERHAND_JOINT_NAMES

SPLITS = ("train", "val", "test")


def load(root: Path, split: str, kind: str) -> Any:
    return json.loads(annotation_path(root, split, kind).read_text())


def shape_of(value: Any) -> Any:
    """Keys, nesting and types of a JSON value; for a list, the kinds of its members, and its length if it is fixed."""
    if isinstance(value, dict):
        return {key: shape_of(member) for key, member in value.items()}
    if isinstance(value, list):
        return [len(value), {str(shape_of(member)) for member in value}]
    return type(value).__name__


@pytest.mark.parametrize("split", SPLITS)
def test_same_structure_as_the_real_files(synthetic_root, real_sample, split):
    for part in ("images", "annotations"):
        real, ours = (load(root, s, "data")[part] for root, s in ((real_sample, "test"), (synthetic_root, split)))
        assert {str(shape_of(row)) for row in ours} == {str(shape_of(row)) for row in real}
        assert list(ours[0]) == list(real[0])
    for kind in ("camera", "joint_3d"):
        real, ours = (load(root, s, kind) for root, s in ((real_sample, "test"), (synthetic_root, split)))
        assert all(isinstance(key, str) and key.isdigit() for key in ours)
        real_inner, inner = next(iter(real.values())), next(iter(ours.values()))
        if kind == "camera":
            assert list(inner) == list(real_inner)
            for key in inner:
                one = {str(shape_of(value)) for value in inner[key].values()}
                assert one == {str(shape_of(value)) for value in real_inner[key].values()}
        else:
            shapes = {str(shape_of(frame)) for capture in real.values() for frame in capture.values()}
            assert {str(shape_of(frame)) for capture in ours.values() for frame in capture.values()} <= shapes


def test_the_real_boxes_follow_from_our_rule(real_sample):
    """The rule for ``bbox`` (tight box × 1.2) is taken from the real files: check it on them."""
    data, camera, joint_3d = (load(real_sample, "test", kind) for kind in ("data", "camera", "joint_3d"))
    for image, annotation in zip(data["images"], data["annotations"], strict=True):
        valid = np.ravel(annotation["joint_valid"]).astype(bool)
        pixels = project(image, camera, joint_3d)[valid]
        np.testing.assert_allclose(annotation["bbox"], widened(pixels), atol=1e-3)


def project(image: dict[str, Any], camera: Any, joint_3d: Any) -> np.ndarray:
    calibration = {key: np.array(value[image["camera"]]) for key, value in camera[str(image["capture"])].items()}
    world = np.array(joint_3d[str(image["capture"])][str(image["frame_idx"])]["world_coord"])
    inside = (world - calibration["campos"]) @ calibration["camrot"].T
    return inside[:, :2] / inside[:, 2:] * calibration["focal"] + calibration["princpt"]


def widened(pixels: np.ndarray) -> np.ndarray:
    low, high = pixels.min(0), pixels.max(0)
    return np.concatenate([(low + high) / 2 - 0.6 * (high - low), 1.2 * (high - low)])


@pytest.mark.parametrize("split", SPLITS)
def test_images_masks_and_boxes(synthetic_root, split):
    data, camera, joint_3d = (load(synthetic_root, split, kind) for kind in ("data", "camera", "joint_3d"))
    assert len({image["id"] for image in data["images"]}) == len(data["images"])
    for image, annotation in zip(data["images"], data["annotations"], strict=True):
        expected = f"Capture{image['capture']}/{image['seq_name']}/cam{image['camera']}/image{image['frame_idx']}.jpg"
        assert image["file_name"] == expected
        assert annotation["image_id"] == image["id"]
        size = cv2.imread(str(synthetic_root / "images" / split / expected)).shape
        mask = cv2.imread(str((synthetic_root / "masks" / split / expected).with_suffix(".png")), cv2.IMREAD_UNCHANGED)
        assert size == (image["height"], image["width"], 3)
        assert mask.shape == size[:2]

        # Joints that are missing in the frame are [1, 1, 1] and lie anywhere. Those missing in one image only are still
        # there.
        flag_image = np.ravel(annotation["joint_valid"]).astype(bool)
        frame = joint_3d[str(image["capture"])][str(image["frame_idx"])]
        flag_frame = np.ravel(frame["joint_valid"])
        assert not (flag_image & ~flag_frame).any()
        world = np.array(frame["world_coord"])
        np.testing.assert_array_equal(world[~flag_frame], 1.0)
        side = slice(0, 21) if annotation["hand_type"] == "right" else slice(21, 42)
        other = slice(21, 42) if side.start == 0 else slice(0, 21)
        assert not flag_frame[other].any()
        assert frame["hand_type"] == annotation["hand_type"] == ("left" if image["seq_name"][1] == "1" else "right")

        pixels = project(image, camera, joint_3d)[flag_image]
        x, y, width, height = widened(pixels)
        low = np.maximum([x, y], 0)
        high = np.minimum([x + width, y + height], [image["width"] - 1, image["height"] - 1])
        np.testing.assert_allclose(annotation["bbox"], [*low, *(high - low)], atol=0.01)
        if not flag_image[side].all():
            continue
        # Some flesh lies outside the box of the joints, mostly at the wrist, but not much.
        hand = np.argwhere(mask)[:, ::-1]
        assert ((hand >= low) & (hand <= high)).all(1).mean() > 0.75
        wrist = world[side][INTERHAND_JOINT_NAMES.index("wrist")]
        assert np.linalg.norm(wrist - [0, 0, 1050]) < 350


def test_mano_entries(synthetic_root):
    kinds = set()
    for split in SPLITS:
        data, joint_3d, mano = (load(synthetic_root, split, kind) for kind in ("data", "joint_3d", "MANO_NeuralAnnot"))
        assert mano.keys() == joint_3d.keys()
        for image in data["images"]:
            capture, number = str(image["capture"]), str(image["frame_idx"])
            side = joint_3d[capture][number]["hand_type"]
            entry = mano[capture].get(number, "not listed")
            if entry == "not listed" or entry[side] is None:
                kinds.add("not listed" if entry == "not listed" else "null")
                assert not np.all(
                    joint_3d[capture][number]["joint_valid"][slice(0, 21) if side == "right" else slice(21, 42)]
                )
                continue
            assert entry[{"right": "left", "left": "right"}[side]] is None
            fit = entry[side]
            assert {key: len(value) for key, value in fit.items()} == {"pose": 48, "shape": 10, "trans": 3}
            assert np.linalg.norm(np.array(fit["trans"]) - [0, 0, 1.05]) < 0.5
    assert kinds == {"not listed", "null"}


def test_two_hand_frames(two_hand_root):
    data, joint_3d, mano, camera = (
        load(two_hand_root, "train", kind) for kind in ("data", "joint_3d", "MANO_NeuralAnnot", "camera")
    )
    both = [
        (image, annotation)
        for image, annotation in zip(data["images"], data["annotations"], strict=True)
        if annotation["hand_type"] == "interacting"
    ]
    assert len(both) == 12
    for image, annotation in both:
        capture, number = str(image["capture"]), str(image["frame_idx"])
        assert "_dh_" in image["seq_name"]
        assert joint_3d[capture][number]["hand_type"] == "interacting"
        if np.all(joint_3d[capture][number]["joint_valid"]):
            # If two hands are held far apart, a joint can lie outside the image.
            pixels = project(image, camera, joint_3d)
            inside = (pixels >= 0) & (pixels <= [image["width"] - 1, image["height"] - 1])
            np.testing.assert_array_equal(np.ravel(annotation["joint_valid"]), inside.all(1))
            assert inside.mean() > 0.7
            assert set(mano[capture][number]) == {"right", "left"}
            assert all(mano[capture][number].values())
    assert any(image["seq_name"].startswith("ROM") for image in data["images"])
