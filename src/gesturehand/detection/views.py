"""Squares of an image: cutting them out at any scale, and those that the palm detector looks at."""

import math
from typing import Final, NamedTuple

import cv2
import numpy as np

from gesturehand.camera import transform_affine
from gesturehand.data.crop import crop_affine

#: Sides of the views of the whole image relative to its longer side: hands that fill the picture need larger views.
_WHOLE: Final = (1.0, 1.6, 2.5)
#: Side of the finest tiles relative to the smallest hand, which then has 36 of the network's 192 px (docs/predict.md).
_TILE_OVER_HAND: Final = 5.3
#: Side of the tiles of one scale over that of the next finer one.
_STEP: Final = 2.2
#: Least overlap of neighbouring tiles relative to their side: the palm of every hand that is left to one scale.
_OVERLAP: Final = 0.3
#: Tiles are never smaller than this share of the image's longer side, which limits their number to a few hundred.
_FINEST: Final = 1 / 16


class ImagePyramid:
    """Cuts many squares from one image without aliasing: each from the level that it shrinks by less than two.

    Args:
        image: (H, W, 3) uint8.
    """

    def __init__(self, image: np.ndarray) -> None:
        self._levels = [image]
        self.height, self.width = image.shape[:2]

    def cut(self, square: np.ndarray, size_px: int, angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """A square, turned and resized.

        Args:
            square: (3,) centre x, centre y and side, px.
            size_px: The crop's side.
            angle: Turn of the content, radians, clockwise as seen.

        Returns:
            The crop (S, S, 3) uint8, black outside the image, and the map (2, 3) from px of the crop to px of the
            image.
        """
        level = self._level(max(0, math.floor(math.log2(max(square[2], 1.0) / size_px))))
        height, width = level.shape[:2]
        scale = np.array([self.width / width, self.height / height])
        back = cv2.invertAffineTransform(crop_affine(square, size_px, angle=angle))
        # Centres of pixels: px of the image = scale · (px of the level + ½) − ½.
        to_level = back / scale[:, None]
        to_level[:, 2] += 0.5 / scale - 0.5
        # OpenCV takes no sides beyond 32,767 px, so it only gets the crop's part.
        corners = np.array([[x, y] for x in (-1, size_px) for y in (-1, size_px)], np.float64)
        reached = transform_affine(corners, to_level)
        low = np.maximum(np.floor(reached.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(reached.max(0)) + 1, [width, height]).astype(int)
        if (high <= low).any():
            return np.zeros((size_px, size_px, 3), np.uint8), back
        to_level[:, 2] -= low
        part = level[low[1] : high[1], low[0] : high[0]]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(part, to_level, (size_px, size_px), flags=flags, borderMode=cv2.BORDER_CONSTANT), back

    def _level(self, number: int) -> np.ndarray:
        while len(self._levels) <= number:
            height, width = self._levels[-1].shape[:2]
            half = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
            self._levels.append(cv2.resize(self._levels[-1], half, interpolation=cv2.INTER_AREA))
        return self._levels[number]


class View(NamedTuple):
    """A part of the image that the palm detector looks at.

    Attributes:
        square: (3,) centre x, centre y and side, px.
        angle: Turn of its content, radians, clockwise as seen.
    """

    square: np.ndarray
    angle: float = 0.0


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
