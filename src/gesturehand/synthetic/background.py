"""What lies behind the hands: the dark dome and its lamps, and the grain of the sensor."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.cameras import DOME_CENTRE, DomeCamera

#: Lamps hang this far from the dome's centre, and about this many degrees apart.
_LAMP_DISTANCE_M: Final = 2.0
_LAMP_SPACING_DEG: Final = 9.0
_RAYS: Final = 6
#: Side of the square of grain from which every image takes a piece.
_GRAIN_PX: Final = 1024


def draw_background(camera: DomeCamera, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The empty dome as one camera sees it.

    Args:
        camera: gives size, view and whether the image is grey.
        rng: of the capture, so that all its frames share the lamps.

    Returns:
        (H, W, 3) uint8 BGR; three equal channels for a grey camera.
    """
    glow = np.zeros((camera.height, camera.width), np.float32)
    core = np.zeros((camera.height, camera.width), np.uint8)
    for lamp in _lamps(rng):
        if camera.to_camera(lamp)[2] <= 0.1:
            continue
        x, y = camera.project(lamp)
        if -40 < x < camera.width + 40 and -40 < y < camera.height + 40:
            _draw_lamp(core, glow, x, y, rng)
    level = rng.uniform(4, 14)
    slope = np.linspace(1.3, 0.7, camera.height, dtype=np.float32)[:, None]
    light = level * slope + cv2.GaussianBlur(glow, (0, 0), 1.2) + cv2.GaussianBlur(core, (0, 0), 0.8)
    tint = np.array([0.85, 0.95, 1.0]) if not camera.is_grey else np.ones(3)
    tinted = light[..., None] * np.where(light[..., None] > 120, 1.0, tint)
    return np.clip(tinted, 0, 255).astype(np.uint8)


def make_grain(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(1024, 1024) grain of unit strength. Images take a piece of it at random, which is quicker than new grain."""
    return rng.standard_normal((_GRAIN_PX, _GRAIN_PX), dtype=np.float32)


def add_grain(
    image: npt.NDArray[np.uint8], grain: npt.NDArray[np.float32], strength: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Adds sensor noise, the same in the three channels.

    Args:
        image: (H, W, 3) or (H, W) uint8, at most as large as the grain.
        grain: from :func:`make_grain`.
        strength: standard deviation, grey levels.
        rng: chooses the piece of grain.

    Returns:
        An image of the same shape.
    """
    height, width = image.shape[:2]
    top, left = rng.integers(0, len(grain) - height), rng.integers(0, len(grain) - width)
    piece = np.rint(grain[top : top + height, left : left + width] * strength).astype(np.int16)
    if image.ndim == 3:
        piece = cv2.merge([piece] * 3)
    return np.asarray(cv2.add(image, piece, dtype=cv2.CV_8U), np.uint8)


def _lamps(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(N, 3) m, world: a loose grid on the sphere behind the hands."""
    around, above = np.meshgrid(np.arange(-108, 109, _LAMP_SPACING_DEG), np.arange(-45, 46, _LAMP_SPACING_DEG))
    angles = np.radians(np.stack([around.ravel(), above.ravel()], 1) + rng.normal(size=(around.size, 2)) * 1.2)
    angles = angles[rng.random(len(angles)) < 0.8]
    flat = np.cos(angles[:, 1])
    directions = np.stack([np.sin(angles[:, 0]) * flat, -np.sin(angles[:, 1]), np.cos(angles[:, 0]) * flat], 1)
    return np.array(DOME_CENTRE) + directions * _LAMP_DISTANCE_M


def _draw_lamp(
    core: npt.NDArray[np.uint8], glow: npt.NDArray[np.float32], x: float, y: float, rng: np.random.Generator
) -> None:
    """A white disc, a halo and the rays of a small aperture."""
    cv2.circle(core, (round(x * 16), round(y * 16)), round(rng.uniform(4.0, 6.5) * 16), 255, -1, cv2.LINE_AA, 4)
    turn = rng.uniform(0, np.pi)
    length = rng.uniform(14, 26)
    for angle in turn + np.arange(_RAYS) * 2 * np.pi / _RAYS:
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        cv2.line(glow, (round(x), round(y)), (round(end[0]), round(end[1])), 70.0, 1)
    cv2.circle(glow, (round(x), round(y)), 9, 45.0, -1)
