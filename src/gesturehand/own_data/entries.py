"""Hands annotated in images, each checked by itself; docs/own_data.md describes their keys."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Final

import numpy as np

from gesturehand.batch import NUM_BETAS
from gesturehand.data.files import stays_inside
from gesturehand.data.spelling import spelled
from gesturehand.errors import UserError
from gesturehand.gestures import fine_index, vocabulary
from gesturehand.own_data.file_formats import read_rows
from gesturehand.own_data.rows import Row
from gesturehand.skeleton import JOINT_NAMES, NUM_JOINTS, SIDES, Side
from gesturehand.splits import SPLITS
from gesturehand.text_file import read_json

#: Keys that are stored with a hand unchanged and not used.
_NOTES: Final = ("licence", "source", "scene", "flip_error")
_KEYS: Final = (
    *(
        "image",
        "hand",
        "joints_2d",
        "joints_3d",
        "joints_relative",
        "box",
        "intrinsics",
        "gesture",
        "label",
        "set",
        "split",
        "subject",
    ),
    *("mano", "presence", "pseudo_label", *_NOTES),
)
_MANO_SIZES: Final = {"pose": 48, "shape": NUM_BETAS, "trans": 3}


@dataclass(frozen=True)
class HandEntry:
    """One annotated hand; joints in the papers' order, NaN if not annotated.

    Attributes:
        image: Relative to the folder of images.
        side: Its side.
        joints_2d: (21, 2) px of the image, or None.
        joints_3d: (21, 3) m, camera frame, or None.
        intrinsics: fx, fy, cx, cy, px, or None.
        sequence: Name of an InterHand2.6M sequence that shows the gesture, or None.
        split: "train", "val" or "test", or None.
        subject: The person whose hand it is, or None.
        mano: ``pose`` (48, axis-angle, relative to the mean pose), ``shape`` (10) and ``trans`` (3, m) in the camera's
            frame, or None.
        box: x, y, width, height px around the hand, or None; for a hand without joints, None means the whole image.
        label: The content that the hand shows, as a label of its set, or None.
        label_set: The label's set; a label has a meaning only within its set.
        presence: The certainty of the joints' detector, 0 to 1, or None.
        pseudo_label: The joints were predicted and not annotated.
        joints_relative: (21, 3) m with the axes of the camera's frame, relative to any point of the hand, whose place
            follows from ``joints_2d``; or None.
        notes: Everything else that the file says about the hand, unchanged.
    """

    image: str
    side: Side
    joints_2d: np.ndarray | None
    joints_3d: np.ndarray | None
    intrinsics: tuple[float, float, float, float] | None
    sequence: str | None
    split: str | None
    subject: str | None
    mano: dict[str, list[float]] | None
    box: tuple[float, float, float, float] | None = None
    label: str | None = None
    label_set: str | None = None
    presence: float | None = None
    pseudo_label: bool = False
    joints_relative: np.ndarray | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def has_joints(self) -> bool:
        """Whether any joints are known, in the image or in space; otherwise there is a box."""
        return self.joints_2d is not None or self.joints_3d is not None

    @property
    def has_depth(self) -> bool:
        """Whether joints are known in space."""
        return self.joints_3d is not None or self.joints_relative is not None


def read_entries(
    path: Path,
    hand: Side | None = None,
    *,
    images: Path | None = None,
    folders_are_sets: bool = False,
    swap_hands: bool = False,
    whole_images: bool = False,
) -> list[HandEntry]:
    """Reads a file of annotated hands, this library's own or another tool's (:mod:`gesturehand.own_data.file_formats`).

    Args:
        path: ``.json``, ``.jsonl`` or ``.csv``, in any Unicode encoding or Windows-1252, or a folder of JSON files.
        hand: The side of hands for which the file gives none.
        images: Folder of the images, used to resolve other tools' image names; the file's own if not given.
        folders_are_sets: If an entry names no set of labels, take the first folder of its image's name.
        swap_hands: Hands that the file calls right are left ones, and vice versa.
        whole_images: Hands with neither joints nor a box fill their images.

    Raises:
        UserError: The file cannot be read, or an entry is incomplete; the message names the entry and the key.
    """
    entries = [_entry(row, hand, whole_images) for row in read_rows(path, path.parent if images is None else images)]
    if swap_hands:
        entries = [replace(entry, side=SIDES[1 - SIDES.index(entry.side)]) for entry in entries]
    if not folders_are_sets:
        return entries
    return [
        replace(entry, label_set=folder[0])
        if entry.label_set is None and (folder := Path(spelled(entry.image)).parts[:-1])
        else entry
        for entry in entries
    ]


def _check_jointless(where: str, has_box: bool, is_labelled: bool) -> None:
    """A hand without joints needs a box and a gesture or a label."""
    if has_box and is_labelled:
        return
    if is_labelled:
        raise UserError(
            f"{where} has neither joints nor a box: give a box around the hand, px, or --box whole if hands "
            "without one fill their images."
        )
    also = "a gesture or a label" if has_box else "a box with a gesture or a label"
    raise UserError(f"{where} has neither joints_2d nor joints_3d: give one of them, or {also}.")


def _entry(given: Row, hand: Side | None, whole_images: bool) -> HandEntry:
    where, row = given
    if not isinstance(row, dict) or not row.get("image"):
        raise UserError(f"{where} names no image: give its file name as 'image'.")
    image = _text(where, row, "image")
    assert image is not None  # checked above
    if not stays_inside(image):
        raise UserError(
            f"{where} has the image {shortened(image)}, which lies outside --images: name it relative to that folder."
        )
    where += f" ({image})"
    unknown = sorted(set(row) - set(_KEYS))
    if unknown:
        raise UserError(f"{where} has the unknown key '{unknown[0]}': the keys are {', '.join(_KEYS)}.")
    side = row.get("hand") or hand
    if side is None:
        raise UserError(f"{where} does not say which hand it is: say right or left, or --hand for all of them.")
    if side not in SIDES:
        raise UserError(f"{where} has the hand {shortened(side)}: say right or left, or --hand for all of them.")
    split = row.get("split")
    if split is not None and split not in SPLITS:
        raise UserError(f"{where} has the split {shortened(split)}: choose train, val or test.")
    flat, deep = _joints(where, row, "joints_2d", 2), _joints(where, row, "joints_3d", 3)
    relative = _joints(where, row, "joints_relative", 3)
    if relative is not None and (flat is None or deep is not None):
        raise UserError(f"{where} has joints_relative, which joints_2d place: give both of them, and no joints_3d.")
    label = _label(where, row, "label")
    box = _box(where, row.get("box"))
    if flat is None and deep is None:
        _check_jointless(where, box is not None or whole_images, label is not None or row.get("gesture") is not None)
    presence = row.get("presence")
    if presence is not None:
        (presence,) = _numbers(where, "presence", [presence], 1)
        if not 0 <= presence <= 1:
            raise UserError(f"{where} has the presence {presence:g}: give a number from 0 to 1.")
    pseudo = row.get("pseudo_label", presence is not None)
    if not isinstance(pseudo, bool):
        raise UserError(f"{where} has {shortened(pseudo)} as pseudo_label: give true or false.")
    intrinsics = row.get("intrinsics")
    if intrinsics is not None:
        intrinsics = _numbers(where, "intrinsics", intrinsics, 4)
    if deep is not None and (deep[np.isfinite(deep).all(-1), 2] <= 0).any():
        raise UserError(
            f"{where} has a joint behind the camera: joints_3d are metres, x right, y down, z forward; a joint that is "
            "not annotated is null."
        )
    mano = row.get("mano")
    if mano is not None:
        if not isinstance(mano, dict) or set(mano) - set(_MANO_SIZES):
            raise UserError(f"{where} has the MANO fit {shortened(mano)}: give an object of pose, shape and trans.")
        mano = {name: list(_numbers(where, f"mano.{name}", mano.get(name), size)) for name, size in _MANO_SIZES.items()}
    subject = row.get("subject")
    return HandEntry(
        image=image,
        side=side,
        joints_2d=flat,
        joints_3d=deep,
        intrinsics=intrinsics,
        sequence=sequence_of_gesture(where, _text(where, row, "gesture")),
        split=split,
        subject=str(subject) if _is_integer(subject) else _text(where, row, "subject"),
        mano=mano,
        box=box,
        label=label,
        label_set=_label(where, row, "set"),
        presence=presence,
        pseudo_label=pseudo,
        joints_relative=relative,
        notes={key: row[key] for key in _NOTES if row.get(key) is not None},
    )


def _box(where: str, value: Any) -> tuple[float, float, float, float] | None:
    if value is None:
        return None
    box: tuple[float, float, float, float] = _numbers(where, "box", value, 4)
    if min(box[2:]) <= 0:
        raise UserError(f"{where} has the box {shortened(list(box))}, which is empty: give x, y, width and height, px.")
    return box


def _text(where: str, row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where} has {shortened(value)} as {key}: give text.")
    if value is not None and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"{where} has half a character ({shortened(value)}) as {key}: write the file in UTF-8.")
    return value


def _label(where: str, row: Mapping[str, Any], key: str) -> str | None:
    """A label or the name of its set: text, or a whole number, which becomes text."""
    value = row.get(key)
    text = str(value) if _is_integer(value) else _text(where, row, key)
    if text is not None and not text.strip():
        raise UserError(f"{where} has an empty {key}: give text, or leave the key out.")
    return text


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """The value of a number, or of text that is one; NaN for null.

    Raises:
        ValueError: It is something else, including infinity.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(value) from None
    if math.isinf(number):
        raise ValueError(value)
    return number


def _joints(where: str, row: Mapping[str, Any], key: str, size: int) -> np.ndarray | None:
    points = row.get(key)
    if points is None:
        return None
    try:
        joints = np.array([[_number(value) for value in point or [None] * size] for point in points])
    except (TypeError, ValueError):
        joints = np.zeros(0)
    if joints.shape != (NUM_JOINTS, size):
        raise UserError(
            f"{where} needs {key} as {NUM_JOINTS} points of {size} numbers in the order "
            f"{', '.join(JOINT_NAMES[:3])}, …, {JOINT_NAMES[-1]}; a joint that is not annotated is null."
        )
    missing = np.isnan(joints)
    if missing.all():
        raise UserError(f"{where} has no joint in {key}, all are null: annotate some or leave the hand out.")
    half = np.flatnonzero(missing.any(-1) & ~missing.all(-1))
    if len(half):
        raise UserError(f"{where} has {JOINT_NAMES[half[0]]} in {key} without all its {size} numbers: complete it.")
    return joints


def _numbers(where: str, key: str, value: Any, size: int) -> Any:
    try:
        numbers = tuple(_number(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if isinstance(value, str) or len(numbers) != size or not np.isfinite(numbers).all():
        raise UserError(f"{where} needs {key} as {size} numbers: correct it.")
    return numbers


def sequence_of_gesture(where: str, gesture: str | None) -> str | None:
    """The first sequence of a fine class; a sequence's own name is one too.

    Raises:
        UserError: There is no such class; the message begins with ``where``.
    """
    if gesture is None:
        return None
    known = vocabulary().fine_of_sequence
    if gesture in known:
        return gesture
    try:
        fine = fine_index(gesture)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return next(name for name, index in known.items() if index == fine)


def with_gestures(entries: Sequence[HandEntry], path: Path) -> list[HandEntry]:
    """Gives hands with a label but no gesture the class to which the map assigns their label, if any.

    Args:
        entries: The hands; those whose set has no name belong to the set ''.
        path: The map; null leaves a label without a class.

    Raises:
        UserError: The file cannot be read or is not such a map, or a class is unknown.
    """
    content = read_json(path, "The label map", "write {set: {label: class}}")
    if not isinstance(content, dict) or not all(isinstance(labels, dict) for labels in content.values()):
        raise UserError(f"The label map '{path}' is not an object of objects: write {{set: {{label: class}}}}.")
    sequences: dict[tuple[str, str], str | None] = {}
    for name, labels in content.items():
        for label, gesture in labels.items():
            where = f"The label '{label}' of the set '{name}' in '{path}'"
            if gesture is not None and not isinstance(gesture, str):
                raise UserError(f"{where} is {gesture!r}: give the name of a fine class, or null.")
            sequences[name, label] = sequence_of_gesture(where, gesture)
    return [
        entry
        if entry.label is None or entry.sequence is not None
        else replace(entry, sequence=sequences.get((entry.label_set or "", entry.label)))
        for entry in entries
    ]
