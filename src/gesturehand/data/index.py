"""One split of InterHand2.6M as arrays: no Python object per image, so that workers share the memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.data.files import Annotations, annotation_path, read_annotations
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, gesture_of_sequence
from gesturehand.skeleton import JOINTS_FROM_INTERHAND, NUM_JOINTS, SIDES

#: ``hand_type`` of an annotation; the value is the bit mask of the hands it shows (1 right, 2 left).
HAND_TYPES: Final = {"right": 1, "left": 2, "interacting": 3}


@dataclass(frozen=True)
class InterHandIndex:
    """Annotations of one split: N images, F captured frames (seen by several cameras), C cameras.

    Joints are in the papers' order, hands in the order right, left. Lengths are in metres, world frame.

    Attributes:
        root: The data set's folder.
        split: "train", "val" or "test".
        file_name: (N,) bytes, relative to ``images/{split}``.
        annotation_id: (N,) int64.
        image_size_px: (N, 2) int32, width and height.
        bbox_px: (N, 4) float32, x, y, w, h as annotated.
        hand_type: (N,) uint8, bit mask of :data:`HAND_TYPES`.
        joint_valid_image: (N, 2, 21) bool, per image.
        gesture: (N, 2) int16, coarse and fine class of the sequence, -1 for none.
        subject: (N,) int16.
        frame: (N,) int32, row of the captured frame.
        camera: (N,) int32, row of the camera.
        joints_world: (F, 2, 21, 3) float32 m, 0 where invalid.
        joint_valid_frame: (F, 2, 21) bool, per captured frame.
        depth_known: (F,) bool, False where the frame's entry says ``"depth_known": false``.
        mano_valid: (F, 2) bool.
        mano_pose: (F, 2, 48) float32, axis-angle relative to the mean pose.
        mano_betas: (F, 2, 10) float32.
        mano_trans: (F, 2, 3) float32 m.
        camera_rotation: (C, 3, 3) float32, world → camera.
        camera_translation: (C, 3) float32 m, world → camera.
        intrinsics: (C, 3, 3) float32 px.
    """

    root: Path
    split: str
    file_name: np.ndarray
    annotation_id: np.ndarray
    image_size_px: np.ndarray
    bbox_px: np.ndarray
    hand_type: np.ndarray
    joint_valid_image: np.ndarray
    gesture: np.ndarray
    subject: np.ndarray
    frame: np.ndarray
    camera: np.ndarray
    joints_world: np.ndarray
    joint_valid_frame: np.ndarray
    depth_known: np.ndarray
    mano_valid: np.ndarray
    mano_pose: np.ndarray
    mano_betas: np.ndarray
    mano_trans: np.ndarray
    camera_rotation: np.ndarray
    camera_translation: np.ndarray
    intrinsics: np.ndarray

    def __len__(self) -> int:
        return len(self.annotation_id)


def read_index(root: str | Path, split: str, *, mano_fits: bool = True) -> InterHandIndex:
    """Reads one split's annotation files into arrays.

    Args:
        root: The data set's folder.
        split: "train", "val" or "test".
        mano_fits: Read the MANO fits too; without them ``mano_valid`` is False everywhere.

    Raises:
        UserError: A file is missing or broken, or one refers to a frame or camera that another does not have.
    """
    root = Path(root)
    annotations = read_annotations(root, split, mano_fits=mano_fits)
    try:
        return _build(root, split, annotations)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        folder = annotation_path(root, split, "data").parent
        raise UserError(
            f"The annotation files in '{folder}' do not fit InterHand2.6M's format ({type(error).__name__}: {error}): "
            "download this split's annotations again, all from one release."
        ) from error


def _build(root: Path, split: str, annotations: Annotations) -> InterHandIndex:
    images = {image["id"]: image for image in annotations.data["images"]}
    entries = annotations.data["annotations"]
    try:
        image_of = [images[entry["image_id"]] for entry in entries]
    except KeyError as error:
        path = annotation_path(root, split, "data")
        raise UserError(f"'{path}' annotates image id {error} but does not list it: download it again.") from None

    frame_row = _rows((str(image["capture"]), str(image["frame_idx"])) for image in image_of)
    camera_row = _rows((str(image["capture"]), str(image["camera"])) for image in image_of)
    frames = [_lookup(root, split, "joint_3d", annotations.joint_3d, key) for key in frame_row]
    cameras = [_camera(root, split, annotations.camera, key) for key in camera_row]
    rotation = np.array([camera[0] for camera in cameras], np.float64).reshape(-1, 3, 3)
    position_m = np.array([camera[1] for camera in cameras], np.float64).reshape(-1, 3) / 1000
    intrinsics = np.tile(np.eye(3, dtype=np.float32), (len(cameras), 1, 1))
    for row, (_, _, focal, princpt) in enumerate(cameras):
        intrinsics[row, (0, 1), (0, 1)] = focal
        intrinsics[row, :2, 2] = princpt

    valid_frame = _hands(np.array([np.ravel(frame["joint_valid"]) for frame in frames], bool))
    joints = np.array([frame["world_coord"] for frame in frames], np.float32).reshape(-1, 2 * NUM_JOINTS, 3) / 1000
    return InterHandIndex(
        root=root,
        split=split,
        file_name=np.array([image["file_name"].encode() for image in image_of], np.bytes_),
        annotation_id=np.array([entry["id"] for entry in entries], np.int64),
        image_size_px=np.array([(image["width"], image["height"]) for image in image_of], np.int32).reshape(-1, 2),
        bbox_px=np.array([entry["bbox"] for entry in entries], np.float32).reshape(-1, 4),
        hand_type=np.array([HAND_TYPES[entry["hand_type"]] for entry in entries], np.uint8),
        joint_valid_image=_hands(np.array([np.ravel(entry["joint_valid"]) for entry in entries], bool)),
        gesture=np.array([_gesture(*pair) for pair in zip(image_of, entries, strict=True)], np.int16).reshape(-1, 2),
        subject=np.array([int(image.get("subject", -1)) for image in image_of], np.int16),
        frame=np.array([frame_row[str(i["capture"]), str(i["frame_idx"])] for i in image_of], np.int32),
        camera=np.array([camera_row[str(i["capture"]), str(i["camera"])] for i in image_of], np.int32),
        joints_world=np.where(valid_frame[..., None], _hands(joints), np.float32(0)),
        joint_valid_frame=valid_frame,
        depth_known=np.array([frame.get("depth_known", True) for frame in frames], bool),
        camera_rotation=rotation.astype(np.float32),
        camera_translation=-np.einsum("cij,cj->ci", rotation, position_m).astype(np.float32),
        intrinsics=intrinsics,
        **_mano(annotations.mano, frame_row),
    )


def _gesture(image: dict[str, Any], entry: dict[str, Any]) -> tuple[int, int]:
    """The sequence's classes; the vocabulary is of single hands, so an annotation of two has none whatever its name."""
    if HAND_TYPES[entry["hand_type"]] == HAND_TYPES["interacting"]:
        return NO_GESTURE, NO_GESTURE
    return gesture_of_sequence(image["seq_name"])


def _rows(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Distinct keys in the order in which they first appear, each with its row."""
    return {key: row for row, key in enumerate(dict.fromkeys(keys))}


def _lookup(root: Path, split: str, kind: Any, table: dict[str, Any], key: tuple[str, str]) -> Any:
    capture, name = key
    try:
        return table[capture][name]
    except KeyError:
        raise UserError(
            f"'{annotation_path(root, split, kind)}' has no entry [{capture}][{name}] that "
            f"'{annotation_path(root, split, 'data').name}' refers to: use files of one release."
        ) from None


def _camera(root: Path, split: str, table: dict[str, Any], key: tuple[str, str]) -> tuple[Any, ...]:
    capture, name = key
    capture_table = table.get(capture, {})
    kinds = ("camrot", "campos", "focal", "princpt")
    return tuple(_lookup(root, split, "camera", capture_table, (kind, name)) for kind in kinds)


def _hands(flat: np.ndarray) -> np.ndarray:
    """(N, 42, …) in InterHand's order → (N, 2, 21, …) in the papers'."""
    return flat.reshape(-1, 2, NUM_JOINTS, *flat.shape[2:])[:, :, list(JOINTS_FROM_INTERHAND)]


def _mano(table: dict[str, Any], frame_row: dict[tuple[str, str], int]) -> dict[str, np.ndarray]:
    count = len(frame_row)
    sizes = {"pose": 48, "shape": 10, "trans": 3}
    arrays = {name: np.zeros((count, 2, size), np.float32) for name, size in sizes.items()}
    valid = np.zeros((count, 2), bool)
    for (capture, frame), row in frame_row.items():
        # A frame, a hand or the whole capture may be missing or null.
        fits = (table.get(capture) or {}).get(frame) or {}
        for hand, side in enumerate(SIDES):
            fit = fits.get(side)
            if fit is None:
                continue
            valid[row, hand] = True
            for name in sizes:
                arrays[name][row, hand] = fit[name]
    return {
        "mano_valid": valid,
        "mano_pose": arrays["pose"],
        "mano_betas": arrays["shape"],
        "mano_trans": arrays["trans"],
    }
