"""The effects of a camera on a scene: shadows, focus, movement, exposure, colours, noise and size."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.background import grain_of

Picture = npt.NDArray[np.uint8]

#: Shares of pictures with each effect.
_SHADOW_EDGE_SHARE: Final = 0.25
_GREY_SHARE: Final = 0.1
_DEFOCUS_SHARE: Final = 0.4
_MOTION_SHARE: Final = 0.15
_ENLARGED_SHARE: Final = 0.15
#: Ranges of the brightness and of the tone curve's exponent, of the balance of red against blue and of green against
#: both.
_EXPOSURE: Final = (0.6, 1.4)
_WARMTH: Final = (-0.18, 0.18)
_GREEN: Final = (-0.05, 0.05)
_GAMMA: Final = (0.6, 1.3)
#: Standard deviations of blur, px, and of noise, grey levels.
_DEFOCUS_PX: Final = (0.4, 1.8)
_NOISE: Final = (0.0, 9.0)
#: Lengths of a movement, px, and scales of a small picture before it is enlarged.
_MOTION_PX: Final = (3, 9)
_SMALL: Final = (0.3, 0.75)
#: Quality of JPEG files, 0 to 100.
_JPEG_QUALITY: Final = (45, 96)


def take_picture(image: Picture, seed: int, rng: np.random.Generator) -> tuple[Picture, list[str]]:
    """The picture of a scene, and names of the effects in it.

    Args:
        image: (H, W, 3) uint8 BGR, as it would be in even light and perfect focus.
        seed: the set's; noise is cut from one piece of grain.
        rng: the picture's.

    Returns:
        (H, W, 3) uint8 BGR, and names.
    """
    effects = []
    if rng.random() < _SHADOW_EDGE_SHARE:
        image = _shadow_edge(image, rng)
        effects.append("shadow edge")
    image = _developed(image, rng)
    if rng.random() < _GREY_SHARE:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.merge([grey] * 3), np.uint8)
        effects.append("grey")
    if rng.random() < _DEFOCUS_SHARE:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(*_DEFOCUS_PX)), np.uint8)
        effects.append("defocus")
    if rng.random() < _MOTION_SHARE:
        image = _moved(image, rng)
        effects.append("motion blur")
    image = _noisy(image, rng.uniform(*_NOISE), seed, rng)
    if rng.random() < _ENLARGED_SHARE:
        image = _enlarged(image, rng)
        effects.append("enlarged")
    return image, effects


def jpeg_quality(rng: np.random.Generator) -> int:
    """Quality of a picture's file."""
    return int(rng.integers(*_JPEG_QUALITY))


def cast_shadow(
    image: Picture, covered: npt.NDArray[np.bool_], towards_px: npt.NDArray[np.float64], blur_px: float, strength: float
) -> None:
    """Darkens everything behind an object, as its shadow on a wall would.

    Args:
        image: (H, W, 3) uint8 BGR, changed in place.
        covered: (H, W) bool, where the object is; it is not darkened.
        towards_px: (2,) offset of the shadow.
        blur_px: standard deviation of the blur of its edge.
        strength: share of the light that it takes, 0 to 1.
    """
    shift = np.array([[1, 0, towards_px[0]], [0, 1, towards_px[1]]], np.float32)
    height, width = covered.shape
    moved = cv2.warpAffine(covered.astype(np.float32), shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    light = 1 - strength * cv2.GaussianBlur(moved, (0, 0), blur_px)
    light[covered] = 1
    image[:] = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


def _shadow_edge(image: Picture, rng: np.random.Generator) -> Picture:
    """A shadow with a soft or hard edge across everything."""
    height, width = image.shape[:2]
    angle, off, soft = rng.uniform(0, 2 * np.pi), rng.normal() * width * 0.2, rng.uniform(1, 30)
    x, y = np.arange(width) - width / 2, np.arange(height)[:, None] - height / 2
    distance = (np.cos(angle) * x + np.sin(angle) * y - off) / soft
    light = (1 - rng.uniform(0.2, 0.65) / (1 + np.exp(-np.clip(distance, -30, 30)))).astype(np.float32)
    return np.asarray(cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U), np.uint8)


def _developed(image: Picture, rng: np.random.Generator) -> Picture:
    """Exposure, white balance and tone curve."""
    warmth, green = rng.uniform(*_WARMTH), rng.uniform(*_GREEN)
    gains = np.array([1 - warmth, 1 + green, 1 + warmth]) * rng.uniform(*_EXPOSURE)
    levels = np.clip(np.arange(256)[:, None] / 255 * gains, 0, 1) ** rng.uniform(*_GAMMA)
    return np.asarray(cv2.LUT(image, (255 * levels + 0.5).astype(np.uint8)[None]), np.uint8)


def _moved(image: Picture, rng: np.random.Generator) -> Picture:
    length = int(rng.integers(*_MOTION_PX))
    kernel = np.zeros((length, length), np.float32)
    start, end = rng.integers(length, size=2)
    cv2.line(kernel, (0, int(start)), (length - 1, int(end)), 1.0, 1)
    if rng.random() < 0.5:
        kernel = np.ascontiguousarray(kernel.T)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _noisy(image: Picture, strength: float, seed: int, rng: np.random.Generator) -> Picture:
    """Noise that differs from channel to channel."""
    grain, (height, width) = grain_of(seed), image.shape[:2]
    corners = zip(*(rng.integers(0, n - m, 3) for n, m in zip(grain.shape, (height, width), strict=True)), strict=True)
    pieces = [grain[top : top + height, left : left + width] for top, left in corners]
    return np.asarray(cv2.addWeighted(image, 1.0, cv2.merge(pieces), strength, 0.0, dtype=cv2.CV_8U), np.uint8)


def _enlarged(image: Picture, rng: np.random.Generator) -> Picture:
    """A small picture made larger."""
    height, width = image.shape[:2]
    scale = rng.uniform(*_SMALL)
    small = cv2.resize(image, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    method = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(small, (width, height), interpolation=method), np.uint8)
