"""Finds everything wrong in the annotation files of one split, entry by entry, without failing on any."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np

from gesturehand.camera import project, transform_points
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
from gesturehand.data.files import Kind, MisfitError, annotation_path, decode, mapped
from gesturehand.data.flags import FlagReader, unpack_flags
from gesturehand.data.index_build import HAND_TYPES
from gesturehand.data.plausibility import (
    Implausible,
    better_order,
    implausible_camera,
    implausible_fit,
    implausible_pixels,
    implausible_size,
)
from gesturehand.errors import UserError
from gesturehand.skeleton import JOINTS_FROM_INTERHAND, NUM_JOINTS, SIDES

#: Kinds of misfitting fields that have their own name; others are "image entry broken" or "annotation entry broken".
_KINDS: Final = {
    "bbox": "box not four numbers",
    "hand_type": "hand type unknown",
    "joint_valid": "joint_valid not 42 flags",
}
_FIELD: Final = re.compile(r"`\$[^.`]*\.\w+\[\d+\]\.(\w+)|field `(\w+)`")
#: Number of hands from whose proportions the joints' order can be judged.
_HANDS_FOR_ORDER: Final = 2000

T = TypeVar("T")
Finding = tuple[str, str, str]


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        kind: What is wrong, always in the same words.
        split: The split.
        where: The entry: a file, an annotation, a frame, a camera.
        detail: Details.
    """

    kind: str
    split: str
    where: str
    detail: str = ""


class FrameHands(NamedTuple):
    """A captured frame's hands: joints (2, 21, 3) float32 m, validity (2, 21), and whether the depth is known."""

    joints: np.ndarray
    valid: np.ndarray
    depth_known: bool


class CameraMap(NamedTuple):
    """World → camera as R X + t, m, and the intrinsics (3, 3) px."""

    rotation: np.ndarray
    translation: np.ndarray
    intrinsics: np.ndarray


@dataclass
class SplitAnnotations:
    """Those parts of a split's annotation files that could be read.

    Attributes:
        split: Its name.
        images: The listed images as in the file, if they are objects.
        annotations: Number of listed annotations.
        problems: What is wrong with them.
    """

    split: str
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, findings: Iterator[Finding]) -> None:
        """Adds a finding."""
        self.problems += [Problem(kind, self.split, where, detail) for kind, where, detail in findings]


def annotation_problems(root: Path, split: str, *, mano_fits: bool = True) -> SplitAnnotations:
    """Reads a split's annotations as the index does, and lists misfitting and impossible entries."""
    result = SplitAnnotations(split)
    data = _read(root, "data", DataFile, result)
    frames: dict[Key, FrameHands] = {}
    cameras: dict[Key, CameraMap] = {}
    joints = _read(root, "joint_3d", dict[str, dict[str, msgspec.Raw]], result)
    calibrations = _read(root, "camera", dict[str, Calibration], result)
    fits = _read(root, "MANO_NeuralAnnot", dict[str, dict[str, msgspec.Raw] | None], result) if mano_fits else None
    if data is None:
        return result
    path = annotation_path(root, split, "data")
    images: dict[int, ImageEntry] = {}
    try:
        raw_images = decode(path, data.images, list[msgspec.Raw], ".images")
        result.annotations = len(decode(path, data.annotations, list[msgspec.Raw], ".annotations"))
    except UserError as error:
        result.add(iter([("annotation file unreadable", str(path), _reason(error))]))
        return result
    found = (decode(path, raw, Any) for raw in raw_images)
    result.images = [image for image in found if isinstance(image, dict)]
    result.add(_images(path, data.images, images))
    if joints is not None:
        result.add(_frames(annotation_path(root, split, "joint_3d"), joints, images, frames))
    if calibrations is not None:
        result.add(_cameras(annotation_path(root, split, "camera"), calibrations, images, cameras))
    result.add(_annotations(path, data.annotations, images, frames, cameras))
    result.add(_fits(annotation_path(root, split, "MANO_NeuralAnnot"), fits or {}))
    if not result.annotations:
        result.add(iter([("split without annotations", str(path), "there is nothing to train or test on")]))
    return result


def _read(root: Path, kind: Kind, content_type: Any, result: SplitAnnotations) -> Any:
    """A file's content, or None, which is itself a problem."""
    path = annotation_path(root, result.split, kind)
    try:
        with mapped(path, kind) as content:
            return decode(path, content, content_type)
    except UserError as error:
        problem = "annotation file unreadable" if path.exists() else "annotation file missing"
        result.problems.append(Problem(problem, result.split, str(path), _reason(error) if path.exists() else ""))
        return None


def _reason(error: UserError) -> str:
    return error.reason if isinstance(error, MisfitError) else str(error)


def _unfit(error: MisfitError, otherwise: str) -> Finding:
    """The name of a misfitting entry's problem."""
    match = _FIELD.search(error.reason)
    place = error.reason.rpartition("`$.")[2].rstrip("`")
    return _KINDS.get((match[1] or match[2]) if match else "", otherwise), place, error.reason


def _images(path: Path, raw: msgspec.Raw, images: dict[int, ImageEntry]) -> Iterator[Finding]:
    for image in list_entries(path, raw, ImageEntry, "images"):
        if isinstance(image, MisfitError):
            yield _unfit(image, "image entry broken")
            continue
        if image.id in images:
            yield "image id twice", f"image {image.id}", image.file_name
        images[image.id] = image


def _annotations(
    path: Path,
    raw: msgspec.Raw,
    images: dict[int, ImageEntry],
    frames: dict[Key, FrameHands],
    cameras: dict[Key, CameraMap],
) -> Iterator[Finding]:
    seen: set[int] = set()
    read_flags = FlagReader()
    for number, entry in enumerate(list_entries(path, raw, AnnotationEntry, "annotations")):
        if isinstance(entry, MisfitError):
            yield _unfit(entry, "annotation entry broken")
            continue
        where = f"annotation {entry.id}"
        if entry.id in seen:
            yield "annotation id twice", where, ""
        seen.add(entry.id)
        box = np.array(entry.bbox, np.float64)
        if not np.isfinite(box).all():
            yield "box not four numbers", where, str(list(entry.bbox))
        elif (box[2:] <= 0).any():
            yield "box empty", where, str(box.tolist())
        try:
            valid = unpack_flags(np.array(read_flags(entry.joint_valid), np.uint32))
        except ValueError as error:
            yield "joint_valid not 42 flags", f"annotations[{number}]", str(error)
            continue
        image = images.get(entry.image_id)
        # A frame whose hands have only a box and a label says that their depth is unknown.
        unknown = image is not None and (shown := frames.get(_frame_key(image))) is not None and not shown.depth_known
        if not valid.any() and not unknown:
            yield "annotation without joints", where, ""
        if image is None:
            yield "image of an annotation not listed", where, f"image id {entry.image_id}"
            continue
        frame, camera = frames.get(_frame_key(image)), cameras.get(_camera_key(image))
        if frame is not None and camera is not None:
            for side in range(len(SIDES)):
                if HAND_TYPES[entry.hand_type] & (1 << side):
                    yield from hand_in_image(where, side, frame, valid[side], camera, (image.width, image.height))


def hand_in_image(
    where: str, side: int, frame: FrameHands, valid: np.ndarray, camera: CameraMap, size: Sequence[float]
) -> Iterator[Finding]:
    """The problems of a hand as an image shows it.

    Args:
        where: What the finding names.
        side: 0 for the right hand, 1 for the left one.
        frame: The hands in space.
        valid: (21,) bool, the joints that are valid in the image.
        camera: The image's.
        size: Width and height of the image, px.
    """
    found = _implausible_in_image(frame.joints[side], valid & frame.valid[side], camera, size)
    yield from ((problem.kind, where, f"{SIDES[side]} hand: {problem.detail}") for problem in found)


def _implausible_in_image(
    joints: np.ndarray, valid: np.ndarray, camera: CameraMap, size: Sequence[float]
) -> Iterator[Implausible]:
    joints = transform_points(joints.astype(np.float64), camera.rotation, camera.translation)
    behind = valid & ~(joints[:, 2] > 0)
    if behind.any():
        yield Implausible("joints behind the camera", f"{behind.sum()} of {valid.sum()}", "check frame and camera")
        valid = valid & ~behind
    points = project(np.where(valid[:, None], joints, 1.0), camera.intrinsics)
    yield from implausible_pixels(points, valid, size)


def _frame_key(image: ImageEntry) -> Key:
    return str(image.capture), str(image.frame_idx)


def _camera_key(image: ImageEntry) -> Key:
    return str(image.capture), str(image.camera)


def _frames(
    path: Path, table: dict[str, dict[str, msgspec.Raw]], images: dict[int, ImageEntry], frames: dict[Key, FrameHands]
) -> Iterator[Finding]:
    read_flags = FlagReader()
    for key in dict.fromkeys(map(_frame_key, images.values())):
        where = f"frame [{key[0]}][{key[1]}]"
        raw = table.get(key[0], {}).get(key[1])
        if raw is None:
            yield "frame missing in joint_3d", where, ""
            continue
        try:
            entry, words = frame_joints(path, raw, key, read_flags)
        except MisfitError as error:
            yield "joints not 42 points with flags", where, error.reason
            continue
        valid = unpack_flags(np.array(words, np.uint32))
        joints = (
            np.array(entry.world_coord, np.float64).reshape(2, NUM_JOINTS, 3)[:, list(JOINTS_FROM_INTERHAND)] / 1000
        )
        # As the index keeps them: a number that its columns cannot hold is not finite there.
        with np.errstate(over="ignore"):
            joints = joints.astype(np.float32)
        if not valid.any() and entry.depth_known:
            yield "frame without joints", where, ""
        if not np.isfinite(joints[valid]).all():
            yield "joints not finite", where, ""
            continue
        frames[key] = FrameHands(joints, valid, entry.depth_known)
        for side in range(len(SIDES)) if entry.depth_known else ():
            for problem in implausible_size(joints[side], valid[side]):
                yield problem.kind, where, f"{SIDES[side]} hand: {problem.detail}"
    yield from _order(path, [frame for frame in frames.values() if frame.depth_known])


def _order(path: Path, frames: list[FrameHands]) -> Iterator[Finding]:
    chosen = frames[:: max(1, 2 * len(frames) // _HANDS_FOR_ORDER)]
    if chosen:
        joints, valid = (np.concatenate([frame[part] for frame in chosen]) for part in (0, 1))
        order = better_order(joints, valid)
        if order is not None:
            yield "joints in another order", str(path), f"their bones are those of hands in {order}"


def _cameras(
    path: Path, table: dict[str, Calibration], images: dict[int, ImageEntry], cameras: dict[Key, CameraMap]
) -> Iterator[Finding]:
    sizes = {_camera_key(image): (image.width, image.height) for image in images.values()}
    for key, size in sizes.items():
        where = f"camera [{key[0]}][{key[1]}]"
        try:
            camera = camera_of(path, table, key)
        except KeyError as error:
            yield "camera missing", where, str(error)
            continue
        except MisfitError as error:
            yield "camera broken", where, error.reason
            continue
        rotation = np.array(camera.camrot)
        with np.errstate(over="ignore", invalid="ignore"):
            turns = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2) and np.linalg.det(rotation) > 0
        if not turns:
            yield "camera rotation no rotation", where, ""
        problems = list(implausible_camera(camera.focal, camera.princpt, size))
        yield from ((problem.kind, where, problem.detail) for problem in problems)
        if turns and not problems:
            intrinsics = np.diag([*camera.focal, 1.0])
            intrinsics[:2, 2] = camera.princpt
            cameras[key] = CameraMap(rotation, -rotation @ np.array(camera.campos) / 1000, intrinsics)


def _fits(path: Path, table: dict[str, dict[str, msgspec.Raw] | None]) -> Iterator[Finding]:
    for capture, frames in table.items():
        for name, raw in (frames or {}).items():
            where = f"fit [{capture}][{name}]"
            try:
                entry = frame_fits(path, raw, (capture, name))
            except MisfitError as error:
                yield "MANO parameters absurd", where, error.reason
                continue
            for side, fit in zip(SIDES, (entry.right, entry.left) if entry else (), strict=False):
                if fit is not None:
                    parts = (np.array(part, np.float64) for part in (fit.pose, fit.shape, fit.trans))
                    for problem in implausible_fit(*parts):
                        yield problem.kind, f"{where}[{side}]", problem.detail
