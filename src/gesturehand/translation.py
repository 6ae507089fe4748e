"""Where a hand stands in front of the camera: its translation from 2D and root-relative 3D joints."""

from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Focal length over the image's longer side where no intrinsics are given: a field of view of 53° along that side,
#: between a phone's main camera (about 65°) and a portrait lens (about 40°).
ASSUMED_FOCAL_OVER_LONGER_SIDE: Final = 1.0

#: Steps from the linear solution to the least reprojection error at most; each gains digits.
_STEPS: Final = 6
#: Steps are over after one that is shorter than this.
_ARRIVED_M: Final = 1e-9
#: Where a scale alone places a hand, no part of it comes nearer than this.
_NEAREST_M: Final = 0.05


def assumed_intrinsics(width: int, height: int) -> FloatArray:
    """Intrinsics (3, 3), px, of a camera that nothing is known of: the stated focal length, the image's centre."""
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
        (..., 3) m: where the point that joints are relative to lies, camera frame. NaN where no hand in front of the
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
    leading = joints.shape[:-2]
    intrinsics = np.broadcast_to(np.asarray(intrinsics, np.float64), (*leading, 3, 3))
    weight = np.ones(joints.shape[:-1]) if weights is None else np.asarray(weights, np.float64)
    rays = rays_of(joints_px, intrinsics)[..., :2]
    rows = np.zeros((*rays.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1
    rows[..., 2] = -rays
    translation = _least_squares(rows, rays * joints[..., 2:] - joints[..., :2], weight)
    answered = _in_front(joints, translation) & (np.ptp(rays, axis=-2) > 1e-9).any(-1)
    place = np.where(answered[..., None], translation, [0.0, 0.0, 1e3])
    pixels, depth, cost = _projected(joints, place, intrinsics, joints_px, weight)
    for _ in range(_STEPS):
        third = intrinsics[..., None, 2:3, :]
        rows = (intrinsics[..., None, :2, :] - pixels[..., None] * third) / depth[..., None, None]
        step = place + _least_squares(rows, joints_px - pixels, weight)
        # Far from the solution a step may lead behind the camera or uphill: it is then not taken.
        step_pixels, step_depth, stepped = _projected(joints, step, intrinsics, joints_px, weight)
        better = _in_front(joints, step) & (stepped < cost)
        if not better.any():
            break
        moved = np.abs(step - place)[better].max()
        place, cost = np.where(better[..., None], step, place), np.where(better, stepped, cost)
        pixels = np.where(better[..., None, None], step_pixels, pixels)
        depth = np.where(better[..., None], step_depth, depth)
        if moved < _ARRIVED_M:
            break
    return np.where(answered[..., None], place, np.nan)


def scaled_translation(
    joints: FloatArray, joints_px: FloatArray, scale_px_per_m: FloatArray, intrinsics: FloatArray
) -> FloatArray:
    """A hand's place from a weak-perspective scale: the depth of that size, and across the view least squares.

    Coarser than :func:`solve_translation`, which it stands in for where that has no answer.

    Args:
        joints: (..., N, 3) m, axes of the camera's frame, relative to any point of the hand.
        joints_px: (..., N, 2) px.
        scale_px_per_m: (...) px of the image a metre of the hand takes.
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


def _least_squares(rows: FloatArray, values: FloatArray, weight: FloatArray) -> FloatArray:
    """X of least weight · |rows x − values|²: rows (..., N, 2, 3), values (..., N, 2), weight (..., N) → (..., 3).

    By the normal equations, which are a third of the work of a pseudo-inverse. Their lost digits matter little: every
    step starts from the residuals of the one before.
    """
    count = 2 * rows.shape[-3]
    weighted = (rows * weight[..., None, None]).reshape(*rows.shape[:-3], count, 3).swapaxes(-1, -2)
    matrix = weighted @ rows.reshape(*rows.shape[:-3], count, 3)
    right = weighted @ values.reshape(*rows.shape[:-3], count, 1)
    try:
        return np.asarray(np.linalg.solve(matrix, right)[..., 0], np.float64)
    except np.linalg.LinAlgError:  # a hand whose pixels lie in one point has no single solution
        return np.asarray((np.linalg.pinv(matrix, hermitian=True) @ right)[..., 0], np.float64)


def _projected(
    joints: FloatArray, place: FloatArray, intrinsics: FloatArray, joints_px: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pixels (..., N, 2) of placed joints, their depths (..., N), and the weighted squared distance (...), px²."""
    image = (joints + place[..., None, :]) @ np.swapaxes(intrinsics, -1, -2)
    depth = image[..., 2]
    pixels = image[..., :2] / depth[..., None]
    return pixels, depth, (weight[..., None] * (pixels - joints_px) ** 2).sum((-2, -1))


def _in_front(joints: FloatArray, place: FloatArray) -> npt.NDArray[np.bool_]:
    return np.asarray((joints[..., 2] + place[..., None, 2] > 1e-3).all(-1))
