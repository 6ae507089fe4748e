"""Boxes and sides of hands as users give them, and the square crops made from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened
from typing import Any, Final, Literal

import numpy as np

from gesturehand.data.spelling import spelled
from gesturehand.detection import HandDetection
from gesturehand.detection.detector import BOX_OVER_JOINTS
from gesturehand.errors import UserError
from gesturehand.inference.result import HAND_KEYS
from gesturehand.skeleton import SIDES
from gesturehand.text_file import read_json

#: The hands that a box may show; ``both`` is for networks that see two hands.
Hand = Literal["right", "left", "both"]
HANDS: Final = (*SIDES, "both")

#: The keys of a hand in a boxes file, and those in this library's own JSON, whose other keys are ignored.
_KEYS: Final = frozenset({"box", "hand", "turn_deg", "track", *HAND_KEYS})
#: A box of at most this size, px, shows no hand; it may have been given in fractions of the image.
_SMALLEST_PX: Final = 2.0
#: Largest side of a crop over the image's longer side: a larger crop is a mistake and fills the memory.
_LARGEST_CROP: Final = 4.0
#: Share of a box that must stick out of the image before its numbers are taken to be corners.
_CLEARLY_OUTSIDE: Final = 0.1

#: Side of a crop over the longer side of its box. Training crops are 1.56 × the joints' box (EANet's 1.25 twice), and a
#: box around the whole hand, including flesh, is about 1.1 × that of the joints.
BOX_SCALE: Final = 1.4


@dataclass(frozen=True)
class HandBox:
    """One hand (or both) in an image.

    Attributes:
        box: x, y, width, height, px: a box around the visible part of the hand. None: the whole image is the hand.
        side: Which hand it is. None: the network's default (a right hand; both, if it sees two).
        turn_deg: Clockwise rotation of the picture, degrees, that makes wrist → middle knuckle point up. None: not
            known, and a network of upright crops finds it. Networks that see two hands do not rotate crops.
        score: 0…1, the detector's certainty. None: the hand was given, not detected.
    """

    box: tuple[float, float, float, float] | None = None
    side: Hand | None = None
    turn_deg: float | None = None
    score: float | None = None

    @classmethod
    def of(cls, detection: HandDetection, side: Hand | None, *, upright: bool) -> "HandBox":
        """A hand that was found.

        Args:
            detection: The detected hand.
            side: Its side, if it is known for certain.
            upright: The network sees upright hands, so the rotation in the image matters.
        """
        turn_deg = detection.turn_deg if upright else None
        return cls(detection.box, side or detection.side, turn_deg, detection.score)


def box_around_joints(joints: np.ndarray) -> tuple[float, float, float, float]:
    """The box that the detector would give a hand with these joints.

    Args:
        joints: (J, 2) px, in which pixel centres have whole numbers.

    Returns:
        x, y, width, height, px, in which pixel edges have whole numbers.
    """
    low, size = joints.min(0), np.ptp(joints, 0)
    middle, sides = low + size / 2 + 0.5, BOX_OVER_JOINTS * size
    (x, y), (width, height) = (middle - sides / 2).tolist(), sides.tolist()
    return x, y, width, height


def parse_box(value: Any, where: str) -> tuple[float, float, float, float]:
    """A box from text ("x,y,w,h") or numbers.

    Args:
        value: The text or four numbers.
        where: Names it in an error.

    Raises:
        UserError: It is not a box.
    """
    numbers = parse_numbers(value, 4)
    if numbers is None or numbers[2] <= 0 or numbers[3] <= 0:
        raise UserError(f"{where} is {shortened(value)}: give x,y,w,h in pixels, width and height above 0.")
    if max(numbers[2:]) <= _SMALLEST_PX or min(numbers[2:]) < 1:
        raise UserError(
            f"{where} is {shortened(value)}, of {numbers[2]:g} × {numbers[3]:g} px: give pixels, not fractions."
        )
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def parse_hand(value: Any, where: str) -> Hand | None:
    """A side by its name.

    Raises:
        UserError: There is no such side.
    """
    if value is not None and value not in HANDS:
        raise UserError(f"{where} is {shortened(value)}: choose right, left or both.")
    return value


def parse_turn(value: Any, where: str) -> float | None:
    """A turn in degrees, clockwise; None if it is not known.

    Raises:
        UserError: It is not a number.
    """
    numbers = None if value is None or isinstance(value, str | bool) else parse_numbers([value], 1)
    if value is not None and numbers is None:
        raise UserError(f"{where} is {shortened(value)}: give the degrees, clockwise, that turn the hand upright.")
    return None if numbers is None else numbers[0]


def parse_numbers(value: Any, count: int) -> list[float] | None:
    """The given number of finite numbers from text with commas or a sequence, or None."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        numbers = [math.nan if isinstance(part, bool) else float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


class BoxFile:
    """A file of boxes, in one of two forms.

    - ``{"a.jpg": [{"box": [x, y, w, h], "hand": "right"}, …], …}``: by the image's file name. A video's entry is a list
      that applies to every frame, or ``{"0": [...], "1": [...]}`` by frame number.
    - ``[{"box": …, "hand": …}, …]``: the same boxes for every image.

    - ``{"image": "a.jpg", "hands": […]}``: the prediction of an image.

    ``hand``, which predictions call ``side``, may be left out, and so may ``box``, which then is the whole image.
    ``turn_deg`` may be added (:class:`HandBox`). An image that a file by names does not name has no hands. Folders in a
    name are ignored: no two images that are predicted together have the same name.

    Args:
        path: The JSON file.

    Raises:
        UserError: It is missing or not as above; the message names the entry.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        content = read_json(path, "The boxes' file", "see docs/predict.md", unique_keys=True)
        if isinstance(content, dict) and isinstance(content.get("image"), str) and "hands" in content:
            content = {content["image"]: content["hands"]}
        self._for_all: list[HandBox] | None = None
        self._by_name: dict[str, list[HandBox] | dict[int, list[HandBox]]] = {}
        if isinstance(content, list):
            self._for_all = self._hands(content, "the list")
        elif isinstance(content, dict):
            if "box" in content:
                raise UserError(f"'{path}' holds one hand: put it into a list, [{{…}}].")
            for name, entry in content.items():
                meant = _file_name(name)
                if meant in self._by_name:
                    raise UserError(f"'{path}' has two entries for the image '{meant}': put its hands into one list.")
                self._by_name[meant] = self._entry(entry, name)
        else:
            raise UserError(f"The boxes file '{path}' holds neither an object nor a list: see docs/predict.md.")

    def of(self, name: str, frame: int | None = None) -> list[HandBox]:
        """The hands of an image, or of a video's frame.

        Args:
            name: File name of the image or video.
            frame: Number of the frame, from 0.
        """
        if self._for_all is not None:
            return self._for_all
        entry = self._by_name.get(_file_name(name), [])
        if isinstance(entry, list):
            return entry
        if frame is None:
            raise UserError(f"The boxes of '{name}' in '{self.path}' are by frame: give a list, it is an image.")
        return entry.get(frame, [])

    def check_names(self, names: set[str]) -> None:
        """Raises a UserError if the file names an image that does not exist."""
        unknown = sorted(self._by_name.keys() - {_file_name(name) for name in names})
        if unknown:
            raise UserError(
                f"'{self.path}' has boxes for {len(unknown)} of {len(self._by_name)} images that are not there (the "
                f"first: '{unknown[0]}'): use the images' file names as keys."
            )

    def _entry(self, entry: Any, name: str) -> list[HandBox] | dict[int, list[HandBox]]:
        if not isinstance(entry, dict):
            return self._hands(entry, f"'{name}'")
        if not all(key.isdecimal() and len(key) < 10 for key in entry):
            if _KEYS & entry.keys():
                raise UserError(f"'{name}' in '{self.path}' is one hand: put it into a list, [{{…}}].")
            raise UserError(f"'{name}' in '{self.path}' has keys that are not frame numbers: see docs/predict.md.")
        frames = {int(key): self._hands(hands, f"'{name}', frame {key}") for key, hands in entry.items()}
        if len(frames) < len(entry):
            raise UserError(f"'{name}' in '{self.path}' names a frame twice: write each number once.")
        return frames

    def _hands(self, entry: Any, where: str) -> list[HandBox]:
        if not isinstance(entry, list) or not all(isinstance(hand, dict) for hand in entry):
            raise UserError(f'{where} in \'{self.path}\' is not a list of {{"box": [x, y, w, h], "hand": "right"}}.')
        hands = []
        for number, hand in enumerate(entry):
            place = f"of hand {number} of {where} in '{self.path}'"
            unknown = sorted(hand.keys() - _KEYS)
            if unknown:
                raise UserError(
                    f"The key '{unknown[0]}' {place} is not known: call the box \"box\", [x, y, w, h] in pixels, "
                    'and the side "hand", "right" or "left".'
                )
            box = None if hand.get("box") is None else parse_box(hand["box"], f"The box {place}")
            sides = [parse_hand(hand.get(key), f"The side {place}") for key in ("hand", "side")]
            if None not in sides and sides[0] != sides[1]:
                raise UserError(f'The side {place} is {sides[0]} as "hand" and {sides[1]} as "side": give one of them.')
            turn = parse_turn(hand.get("turn_deg"), f"The turn {place}")
            hands.append(HandBox(box, sides[0] or sides[1], turn))
        return hands


def _file_name(name: str) -> str:
    """An image's name without its folders, in a single spelling."""
    return PurePosixPath(spelled(name)).name


def check_inside(box: Sequence[float], width: int, height: int, where: str) -> None:
    """Raises a UserError if a box contains no pixel of the image."""
    x, y, w, h = box
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise UserError(
            f"The box {shortened(list(box))} lies outside {where}, which has {width} × {height} px: give x,y,w,h in "
            "its pixels."
        )


def check_crop(square: np.ndarray, width: int, height: int, where: str) -> None:
    """Raises a UserError if a crop is many times as large as the image.

    Args:
        square: (3,) centre x, centre y and side, px.
        width: Width of the image.
        height: Height of the image.
        where: Names the image.
    """
    if square[2] > _LARGEST_CROP * max(width, height):
        raise UserError(
            f"A crop of {square[2]:.4g} px is asked for in {where}, which has {width} × {height} px: give a box around "
            "the hand, or a smaller box_scale."
        )


def seems_corners(box: Sequence[float], width: int, height: int) -> bool:
    """Whether a box seems to end with a corner: it sticks out of the image, but not if it is read as two corners."""
    x, y, right, bottom = box
    is_inside = 0 <= x < right <= width and 0 <= y < bottom <= height
    return is_inside and (
        x + right - width > _CLEARLY_OUTSIDE * right or y + bottom - height > _CLEARLY_OUTSIDE * bottom
    )


def square_of(box: Sequence[float] | None, width: int, height: int, scale: float) -> np.ndarray:
    """The square crop of a box: centre x, centre y and side, px, for ``data.crop.crop_affine``.

    Args:
        box: x, y, w, h px; None for the whole image, which is taken as it is.
        width: Width of the image.
        height: Height of the image.
        scale: Side of the crop over the longer side of the box.
    """
    if box is None:
        return np.array([(width - 1) / 2, (height - 1) / 2, max(width, height)], np.float64)
    x, y, w, h = box
    # Boxes refer to the edges of pixels, coordinates to their centres.
    return np.array([x + (w - 1) / 2, y + (h - 1) / 2, max(w, h) * scale], np.float64)
