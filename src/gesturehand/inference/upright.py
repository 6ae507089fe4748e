"""Finds a hand's rotation with a network for upright crops: tries at four turns, then passes on its own joints.

A pass looks at one crop of the hand. The first takes the box as it is given. Unless the prediction is clearly right,
three more quarter turns are tried and the most consistent one is taken. If the joints lie differently in their crop
from those in a training crop, the next pass takes the crop that these joints define. A pass whose crop would leave the
given box, or whose result is less consistent than the one before, is dropped.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from gesturehand.camera import normalised_to_px, transform_affine
from gesturehand.data.crop import turned_extent, upright_turns
from gesturehand.inference.assemble import seen_joints
from gesturehand.inference.crop import ImageWindow

Crop = tuple[np.ndarray, np.ndarray, bool]
Row = dict[str, np.ndarray]
#: The network: crops and the sides of their hands → the prediction for each.
Run = Callable[[Sequence[Crop], Sequence[bool]], list[Row]]

#: Side of the part that later passes may look at over that of the given square.
_REACH: Final = 2.0
#: Side of a crop over the longer side of its joints' box: training's 1.25 · 1.25.
_JOINTS_SCALE: Final = 1.25**2
#: Passes after the tries, at most.
PASSES: Final = 2
#: A look with less doubt than this needs no further tries. For photos that were tried in four turns, two thirds of the
#: looks nearest to upright are below, and one in a hundred of the others.
_CLEAR: Final = 0.25
#: Joints that would move their crop by less than these are left where they are: radians, and shares of the side.
_SETTLED_RAD, _SETTLED_SHIFT, _SETTLED_SCALE = math.radians(8), 0.05, 0.08
#: How far a crop may leave the given one: its centre's shift over the side, and the ratio of the sides.
_FARTHEST: Final = 0.3
_RATIOS: Final = (0.55, 1.7)


@dataclass(frozen=True)
class FreeHand:
    """A hand whose rotation is not known.

    Attributes:
        square: (3,) centre x, centre y and side of its crop as the box has it, px of the image.
        window: The part of the image from which later crops are cut.
        mirror: Its crops are mirrored.
        is_right: Its side, as the image shows it.
    """

    square: np.ndarray
    window: ImageWindow
    mirror: bool
    is_right: bool

    @classmethod
    def of(cls, image: np.ndarray, square: np.ndarray, image_size: int, mirror: bool, is_right: bool) -> "FreeHand":
        """Cuts one out of an image (H, W, 3) uint8, which is not kept."""
        window = ImageWindow(image).around(square, image_size, _REACH)
        return cls(square, replace(window, pixels=window.pixels.copy()), mirror, is_right)


class _Look(NamedTuple):
    """One crop of a hand and the network's prediction."""

    square: np.ndarray
    turn: float
    crop: Crop
    row: Row
    doubt: float


def upright_looks(
    run: Run, hands: Sequence[FreeHand], first: Sequence[tuple[Crop, Row]], image_size: int, passes: int = PASSES
) -> list[tuple[Crop, Row]]:
    """Each hand's best crop and the network's prediction.

    The tries of all hands are one batch, and so is every pass.

    Args:
        run: The network, with one hand per crop.
        hands: Any number of hands.
        first: The crop of each square as given, and the network's prediction.
        image_size: Side of the crops, px.
        passes: Largest number of passes after the tries.
    """
    looks = [_Look(hand.square, 0.0, crop, row, doubt(row)) for hand, (crop, row) in zip(hands, first, strict=True)]
    unclear = [number for number, look in enumerate(looks) if look.doubt > _CLEAR]
    quarters = [(number, hands[number].square, quarter * math.pi / 2) for number in unclear for quarter in (1, 2, 3)]
    for number, look in _run(run, hands, quarters, image_size):
        looks[number] = min(looks[number], look, key=lambda own: own.doubt)
    moving: Sequence[int] = range(len(hands))
    for _ in range(passes):
        steps = [(number, *_own_crop(looks[number], image_size)) for number in moving]
        steps = [step for step in steps if _worth_a_look(hands[step[0]].square, looks[step[0]], *step[1:])]
        better = []
        for number, look in _run(run, hands, steps, image_size):
            if look.doubt <= max(looks[number].doubt, _CLEAR):
                looks[number] = look
                better.append(number)
        moving = better
    return [(look.crop, look.row) for look in looks]


def doubt(row: Row) -> float:
    """Disagreement of a prediction with itself and with an upright crop; 0 for complete agreement.

    The mean of four: the distance between 2.5D joints and the mesh's projection, over a tenth of the hand; the angle
    between the way from wrist to middle knuckle and up, over 60°; how far joints lie outside the crop, over a tenth of
    the hand; and the logarithm of the hand's size over that of a training crop's hand, over a half.

    Args:
        row: One crop's row of :func:`~gesturehand.inference.assemble.numpy_prediction`, for one hand.
    """
    seen = seen_joints(row, [0])[0]
    extent = max(float(np.ptp(seen, axis=0).max()), 1e-6)
    disagreement = np.linalg.norm(row["joints_25d"][0, :, :2] - row["joints_2d"][0], axis=-1).mean() / extent
    outside = np.maximum(np.abs(seen) - 1, 0).max() / extent
    scale = abs(math.log(extent / 2 * _JOINTS_SCALE))
    leaning = abs(float(upright_turns(seen)))
    return float(disagreement / 0.1 + leaning / math.radians(60) + outside / 0.1 + scale / 0.5) / 4


def _run(
    run: Run, hands: Sequence[FreeHand], wanted: list[tuple[int, np.ndarray, float]], image_size: int
) -> list[tuple[int, _Look]]:
    """The looks at numbers, squares and turns."""
    if not wanted:
        return []
    crops: list[Crop] = []
    for number, square, turn in wanted:
        hand = hands[number]
        crops.append((*hand.window.crop(square, image_size, hand.mirror, turn), hand.mirror))
    rows = run(crops, [hands[number].is_right for number, _, _ in wanted])
    return [
        (number, _Look(square, turn, crop, row, doubt(row)))
        for (number, square, turn), crop, row in zip(wanted, crops, rows, strict=True)
    ]


def _image_joints(look: _Look, image_size: int) -> np.ndarray:
    """The position of a look's joints in the image: (21, 2) px."""
    back = np.linalg.inv(np.vstack([look.crop[1], [0, 0, 1]]))[:2]
    return transform_affine(normalised_to_px(seen_joints(look.row, [0])[0], image_size), back)


def _own_crop(look: _Look, image_size: int) -> tuple[np.ndarray, float]:
    """The square (3,) and the turn of the upright crop that a look's joints make."""
    points = _image_joints(look, image_size)[None]
    turn = upright_turns(points)
    centre, size = turned_extent(points, np.ones(points.shape[:2], bool), turn)
    return np.array([*centre[0], size.max() * _JOINTS_SCALE]), float(turn[0])


def _worth_a_look(given: np.ndarray, look: _Look, square: np.ndarray, turn: float) -> bool:
    """Whether a crop differs from a look's and does not leave the given square."""
    low, high = _RATIOS
    if np.abs(square[:2] - given[:2]).max() > _FARTHEST * given[2] or not low < square[2] / given[2] < high:
        return False
    turned = abs((turn - look.turn + math.pi) % (2 * math.pi) - math.pi)
    shift = np.abs(square[:2] - look.square[:2]).max() / look.square[2]
    scale = abs(math.log(square[2] / look.square[2]))
    return bool(turned > _SETTLED_RAD or shift > _SETTLED_SHIFT or scale > _SETTLED_SCALE)
