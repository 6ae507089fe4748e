"""A hand's crop as training saw it, from images of any size."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gesturehand.data.crop import crop_affine


@dataclass(frozen=True)
class ImageWindow:
    """The part of an image that crops of one hand need, averaged down by whole pixels.

    Training shrinks crops of about 200 px by a factor of 2 at most; a bilinear warp of a photo would shrink by 10 and
    alias. Therefore the content of a larger crop is first averaged down to at most twice the wanted size.

    Attributes:
        pixels: (H, W, 3) uint8.
        low: (2,) int, the place of the first pixel in the image.
        factor: Number of the image's pixels, along each axis, of which a pixel of the window is the mean.
    """

    pixels: np.ndarray
    low: tuple[int, int] = (0, 0)
    factor: int = 1

    def around(self, square: np.ndarray, size_px: int, reach: float = 1.0) -> "ImageWindow":
        """The part that crops of a square need.

        Args:
            square: (3,) centre x, centre y and side, px of the image.
            size_px: Side of the crops.
            reach: Side of the part that is kept over that of the square: √2 for a crop with any rotation.

        Returns:
            A view if nothing is averaged; black outside the image.
        """
        low, factor = np.array(self.low), self.factor
        middle, side = (square[:2] - low - (factor - 1) / 2) / factor, square[2] / factor
        height, width = self.pixels.shape[:2]
        less = max(1, int(side // (2 * size_px)))
        # In whole blocks of less × less px, with one pixel more on either side for the warp's interpolation.
        start = np.floor((middle - side * reach / 2 - (less == 1)) / less).astype(int) * less
        blocks = int(np.ceil(side * reach / less)) + (1 if less > 1 else 3)
        stop = start + blocks * less
        inside_start, inside_stop = np.maximum(start, 0), np.minimum(stop, [width, height])
        if (inside_stop <= inside_start).any():
            return ImageWindow(np.zeros((1, 1, 3), np.uint8), self.low, factor)
        part = self.pixels[inside_start[1] : inside_stop[1], inside_start[0] : inside_stop[0]]
        if less == 1:
            return ImageWindow(part, _pair(low + inside_start * factor), factor)
        before, after = inside_start - start, stop - inside_stop
        if before.any() or after.any():
            part = cv2.copyMakeBorder(part, before[1], after[1], before[0], after[0], cv2.BORDER_CONSTANT)
        small = cv2.resize(part, (blocks, blocks), interpolation=cv2.INTER_AREA)
        return ImageWindow(small, _pair(low + start * factor), factor * less)

    def crop(self, square: np.ndarray, size_px: int, mirror: bool, angle: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Cuts out a square, rotates and resizes it.

        Args:
            square: (3,) centre x, centre y and side, px of the image.
            size_px: Side of the crop.
            mirror: Mirror left to right, after rotating.
            angle: Rotation of the content, radians, clockwise as seen.

        Returns:
            The crop (S, S, 3) uint8, black outside the window, and the map (2, 3) from px of the image to px of the
            crop.
        """
        affine = crop_affine(square, size_px, angle=angle, mirror=mirror)
        window = self.around(square, size_px, abs(math.cos(angle)) + abs(math.sin(angle)))
        # Centres of the window's pixels: px = factor · small + (factor − 1) / 2 + low.
        back = np.diag([window.factor, window.factor, 1.0])
        back[:2, 2] = (window.factor - 1) / 2 + np.array(window.low)
        size = (size_px, size_px)
        # OpenCV warps four channels in half the time of three.
        pixels = cv2.cvtColor(window.pixels, cv2.COLOR_RGB2RGBA)
        crop = cv2.warpAffine(pixels, affine @ back, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return cv2.cvtColor(crop, cv2.COLOR_RGBA2RGB), affine


def crop_image(
    image: np.ndarray, square: np.ndarray, size_px: int, mirror: bool, angle: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """One crop of an image; see :meth:`ImageWindow.crop`.

    Args:
        image: (H, W, 3) uint8.
        square: (3,) centre x, centre y and side, px of the image.
        size_px: Side of the crop.
        mirror: Mirror left to right, after rotating.
        angle: Rotation of the content, radians, clockwise as seen.
    """
    return ImageWindow(image).crop(square, size_px, mirror, angle)


def _pair(values: np.ndarray) -> tuple[int, int]:
    return int(values[0]), int(values[1])
