"""Upright crops: turned so that the way from the wrist to the middle finger's knuckle points up."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gesturehand.skeleton import JOINT_NAMES, MIDDLE_MCP, WRIST

#: The knuckles that say where up is, the first that is known: where the middle one is not, a neighbour stands in, whose
#: direction differs by some 15°.
UP_KNUCKLES: Final = (MIDDLE_MCP, *(JOINT_NAMES.index(name) for name in ("ring1", "index1", "pinky1")))
#: A hand whose palm points at the camera has no direction in the image: below this length, px, there is no turn.
_SHORTEST_PX: Final = 1e-3
#: Samples that are turned further are so by at most this.
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
    """How hands must be turned in the image to be upright.

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
    """The box around points that is upright once the image is turned.

    Args:
        points: (M, N, 2) px.
        valid: (M, N) bool, at least one a row.
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
