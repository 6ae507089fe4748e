"""A hand's crop as training saw it, from images of any size."""

import cv2
import numpy as np

from gesturehand.data.crop import crop_affine


def crop_image(image: np.ndarray, square: np.ndarray, size_px: int, mirror: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cuts out a square and resizes it.

    Training shrinks crops of about 200 px by a factor of 2 at most; a bilinear warp of a photo would shrink by 10 and
    alias. So a larger crop is first averaged down, by whole pixels, to at most twice the wanted size.

    Args:
        image: (H, W, 3) uint8.
        square: (3,) centre x, centre y and side, px of the image.
        size_px: Side of the crop.
        mirror: Mirror left to right.

    Returns:
        The crop (S, S, 3) uint8, black outside the image, and the map (2, 3) from px of the image to px of the crop.
    """
    affine = crop_affine(square, size_px, mirror=mirror)
    factor = int(square[2] // (2 * size_px))
    if factor < 2:
        return _warp(image, affine, size_px), affine
    height, width = image.shape[:2]
    # What the crop needs of the image, in whole blocks of factor × factor px.
    low = np.floor((square[:2] - square[2] / 2) / factor).astype(int) * factor
    blocks = int(np.ceil(square[2] / factor)) + 1
    high = low + blocks * factor
    inside_low, inside_high = np.maximum(low, 0), np.minimum(high, [width, height])
    if (inside_high <= inside_low).any():
        return np.zeros((size_px, size_px, 3), np.uint8), affine
    region = image[inside_low[1] : inside_high[1], inside_low[0] : inside_high[0]]
    before, after = inside_low - low, high - inside_high
    region = cv2.copyMakeBorder(region, before[1], after[1], before[0], after[0], cv2.BORDER_CONSTANT)
    small = cv2.resize(region, (blocks, blocks), interpolation=cv2.INTER_AREA)
    # Centres of small pixels: px = factor · small + (factor − 1) / 2 + low.
    back = np.diag([factor, factor, 1.0])
    back[:2, 2] = (factor - 1) / 2 + low
    return _warp(small, affine @ back, size_px), affine


def _warp(image: np.ndarray, affine: np.ndarray, size_px: int) -> np.ndarray:
    return cv2.warpAffine(image, affine, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
