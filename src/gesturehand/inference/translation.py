"""Where a hand stands in front of the camera: its translation from 2D and root-relative 3D joints."""

from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Focal length over the image's longer side where no intrinsics are given: a field of view of 53° along that side,
#: between a phone's main camera (about 65°) and a portrait lens (about 40°).
ASSUMED_FOCAL_OVER_LONGER_SIDE: Final = 1.0

#: After this many reweightings the translation moves by less than a micrometre.
_REWEIGHTINGS: Final = 5


def assumed_intrinsics(width: int, height: int) -> FloatArray:
    """Intrinsics (3, 3), px, of a camera that nothing is known of: the stated focal length, the image's centre."""
    focal = ASSUMED_FOCAL_OVER_LONGER_SIDE * max(width, height)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], np.float64)


def solve_translation(
    joints: FloatArray, joints_px: FloatArray, intrinsics: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """The translation that makes root-relative joints project onto given pixels, by least squares.

    Every joint gives two equations that are linear in t (the direct linear transform): with (u, v, 1) = K⁻¹ [x, y, 1],
    t_x − u t_z = u Z − X and t_y − v t_z = v Z − Y. Solved once so, the equations are divided by the depths found,
    which turns their residuals into reprojection errors, and solved again.

    Args:
        joints: (..., N, 3) m, axes of the camera's frame, relative to any point of the hand.
        joints_px: (..., N, 2) px.
        intrinsics: (..., 3, 3) px, or one (3, 3) for all.
        weights: (..., N) weight of each joint; all the same if not given.

    Returns:
        (..., 3) m: where the point that joints are relative to lies, camera frame. NaN where no hand in front of the
        camera fits (its pixels lie in one point, or are those of a mirrored hand).

    Example:
        >>> import numpy as np
        >>> k = np.array([[500.0, 0, 160], [0, 500.0, 120], [0, 0, 1]])
        >>> joints = np.array([[0, 0, 0], [0.05, 0, 0.02], [0, -0.08, 0], [0.03, 0.04, -0.03]])
        >>> seen = (joints + [0.1, -0.05, 0.6]) @ k.T
        >>> solve_translation(joints, seen[:, :2] / seen[:, 2:], k).round(6).tolist()
        [0.1, -0.05, 0.6]
    """
    joints, joints_px = np.asarray(joints, np.float64), np.asarray(joints_px, np.float64)
    intrinsics = np.broadcast_to(np.asarray(intrinsics, np.float64), (*joints.shape[:-2], 3, 3))
    ones = np.ones_like(joints_px[..., :1])
    rays = np.linalg.solve(intrinsics, np.swapaxes(np.concatenate([joints_px, ones], -1), -1, -2))
    u = np.swapaxes(rays, -1, -2)[..., :2]
    matrix = np.zeros((*u.shape, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 2] = -u
    right = u * joints[..., 2:] - joints[..., :2]
    # A pixel counts the same along both axes.
    scale = np.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], -1)[..., None, :]
    if weights is not None:
        scale = scale * np.sqrt(np.asarray(weights, np.float64))[..., None]
    depth = np.ones_like(joints[..., 2:])
    translation = np.full((*joints.shape[:-2], 3), np.nan)
    for _ in range(1 + _REWEIGHTINGS):
        weight = np.broadcast_to(scale / depth, u.shape)
        rows = (matrix * weight[..., None]).reshape(*joints.shape[:-2], -1, 3)
        values = (right * weight).reshape(*joints.shape[:-2], -1, 1)
        translation = (np.linalg.pinv(rows) @ values)[..., 0]
        depth = joints[..., 2:] + translation[..., None, 2:]
        # Behind the camera there is nothing to reweight by; the answer is then refused below.
        depth = np.where(depth > 1e-6, depth, 1e-6)
    answered = np.asarray(
        (joints[..., 2] + translation[..., None, 2] > 1e-3).all(-1) & (np.ptp(u, axis=-2) > 1e-9).any(-1)
    )
    return np.where(answered[..., None], translation, np.nan)


def scaled_translation(scale_px_per_m: FloatArray, wrist_px: FloatArray, intrinsics: FloatArray) -> FloatArray:
    """The wrist's place from a weak-perspective scale alone: the depth at which the hand has that size.

    Coarser than :func:`solve_translation`, which it stands in for where that has no answer.

    Args:
        scale_px_per_m: (...) px of the image a metre of the hand takes.
        wrist_px: (..., 2) px of the image.
        intrinsics: (..., 3, 3) px, or one (3, 3).

    Returns:
        (..., 3) m, camera frame.
    """
    intrinsics = np.asarray(intrinsics, np.float64)
    focal = intrinsics[..., (0, 1), (0, 1)].mean(-1)
    ray = np.concatenate([wrist_px, np.ones_like(wrist_px[..., :1])], -1)[..., None]
    direction = np.linalg.solve(np.broadcast_to(intrinsics, (*ray.shape[:-2], 3, 3)), ray)[..., 0]
    return direction * (focal / scale_px_per_m)[..., None]
