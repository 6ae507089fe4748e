"""The dome: cameras on a sphere around the place where hands are held, arranged as in InterHand2.6M.

The world frame is InterHand2.6M's: y points down, and the dome's centre lies about a metre in front of the first
camera. Sizes, focal lengths, distances and numbers (colour from 400000, grey from 410000) are those of the real
cameras.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Where hands are held, m, world.
DOME_CENTRE: Final = (0.0, 0.0, 1.05)
_RADIUS_M: Final = 1.1
_FOCAL_PX: Final = 1270.0
_LONG_PX, _SHORT_PX = 512, 334
#: Name, azimuth and elevation in degrees as seen from the dome's centre, portrait format.
_PLACES: Final = (
    ("400002", -8.0, 2.0, True),
    ("400012", 34.0, -9.0, True),
    ("400026", -23.0, 7.0, True),
    ("400039", 14.0, 14.0, False),
    ("400047", -70.0, 12.0, True),
    ("400053", -46.0, -6.0, True),
    ("400063", 50.0, 18.0, True),
    ("410001", 4.0, -12.0, True),
    ("410028", 12.0, 8.0, False),
    ("410034", -34.0, -14.0, True),
    ("410053", 62.0, -8.0, True),
    ("410064", 24.0, 22.0, False),
)
CAMERA_NAMES: Final = tuple(name for name, *_ in _PLACES)


def is_grey(name: str) -> bool:
    """Whether InterHand2.6M's camera of this name takes grey pictures."""
    return name.startswith("41")


@dataclass(frozen=True)
class DomeCamera:
    """A pinhole camera without distortion; pixels are OpenCV's.

    Attributes:
        name: as in ``data.json``.
        width: px.
        height: px.
        focal_px: (2,) float32.
        princpt_px: (2,) float32.
        rotation: (3, 3) float32, world → camera: X_cam = R (X_world − position).
        position_mm: (3,) float32, world.
    """

    name: str
    width: int
    height: int
    focal_px: npt.NDArray[np.float32]
    princpt_px: npt.NDArray[np.float32]
    rotation: npt.NDArray[np.float32]
    position_mm: npt.NDArray[np.float32]

    @property
    def is_grey(self) -> bool:
        """Whether it takes grey pictures."""
        return is_grey(self.name)

    @property
    def intrinsics(self) -> FloatArray:
        """(3, 3) px."""
        matrix = np.eye(3)
        matrix[(0, 1), (0, 1)] = self.focal_px
        matrix[:2, 2] = self.princpt_px
        return matrix

    def to_camera(self, points: FloatArray) -> FloatArray:
        """(..., 3) m, world → camera frame."""
        return (points - self.position_mm.astype(np.float64) / 1000) @ self.rotation.astype(np.float64).T

    def to_world(self, points: FloatArray) -> FloatArray:
        """(..., 3) m, camera frame → world."""
        return points @ self.rotation.astype(np.float64) + self.position_mm.astype(np.float64) / 1000

    def project(self, points: FloatArray) -> FloatArray:
        """(..., 3) m, world → (..., 2) px."""
        image = self.to_camera(points) @ self.intrinsics.T
        return image[..., :2] / image[..., 2:]


def dome_cameras(rng: np.random.Generator) -> dict[str, DomeCamera]:
    """The cameras as calibrated for one capture; their positions and lenses differ a little between captures."""
    return {name: _camera(name, azimuth, elevation, portrait, rng) for name, azimuth, elevation, portrait in _PLACES}


def _camera(name: str, azimuth: float, elevation: float, portrait: bool, rng: np.random.Generator) -> DomeCamera:
    around, above = np.radians([azimuth, elevation] + rng.normal(size=2) * 1.0)
    centre = np.array(DOME_CENTRE)
    away = np.array([np.sin(around) * np.cos(above), -np.sin(above), -np.cos(around) * np.cos(above)])
    position = centre + away * (_RADIUS_M + rng.normal() * 0.02)
    forward = centre + rng.normal(size=3) * 0.01 - position
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    width, height = (_SHORT_PX, _LONG_PX) if portrait else (_LONG_PX, _SHORT_PX)
    focal = _FOCAL_PX + rng.normal() * 5.0
    return DomeCamera(
        name=name,
        width=width,
        height=height,
        focal_px=np.array([focal, focal + rng.normal() * 0.5], np.float32),
        princpt_px=(np.array([width, height]) / 2 + rng.normal(size=2) * 8.0).astype(np.float32),
        rotation=np.stack([right, np.cross(forward, right), forward]).astype(np.float32),
        position_mm=(position * 1000).astype(np.float32),
    )
