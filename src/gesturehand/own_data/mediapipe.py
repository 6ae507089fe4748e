"""MediaPipe's hand landmarks, in the layouts in which people save them, as rows of hands.

Fractions of the image's width and height (``hand_landmarks``; ``multi_hand_landmarks`` of the older API) become pixels.
World landmarks, metres about the hand's middle with the camera's axes, become joints that are placed by the pixels.
Layouts: developers.google.com/edge/api/mediapipe/python/mp/tasks/vision/HandLandmarkerResult, its JavaScript sibling,
and the output of ``MessageToDict`` for the older API's messages.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from gesturehand.data.image_file import look_at_image
from gesturehand.data.joint_names import side_in
from gesturehand.errors import UserError
from gesturehand.own_data.rows import ImageNames, Row
from gesturehand.skeleton import NUM_JOINTS, SIDES, Side

#: Keys of the results of all hands, in spellings without underscores and capitals.
_SHARES: Final = ("handlandmarks", "multihandlandmarks", "landmarks", "normalizedlandmarks", "joints")
_WORLD: Final = ("handworldlandmarks", "multihandworldlandmarks", "worldlandmarks")
_SIDES: Final = ("handedness", "handednesses", "multihandedness", "side", "hand", "label", "categoryname")
_IMAGE: Final = (
    "image",
    "imagename",
    "imagepath",
    "imagefile",
    "file",
    "filename",
    "filepath",
    "path",
    "name",
    "frame",
)
#: Keys that may enclose the results of one image, and a list of images.
_RESULT: Final = ("result", "results", "detection", "detections", "hands", "data", "mediapipe", "output")
_LIST: Final = ("images", "results", "frames", "files", "data", "predictions", "annotations", "hands")
#: The keys of a hand's points, and of its classification, in a message or a dictionary.
_POINTS: Final = ("landmark", "landmarks", "points")
_CLASSES: Final = ("classification", "categories")
#: The keys of a category's name.
_NAMES: Final = ("categoryname", "label", "displayname", "handedness", "name")
#: A landmark may lie beyond the image's edge; further out than this, in sides of the image, it cannot be a fraction.
_LARGEST_SHARE: Final = 3.0
#: World landmarks further from the hand's middle than this, m, are in another unit.
_FARTHEST_M: Final = 0.5


class Hand(NamedTuple):
    """The network's output for one hand.

    Attributes:
        shares: (21, 2 or 3) of the image's width and height, and depth.
        world: (21, 3) m, or None.
        side: Its side, or None.
    """

    shares: np.ndarray
    world: np.ndarray | None
    side: Side | None


def is_mediapipe(content: Any) -> bool:
    """Whether a JSON file's content has landmarks of hands where MediaPipe's results have them."""
    if isinstance(content, list):
        return any(is_mediapipe(item) for item in content[:100])
    if not isinstance(content, dict):
        return False
    if _has_landmarks(content):
        return True
    return any(isinstance(value, list | dict) and is_mediapipe(value) for value in list(content.values())[:100])


def mediapipe_rows(path: Path, content: Any, images: Path, name: str | None = None) -> list[Row]:
    """The hands of all images for which a file has results; images without hands are left out.

    Args:
        path: The file, for messages.
        content: The file's content: results by image name, or a list of results that name their image, or one result.
        images: Folder of the images.
        name: Image of a result that names none; the file's own name without its suffix if not given.

    Raises:
        UserError: A result names no image, or its landmarks are not 21 points in fractions of the image.
    """
    names = ImageNames(images)
    rows = []
    for number, (said, result) in enumerate(_results(content)):
        where = f"Result {number} of '{path}'"
        hands = list(_hands(where, result))
        if not hands:
            continue
        if said is None and name is None:
            where += ", which names no image and is taken for the one of the file's name,"
        image = names.find(where, said or name or path.with_suffix("").name)
        width, height = look_at_image(images / image)
        for hand in hands:
            # Fractions refer to pixel edges: subtract half a pixel for pixel centres.
            pixels = hand.shares[:, :2] * (width, height) - 0.5
            values: dict[str, Any] = {"image": image, "joints_2d": pixels.tolist(), "pseudo_label": True}
            if hand.side is not None:
                values["hand"] = hand.side
            if hand.world is not None:
                values["joints_relative"] = hand.world.tolist()
            rows.append(Row(where, values))
    return rows


def _plain(key: Any) -> str:
    return str(key).replace("_", "").replace("-", "").replace(" ", "").lower()


def _find(result: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The value of the first key that exists and is not null."""
    plain = {_plain(key): value for key, value in result.items()}
    return next((plain[key] for key in keys if plain.get(key) is not None), None)


def _has_landmarks(content: Mapping[str, Any]) -> bool:
    keys = {_plain(key) for key in content}
    named = any(key in keys for key in (*_SHARES[:4], *_WORLD, *(f"{side}handlandmarks" for side in SIDES)))
    return named or ("landmark" in keys)


def _results(content: Any) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """The results of images, and the images' names if the file gives them."""
    if isinstance(content, list):
        for item in content:
            yield from _results(item)
        return
    if not isinstance(content, dict):
        return
    image = _find(content, _IMAGE)
    image = image if isinstance(image, str) else None
    if _has_landmarks(content):
        yield image, content
        return
    inner = _find(content, _RESULT if image is not None else _LIST)
    if image is not None:
        if isinstance(inner, dict):
            yield image, inner
        elif isinstance(inner, list):
            yield image, {"hands": inner}
        return
    if isinstance(inner, list | dict):
        yield from _results(inner)
        return
    for key, value in content.items():
        if isinstance(value, dict):
            yield key, value
        elif isinstance(value, list):
            yield key, {"hands": value}


def _hands(where: str, result: Mapping[str, Any]) -> Iterator[Hand]:
    listed = _find(result, ("hands", *_RESULT))
    if not _has_landmarks(result) and listed is not None:
        for item in listed if isinstance(listed, list) else [listed]:
            if isinstance(item, dict):
                yield from _hands(where, item)
            else:
                yield from _hands(where, {"landmarks": [item]})
        return
    for side in SIDES:  # the holistic network's
        points = _find(result, (f"{side}handlandmarks",))
        if _list(points):
            world = _find(result, (f"{side}handworldlandmarks",))
            yield _hand(where, _one(points), _one(world) if world else None, side)
    shares, world, labels = (_find(result, keys) for keys in (_SHARES, _WORLD, _SIDES))
    if shares is None:
        shares = [result] if _find(result, _POINTS) else []
    shares, worlds = _each(shares), _each(world) if world else []
    if worlds and len(worlds) != len(shares):
        raise UserError(
            f"{where} has {len(shares)} hands and world landmarks of {len(worlds)}: save both of each hand."
        )
    told = _each_label(labels, len(shares))
    for number, points in enumerate(shares):
        yield _hand(where, points, worlds[number] if worlds else None, told[number] if number < len(told) else None)


def _list(points: Any) -> Any:
    """A hand's points inside a message or dictionary, or as they are."""
    return _find(points, _POINTS) if isinstance(points, dict) else points


def _is_points(value: Any) -> bool:
    value = _list(value)
    if not isinstance(value, list) or not value:
        return False
    first = value[0]
    if isinstance(first, dict):
        return "x" in first or "y" in first
    return isinstance(first, list) and bool(first) and not isinstance(first[0], list | dict)


def _one(points: Any) -> Any:
    """A hand's points, even if they are in a list of a single hand's."""
    return points if _is_points(points) or not isinstance(points, list) else points[0]


def _each(hands: Any) -> list[Any]:
    """The hands of a list of hands, or of one hand's points."""
    if _is_points(hands):
        return [hands]
    return [hand for hand in hands if hand] if isinstance(hands, list) else []


def _each_label(labels: Any, hands: int) -> list[Any]:
    if labels is None:
        return []
    if not isinstance(labels, list):
        return [labels]
    return [labels] if hands == 1 and labels and isinstance(labels[0], dict) else labels


def _side(value: Any) -> Side | None:
    """The side that is given by text, a category, a list of categories, of which the first counts, or a message."""
    while isinstance(value, list | dict):
        if isinstance(value, list):
            value = value[0] if value else None
        else:
            value = _find(value, _CLASSES) or _find(value, _NAMES)
    return side_in(value) if isinstance(value, str) else None


def _hand(where: str, points: Any, world: Any, label: Any) -> Hand:
    shares = _coordinates(where, "landmarks", points)
    with np.errstate(invalid="ignore"):
        extent = np.abs(shares[:, :2]).max()
    if not extent <= _LARGEST_SHARE:
        raise UserError(
            f"{where} has a landmark at {extent:.4g}, but MediaPipe's are fractions of the image's width and height: "
            "save them as they are, or write pixels as joints_2d (docs/own_data.md)."
        )
    placed = None
    if world is not None:
        placed = _coordinates(where, "world landmarks", world)
        if placed.shape[1] != 3 or not np.abs(placed).max() <= _FARTHEST_M:
            raise UserError(
                f"{where} has world landmarks that are not x, y, z in metres about the hand's middle: save them as "
                "they are, or leave them out."
            )
    return Hand(shares, placed, _side(label))


def _coordinates(where: str, what: str, points: Any) -> np.ndarray:
    """(21, 2 or 3) of a hand's points, whatever holds them."""
    points = _list(points)
    points = points if isinstance(points, list) else []
    axes = ("x", "y", "z") if any(isinstance(point, dict) and "z" in point for point in points) else ("x", "y")
    # A message omits a coordinate of 0.
    read = [
        [point.get(axis, 0.0) for axis in axes]
        if isinstance(point, dict)
        else point[:3]
        if isinstance(point, list)
        else 0
        for point in points
    ]
    try:
        coordinates = np.array(read, np.float64)
    except (TypeError, ValueError, OverflowError):
        coordinates = np.zeros(0)
    if coordinates.shape not in ((NUM_JOINTS, 2), (NUM_JOINTS, 3)) or not np.isfinite(coordinates).all():
        raise UserError(f"{where} needs {what} as {NUM_JOINTS} points of x, y and z per hand: save them as they are.")
    return coordinates
