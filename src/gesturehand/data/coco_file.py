"""COCO-style key points: the file's entries as types, and the hands of an annotation.

The layout is COCO's (cocodataset.org/#format-data, "Keypoint Detection") with others' additions: COCO-WholeBody's
``lefthand_kpts`` …, and ``hand_type``, ``joint_cam`` and ``cam_param`` of mmpose's single-hand files.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from gesturehand.data.joint_names import NamedJoint, read_joint_names, side_in
from gesturehand.skeleton import NUM_JOINTS, SIDES, Side

Identity = int | str
Number = float | None
#: x, y, v of one joint after another, or a list of them.
Keypoints = list[Number | list[Number]]
Box = tuple[float, float, float, float]
#: Keys in which tools give the side of a hand, in the annotation or in its ``attributes``.
_SIDE_KEYS: Final = ("hand_type", "handedness", "hand_side", "hand", "side")


class CocoCamera(msgspec.Struct, gc=False):
    """``cam_param`` of an image in mmpose's files, px."""

    focal: tuple[float, float]
    princpt: tuple[float, float]


class CocoImage(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    id: Identity
    file_name: str
    width: float | None = None
    height: float | None = None
    cam_param: CocoCamera | None = None


class CocoAnnotation(msgspec.Struct, gc=False):
    """An entry of ``annotations``; keys that are not listed are ignored."""

    image_id: Identity
    id: Identity | None = None
    category_id: Identity | None = None
    keypoints: Keypoints | None = None
    bbox: list[Number] | None = None
    joint_cam: list[tuple[Number, Number, Number]] | None = None
    hand_type: Any = None
    handedness: Any = None
    hand_side: Any = None
    hand: Any = None
    side: Any = None
    is_left: Any = None
    is_right: Any = None
    attributes: Any = None
    lefthand_kpts: Keypoints | None = None
    righthand_kpts: Keypoints | None = None
    lefthand_valid: bool | None = None
    righthand_valid: bool | None = None
    lefthand_box: list[Number] | None = None
    righthand_box: list[Number] | None = None


class CocoCategory(msgspec.Struct, gc=False):
    """An entry of ``categories``."""

    id: Identity
    name: str = ""
    keypoints: list[str] | None = None


class CocoParts(msgspec.Struct):
    """The file's lists, unread: a set's may be gigabytes."""

    images: msgspec.Raw
    annotations: msgspec.Raw
    categories: list[CocoCategory] | None = None
    info: Any = None


class CocoFile(msgspec.Struct):
    """The whole file."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory] | None = None


class CocoHand(NamedTuple):
    """A hand of an annotation.

    Attributes:
        side: Its side, or None if unknown.
        joints: (21, 2) px, NaN for a joint without a label (v = 0).
        joints_cam: (21, 3), camera frame, in the file's unit (mm); NaN likewise; or None.
        box: x, y, width, height, px, or None.
    """

    side: Side | None
    joints: np.ndarray
    joints_cam: np.ndarray | None
    box: Box | None


class CocoJoints:
    """The meaning of each category's key points.

    Args:
        categories: Categories of the file.

    Raises:
        ValueError: A category does not name its key points as joints of hands; the text ends a sentence.
    """

    def __init__(self, categories: Sequence[CocoCategory]) -> None:
        self._names = {category.id: category.name for category in categories}
        self._joints: dict[Identity, list[NamedJoint]] = {}
        self._unread: dict[Identity, str] = {}
        for category in categories:
            try:
                self._joints[category.id] = read_joint_names(category.keypoints or [])
            except ValueError as error:
                # It matters only if an annotation has this category: there may be bodies as well as hands.
                self._unread[category.id] = f"names a key point {error} in the category '{category.name}'"

    def hands(self, annotation: CocoAnnotation) -> Iterator[CocoHand]:
        """The hands of an annotation; one without a labelled joint is left out unless it has joints in space.

        Raises:
            ValueError: The key points are not those of hands; the text ends a sentence.
        """
        if annotation.lefthand_kpts is not None or annotation.righthand_kpts is not None:
            yield from _hands_of_body(annotation)
            return
        if annotation.keypoints is None:
            return
        points = _points(annotation.keypoints)
        category = annotation.category_id
        if category in self._unread:
            raise ValueError(f"{self._unread[category]}, which is not a joint of a hand, or occurs twice")
        named = self._joints.get(category) or [] if category is not None else []
        named = named or [NamedJoint(None, joint) for joint in range(NUM_JOINTS)]
        if len(points) != len(named):
            raise ValueError(f"has {len(points)} key points where {len(named)} are named")
        own_side = side_of(annotation) or side_in(self._names.get(category, "") if category is not None else "")
        for side in (*SIDES, None):
            places = [place for place, joint in enumerate(named) if joint.side == side]
            joints = np.full((NUM_JOINTS, 2), np.nan)
            order = [named[place].joint for place in places]
            joints[order] = points[places]
            space = None
            if annotation.joint_cam is not None and len(annotation.joint_cam) == len(named):
                space = np.full((NUM_JOINTS, 3), np.nan)
                space[order] = np.array(annotation.joint_cam, np.float64)[places]
            if np.isfinite(joints).any():
                yield CocoHand(side or own_side, joints, space, _box(annotation.bbox))


def side_of(annotation: CocoAnnotation) -> Side | None:
    """The side that an annotation gives for its hand, or None."""
    extra: Mapping[str, Any] = annotation.attributes if isinstance(annotation.attributes, dict) else {}
    for key in _SIDE_KEYS:
        for value in (getattr(annotation, key), extra.get(key)):
            side = side_in(value) if isinstance(value, str) else None
            if side is not None:
                return side
    for side in SIDES:
        told = getattr(annotation, f"is_{side}")
        told = extra.get(f"is_{side}") if told is None else told
        if isinstance(told, bool | int):
            return side if told else SIDES[1 - SIDES.index(side)]
    return None


def _hands_of_body(annotation: CocoAnnotation) -> Iterator[CocoHand]:
    """The hands of a body in COCO-WholeBody: one counts if it is marked as valid and has a labelled joint."""
    for side in SIDES:
        keypoints = getattr(annotation, f"{side}hand_kpts")
        if keypoints is None or getattr(annotation, f"{side}hand_valid") is False:
            continue
        joints = _points(keypoints)
        if len(joints) != NUM_JOINTS:
            raise ValueError(f"has {len(joints)} key points in {side}hand_kpts, and a hand has {NUM_JOINTS}")
        if np.isfinite(joints).any():
            yield CocoHand(side, joints, None, _box(getattr(annotation, f"{side}hand_box")))


def _points(keypoints: Keypoints) -> np.ndarray:
    """(K, 2) px of triples, NaN where v is 0."""
    try:
        given = np.array(keypoints, np.float64)
    except (TypeError, ValueError, OverflowError):  # some joints in lists and some not
        given = np.zeros((1, 1))
    if given.ndim == 1 and len(given) % 3 == 0:
        given = given.reshape(-1, 3)
    if given.ndim != 2 or given.shape[1] not in (2, 3):
        raise ValueError("has key points that are not x, y, v of each joint")
    if given.shape[1] == 3:
        given[~(given[:, 2] > 0)] = np.nan
    return given[:, :2]


def _box(values: Sequence[Number] | None) -> Box | None:
    if values is None or len(values) != 4 or None in values:
        return None
    x, y, width, height = map(float, values)  # type: ignore[arg-type]
    return (x, y, width, height) if width > 0 and height > 0 else None
