"""Which hands are where: boxes and sides as users give them, and the square crops that come of them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

import numpy as np

from gesturehand.data.spelling import spelled
from gesturehand.detection import HandDetection
from gesturehand.errors import UserError
from gesturehand.skeleton import SIDES

#: What a box may show; ``both`` is for networks that see two hands.
Hand = Literal["right", "left", "both"]
HANDS: Final = (*SIDES, "both")

#: Side of a crop over the longer side of its box. Training crops are 1.56 × the joints' box (EANet's 1.25 twice), and a
#: box around the whole hand, flesh included, is about 1.1 × the joints'.
BOX_SCALE: Final = 1.4


@dataclass(frozen=True)
class HandBox:
    """One hand (or both) in an image.

    Attributes:
        box: x, y, width, height, px: a box around what is seen of the hand. None: the whole image is the hand.
        hand: Which hand it is. None: the network's default (a right hand; both, where it sees two).
        turn_deg: How the picture must be turned, clockwise, so that wrist → middle knuckle points up. None: not known,
            and a network of upright crops finds it. Networks that see two hands do not turn.
        score: 0…1, how certain the detector was of it. None: it was not found but given.
    """

    box: tuple[float, float, float, float] | None = None
    hand: Hand | None = None
    turn_deg: float | None = None
    score: float | None = None

    @classmethod
    def of(cls, detection: HandDetection, hand: Hand | None, *, upright: bool) -> "HandBox":
        """A hand that was found.

        Args:
            detection: What was found.
            hand: Which hand it is, if that is known better.
            upright: The network sees upright hands, so the turn counts.
        """
        turn_deg = detection.turn_deg if upright else None
        return cls(detection.box, hand or detection.side, turn_deg, detection.score)


def parse_box(value: Any, where: str) -> tuple[float, float, float, float]:
    """A box from text ("x,y,w,h") or numbers.

    Args:
        value: The text or four numbers.
        where: Names it in an error.

    Raises:
        UserError: It is no box.
    """
    numbers = parse_numbers(value, 4)
    if numbers is None or numbers[2] <= 0 or numbers[3] <= 0:
        raise UserError(f"{where} is {_short(value)}: give x,y,w,h in pixels, width and height above 0.")
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def parse_hand(value: Any, where: str) -> Hand | None:
    """A side by its name.

    Raises:
        UserError: There is no such side.
    """
    if value is not None and value not in HANDS:
        raise UserError(f"{where} is {_short(value)}: choose right, left or both.")
    return value


def parse_turn(value: Any, where: str) -> float | None:
    """A turn in degrees, clockwise; None where it is not known.

    Raises:
        UserError: It is no number.
    """
    numbers = None if value is None or isinstance(value, str | bool) else parse_numbers([value], 1)
    if value is not None and numbers is None:
        raise UserError(f"{where} is {_short(value)}: give the degrees, clockwise, that turn the hand upright.")
    return None if numbers is None else numbers[0]


def parse_numbers(value: Any, count: int) -> list[float] | None:
    """That many finite numbers from text with commas or a sequence, or None."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


class BoxFile:
    """A file of boxes, in one of two forms.

    - ``{"a.jpg": [{"box": [x, y, w, h], "hand": "right"}, …], …}``: by the image's file name. A video's entry is a
      list that holds for every frame, or ``{"0": [...], "1": [...]}`` by frame number.
    - ``[{"box": …, "hand": …}, …]``: the same boxes for every image.

    ``hand`` may be left out, and so may ``box``: the whole image. ``turn_deg`` may be added (:class:`HandBox`). An
    image that a file by names does not name has no hands. Folders in a name are left out: no two images that are
    predicted together have one name.

    Args:
        path: The JSON file.

    Raises:
        UserError: It is missing or not as above; the message names the entry.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"The boxes' file '{path}' does not exist: give its path as --boxes.") from None
        except (OSError, ValueError) as error:
            raise UserError(
                f"The boxes' file '{path}' is not JSON ({type(error).__name__}): see docs/predict.md."
            ) from None
        self._for_all: list[HandBox] | None = None
        self._by_name: dict[str, list[HandBox] | dict[int, list[HandBox]]] = {}
        if isinstance(content, list):
            self._for_all = self._hands(content, "the list")
        elif isinstance(content, dict):
            for name, entry in content.items():
                meant = _file_name(name)
                if meant in self._by_name:
                    raise UserError(f"'{path}' has two entries for the image '{meant}': put its hands into one list.")
                self._by_name[meant] = self._entry(entry, name)
        else:
            raise UserError(f"The boxes' file '{path}' holds neither an object nor a list: see docs/predict.md.")

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
        """Raises a UserError where the file names an image that is not there."""
        unknown = sorted(self._by_name.keys() - {_file_name(name) for name in names})
        if unknown:
            raise UserError(
                f"'{self.path}' has boxes for {len(unknown)} of {len(self._by_name)} images that are not there (the "
                f"first: '{unknown[0]}'): use the images' file names as keys."
            )

    def _entry(self, entry: Any, name: str) -> list[HandBox] | dict[int, list[HandBox]]:
        if not isinstance(entry, dict):
            return self._hands(entry, f"'{name}'")
        if not all(key.isdecimal() for key in entry):
            raise UserError(f"'{name}' in '{self.path}' has keys that are no frame numbers: see docs/predict.md.")
        return {int(key): self._hands(hands, f"'{name}', frame {key}") for key, hands in entry.items()}

    def _hands(self, entry: Any, where: str) -> list[HandBox]:
        if not isinstance(entry, list) or not all(isinstance(hand, dict) for hand in entry):
            raise UserError(f'{where} in \'{self.path}\' is not a list of {{"box": [x, y, w, h], "hand": "right"}}.')
        hands = []
        for number, hand in enumerate(entry):
            place = f"of hand {number} of {where} in '{self.path}'"
            box = None if hand.get("box") is None else parse_box(hand["box"], f"The box {place}")
            side = parse_hand(hand.get("hand"), f"The side {place}")
            hands.append(HandBox(box, side, parse_turn(hand.get("turn_deg"), f"The turn {place}")))
        return hands


def _file_name(name: str) -> str:
    """What an image is called without its folders, in one spelling."""
    return PurePosixPath(spelled(name)).name


def check_inside(box: Sequence[float], width: int, height: int, where: str) -> None:
    """Raises a UserError where a box has no pixel of the image."""
    x, y, w, h = box
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise UserError(
            f"The box {_short(list(box))} lies outside {where}, which has {width} × {height} px: give x,y,w,h in its "
            "pixels."
        )


def square_of(box: Sequence[float] | None, width: int, height: int, scale: float) -> np.ndarray:
    """The square crop of a box: centre x, centre y and side, px, for ``data.crop.crop_affine``.

    Args:
        box: x, y, w, h px; None for the whole image, which is taken as it is.
        width: Of the image.
        height: Of the image.
        scale: Side of the crop over the longer side of the box.
    """
    if box is None:
        return np.array([(width - 1) / 2, (height - 1) / 2, max(width, height)], np.float64)
    x, y, w, h = box
    # Boxes count pixels' edges, coordinates their centres.
    return np.array([x + (w - 1) / 2, y + (h - 1) / 2, max(w, h) * scale], np.float64)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
