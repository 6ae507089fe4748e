"""Columns of tables by the names that other tools give them, in the words of docs/own_data.md."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gesturehand.data.joint_names import NamedJoint, read_joint_names
from gesturehand.skeleton import JOINT_NAMES, SIDES, Side

_OTHER_NAMES: Final = {
    **dict.fromkeys(("file", "filename", "filepath", "imagename", "imagepath", "imagefile", "img", "path"), "image"),
    **dict.fromkeys(("side", "handedness", "handside", "handtype", "whichhand"), "hand"),
}
#: What says nothing that is needed here.
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


def translated(columns: Sequence[str], known: Collection[str]) -> dict[Side | None, list[str]]:
    """A table's columns under the names of docs/own_data.md.

    Joints may be named in any way that :func:`~gesturehand.data.joint_names.read_joint_names` reads, with ``x``, ``y``
    before or behind. Where names say left and right, a row has two hands.

    Args:
        columns: As the table has them, without names used here already.
        known: Names that are used here.

    Returns:
        By the hand that names are of, None where they say none, the columns' names: ``wrist_x`` …, ``wrist_v`` for
        whether a joint is labelled, and '' for what says nothing.

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
