"""The one affine map of a sample: crop, rotation, scale and mirroring in one matrix that image and geometry share."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CropJitter:
    """Random changes of a crop; EANet's values are the defaults.

    Attributes:
        scale: Relative standard deviation of the box's side, cut off at ±1 standard deviation.
        rotation_rad: Standard deviation of the rotation in the image, cut off at ±2 standard deviations.
        rotation_probability: Share of samples that are rotated at all.
        shift: Standard deviation of the centre's shift, as a share of the side, cut off at ±1 standard deviation.
        flip_probability: Share of samples mirrored; right hands become left ones.
    """

    scale: float = 0.25
    rotation_rad: float = float(np.deg2rad(30))
    rotation_probability: float = 0.6
    shift: float = 0.0
    flip_probability: float = 0.0

    def draw(self, box: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, float, bool]:
        """A jittered box, a rotation in radians and whether to mirror.

        Always draws the same number of random values, so that one setting does not disturb another's.
        """
        scale, turn, *shift = generator.standard_normal(4)
        rotate, flip = generator.random(2)
        side = box[2] * (1 + self.scale * min(max(scale, -1.0), 1.0))
        x, y = (box[axis] + self.shift * min(max(shift[axis], -1.0), 1.0) * box[2] for axis in (0, 1))
        angle = self.rotation_rad * float(min(max(turn, -2.0), 2.0)) if rotate < self.rotation_probability else 0.0
        return np.array([x, y, side]), angle, bool(flip < self.flip_probability)


def crop_affine(box: np.ndarray, size_px: int, *, angle: float = 0.0, mirror: bool = False) -> np.ndarray:
    """The map from pixels of the image to pixels of the crop.

    Args:
        box: (3,) centre x, centre y and side, px.
        size_px: The crop's side.
        angle: Rotation of the content, radians, clockwise as seen (x right, y down).
        mirror: Mirror the content left to right, after rotating.

    Returns:
        (2, 3) float64, a similarity; its determinant is negative where it mirrors.

    Example:
        >>> import numpy as np
        >>> affine = crop_affine(np.array([100.0, 50.0, 64.0]), 128)
        >>> (affine @ [100.0, 50.0, 1.0]).tolist()
        [63.5, 63.5]
    """
    # Plain numbers: this runs for every sample, and arrays of two are slow.
    x, y, side = box.tolist()
    scale, middle, sign = size_px / side, (size_px - 1) / 2, -1.0 if mirror else 1.0
    sin, cos = scale * math.sin(angle), scale * math.cos(angle)
    return np.array(
        [
            [sign * cos, -sign * sin, middle - sign * (cos * x - sin * y)],
            [sin, cos, middle - (sin * x + cos * y)],
        ]
    )
