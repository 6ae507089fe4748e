"""Tables of DeepLabCut and lightning-pose: three or four header lines above one row per image.

The lines are ``scorer``, ``individuals`` (of projects with several), ``bodyparts`` and ``coords``; the image is the
first cell, or the first three (``labeled-data``, folder, file) as newer versions write it. Predictions have a
``likelihood`` beside x and y.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gesturehand.data.joint_names import NamedJoint, read_joint_names, side_in
from gesturehand.errors import UserError
from gesturehand.own_data.rows import ImageNames, Row
from gesturehand.skeleton import NUM_JOINTS

_HEADS: Final = ("scorer", "individuals", "bodyparts", "coords")
#: DeepLabCut's own ``pcutoff``: points below it are not drawn and not refined.
_LEAST_LIKELIHOOD: Final = 0.6


def is_deeplabcut(cells: Sequence[Sequence[str]]) -> bool:
    """Whether a table begins with DeepLabCut's header lines."""
    heads = [row[0].lower() for row in cells[:4] if row]
    return "bodyparts" in heads and "coords" in heads


def deeplabcut_rows(path: Path, cells: Sequence[Sequence[str]], images: Path) -> list[Row]:
    """The labelled hands of a table; joints without numbers, or of a low likelihood, are not annotated.

    A name's ``left`` or ``right``, of the individual or of the body part, is the hand's side.

    Args:
        path: The file, for messages.
        cells: Cells of the table, including header lines.
        images: Folder of the images.

    Raises:
        UserError: A header line is missing, a body part is not a joint of a hand, a cell is not a number, or a row
            names no image.
    """
    heads: dict[str, Sequence[str]] = {}
    for row in cells[:4]:
        if row and row[0].lower() in _HEADS:
            heads[row[0].lower()] = row
    body = cells[len(heads) :]
    coords = heads["coords"]
    # Columns that name the image have no coordinate.
    first = next((place for place, name in enumerate(coords) if name.lower() == "x"), 0)
    if not first:
        raise UserError(f"'{path}' has no x in its header line 'coords': export the table again.")
    columns = _columns(path, heads, first)
    names = ImageNames(images)
    rows = []
    for number, row in enumerate(body, len(heads) + 1):
        where = f"Line {number} of '{path}'"
        image = "/".join(cell for cell in row[:first] if cell)
        if not image:
            continue
        hands = {key: found for key, parts in columns.items() if (found := _points(where, row, parts))}
        for (individual, side), points in hands.items():
            if "." not in image and image.isdigit():
                raise UserError(
                    f"{where} numbers a film's frame ({image}) and names no image: save the frames as images and write "
                    "their names into the first column."
                )
            values: dict[str, Any] = {"image": names.find(where, image), "joints_2d": points}
            told = side or side_in(individual)
            if told is not None:
                values["hand"] = told
            if "likelihood" in (name.lower() for name in coords):
                values["pseudo_label"] = True
            rows.append(Row(where, values))
    return rows


def _columns(path: Path, heads: Mapping[str, Sequence[str]], first: int) -> dict[Any, dict[int, dict[str, int]]]:
    """By individual and side of the names, each joint's columns by coordinate."""
    parts = heads["bodyparts"]
    individuals = heads.get("individuals", [""] * len(parts))
    by_individual: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for place in range(first, len(parts)):
        if parts[place]:
            by_individual[individuals[place]][parts[place]][heads["coords"][place].lower()] = place
    columns: dict[Any, dict[int, dict[str, int]]] = defaultdict(dict)
    for individual, named in by_individual.items():
        try:
            joints: list[NamedJoint] = read_joint_names(list(named))
        except ValueError as error:
            raise UserError(
                f"'{path}' has the body part {error}, which is not a joint of a hand or occurs twice: name the joints "
                "as in docs/own_data.md."
            ) from None
        for joint, places in zip(joints, named.values(), strict=True):
            columns[individual, joint.side][joint.joint] = places
    return columns


def _points(where: str, row: Sequence[str], parts: Mapping[int, Mapping[str, int]]) -> list[list[float] | None] | None:
    """21 points, or None if no joint is labelled."""
    points: list[list[float] | None] = [None] * NUM_JOINTS
    for joint, places in parts.items():
        read = {name: _number(where, row[place] if place < len(row) else "") for name, place in places.items()}
        x, y = read.get("x", math.nan), read.get("y", math.nan)
        sure = read.get("likelihood", 1.0)
        if math.isfinite(x) and math.isfinite(y) and sure >= _LEAST_LIKELIHOOD:
            points[joint] = [x, y]
    return points if any(points) else None


def _number(where: str, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        raise UserError(f"{where} has '{cell[:40]}' where a number is needed: correct it.") from None
