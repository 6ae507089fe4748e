"""The views that the palm detector gets of an image, so that it sees hands of every size at a size that it knows."""

import math
from typing import Final

import numpy as np

from gesturehand.detection.palms import View

#: Sides of the views of the whole image relative to its longer side: hands that fill the picture need larger views.
_WHOLE: Final = (1.0, 1.6, 2.5)
#: Side of the finest tiles relative to the smallest hand, which then has 36 of the network's 192 px (docs/predict.md).
_TILE_OVER_HAND: Final = 5.3
#: Side of the tiles of one scale over that of the next finer one.
_STEP: Final = 2.2
#: Least overlap of neighbouring tiles relative to their side: the palm of every hand that is left to one scale.
_OVERLAP: Final = 0.3
#: Tiles are never smaller than this share of the image's longer side, which limits their number to some hundreds.
_FINEST: Final = 1 / 16


def views_of(width: int, height: int, smallest_px: float) -> list[View]:
    """The whole image three times, and tiles of every scale down to that of the smallest hands.

    Args:
        width: Width of the image, px.
        height: Height of the image, px.
        smallest_px: The smallest hands' size, px; in an image of more than 85 times it, hands have to be larger.

    Example:
        >>> len(views_of(200, 150, 40)), len(views_of(1920, 1080, 40)), len(views_of(4000, 3000, 40))
        (3, 118, 498)
    """
    longer = max(width, height)
    views = [View(np.array([(width - 1) / 2, (height - 1) / 2, scale * longer])) for scale in _WHOLE]
    side = max(smallest_px * _TILE_OVER_HAND, longer * _FINEST)
    # The whole image replaces tiles that would be nearly as large.
    while side * math.sqrt(_STEP) < longer:
        views += [
            View(np.array([x - 0.5, y - 0.5, side])) for y in _middles(height, side) for x in _middles(width, side)
        ]
        side *= _STEP
    return views


def _middles(length: int, side: float) -> np.ndarray:
    """Middles of overlapping pieces that cover a length, evenly spaced."""
    if length <= side:
        return np.array([length / 2])
    count = math.ceil((length - side) / (side * (1 - _OVERLAP))) + 1
    return np.linspace(side / 2, length - side / 2, count)
