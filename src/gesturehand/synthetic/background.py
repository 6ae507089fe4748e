"""The background of the hands: the dark dome and its lamps, and the grain of the sensor."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.cameras import DOME_CENTRE, DomeCamera
from gesturehand.synthetic.plan import generator

#: Distance of the lamps from the dome's centre, m, and from each other, degrees.
_LAMP_DISTANCE_M: Final = 2.0
_LAMP_SPACING_DEG: Final = (7.0, 14.0)
#: Share of cameras that look past all lamps.
_WITHOUT_LAMPS: Final = 0.2
#: Side of the square of grain from which every image takes a piece.
_GRAIN_PX: Final = 1024


def draw_background(camera: DomeCamera, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The empty dome as one camera sees it.

    Args:
        camera: the camera.
        rng: the capture's, so that all its frames share the lamps.

    Returns:
        (H, W, 3) uint8 BGR; three equal channels for a grey camera.
    """
    light = np.zeros((camera.height, camera.width, 3), np.float32)
    style = LampStyle(
        radius_px=rng.uniform(4.0, 7.0),
        rays=int(rng.choice([6, 8, 12])),
        reach_px=rng.uniform(16, 34),
        colour=not camera.is_grey,
    )
    lamps = _lamps(rng, rng.uniform(*_LAMP_SPACING_DEG))
    own = np.random.default_rng([*map(ord, camera.name), int(rng.integers(1 << 30))])
    for lamp in lamps if own.random() >= _WITHOUT_LAMPS else ():
        if camera.to_camera(lamp)[2] <= 0.1:
            continue
        x, y = camera.project(lamp)
        if -40 < x < camera.width + 40 and -40 < y < camera.height + 40:
            _draw_lamp(light, x, y, style, own)
    level = own.uniform(1.5, 9)
    slope = np.linspace(1.3, 0.7, camera.height, dtype=np.float32)[:, None, None]
    tint = np.array([0.8, 0.95, 0.9], np.float32) if not camera.is_grey else np.ones(3, np.float32)
    return np.clip(cv2.GaussianBlur(light, (0, 0), 0.9) + level * slope * tint, 0, 255).astype(np.uint8)


@cache
def grain_of(seed: int) -> npt.NDArray[np.float32]:
    """(1024, 1024) grain of unit strength. Images take a random piece of it, which is quicker than new grain."""
    return generator(seed, "grain").standard_normal((_GRAIN_PX, _GRAIN_PX), dtype=np.float32)


def add_grain(
    image: npt.NDArray[np.uint8], grain: npt.NDArray[np.float32], strength: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Adds sensor noise, the same in the three channels.

    Args:
        image: (H, W, 3) or (H, W) uint8, at most as large as the grain.
        grain: from :func:`grain_of`.
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


@dataclass(frozen=True)
class LampStyle:
    """The look of lamps through one lens.

    Attributes:
        radius_px: of the white disc.
        rays: number of rays of the aperture's star.
        reach_px: length of the longest ray.
        colour: whether the rays show colours.
    """

    radius_px: float
    rays: int
    reach_px: float
    colour: bool


def _lamps(rng: np.random.Generator, spacing_deg: float) -> npt.NDArray[np.float64]:
    """(N, 3) m, world: a loose grid on the sphere around the hands."""
    around, above = np.meshgrid(np.arange(-140, 141, spacing_deg), np.arange(-45, 46, spacing_deg))
    angles = np.radians(np.stack([around.ravel(), above.ravel()], 1) + rng.normal(size=(around.size, 2)) * 1.2)
    angles = angles[rng.random(len(angles)) < 0.85]
    flat = np.cos(angles[:, 1])
    directions = np.stack([np.sin(angles[:, 0]) * flat, -np.sin(angles[:, 1]), np.cos(angles[:, 0]) * flat], 1)
    return np.array(DOME_CENTRE) + directions * _LAMP_DISTANCE_M


def _draw_lamp(light: npt.NDArray[np.float32], x: float, y: float, style: LampStyle, rng: np.random.Generator) -> None:
    """A white disc, a halo and the rays of a small aperture, which fade outwards."""
    side = int(style.reach_px * 1.3) + 2
    left, top = round(x) - side, round(y) - side
    rows, columns = slice(max(top, 0), max(top + 2 * side, 0)), slice(max(left, 0), max(left + 2 * side, 0))
    region = light[rows, columns]
    if not region.size:
        return
    yy, xx = np.mgrid[rows.start : rows.start + region.shape[0], columns.start : columns.start + region.shape[1]]
    distance, angle = np.hypot(xx - x, yy - y), np.arctan2(yy - y, xx - x)
    radius = style.radius_px * rng.uniform(0.85, 1.15)
    strength = rng.uniform(0.6, 1.2)
    turn = angle * style.rays / 2 + 0.4
    star = np.exp(-((np.sin(turn) * distance / 1.1) ** 2)) * np.exp(-distance / (0.5 * style.reach_px))
    halo = np.exp(-distance / 6)
    disc = np.clip(radius + 0.5 - distance, 0, 1)
    hue = np.ones(3) if not style.colour else np.array([0.75, 0.9, 1.0]) + 0.25 * np.array([-1, 0, 1]) * rng.normal()
    region += ((420 * star + 110 * halo) * strength)[..., None] * np.clip(hue, 0.3, 1.3) + 255.0 * disc[..., None]
