"""Queries to the predictor: an image and its hands, checked and turned into crops; the focal length from Exif data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ExifTags

from gesturehand.camera import assumed_intrinsics
from gesturehand.data.image_file import heic_is_read, read_image, rgb_array
from gesturehand.errors import UserError, one_line
from gesturehand.inference.boxes import (
    HandBox,
    check_crop,
    check_inside,
    parse_box,
    parse_hand,
    parse_numbers,
    parse_turn,
    square_of,
)
from gesturehand.skeleton import SIDES, Side

#: Diagonal of 35 mm film (36 × 24 mm), to which equivalent focal lengths refer (CIPA DCG-001).
_FILM_DIAGONAL_MM: Final = math.hypot(36, 24)
#: Millimetres in a unit of the sensor's resolution, by the tag's number: inch, centimetre, millimetre, micrometre.
_UNITS_MM: Final = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
#: Focal lengths over the image's longer side that a camera may have: a fisheye has 0.2, a long telephoto lens 60.
_PLAUSIBLE: Final = (0.1, 100.0)
#: The same for given ones, which may belong to a small part that was cut out of a photo.
_BELIEVED: Final = (0.05, 10_000.0)
#: Largest ratio of the two focal lengths: an image may have been stretched.
_MAX_ASPECT: Final = 10.0
#: Skew, which is ignored, over the focal length.
_MAX_SKEW: Final = 0.01
#: Orientations that exchange width and height.
_SIDEWAYS: Final = (5, 6, 7, 8)
Image = npt.NDArray[np.uint8] | str | Path
Boxes = Sequence[Sequence[float]] | npt.NDArray[np.floating] | npt.NDArray[np.integer] | None
Turns = float | Sequence[float | None] | npt.NDArray[np.floating] | None
Intrinsics = Sequence[float] | npt.NDArray[np.floating] | None
#: The basis of intrinsics: the caller, the photo's Exif data, or nothing.
IntrinsicsSource = Literal["given", "exif", "assumed"]

#: Slots of a two-hand network, in order.
_BOTH: Final = tuple(SIDES)


def exif_intrinsics(path: str | Path, width: int, height: int) -> npt.NDArray[np.float64] | None:
    """Intrinsics of a photo whose Exif data contain the focal length.

    ``FocalLengthIn35mmFilm`` is the focal length that gives the same field of view, along the diagonal, on film; it
    remains valid if the photo is scaled. Without it, ``FocalLength`` in millimetres and ``FocalPlaneXResolution`` (and
    Y) are used, in pixels of the photo as it was taken, whose size is ``ExifImageWidth`` and ``ExifImageHeight``. A
    photo that was cropped afterwards does not say so, and its focal length comes out wrong.

    Args:
        path: The image file.
        width: Width of the image as it is shown, px.
        height: Likewise.

    Returns:
        (3, 3) px, with the principal point in the middle; None if the tags are missing or make no sense.
    """
    heic_is_read()
    try:
        with PIL.Image.open(path) as image:
            exif = image.getexif()
            tags = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # damaged data can fail in any way, and the photo is fine without
        return None
    focal = _from_film(tags, width, height) or _from_sensor(tags, exif.get(ExifTags.Base.Orientation), width, height)
    if focal is None or not all(_PLAUSIBLE[0] <= value / max(width, height) <= _PLAUSIBLE[1] for value in focal):
        return None
    return np.array([[focal[0], 0, (width - 1) / 2], [0, focal[1], (height - 1) / 2], [0, 0, 1]], np.float64)


def _from_film(tags: Any, width: int, height: int) -> tuple[float, float] | None:
    equivalent_mm = _positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent_mm is None:
        return None
    focal = equivalent_mm / _FILM_DIAGONAL_MM * math.hypot(width, height)
    return focal, focal


def _from_sensor(tags: Any, orientation: Any, width: int, height: int) -> tuple[float, float] | None:
    focal_mm = _positive(tags.get(ExifTags.Base.FocalLength))
    unit_mm = _UNITS_MM.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    along_x = _positive(tags.get(ExifTags.Base.FocalPlaneXResolution))
    along_y = _positive(tags.get(ExifTags.Base.FocalPlaneYResolution)) or along_x
    if focal_mm is None or unit_mm is None or along_x is None or along_y is None:
        return None
    sideways = orientation in _SIDEWAYS
    stored = (height, width) if sideways else (width, height)
    taken = [
        _positive(tags.get(tag)) or float(size)
        for tag, size in zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), stored, strict=True)
    ]
    x, y = (
        focal_mm * resolution / unit_mm * size / of_taken
        for resolution, size, of_taken in zip((along_x, along_y), stored, taken, strict=True)
    )
    return (y, x) if sideways else (x, y)


def _positive(value: Any) -> float | None:
    """A tag's number, or None if it is missing, 0 (which means unknown) or not a number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


@dataclass(frozen=True)
class ImageQuery:
    """An image and the hands to predict in it.

    Attributes:
        image: (H, W, 3) uint8 RGB, or a file's path.
        hands: The hands; None: those that the detector finds.
        intrinsics: fx, fy, cx, cy or (3, 3), px; if not given, those of the file's Exif data, else assumed.
        name: Names the image in errors.
        intrinsics_source: The basis of given intrinsics.
    """

    image: Image
    hands: tuple[HandBox, ...] | None = None
    intrinsics: Intrinsics = None
    name: str = "the image"
    intrinsics_source: IntrinsicsSource = "given"


@dataclass(frozen=True)
class CropRequest:
    """One crop for the network.

    Attributes:
        square: (3,) centre x, centre y and side, px.
        box: (4,) x, y, width, height px: the box it was made from.
        sides: The hands to predict in it: one, or both for a two-hand network.
        order: Position of each in the result.
        turn_deg: Clockwise rotation of the crop's content; None if not known.
        scores: The detector's score of each, None for hands that were given; empty if all were.
    """

    square: np.ndarray
    box: tuple[float, float, float, float]
    sides: tuple[Side, ...]
    order: tuple[float, ...]
    turn_deg: float | None = None
    scores: tuple[float | None, ...] = ()


class ImageCamera(NamedTuple):
    """An image's intrinsics.

    Attributes:
        intrinsics: (3, 3) px.
        source: Their basis.
    """

    intrinsics: npt.NDArray[np.float64]
    source: IntrinsicsSource


def camera_of(given: Intrinsics, file: str | Path | None, width: int, height: int) -> ImageCamera:
    """The intrinsics of an image: the given ones, else those of its Exif data, else a stated guess.

    Args:
        given: fx, fy, cx, cy or (3, 3), px, or None.
        file: The image file that the image comes from, if any.
        width: Width of the image as it is shown, px.
        height: Likewise.

    Raises:
        UserError: The given values are not intrinsics, or not those of an image of this size.
    """
    if given is not None:
        matrix = intrinsics_matrix(given)
        _check_camera(matrix, width, height)
        return ImageCamera(matrix, "given")
    found = None if file is None else exif_intrinsics(file, width, height)
    if found is not None:
        return ImageCamera(found, "exif")
    return ImageCamera(assumed_intrinsics(width, height), "assumed")


def image_of(query: ImageQuery) -> npt.NDArray[np.uint8]:
    """The query's pixels.

    Raises:
        UserError: Its file cannot be read (:mod:`gesturehand.data.image_file`), or its array is not an RGB image.
    """
    if isinstance(query.image, (str, Path)):
        return read_image(query.image)
    return rgb_array(query.image, query.name)


def hands_from(boxes: Boxes | str, hands: str | Sequence[str] | None, turns: Turns = None) -> tuple[HandBox, ...]:
    """Hands from the plain arguments of a call.

    Args:
        boxes: (N, 4) or one (4,): x, y, w, h px; "whole" or None: the whole image.
        hands: A side for all, or one per box.
        turns: Degrees for all, or one or None per box (``turn_deg`` of :class:`~gesturehand.inference.boxes.HandBox`).

    Raises:
        UserError: Boxes, sides or turns are wrong, or their numbers differ.
    """
    rows: list[tuple[float, float, float, float] | None] = [None]
    if isinstance(boxes, str):
        if boxes != "whole":
            raise UserError(f"boxes is {boxes!r}: give x, y, width and height in pixels of each hand, or 'whole'.")
        boxes = None
    if boxes is not None:
        try:
            array = np.asarray(boxes)
            array = array.astype(np.float64, casting="unsafe" if array.dtype.kind in "OUS" else "same_kind")
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"boxes is {one_line(repr(boxes), 60)}: give (N, 4), x, y, width and height in pixels."
            ) from None
        array = array[None] if array.shape == (4,) else array.reshape(-1, 4) if array.size == 0 else array
        if array.ndim != 2 or array.shape[1] != 4:
            raise UserError(f"boxes has the shape {array.shape}: give (N, 4), x, y, width and height in pixels.")
        rows = [parse_box(row.tolist(), f"Box {number}") for number, row in enumerate(array)]
    sides = [hands] * len(rows) if hands is None or isinstance(hands, str) else list(hands)
    if (boxes is None and len(sides) != 1) or len(sides) != len(rows):
        raise UserError(f"There are {len(rows)} boxes and {len(sides)} hands: give one side per box, or one for all.")
    given: Any = turns.tolist() if isinstance(turns, np.ndarray) else turns
    each = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given] * len(rows)
    if len(each) != len(rows):
        raise UserError(f"There are {len(rows)} boxes and {len(each)} turns: give one turn per box, or one for all.")
    return tuple(
        HandBox(box, parse_hand(side, "The side"), parse_turn(turn, "The turn"))
        for box, side, turn in zip(rows, sides, each, strict=True)
    )


def intrinsics_matrix(intrinsics: Intrinsics | str) -> npt.NDArray[np.float64]:
    """(3, 3) px from fx, fy, cx, cy (also as text with commas) or a matrix.

    Raises:
        UserError: They are not intrinsics.
    """
    four = parse_numbers(intrinsics, 4)
    matrix = np.asarray(intrinsics) if four is None and not isinstance(intrinsics, str) else np.zeros(0)
    if four is not None:
        fx, fy, cx, cy = four
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    good = matrix.shape == (3, 3) and matrix.dtype.kind in "iuf" and bool(np.isfinite(matrix).all())
    if not good or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise UserError(
            f"The intrinsics {one_line(repr(intrinsics), 100)} are not a camera's: give fx,fy,cx,cy in pixels, focal "
            "lengths above 0."
        )
    if abs(matrix[0, 1]) > _MAX_SKEW * matrix[0, 0] or matrix[1, 0] or (matrix[2] != (0, 0, 1)).any():
        raise UserError(
            f"The intrinsics {one_line(repr(intrinsics), 100)} are not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]: give a "
            "matrix of this form, for an image without skew."
        )
    return matrix.astype(np.float64)


def _check_camera(intrinsics: npt.NDArray[np.float64], width: int, height: int) -> None:
    """Raises a UserError if intrinsics can hardly be those of an image of this size."""
    longer = max(width, height)
    fx, fy = intrinsics[0, 0], intrinsics[1, 1]
    lowest, highest = _BELIEVED
    if not lowest * longer <= min(fx, fy) <= max(fx, fy) <= highest * longer or max(fx, fy) > _MAX_ASPECT * min(fx, fy):
        raise UserError(
            f"Focal lengths of {fx:g} and {fy:g} px cannot be those of an image of {width} × {height} px: give "
            "fx,fy,cx,cy in pixels, not in millimetres or as fractions of the image."
        )
    if np.abs(intrinsics[:2, 2]).max() > highest * longer:
        raise UserError(
            f"A principal point at {intrinsics[0, 2]:g}, {intrinsics[1, 2]:g} px cannot be that of an image of {width} "
            f"× {height} px: give fx,fy,cx,cy in pixels."
        )


def crops_of(query: ImageQuery, image: np.ndarray, two_hand: bool, box_scale: float) -> list[CropRequest]:
    """The crops that a query needs.

    A one-hand network gets one crop per box. If the crops of a right and a left hand overlap, a two-hand network gets
    one crop around both boxes, as in training; a single hand gets its own crop.

    Hands to be detected (None) must have been detected by now.

    Raises:
        UserError: A box lies outside the image or is many times as large, or a one-hand network is asked for both hands
            of a box.
    """
    height, width = image.shape[:2]
    requests = []
    for number, hand in enumerate(query.hands or ()):
        side = hand.side or ("both" if two_hand else "right")
        if hand.box is not None:
            check_inside(hand.box, width, height, query.name)
        if side == "both" and not two_hand:
            raise UserError(f"This network sees one hand at a time: give each hand of {query.name} a box and a side.")
        sides: tuple[Side, ...] = _BOTH if side == "both" else (side,)
        order = (number, number + 0.5)[: len(sides)]
        square = square_of(hand.box, width, height, box_scale)
        box, turn = hand.box or (0.0, 0.0, float(width), float(height)), None if two_hand else hand.turn_deg
        requests.append(CropRequest(square, box, sides, order, turn, (hand.score,) * len(sides)))
    requests = _merge_pairs(requests, box_scale) if two_hand else requests
    for request in requests:
        check_crop(request.square, width, height, query.name)
    return requests


def _merge_pairs(requests: list[CropRequest], box_scale: float) -> list[CropRequest]:
    """Right and left hands whose crops overlap become one crop, the nearest first."""
    rights, lefts = ([r for r in requests if r.sides == (side,)] for side in SIDES)
    pairs = sorted(
        (float(np.abs(a.square[:2] - b.square[:2]).max() / (a.square[2] + b.square[2])), i, j)
        for i, a in enumerate(rights)
        for j, b in enumerate(lefts)
    )
    merged, used = [], set()
    for distance, i, j in pairs:
        right, left = rights[i], lefts[j]
        if distance >= 0.5 or right.order in used or left.order in used:
            continue
        used |= {right.order, left.order}
        low = np.minimum(right.box[:2], left.box[:2])
        high = np.maximum(np.add(right.box[:2], right.box[2:]), np.add(left.box[:2], left.box[2:]))
        box = (*low.tolist(), *(high - low).tolist())
        order, scores = right.order + left.order, right.scores + left.scores
        merged.append(CropRequest(square_of(box, 0, 0, box_scale), box, _BOTH, order, None, scores))
    return merged + [request for request in requests if request.order not in used]
