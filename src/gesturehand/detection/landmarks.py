"""MediaPipe's hand landmark model: joints, side and presence of a hand in an upright crop."""

from typing import Final, NamedTuple

import numpy as np

from gesturehand.camera import transform_affine
from gesturehand.detection.graph import OnnxGraph
from gesturehand.detection.palms import Palms
from gesturehand.detection.views import ImagePyramid
from gesturehand.skeleton import MIDDLE_MCP, NUM_JOINTS, WRIST

#: Side of a crop over the palm's, and its shift towards the fingers over the palm's side (MediaPipe's).
_PALM_TO_CROP: Final = 2.6
_PALM_SHIFT: Final = 0.5
#: Side of a crop over the longer side of the upright joints' box.
_JOINTS_TO_CROP: Final = 1.6


class Crops(NamedTuple):
    """The squares to look at.

    Attributes:
        squares: (N, 3) centre x, centre y and side, px.
        angles: (N,) turn of the content, radians, clockwise as seen.
    """

    squares: np.ndarray
    angles: np.ndarray


class Landmarks(NamedTuple):
    """The network's output for N crops.

    Attributes:
        joints: (N, 21, 2) px of the image.
        presence: (N,) probability of a hand, 0…1.
        right: (N,) probability that it is a right one as the picture shows it, 0…1.
    """

    joints: np.ndarray
    presence: np.ndarray
    right: np.ndarray

    def part(self, rows: np.ndarray) -> "Landmarks":
        """Some of the hands."""
        return Landmarks(*(array[rows] for array in self))


class LandmarkNetwork:
    """Finds the joints of hands whose position is roughly known.

    Args:
        threads: Number of threads of one call.
    """

    def __init__(self, threads: int = 1) -> None:
        self._graph = OnnxGraph("mediapipe_hand", threads)

    def __call__(self, pyramid: ImagePyramid, crops: Crops) -> Landmarks:
        """The hand of every crop, whether there is one or not."""
        size = self._graph.size_px
        if not len(crops.squares):
            return Landmarks(np.zeros((0, NUM_JOINTS, 2)), np.zeros(0), np.zeros(0))
        cut = [pyramid.cut(square, size, angle) for square, angle in zip(*crops, strict=True)]
        found = self._graph(np.stack([pixels for pixels, _ in cut]))
        # Coordinates refer to pixel edges: subtract half a pixel for pixel centres.
        joints = found["joints"].reshape(-1, NUM_JOINTS, 3)[..., :2].astype(np.float64) - 0.5
        joints = transform_affine(joints, np.stack([back for _, back in cut]))
        return Landmarks(joints, found["presence"][:, 0].astype(float), found["right"][:, 0].astype(float))


def upright_angles(wrists: np.ndarray, knuckles: np.ndarray) -> np.ndarray:
    """The rotations of hands that make the line from wrist to middle knuckle point up.

    Args:
        wrists: (N, 2) px.
        knuckles: (N, 2) px.

    Returns:
        (N,) radians, clockwise as seen, in (−π, π].
    """
    x, y = np.moveaxis(knuckles - wrists, -1, 0)
    return np.where((x == 0) & (y == 0), 0.0, np.arctan2(-x, -y))


def crops_of_palms(palms: Palms) -> Crops:
    """The hands that belong to palms."""
    angles = upright_angles(palms.wrists, palms.knuckles)
    up = np.stack([-np.sin(angles), -np.cos(angles)], -1)
    centres = palms.centres + _PALM_SHIFT * palms.sides[:, None] * up
    return Crops(np.concatenate([centres, _PALM_TO_CROP * palms.sides[:, None]], -1), angles)


def crops_of_joints(joints: np.ndarray) -> Crops:
    """Upright squares around joints.

    Args:
        joints: (N, 21, 2) px.
    """
    angles = upright_angles(joints[:, WRIST], joints[:, MIDDLE_MCP])
    sin, cos = np.sin(angles), np.cos(angles)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    turned = joints @ turn.swapaxes(-1, -2)
    low, high = turned.min(1), turned.max(1)
    centres = ((low + high) / 2)[:, None] @ turn
    sides = _JOINTS_TO_CROP * (high - low).max(-1, keepdims=True)
    return Crops(np.concatenate([centres[:, 0], np.maximum(sides, 1.0)], -1), angles)
