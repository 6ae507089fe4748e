"""A captured frame as entries of InterHand2.6M's annotation files (v1.0), and frames merged into one split's files.

Lengths are in millimetres, world, except MANO's translation, which is in metres; keys of nested objects are strings.
"""

from collections.abc import Iterable
from typing import Any, Final, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from gesturehand.data.files import Kind
from gesturehand.skeleton import INTERHAND_FROM_JOINTS, NUM_JOINTS, SIDES
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.capture import CapturedFrame

#: InterHand2.6M's value for a missing joint, mm.
_MISSING_MM: Final = 1.0
#: ``data.json``'s box is the tight box of the projected joints, made larger by this factor.
_BOX_FACTOR: Final = 1.2


class FrameEntries(TypedDict):
    """The entries that one captured frame adds to a split's files.

    Attributes:
        capture: key of the capture.
        frame: key of the frame.
        images: entries of ``data.json``, one per camera.
        annotations: entries of ``data.json``, one per camera.
        joint_3d: entry of ``joint_3d.json``.
        mano: entry of ``MANO_NeuralAnnot.json``; None if the frame is not in it.
        elements: names of the picture's elements, only for the data card.
    """

    capture: str
    frame: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    joint_3d: dict[str, Any]
    mano: dict[str, Any] | None
    elements: NotRequired[list[str]]


def image_name(frame: CapturedFrame, camera: DomeCamera) -> str:
    """``file_name`` in ``data.json``, relative to ``images/{split}``."""
    plan = frame.plan
    return f"Capture{plan.capture}/{plan.seq_name}/cam{camera.name}/image{plan.frame_idx}.jpg"


def entries_of(frame: CapturedFrame) -> FrameEntries:
    """A captured frame's entries."""
    images, annotations = [], []
    for number, camera in enumerate(frame.cameras):
        identity = frame.plan.image_id + number
        images.append(_image(frame, camera, identity))
        annotations.append(_annotation(frame, number, identity))
    return FrameEntries(
        capture=str(frame.plan.capture),
        frame=str(frame.plan.frame_idx),
        images=images,
        annotations=annotations,
        joint_3d=_joint_3d(frame),
        mano=_mano(frame),
    )


def merge_split(
    entries: Iterable[FrameEntries], cameras: dict[str, dict[str, DomeCamera]]
) -> dict[Kind, dict[str, Any]]:
    """The four annotation files of one split as JSON objects.

    Args:
        entries: of the split's frames, in the order in which they are to be listed.
        cameras: of each capture, by the capture's key and the camera's name.
    """
    data: dict[str, Any] = {"images": [], "annotations": []}
    joint_3d: dict[str, Any] = {capture: {} for capture in cameras}
    mano: dict[str, Any] = {capture: {} for capture in cameras}
    for entry in entries:
        data["images"] += entry["images"]
        data["annotations"] += entry["annotations"]
        joint_3d[entry["capture"]][entry["frame"]] = entry["joint_3d"]
        if entry["mano"] is not None:
            mano[entry["capture"]][entry["frame"]] = entry["mano"]
    camera = {capture: _calibration(dome.values()) for capture, dome in cameras.items()}
    return {"data": data, "camera": camera, "joint_3d": joint_3d, "MANO_NeuralAnnot": mano}


def _image(frame: CapturedFrame, camera: DomeCamera, identity: int) -> dict[str, Any]:
    plan = frame.plan
    return {
        "id": identity,
        "file_name": image_name(frame, camera),
        "width": camera.width,
        "height": camera.height,
        "capture": plan.capture,
        "subject": plan.subject,
        "seq_name": plan.seq_name,
        "camera": camera.name,
        "frame_idx": plan.frame_idx,
    }


def _annotation(frame: CapturedFrame, number: int, identity: int) -> dict[str, Any]:
    camera, valid = frame.cameras[number], frame.joint_valid_image[number]
    points = np.concatenate([hand.joints[ok] for hand, ok in zip(frame.hands, valid, strict=True)])
    return {
        "id": identity,
        "image_id": identity,
        "bbox": _box(camera.project(points), camera).tolist(),
        "joint_valid": [[int(ok)] for ok in _flags(frame, valid)],
        "hand_type": _hand_type(frame),
        "hand_type_valid": 1,
    }


def _box(pixels: npt.NDArray[np.float64], camera: DomeCamera) -> npt.NDArray[np.float32]:
    """x, y, width, height: the tight box × 1.2 within the image."""
    low, high = pixels.min(0), pixels.max(0)
    middle, half = (low + high) / 2, (high - low) / 2 * _BOX_FACTOR
    limit = np.array([camera.width, camera.height]) - 1.0
    low, high = np.clip(middle - half, 0, limit), np.clip(middle + half, 0, limit)
    return np.concatenate([low, high - low]).astype(np.float32)


def _joint_3d(frame: CapturedFrame) -> dict[str, Any]:
    world = np.full((len(SIDES), NUM_JOINTS, 3), _MISSING_MM)
    for hand in frame.hands:
        world[SIDES.index(hand.side)] = np.where(hand.joint_valid[:, None], hand.joints * 1000, _MISSING_MM)
    flags = _flags(frame, tuple(hand.joint_valid for hand in frame.hands))
    return {
        "world_coord": world[:, list(INTERHAND_FROM_JOINTS)].reshape(-1, 3).astype(np.float32).tolist(),
        "joint_valid": [[bool(ok)] for ok in flags],
        "hand_type": _hand_type(frame),
        "hand_type_valid": True,
    }


def _mano(frame: CapturedFrame) -> dict[str, Any] | None:
    if not frame.plan.has_fit:
        # In real files both cases occur: the frame is not listed, or its hands are null.
        return dict.fromkeys(SIDES) if frame.plan.image_id // len(frame.cameras) % 2 else None
    fits: dict[str, Any] = dict.fromkeys(SIDES)
    for hand in frame.hands:
        fits[hand.side] = {"pose": hand.pose.tolist(), "shape": hand.betas.tolist(), "trans": hand.trans.tolist()}
    return fits


def _flags(frame: CapturedFrame, valid: tuple[npt.NDArray[np.bool_], ...]) -> npt.NDArray[np.bool_]:
    """(42,) in InterHand2.6M's order."""
    flags = np.zeros((len(SIDES), NUM_JOINTS), bool)
    for hand, ok in zip(frame.hands, valid, strict=True):
        flags[SIDES.index(hand.side)] = ok[list(INTERHAND_FROM_JOINTS)]
    return flags.ravel()


def _hand_type(frame: CapturedFrame) -> str:
    return frame.hands[0].side if len(frame.hands) == 1 else "interacting"


def _calibration(cameras: Iterable[DomeCamera]) -> dict[str, Any]:
    table: dict[str, Any] = {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}
    for camera in cameras:
        table["campos"][camera.name] = camera.position_mm.tolist()
        table["camrot"][camera.name] = camera.rotation.tolist()
        table["focal"][camera.name] = camera.focal_px.tolist()
        table["princpt"][camera.name] = camera.princpt_px.tolist()
    return table
