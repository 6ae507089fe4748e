"""Pinhole and weak-perspective geometry, and the two coordinate systems of a crop.

Camera frame: x right, y down, z forward, metres. Pixels are OpenCV's: the centre of the first pixel is 0.0.

*Normalised crop coordinates* run from -1 to 1 over the crop, whatever its size in pixels: -1 is the outer edge of the
first pixel, 1 that of the last. They are ``grid_sample``'s coordinates with ``align_corners=False``, and a feature
map's cell centres follow from them in the same way, so that px → cell → px is exact.

A function that takes ``Array`` works on NumPy arrays and on tensors alike.
"""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)


def project(points: Array, intrinsics: Array) -> Array:
    """Pinhole projection.

    Args:
        points: (..., N, 3) m, camera frame, in front of the camera.
        intrinsics: (..., 3, 3) px.

    Returns:
        (..., N, 2) px.

    Example:
        >>> import numpy as np
        >>> k = np.array([[1000.0, 0, 256], [0, 1100.0, 167], [0, 0, 1]])
        >>> project(np.array([[0.1, -0.05, 1.0]]), k).tolist()
        [[356.0, 112.0]]
    """
    image = points @ intrinsics.swapaxes(-1, -2)
    return image[..., :2] / image[..., 2:]


def transform_points(points: Array, rotation: Array, translation: Array) -> Array:
    """``R X + t`` for points (..., N, 3), rotation (..., 3, 3), translation (..., 3), all in one unit."""
    return points @ rotation.swapaxes(-1, -2) + translation[..., None, :]


def transform_affine(points_px: Array, affine: Array) -> Array:
    """``A [x, y, 1]`` for points (..., N, 2) px and an affine map (..., 2, 3)."""
    return points_px @ affine[..., :2].swapaxes(-1, -2) + affine[..., None, :, 2]


def weak_perspective(points: Tensor, camera: Tensor) -> Tensor:
    """Weak-perspective projection ``(s·x + tx, s·y + ty)``, as EANet's (not ``s·(x + tx)``).

    Args:
        points: (..., N, 3) m, relative to the wrist, axes of the crop's frame.
        camera: (..., 3): s in normalised crop units per metre; tx, ty, the wrist's place, in normalised crop units.

    Returns:
        (..., N, 2) normalised crop coordinates.
    """
    scale, shift = camera[..., None, :].split([1, 2], -1)
    return scale * points[..., :2] + shift


def px_to_normalised(points_px: Array, size_px: int) -> Array:
    """Pixels of a square image of ``size_px`` to normalised coordinates; also cells of a map of ``size_px`` cells."""
    return (points_px + 0.5) * (2.0 / size_px) - 1.0


def normalised_to_px(points: Array, size_px: int) -> Array:
    """Normalised coordinates to pixels of a square image; inverse of :func:`px_to_normalised`.

    Example:
        >>> import numpy as np
        >>> normalised_to_px(px_to_normalised(np.array([0.0, 127.5, 255.0]), 256), 256).tolist()
        [0.0, 127.5, 255.0]
    """
    return (points + 1.0) * (size_px / 2.0) - 0.5


def frame_of_affine(affine: Tensor) -> Tensor:
    """What a crop's affine map does to the camera frame: its rotation and reflection, without scale and shift.

    The crop is a similarity of the image plane, A = s·Q; turning (and mirroring) the camera frame by diag(Q, 1) keeps
    image and geometry together because depth is unchanged.

    Args:
        affine: (..., 2, 3), original px → crop px.

    Returns:
        (..., 3, 3) orthogonal; determinant -1 where the crop mirrors the image.
    """
    linear = affine[..., :2]
    frame = torch.zeros(*affine.shape[:-2], 3, 3, dtype=affine.dtype, device=affine.device)
    frame[..., :2, :2] = linear / torch.linalg.det(linear).abs().sqrt()[..., None, None]
    frame[..., 2, 2] = 1.0
    return frame


def crop_intrinsics(affine: Tensor, intrinsics: Tensor) -> Tensor:
    """Intrinsics that project from the turned camera frame of :func:`frame_of_affine` straight into the crop.

    With X' = M X and p' = A K X, K' = A K Mᵀ gives p' = K' X': any mesh in the crop's frame is drawn over the crop with
    this one matrix.

    Args:
        affine: (..., 2, 3), original px → crop px.
        intrinsics: (..., 3, 3) of the original image, px.

    Returns:
        (..., 3, 3) px of the crop.
    """
    bottom = torch.tensor([0.0, 0.0, 1.0], dtype=affine.dtype, device=affine.device).expand(*affine.shape[:-2], 1, 3)
    homogeneous = torch.cat([affine, bottom], dim=-2)
    return homogeneous @ intrinsics @ frame_of_affine(affine).mT
