"""Pinhole and weak-perspective geometry, the two coordinate systems of a crop, and the position of a hand.

Camera frame: x right, y down, z forward, metres. Pixels are OpenCV's: the centre of the first pixel is 0.0.

*Normalised crop coordinates* run from -1 to 1 over the crop, whatever its size in pixels: -1 is the outer edge of the
first pixel, 1 that of the last. They are ``grid_sample``'s coordinates with ``align_corners=False``, and a feature
map's cell centres follow from them in the same way, so that px → cell → px is exact.

A function that takes ``Array`` works on NumPy arrays and on tensors alike.
"""

from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)
FloatArray = npt.NDArray[np.float64]

#: Focal length over the image's longer side if no intrinsics are given: a field of view of 53° along that side, between
#: a phone's main camera (about 65°) and a portrait lens (about 40°).
ASSUMED_FOCAL_OVER_LONGER_SIDE: Final = 1.0

#: Largest number of steps from the linear solution to the least reprojection error; each gains digits.
_STEPS: Final = 6
#: The last step is the first one shorter than this; the next would be a hundredth as long.
_ARRIVED_M: Final = 1e-5
#: If only a scale determines a hand's position, no part of it comes nearer than this.
_NEAREST_M: Final = 0.05


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
    """The effect of a crop's affine map on the camera frame: its rotation and reflection, without scale and shift.

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


def assumed_intrinsics(width: int, height: int) -> FloatArray:
    """Intrinsics (3, 3), px, of a camera about which nothing is known: the stated focal length, the image's centre."""
    focal = ASSUMED_FOCAL_OVER_LONGER_SIDE * max(width, height)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64)


def solve_translation(
    joints: FloatArray, joints_px: FloatArray, intrinsics: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """The translation that makes root-relative joints project onto given pixels, by least squares.

    Every joint gives two equations that are linear in t (the direct linear transform): with (u, v, 1) = K⁻¹ [x, y, 1],
    t_x − u t_z = u Z − X and t_y − v t_z = v Z − Y. From their solution, Gauss-Newton steps lead to the least squared
    distance in pixels.

    Args:
        joints: (..., N, 3) m, axes of the camera's frame, relative to any point of the hand.
        joints_px: (..., N, 2) px.
        intrinsics: (..., 3, 3) px, or one (3, 3) for all.
        weights: (..., N) weight of each joint; all the same if not given.

    Returns:
        (..., 3) m: the position of the point that joints are relative to, camera frame. NaN if no hand in front of the
        camera fits (its pixels lie in one point, or are those of a hand turned by 180°).

    Example:
        >>> import numpy as np
        >>> k = np.array([[500.0, 0, 160], [0, 500.0, 120], [0, 0, 1]])
        >>> joints = np.array([[0, 0, 0], [0.05, 0, 0.02], [0, -0.08, 0], [0.03, 0.04, -0.03]])
        >>> seen = (joints + [0.1, -0.05, 0.6]) @ k.T
        >>> solve_translation(joints, seen[:, :2] / seen[:, 2:], k).round(6).tolist()
        [0.1, -0.05, 0.6]
    """
    joints, joints_px = np.asarray(joints, np.float64), np.asarray(joints_px, np.float64)
    intrinsics = np.asarray(intrinsics, np.float64)
    weight = None if weights is None else np.repeat(np.asarray(weights, np.float64), 2, axis=-1)[..., None]
    rays = rays_of(joints_px, intrinsics)[..., :2]
    # Two equations per joint: three coefficients, and the value that they should give.
    rows = np.zeros((*rays.shape, 4))
    rows[..., 0, 0] = rows[..., 1, 1] = 1
    rows[..., 2] = -rays
    rows[..., 3] = rays * joints[..., 2:] - joints[..., :2]
    stepped = _least_squares(_normal_equations(rows, weight))
    answered = _in_front(joints, stepped) & (np.ptp(rays, axis=-2) > 1e-9).any(-1)
    stepped = np.where(answered[..., None], stepped, [0.0, 0.0, 1e3])
    place, cost = stepped, np.array(np.inf)
    transposed, third = np.swapaxes(intrinsics, -1, -2), intrinsics[..., None, 2:, :]
    for _ in range(_STEPS):
        image = (joints + stepped[..., None, :]) @ transposed
        depth = image[..., 2:]
        pixels = image[..., :2] / depth
        rows[..., :3] = (intrinsics[..., None, :2, :] - pixels[..., None] * third) / depth[..., None]
        rows[..., 3] = joints_px - pixels
        equations = _normal_equations(rows, weight)
        # Far from the solution a step may lead behind the camera or uphill; it is then not taken.
        better = _in_front(joints, stepped) & (equations[..., 3, 3] < cost)
        if not better.any():
            break
        taken = better[..., None]
        place, cost = np.where(taken, stepped, place), np.where(better, equations[..., 3, 3], cost)
        change = np.where(taken, _least_squares(equations), 0.0)
        stepped = place + change
        if np.abs(change).max() < _ARRIVED_M:
            place = stepped
            break
    return np.where(answered[..., None], place, np.nan)


def scaled_translation(
    joints: FloatArray, joints_px: FloatArray, scale_px_per_m: FloatArray, intrinsics: FloatArray
) -> FloatArray:
    """A hand's place from a weak-perspective scale: the depth that gives that size, and least squares across the view.

    This is coarser than :func:`solve_translation`, for which it stands in if that has no solution.

    Args:
        joints: (..., N, 3) m, axes of the camera's frame, relative to any point of the hand.
        joints_px: (..., N, 2) px.
        scale_px_per_m: (...) px of the image that a metre of the hand takes.
        intrinsics: (..., 3, 3) px, or one (3, 3).

    Returns:
        (..., 3) m, camera frame.
    """
    intrinsics = np.broadcast_to(np.asarray(intrinsics, np.float64), (*joints.shape[:-2], 3, 3))
    focal = intrinsics[..., (0, 1), (0, 1)].mean(-1)
    depth = np.maximum(focal / scale_px_per_m, _NEAREST_M - joints[..., 2].min(-1))
    rays = rays_of(joints_px, intrinsics)[..., :2]
    across = (rays * (joints[..., 2:] + depth[..., None, None]) - joints[..., :2]).mean(-2)
    return np.concatenate([across, depth[..., None]], -1)


def rays_of(pixels: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """K⁻¹ [x, y, 1] of pixels (..., N, 2) and intrinsics (..., 3, 3): (..., N, 3), their third component 1."""
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
    return homogeneous @ np.swapaxes(np.linalg.inv(intrinsics), -1, -2)


def _normal_equations(rows: FloatArray, weight: FloatArray | None) -> FloatArray:
    """All products of coefficients and values: rows (..., N, 2, 4), weight (..., 2N, 1) → (..., 4, 4).

    The upper left 3 × 3 are the normal equations' matrix, the last column is their right side, and its last number the
    sum of the weighted squared values.
    """
    flat = rows.reshape(*rows.shape[:-3], -1, 4)
    weighted = flat if weight is None else flat * weight
    return np.asarray(np.swapaxes(weighted, -1, -2) @ flat)


def _least_squares(equations: FloatArray) -> FloatArray:
    """(..., 3) of least weighted squares from (..., 4, 4).

    The normal equations are a third of the work of a pseudo-inverse. Their lost digits matter little: every step starts
    from the residuals of the one before.
    """
    matrix, right = equations[..., :3, :3], equations[..., :3, 3:]
    try:
        return np.asarray(np.linalg.solve(matrix, right)[..., 0], np.float64)
    except np.linalg.LinAlgError:  # a hand whose pixels lie in one point has no single solution
        return np.asarray((np.linalg.pinv(matrix, hermitian=True) @ right)[..., 0], np.float64)


def _in_front(joints: FloatArray, place: FloatArray) -> npt.NDArray[np.bool_]:
    return np.asarray(joints[..., 2].min(-1) + place[..., 2] > 1e-3)
