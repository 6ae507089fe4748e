"""CSV tables of hands as spreadsheets write them: any separator, decimal commas, any encoding."""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gesturehand.data.joint_names import NamedJoint, read_joint_names, side_in
from gesturehand.errors import UserError
from gesturehand.own_data.rows import ImageNames, Row
from gesturehand.skeleton import JOINT_NAMES, SIDES, Side

_OTHER_NAMES: Final = {
    **dict.fromkeys(("file", "filename", "filepath", "imagename", "imagepath", "imagefile", "img", "path"), "image"),
    **dict.fromkeys(("side", "handedness", "handside", "handtype", "whichhand"), "hand"),
}
#: Columns that are not needed here.
_IGNORED: Final = (
    "id",
    "index",
    "imageid",
    "annotationid",
    "width",
    "height",
    "imagewidth",
    "imageheight",
    "timestamp",
)
_AXES: Final = {
    **{axis: axis for axis in ("x", "y", "z")},
    **dict.fromkeys(("v", "vis", "visible", "visibility"), "v"),
    **dict.fromkeys(("score", "confidence", "conf", "likelihood", "presence"), "z"),
}
_JOINT_THEN_AXIS: Final = re.compile(
    rf"(.+?)[\s_.\-/:\[(]*({'|'.join(sorted(_AXES, key=len, reverse=True))})[\])]?", re.I
)
_AXIS_THEN_JOINT: Final = re.compile(r"([xyzv])[\s_.\-]*\[?(.+?)\]?", re.I)
_TEXTS: Final = ("image", "hand", "gesture", "split", "subject", "label", "set", "licence", "source")
_NUMBERS: Final = ("presence",)
_BOX: Final = ("box_x", "box_y", "box_w", "box_h")
_INTRINSICS: Final = ("fx", "fy", "cx", "cy")
_POINTS: Final = {"joints_2d": ("x", "y"), "joints_3d": ("x_m", "y_m", "z_m")}
#: All columns but those of joints.
_FIRST: Final = (*_TEXTS, *_INTRINSICS, *_NUMBERS, *_BOX)
_COLUMNS: Final = (
    *_FIRST,
    *(f"{joint}_{ending}" for joint in JOINT_NAMES for endings in _POINTS.values() for ending in endings),
)
#: Cells that count as empty.
_NO_VALUE: Final = ("", "nan", "na", "n/a", "none", "null")
_SEPARATORS: Final = (",", ";", "\t", "|")
#: Excel's own way to name the separator, in a line before the header.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")


def translated(columns: Sequence[str], known: Collection[str]) -> dict[Side | None, list[str]]:
    """A table's columns under the names of docs/own_data.md.

    Joints may be named in any way that :func:`~gesturehand.data.joint_names.read_joint_names` reads, with ``x``, ``y``
    before or after. If names contain left and right, a row has two hands.

    Args:
        columns: The table's columns, without those already named as here.
        known: The names in use here.

    Returns:
        For each hand that names belong to, None if they name none, the columns' names: ``wrist_x`` …, ``wrist_v`` for
        whether a joint is labelled, and '' for columns without a meaning.

    Raises:
        ValueError: A column is unknown; its text is the name, quoted.
    """
    names: list[str | None] = []
    points: dict[int, tuple[str, str]] = {}
    for place, column in enumerate(columns):
        plain = re.sub(r"[\s_\-]", "", column).lower()
        if column in known or not column or column.startswith("Unnamed:"):
            names.append(column if column in known else "")
        elif plain in _OTHER_NAMES or plain in _IGNORED:
            names.append(_OTHER_NAMES.get(plain, ""))
        elif plain in known:
            names.append(plain)
        else:
            points[place] = _split(column)
            names.append(None)
    bases = list(dict.fromkeys(base for base, _ in points.values()))
    try:
        joints = dict(zip(bases, read_joint_names(bases), strict=True))
    except ValueError as error:
        name, _, why = str(error)[1:].partition("'")
        raise ValueError(next(f"'{columns[k]}'{why}" for k, (base, _) in points.items() if base == name)) from None
    hands: list[Side | None] = [side for side in (*SIDES, None) if any(joint.side == side for joint in joints.values())]
    return {
        side: [_named(name, points.get(place), joints, side) for place, name in enumerate(names)]
        for side in hands or [None]
    }


def _named(name: str | None, point: tuple[str, str] | None, joints: Mapping[str, NamedJoint], side: Side | None) -> str:
    if point is None:
        return name or ""
    (of, joint), axis = joints[point[0]], point[1]
    return f"{JOINT_NAMES[joint]}_{axis}" if of == side and axis != "z" else ""


def _split(column: str) -> tuple[str, str]:
    """A column's joint and its axis; ``z`` for every number that is not used."""
    match = _AXIS_THEN_JOINT.fullmatch(column) if re.match(r"[xyzv][\s_.\-\[]*\d", column, re.I) else None
    if match:
        return match[2], match[1].lower()
    match = _JOINT_THEN_AXIS.fullmatch(column)
    if match is None:
        raise ValueError(f"'{column}'")
    return match[1], _AXES[match[2].lower()]


def read_cells(path: Path, text: str) -> list[list[str]]:
    """The cells of a table's lines, without blanks around them.

    Args:
        path: The file, for messages.
        text: Its content.

    Raises:
        UserError: It is not a table.
    """
    given = _SEPARATOR_LINE.match(text)
    text = text[given.end() :] if given else text
    header, _, _ = text.partition("\n")
    separator = given[1] if given else max(_SEPARATORS, key=header.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise UserError(f"The joints file '{path}' is broken ({error}): correct it.") from None
    return [[cell.strip() for cell in row] for row in rows]


def table_rows(path: Path, cells: Sequence[Sequence[str]], images: Path) -> list[Row]:
    """The hands of a table under one header line: ``wrist_x`` … px, ``wrist_x_m`` … m, ``fx`` …

    Columns with other names are read if they mean these (:mod:`gesturehand.own_data.table`).

    Args:
        path: The file, for messages.
        cells: Cells of the table, including the header line.
        images: Folder of the images.

    Raises:
        UserError: A column is unknown or occurs twice, a line has more cells than columns, a cell is not a number, or a
            table with other names refers to an image that does not exist.
    """
    columns = list(cells[0]) if cells else []
    own = all(name in _COLUMNS or not name or name.startswith("Unnamed:") for name in columns)
    try:
        hands = {None: columns} if own else translated(columns, _COLUMNS)
    except ValueError as error:
        raise UserError(
            f"'{path}' has the unknown column {error}: the columns are {', '.join(_FIRST)}, wrist_x, "
            f"wrist_y, thumb1_x, … in px and wrist_x_m, wrist_y_m, wrist_z_m, … in metres."
        ) from None
    rows = []
    for side, names in hands.items():
        for number, values in enumerate(_entries(path, names, cells[1:]), 1):
            where = f"Row {number} of '{path}'"
            if side is not None and values is not None:
                values["hand"] = side
            if values is not None and (own or "joints_2d" in values or "joints_3d" in values):
                rows.append((number, Row(where, values)))
    if own:
        return [row for _, row in rows]
    images_of = ImageNames(images)
    for _, row in rows:
        if "hand" in row.values:
            row.values["hand"] = side_in(row.values["hand"]) or row.values["hand"]
        if "image" in row.values:
            row.values["image"] = images_of.find(row.where, row.values["image"])
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _entries(path: Path, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[dict[str, Any] | None]:
    """The entry of each line; None for an empty one."""
    _check_columns(path, columns)
    longest = max(map(len, cells), default=0)
    if longest > len(columns):
        line = next(number for number, row in enumerate(cells) if len(row) == longest) + 2
        raise UserError(
            f"Line {line} of '{path}' has {longest} cells for {len(columns)} columns: quote cells that hold a "
            "separator."
        )
    filled = [
        {name: cell for name, cell in zip(columns, row, strict=False) if cell.lower() not in _NO_VALUE} for row in cells
    ]
    comma = _has_decimal_commas(path, filled)
    return [_entry(f"Row {number} of '{path}'", row, comma) if row else None for number, row in enumerate(filled, 1)]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    # A nameless column holds the row numbers of a spreadsheet or of pandas, or nothing of interest.
    named = [name for name in columns if name and not name.startswith("Unnamed:")]
    twice = [name for number, name in enumerate(named) if name in named[:number]]
    if twice:
        raise UserError(f"'{path}' has the column '{twice[0]}' twice: keep one.")


def _has_decimal_commas(path: Path, rows: Sequence[Mapping[str, str]]) -> bool:
    numbers = [cell for row in rows for name, cell in row.items() if name not in _TEXTS and name in _COLUMNS]
    commas = [cell for cell in numbers if _DECIMAL_COMMA.fullmatch(cell)]
    points = [cell for cell in numbers if "." in cell]
    if commas and points:
        raise UserError(
            f"'{path}' has numbers with decimal commas ('{commas[0]}') and with points ('{points[0]}'): write all of "
            "them in one way."
        )
    return bool(commas)


def _entry(where: str, cells: Mapping[str, str], comma: bool) -> dict[str, Any]:
    def number(name: str) -> float | None:
        if name not in cells:
            return None
        text = cells[name]
        try:
            return float(text.replace(",", ".") if comma else text)
        except ValueError:
            raise UserError(f"{where} has '{text[:40]}' as {name}, which is not a number: correct it.") from None

    entry: dict[str, Any] = {name: cells[name] for name in _TEXTS if name in cells}
    for key, endings in _POINTS.items():
        # The numbers of a joint that a tool marks as not labelled mean nothing.
        points = [
            [number(f"{joint}_{ending}") if number(f"{joint}_v") != 0 else None for ending in endings]
            for joint in JOINT_NAMES
        ]
        if any(value is not None for point in points for value in point):
            entry[key] = [None if all(value is None for value in point) else point for point in points]
    for key, names in (("intrinsics", _INTRINSICS), ("box", _BOX)):
        values = [number(name) for name in names]
        if any(value is not None for value in values):
            entry[key] = values
    return entry | {name: value for name in _NUMBERS if (value := number(name)) is not None}
