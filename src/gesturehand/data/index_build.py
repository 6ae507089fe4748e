"""From a split's four JSON files to the index's columns, in bounded memory: no Python object per image is kept."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from tqdm import tqdm

from gesturehand.data.annotation_entries import (
    AnnotationEntry,
    Calibration,
    DataFile,
    ImageEntry,
    Key,
    camera_of,
    frame_fits,
    frame_joints,
    list_entries,
)
from gesturehand.data.column_file import Columns as Columns
from gesturehand.data.files import Kind, MisfitError, annotation_path, decode, mapped, misfit
from gesturehand.data.flags import FlagReader, unpack_flags
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, gesture_of_sequence
from gesturehand.skeleton import JOINTS_FROM_INTERHAND, NUM_JOINTS, SIDES

#: ``hand_type`` of an annotation; the value is the bit mask of the hands it shows (1 right, 2 left).
HAND_TYPES: Final = {"right": 1, "left": 2, "interacting": 3}

Entry = TypeVar("Entry")


def build_columns(root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
    """Reads a split's files once.

    Args:
        root: The dataset's folder.
        split: "train", "val" or "test".
        mano_fits: Read ``MANO_NeuralAnnot.json`` too.
        progress: Show a progress bar if it takes long.

    Returns:
        The columns of :class:`gesturehand.data.index.InterHandIndex` and its tables of names.

    Raises:
        UserError: A file is missing or broken, or one refers to a frame or camera that another does not have.
    """
    path = annotation_path(root, split, "data")
    with mapped(path, "data") as content:
        data = decode(path, content, DataFile)
        images, tables = _images(path, data.images, progress)
        columns, row = _annotations(path, data.annotations, images.pop("id"), progress)
    for name in ("image_size_px", "subject", "sequence"):
        columns[name] = images[name][row]
    columns["frame"], frames = _first_seen(images["frame"][row], tables["frame"])
    columns["camera"], cameras = _first_seen(images["camera"][row], tables["camera"])
    gesture = np.array([gesture_of_sequence(name) for name in tables["sequence"]], np.int16).reshape(-1, 2)
    # The vocabulary is of single hands, so an annotation of two has none whatever its name.
    one_hand = columns["hand_type"][:, None] != HAND_TYPES["interacting"]
    columns["gesture"] = np.where(one_hand, gesture[columns["sequence"]], np.int16(NO_GESTURE))
    columns |= _names(tables, frames, cameras, row)
    columns |= _joints(root, split, frames, progress)
    columns |= _cameras(root, split, cameras)
    return columns | _fits(root, split, frames, mano_fits)


def _fitting(entries: Iterator[Entry | MisfitError]) -> Iterator[Entry]:
    """The entries, up to the first one that does not fit."""
    for entry in entries:
        if isinstance(entry, MisfitError):
            raise entry
        yield entry


def _images(path: Path, raw: msgspec.Raw, progress: bool) -> tuple[Columns, dict[str, Any]]:
    """Columns of the listed images, and the tables that their codes point into."""
    ids, sizes, subjects, sequence, frame, camera = (array(kind) for kind in "qiiiii")
    sequences: dict[str, int] = {}
    frames: dict[Key, int] = {}
    cameras: dict[Key, int] = {}
    other_names: dict[int, str] = {}
    for number, image in enumerate(_fitting(list_entries(path, raw, ImageEntry, "images", progress))):
        capture, name, shot = str(image.capture), str(image.camera), str(image.frame_idx)
        subjects.append(int(image.subject))
        ids.append(image.id)
        sizes.extend((int(image.width), int(image.height)))
        sequence.append(sequences.setdefault(image.seq_name, len(sequences)))
        frame.append(frames.setdefault((capture, shot), len(frames)))
        camera.append(cameras.setdefault((capture, name), len(cameras)))
        if image.file_name != f"Capture{capture}/{image.seq_name}/cam{name}/image{shot}.jpg":
            other_names[number] = image.file_name
    columns: Columns = {
        "id": np.array(ids, np.int64),
        "image_size_px": np.array(sizes, np.int32).reshape(-1, 2),
        "subject": np.array(subjects, np.int16),
        "sequence": np.array(sequence, np.int32),
        "frame": np.array(frame, np.int32),
        "camera": np.array(camera, np.int32),
    }
    tables = {"sequence": list(sequences), "frame": list(frames), "camera": list(cameras), "other": other_names}
    return columns, tables


def _annotations(path: Path, raw: msgspec.Raw, image_ids: np.ndarray, progress: bool) -> tuple[Columns, np.ndarray]:
    """Columns of the annotations, and each one's place in the list of images."""
    ids, image_of, hand_type, flags, label = (array(kind) for kind in "qqBIi")
    boxes: array[float] = array("f")
    labels: dict[tuple[str, str], int] = {}
    read_flags = FlagReader()
    entries = _fitting(list_entries(path, raw, AnnotationEntry, "annotations", progress))
    for number, entry in enumerate(entries):
        ids.append(entry.id)
        image_of.append(entry.image_id)
        hand_type.append(HAND_TYPES[entry.hand_type])
        boxes.extend(map(_or_nan, entry.bbox))
        said = entry.hand_labels or {}
        for hand in (said.get("right"), said.get("left")):
            if hand is None or hand.label is None:
                label.append(NO_GESTURE)
            else:
                label.append(labels.setdefault((hand.label_set or "", hand.label), len(labels)))
        try:
            flags.extend(read_flags(entry.joint_valid))
        except ValueError as error:
            raise misfit(path, error, f".annotations[{number}].joint_valid") from None
    wanted = np.array(image_of, np.int64)
    order = np.argsort(image_ids, kind="stable")
    # If two images have the same id, the last one counts, as in a dictionary.
    place = np.searchsorted(image_ids[order], wanted, side="right") - 1
    found = place >= 0
    found[found] = image_ids[order][place[found]] == wanted[found]
    if not found.all():
        missing = int(wanted[np.argmin(found)])
        raise UserError(f"'{path}' annotates image id {missing} but does not list it: download it again.")
    columns: Columns = {
        "annotation_id": np.array(ids, np.int64),
        "hand_type": np.array(hand_type, np.uint8),
        "bbox_px": np.array(boxes, np.float32).reshape(-1, 4),
        "joint_flags": np.array(flags, np.uint32).reshape(-1, 2),
        "own_label": np.array(label, np.int32).reshape(-1, len(SIDES)),
        "own_label_set": text_column([name for name, _ in labels]),
        "own_label_name": text_column([name for _, name in labels]),
    }
    return columns, order[place]


def _or_nan(number: float | None) -> float:
    return float("nan") if number is None else number


def _first_seen(codes: np.ndarray, keys: list[Key]) -> tuple[np.ndarray, list[Key]]:
    """Codes renumbered in the order in which they first appear, and the keys in that order."""
    used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[inverse].astype(np.int32), [keys[code] for code in used[order]]


def _names(tables: dict[str, Any], frames: list[Key], cameras: list[Key], row: np.ndarray) -> Columns:
    """The parts that file names are made of, and the names that are made otherwise."""
    other = tables["other"]
    places = np.flatnonzero(np.isin(row, np.fromiter(other, np.int64, len(other))))
    return {
        "sequence_name": text_column(tables["sequence"]),
        "frame_capture": text_column([capture for capture, _ in frames]),
        "frame_name": text_column([name for _, name in frames]),
        "camera_name": text_column([name for _, name in cameras]),
        "other_row": places,
        "other_name": text_column([other[int(row[place])] for place in places]),
    }


def text_column(words: Sequence[str]) -> np.ndarray:
    """UTF-8 of a fixed width as (N, width) uint8."""
    encoded = np.array([word.encode() for word in words], np.bytes_)
    return encoded.view(np.uint8).reshape(len(words), -1) if len(words) else np.zeros((0, 1), np.uint8)


def _lookup(root: Path, split: str, kind: Kind, table: dict[str, Any], key: Key, lookup: Callable[..., Any]) -> Any:
    try:
        return lookup(table, *key)
    except KeyError:
        capture, name = key
        raise UserError(
            f"'{annotation_path(root, split, kind)}' has no entry [{capture}][{name}] that "
            f"'{annotation_path(root, split, 'data').name}' refers to: use files of one release."
        ) from None


def _joints(root: Path, split: str, frames: list[Key], progress: bool) -> Columns:
    path = annotation_path(root, split, "joint_3d")
    world = np.zeros((len(frames), 2 * NUM_JOINTS, 3), np.float32)
    flags = np.zeros((len(frames), 2), np.uint32)
    depth_known = np.ones(len(frames), bool)
    read_flags = FlagReader()
    with mapped(path, "joint_3d") as content:
        table = decode(path, content, dict[str, dict[str, msgspec.Raw]])
        for row, key in enumerate(tqdm(frames, desc=f"index: {path.stem}", disable=not progress or len(frames) < 5000)):
            raw = _lookup(root, split, "joint_3d", table, key, lambda table, capture, name: table[capture][name])
            entry, flags[row] = frame_joints(path, raw, key, read_flags)
            world[row], depth_known[row] = entry.world_coord, entry.depth_known
    joints = (world / 1000).reshape(-1, 2, NUM_JOINTS, 3)[:, :, list(JOINTS_FROM_INTERHAND)]
    valid = unpack_flags(flags)
    return {
        "joints_world": np.where(valid[..., None], joints, np.float32(0)),
        "joint_valid_frame": valid,
        "depth_known": depth_known,
    }


def _cameras(root: Path, split: str, cameras: list[Key]) -> Columns:
    path = annotation_path(root, split, "camera")
    with mapped(path, "camera") as content:
        table = decode(path, content, dict[str, Calibration])
    rotation = np.zeros((len(cameras), 3, 3))
    position_m = np.zeros((len(cameras), 3))
    intrinsics = np.tile(np.eye(3, dtype=np.float32), (len(cameras), 1, 1))
    for row, key in enumerate(cameras):
        camrot, campos, focal, princpt = _lookup(
            root, split, "camera", table, key, lambda table, *key: camera_of(path, table, key)
        )
        rotation[row], position_m[row] = camrot, np.array(campos) / 1000
        intrinsics[row, (0, 1), (0, 1)] = focal
        intrinsics[row, :2, 2] = princpt
    return {
        "camera_rotation": rotation.astype(np.float32),
        "camera_translation": -np.einsum("cij,cj->ci", rotation, position_m).astype(np.float32),
        "intrinsics": intrinsics,
    }


def no_fits(frames: int) -> Columns:
    """The columns of MANO's fits, both hands, of captured frames without any."""
    sizes = {"mano_pose": 48, "mano_betas": 10, "mano_trans": 3}
    fits = {name: np.zeros((frames, 2, size), np.float32) for name, size in sizes.items()}
    return {"mano_valid": np.zeros((frames, 2), bool), **fits}


def _fits(root: Path, split: str, frames: list[Key], mano_fits: bool) -> Columns:
    columns = no_fits(len(frames))
    if not mano_fits:
        return columns
    path = annotation_path(root, split, "MANO_NeuralAnnot")
    with mapped(path, "MANO_NeuralAnnot") as content:
        table = decode(path, content, dict[str, dict[str, msgspec.Raw] | None])
        for row, (capture, name) in enumerate(frames):
            # A frame, a hand or the whole capture may be missing or null.
            raw = (table.get(capture) or {}).get(name)
            entry = raw and frame_fits(path, raw, (capture, name))
            for hand, fit in enumerate((entry.right, entry.left) if entry else ()):
                if fit is not None:
                    columns["mano_valid"][row, hand] = True
                    columns["mano_pose"][row, hand] = fit.pose
                    columns["mano_betas"][row, hand] = fit.shape
                    columns["mano_trans"][row, hand] = fit.trans
    return columns
