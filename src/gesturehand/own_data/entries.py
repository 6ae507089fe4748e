"""Hands annotated in images, from a JSON list or a CSV table; docs/own_data.md describes both."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.batch import NUM_BETAS
from gesturehand.errors import UserError
from gesturehand.gestures import fine_index, vocabulary
from gesturehand.skeleton import JOINT_NAMES, NUM_JOINTS, SIDES, Side
from gesturehand.splits import SPLITS

_KEYS: Final = ("image", "hand", "joints_2d", "joints_3d", "intrinsics", "gesture", "split", "subject", "mano")
_MANO_SIZES: Final = {"pose": 48, "shape": NUM_BETAS, "trans": 3}
#: What CSV's empty cells are.
_NO_VALUE: Final = ("", "nan", "NaN", "None", "null")


@dataclass(frozen=True)
class HandEntry:
    """One annotated hand; joints in the papers' order, NaN where there is none.

    Attributes:
        image: Relative to the folder of images.
        hand: Its side.
        joints_2d: (21, 2) px of the image, or None.
        joints_3d: (21, 3) m, camera frame, or None.
        intrinsics: fx, fy, cx, cy, px, or None.
        sequence: Name of an InterHand2.6M sequence that shows the gesture, or None.
        split: "train", "val" or "test", or None.
        subject: Whose hand, or None.
        mano: ``pose`` (48, axis-angle, relative to the mean pose), ``shape`` (10) and ``trans`` (3, m) in the camera's
            frame, or None.
    """

    image: str
    hand: Side
    joints_2d: np.ndarray | None
    joints_3d: np.ndarray | None
    intrinsics: tuple[float, float, float, float] | None
    sequence: str | None
    split: str | None
    subject: str | None
    mano: dict[str, list[float]] | None


def read_entries(path: Path, hand: Side | None = None) -> list[HandEntry]:
    """Reads a file of annotated hands.

    Args:
        path: ``.json`` or ``.csv``.
        hand: The side of hands of which the file does not say it.

    Raises:
        UserError: The file cannot be read, or an entry is incomplete; the message names the entry and the key.
    """
    if path.suffix.lower() not in (".json", ".csv"):
        raise UserError(f"'{path}' is neither .json nor .csv: give the joints in one of these.")
    try:
        text = path.read_text(encoding="utf-8")
        rows = (
            json.loads(text)
            if path.suffix.lower() == ".json"
            else [_row(row) for row in csv.DictReader(text.splitlines())]
        )
    except OSError as error:
        raise UserError(f"The joints file '{path}' cannot be read ({error.strerror}): check its name.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"The joints file '{path}' is broken ({error}): correct it.") from None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"The joints file '{path}' holds no list of hands: write one entry a hand.")
    return [_entry(path, number, row, hand) for number, row in enumerate(rows)]


def _row(cells: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a table as an entry of a list: ``wrist_x`` … px, ``wrist_x_m`` … m, ``fx`` …"""
    cells = {name: value for name, value in cells.items() if value not in _NO_VALUE and value is not None}
    entry: dict[str, Any] = {
        name: cells[name] for name in ("image", "hand", "gesture", "split", "subject") if name in cells
    }
    for key, endings in (("joints_2d", ("x", "y")), ("joints_3d", ("x_m", "y_m", "z_m"))):
        points = [[cells.get(f"{joint}_{ending}") for ending in endings] for joint in JOINT_NAMES]
        if any(value is not None for point in points for value in point):
            entry[key] = [[None if value is None else float(value) for value in point] for point in points]
    if all(name in cells for name in ("fx", "fy", "cx", "cy")):
        entry["intrinsics"] = [float(cells[name]) for name in ("fx", "fy", "cx", "cy")]
    return entry


def _entry(path: Path, number: int, row: Any, hand: Side | None) -> HandEntry:
    where = f"Entry {number} of '{path}'"
    if not isinstance(row, dict) or not row.get("image"):
        raise UserError(f"{where} names no image: give its file name as 'image'.")
    where += f" ({row['image']})"
    unknown = sorted(set(row) - set(_KEYS))
    if unknown:
        raise UserError(f"{where} has the unknown key '{unknown[0]}': the keys are {', '.join(_KEYS)}.")
    side = row.get("hand") or hand
    if side not in SIDES:
        raise UserError(f"{where} has the hand '{side}': say right or left, or --hand for all of them.")
    split = row.get("split")
    if split is not None and split not in SPLITS:
        raise UserError(f"{where} has the split '{split}': choose train, val or test.")
    flat, deep = _joints(where, row, "joints_2d", 2), _joints(where, row, "joints_3d", 3)
    if flat is None and deep is None:
        raise UserError(f"{where} has neither joints_2d nor joints_3d: give one of them.")
    intrinsics = row.get("intrinsics")
    if intrinsics is not None:
        intrinsics = _numbers(where, "intrinsics", intrinsics, 4)
    if deep is not None and (deep[np.isfinite(deep).all(-1), 2] <= 0).any():
        raise UserError(f"{where} has a joint behind the camera: joints_3d are metres, x right, y down, z forward.")
    mano = row.get("mano")
    if mano is not None:
        mano = {name: list(_numbers(where, f"mano.{name}", mano.get(name), size)) for name, size in _MANO_SIZES.items()}
    subject = row.get("subject")
    return HandEntry(
        image=str(row["image"]),
        hand=side,
        joints_2d=flat,
        joints_3d=deep,
        intrinsics=intrinsics,
        sequence=_sequence(row.get("gesture")),
        split=split,
        subject=None if subject is None else str(subject),
        mano=mano,
    )


def _joints(where: str, row: Mapping[str, Any], key: str, size: int) -> np.ndarray | None:
    if row.get(key) is None:
        return None
    try:
        joints = np.array([point or [None] * size for point in row[key]], dtype=object).astype(np.float64)
    except (TypeError, ValueError):
        joints = np.zeros(0)
    if joints.shape != (NUM_JOINTS, size):
        raise UserError(
            f"{where} needs {key} as {NUM_JOINTS} points of {size} numbers in the order "
            f"{', '.join(JOINT_NAMES[:3])}, …, {JOINT_NAMES[-1]}; a joint that is not annotated is null."
        )
    return joints


def _numbers(where: str, key: str, value: Any, size: int) -> Any:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != size or not np.isfinite(numbers).all():
        raise UserError(f"{where} needs {key} as {size} numbers: correct it.")
    return numbers


def _sequence(gesture: str | None) -> str | None:
    """The first sequence of a fine class; a sequence's own name is one too."""
    if gesture is None:
        return None
    known = vocabulary().fine_of_sequence
    if gesture in known:
        return gesture
    fine = fine_index(gesture)
    return next(name for name, index in known.items() if index == fine)
