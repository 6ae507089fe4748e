"""What can be wrong in the annotation files of one split, entry by entry, without ever failing on one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gesturehand.data.index import HAND_TYPES
from gesturehand.skeleton import NUM_JOINTS, SIDES

#: Beyond these a fit is no hand: standard deviations of the shape, radians of a joint, metres from the origin.
_MAX_BETA: Final = 15.0
_MAX_ANGLE_RAD: Final = 2 * np.pi
_MAX_TRANSLATION_M: Final = 20.0
_FIT_SIZES: Final = {"pose": 48, "shape": 10, "trans": 3}


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        kind: What is wrong, the same words for the same thing.
        split: Where.
        where: The entry: a file, an annotation, a frame, a camera.
        detail: More about it.
    """

    kind: str
    split: str
    where: str
    detail: str = ""


def annotation_problems(split: str, tables: dict[str, dict[str, Any] | None]) -> list[Problem]:
    """Problems of a split's annotations.

    Args:
        split: Its name.
        tables: The files as parsed JSON by kind; None for one that could not be read.
    """
    found = (
        *_entries(split, tables),
        *_frames(split, tables),
        *_cameras(split, tables),
        *_fits(split, tables.get("MANO_NeuralAnnot")),
    )
    return [Problem(kind, split, where, detail) for kind, where, detail in found]


def _entries(split: str, tables: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    data = tables["data"]
    images = {str(image.get("id")): image for image in _dicts(data.get("images"))}
    seen: set[str] = set()
    for entry in _dicts(data.get("annotations")):
        where = f"annotation {entry.get('id')}"
        if where in seen:
            yield "annotation id twice", where, ""
        seen.add(where)
        image = images.get(str(entry.get("image_id")))
        if image is None:
            yield "image of an annotation not listed", where, f"image id {entry.get('image_id')}"
        if str(entry.get("hand_type")) not in HAND_TYPES:
            yield "hand type unknown", where, repr(entry.get("hand_type"))
        box = _array(entry.get("bbox"), 4)
        if box is None or not np.isfinite(box).all():
            yield "box not four numbers", where, repr(entry.get("bbox"))[:100]
        elif (box[2:] <= 0).any():
            yield "box empty", where, str(box.tolist())
        valid = _array(entry.get("joint_valid"), 2 * NUM_JOINTS)
        if valid is None:
            yield "joint_valid not 42 flags", where, ""
        elif not valid.any():
            yield "annotation without joints", where, ""


def _frames(split: str, tables: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    table = tables.get("joint_3d")
    if table is None:
        return
    for capture, name in _of_images(tables, "frame_idx"):
        where = f"frame [{capture}][{name}]"
        frame = _get(table, capture, name)
        if not isinstance(frame, dict):
            yield "frame missing in joint_3d", where, ""
            continue
        joints, valid = (
            _array(frame.get("world_coord"), 6 * NUM_JOINTS),
            _array(frame.get("joint_valid"), 2 * NUM_JOINTS),
        )
        if joints is None or valid is None:
            yield "joints not 42 points with flags", where, ""
            continue
        if not np.isfinite(joints.reshape(-1, 3)[valid.astype(bool)]).all():
            yield "joints not finite", where, ""
        if not valid.any():
            yield "frame without joints", where, ""


def _cameras(split: str, tables: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    table = tables.get("camera")
    if table is None:
        return
    for capture, name in _of_images(tables, "camera"):
        where = f"camera [{capture}][{name}]"
        parts = {
            kind: _array(_get(table, capture, kind, name), size)
            for kind, size in (("camrot", 9), ("campos", 3), ("focal", 2), ("princpt", 2))
        }
        missing = [kind for kind, part in parts.items() if part is None]
        if missing:
            yield "camera missing", where, ", ".join(missing)
        elif not all(np.isfinite(part).all() for part in parts.values() if part is not None):
            yield "camera not finite", where, ""
        else:
            rotation = parts["camrot"].reshape(3, 3)  # type: ignore[union-attr]
            if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2) or np.linalg.det(rotation) < 0:
                yield "camera rotation no rotation", where, ""
            if np.any(parts["focal"] <= 0):  # type: ignore[operator]
                yield "camera focal length not positive", where, ""


def _fits(split: str, table: dict[str, Any] | None) -> Iterator[tuple[str, str, str]]:
    for capture, frames in (table or {}).items():
        for name, fits in (frames if isinstance(frames, dict) else {}).items():
            for side in SIDES:
                fit = fits.get(side) if isinstance(fits, dict) else None
                if fit is None:
                    continue
                where = f"fit [{capture}][{name}][{side}]"
                parts = {k: _array(fit.get(k) if isinstance(fit, dict) else None, n) for k, n in _FIT_SIZES.items()}
                if any(part is None or not np.isfinite(part).all() for part in parts.values()):
                    yield "MANO parameters absurd", where, "not 48 + 10 + 3 finite numbers"
                    continue
                angle = np.linalg.norm(parts["pose"].reshape(-1, 3), axis=-1).max()  # type: ignore[union-attr]
                limits = {
                    f"joint angle {angle:.3g} rad": angle > _MAX_ANGLE_RAD,
                    f"beta {np.abs(parts['shape']).max():.3g}": np.abs(parts["shape"]).max() > _MAX_BETA,  # type: ignore[arg-type]
                    f"translation {np.abs(parts['trans']).max():.3g} m": np.abs(parts["trans"]).max()  # type: ignore[arg-type]
                    > _MAX_TRANSLATION_M,
                }
                wrong = [text for text, is_wrong in limits.items() if is_wrong]
                if wrong:
                    yield "MANO parameters absurd", where, ", ".join(wrong)


def _of_images(tables: dict[str, Any], key: str) -> dict[tuple[str, str], None]:
    """Capture and frame, or capture and camera, of the listed images, each once."""
    return dict.fromkeys(
        (str(image.get("capture")), str(image.get(key))) for image in _dicts(tables["data"].get("images"))
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _get(table: Any, *keys: str) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _array(value: Any, size: int) -> np.ndarray | None:
    """So many numbers, flat; None for anything else."""
    try:
        array = np.asarray(value, np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.size == size else None
