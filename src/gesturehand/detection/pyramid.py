"""An image at every half of its size, which turned squares of any scale are cut from."""

import math

import cv2
import numpy as np

from gesturehand.camera import transform_affine
from gesturehand.data.crop import crop_affine


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
        # OpenCV takes no sides beyond 32,767 px, so it gets the crop's part alone.
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
