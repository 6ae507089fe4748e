"""The single affine map that a sample's image and geometry share: crop, rotation, scale, mirroring; upright crops."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gesturehand.skeleton import JOINT_NAMES, MIDDLE_MCP, WRIST


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
        (2, 3) float64, a similarity; its determinant is negative if it mirrors.

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


#: The knuckles that define the upward direction; the first known one counts. A neighbour of the middle knuckle differs
#: in direction by some 15°.
UP_KNUCKLES: Final = (MIDDLE_MCP, *(JOINT_NAMES.index(name) for name in ("ring1", "index1", "pinky1")))
#: A hand that points at the camera has no direction in the image: below this length, px, it is not rotated.
_SHORTEST_PX: Final = 1e-3
#: Largest further turn of samples that are turned further.
_FAR_RAD: Final = math.pi / 2


@dataclass(frozen=True)
class TurnJitter:
    """Random deviations of upright crops from upright.

    Attributes:
        deviation_rad: Standard deviation of the turn.
        far_share: Share of samples turned by up to 90° more, either way, uniformly.
    """

    deviation_rad: float = math.radians(12)
    far_share: float = 0.08

    def draw(self, generator: np.random.Generator) -> float:
        """A turn in radians. Always draws the same number of random values."""
        turn = self.deviation_rad * generator.standard_normal()
        far, further = generator.random(2)
        return float(turn + (_FAR_RAD * (2 * further - 1) if far < self.far_share else 0.0))


def upright_turns(points: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """The rotations that turn hands upright in the image.

    Args:
        points: (..., 21, 2) px.
        valid: (..., 21) bool, the joints that are known; all if not given. Without a wrist or any of
            :data:`UP_KNUCKLES` a hand is not turned.

    Returns:
        (...) radians in -π … π, clockwise as seen: the ``angle`` of :func:`gesturehand.data.crop.crop_affine`.

    Example:
        >>> import numpy as np
        >>> points = np.zeros((21, 2))
        >>> points[9] = 10, 0  # the fingers point right: a quarter turn counter-clockwise
        >>> float(np.rad2deg(upright_turns(points)))
        -90.0
    """
    known = np.ones(points.shape[:-1], bool) if valid is None else valid
    bones = points[..., UP_KNUCKLES, :] - points[..., WRIST : WRIST + 1, :]
    usable = known[..., UP_KNUCKLES] & known[..., WRIST : WRIST + 1]
    first = usable.argmax(-1)[..., None, None]
    up = np.take_along_axis(bones, first, -2)[..., 0, :]
    turn = -np.pi / 2 - np.arctan2(up[..., 1], up[..., 0])
    turned = usable.any(-1) & (np.hypot(up[..., 0], up[..., 1]) > _SHORTEST_PX)
    return np.where(turned, _wrapped(turn), 0.0)


def turned_extent(points: np.ndarray, valid: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box around points that is axis-aligned once the image is rotated.

    Args:
        points: (M, N, 2) px.
        valid: (M, N) bool, at least one per row.
        turns: (M,) radians, clockwise as seen.

    Returns:
        Its centre (M, 2), px of the image as it is, and its width and height (M, 2), px.
    """
    cos, sin = np.cos(turns), np.sin(turns)
    rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    turned = points @ rotation.swapaxes(-1, -2)
    low = np.where(valid[..., None], turned, np.inf).min(-2)
    high = np.where(valid[..., None], turned, -np.inf).max(-2)
    centre = ((low + high)[..., None, :] / 2 @ rotation)[..., 0, :]
    return centre, high - low


def _wrapped(angle: np.ndarray) -> np.ndarray:
    """The same angle in -π … π."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
