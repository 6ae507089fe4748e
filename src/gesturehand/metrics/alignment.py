"""Alignment of a predicted hand with the true one: wrist, EANet's root and scale, Procrustes, true global rotation.

Every function takes any leading shape and metres, and returns metres. Points are joints or vertices of the same hand.
"""

from typing import Final

import roma
import torch
from torch import Tensor

from gesturehand.metrics.checks import widest
from gesturehand.metrics.protocol import MIN_PROCRUSTES_JOINTS
from gesturehand.skeleton import MIDDLE_MCP, WRIST

#: Below this length, in metres, a hand has no size to measure: float32 coordinates at one metre round to 0.06 µm.
MIN_LENGTH_M: Final = 1e-6


def align_root(
    prediction: Tensor, target: Tensor, prediction_joints: Tensor, target_joints: Tensor
) -> tuple[Tensor, Tensor]:
    """Subtract each hand's own wrist; no scale (InterNet's protocol).

    Args:
        prediction: (..., N, 3) predicted points, m.
        target: (..., N, 3) true points, m.
        prediction_joints: (..., 21, 3) predicted joints of the same hands, m.
        target_joints: (..., 21, 3) true joints of the same hands, m.

    Returns:
        Predicted and true points (..., N, 3), m, each relative to its wrist.

    Example:
        >>> joints = torch.rand(2, 21, 3, dtype=torch.float64)
        >>> prediction, target = align_root(joints + 0.5, joints, joints + 0.5, joints)
        >>> torch.allclose(prediction, target)
        True
    """
    return (
        prediction - prediction_joints[..., WRIST, None, :],
        target - target_joints[..., WRIST, None, :],
    )


def align_eanet(
    prediction: Tensor,
    target: Tensor,
    prediction_joints: Tensor,
    target_joints: Tensor,
    scale_without_truth: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Subtract each hand's middle-finger MCP and give the prediction the true MCP–wrist length.

    This is the alignment of IntagHand's evaluation, which EANet's evaluation uses too. A hand whose MCP–wrist length is
    below a micrometre has no size: a prediction without one is not scaled, and where the truth has none (the zero mesh
    of a hand without a fit), the prediction is scaled by ``scale_without_truth``.

    Args:
        prediction: As for :func:`align_root`.
        target: Likewise.
        prediction_joints: Likewise.
        target_joints: Likewise.
        scale_without_truth: Scale of a prediction whose truth has no size. The published code uses 0, so that such a
            hand's error is 0 mm whatever the prediction.

    Returns:
        Predicted and true points (..., N, 3), m, each relative to its middle-finger MCP.

    Example:
        >>> joints = torch.rand(2, 21, 3, dtype=torch.float64)
        >>> prediction, target = align_eanet(3 * joints, joints, 3 * joints, joints)
        >>> torch.allclose(prediction, target)
        True
    """
    prediction_root, target_root = prediction_joints[..., MIDDLE_MCP, :], target_joints[..., MIDDLE_MCP, :]
    prediction_length = torch.linalg.vector_norm(prediction_root - prediction_joints[..., WRIST, :], dim=-1)
    target_length = torch.linalg.vector_norm(target_root - target_joints[..., WRIST, :], dim=-1)
    scale = torch.where(prediction_length > MIN_LENGTH_M, target_length / prediction_length, 1.0)
    scale = torch.where(target_length > MIN_LENGTH_M, scale, scale_without_truth)
    return (
        (prediction - prediction_root[..., None, :]).mul_(scale[..., None, None]),
        target - target_root[..., None, :],
    )


def align_procrustes(prediction: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Move the prediction onto the truth by the least-squares similarity transform, without reflections.

    Degenerate hands follow least squares too: a prediction whose valid points all coincide (RMS distance to their
    centroid below a micrometre) is moved to the truth's centroid, and a truth whose points all coincide is matched
    exactly, by a scale of zero.

    Args:
        prediction: (..., N, 3) predicted points, m.
        target: (..., N, 3) true points, m.
        valid: (..., N) bool, the points used for the alignment; None for all. The coordinates of the others are
            ignored.

    Returns:
        The predicted points (..., N, 3), m, in the truth's frame, float64 (float32 on a device without float64). NaN
        for a hand with fewer than three valid points, and for one with a valid coordinate that is not finite.

    Example:
        >>> target = torch.rand(2, 21, 3, dtype=torch.float64)
        >>> prediction = 2 * target @ roma.random_rotmat(2, dtype=torch.float64).mT + 0.1
        >>> torch.allclose(align_procrustes(prediction, target), target)
        True
        >>> torch.allclose(align_procrustes(-prediction, target), target)
        False
    """
    if valid is None:
        valid = torch.ones(prediction.shape[:-1], dtype=torch.bool, device=prediction.device)
    valid = valid.bool()
    # Autocast would multiply float32 matrices in bfloat16; float64 is exempt.
    prediction, target = widest(prediction), widest(target)
    finite = prediction.isfinite().all(-1) & target.isfinite().all(-1)
    registrable = ((finite | ~valid).all(-1) & (valid.sum(-1) >= MIN_PROCRUSTES_JOINTS))[..., None]
    # The solver must never see NaN, nor weights that sum to zero.
    used = (valid & registrable)[..., None]
    source, destination = torch.where(used, prediction, 0.0), torch.where(used, target, 0.0)
    weights = torch.where(registrable, valid, True).to(prediction.dtype)
    rotation, translation, scale = roma.rigid_points_registration(
        source, destination, weights=weights, compute_scaling=True
    )
    aligned = scale[..., None, None] * (prediction @ rotation.mT) + translation[..., None, :]

    weights = (weights / weights.sum(-1, keepdim=True))[..., None]
    centroid = (weights * destination).sum(-2, keepdim=True)
    offset = source - (weights * source).sum(-2, keepdim=True)
    extent = (weights * offset.square()).sum((-2, -1)).sqrt()[..., None, None]
    aligned = torch.where(extent > MIN_LENGTH_M, aligned, centroid)
    return torch.where(registrable[..., None], aligned, torch.nan)


def align_global_rotation(prediction_joints: Tensor, predicted_global: Tensor, true_global: Tensor) -> Tensor:
    """Rotate a predicted hand about its wrist so that it has the true global rotation.

    The remaining error under ``root`` is that of pose and shape alone, without the global rotation. MANO's global
    rotation rotates the hand about its wrist, so rotating the posed joints is exact.

    Args:
        prediction_joints: (..., 21, 3) predicted joints, m; in the camera's frame or relative to the wrist.
        predicted_global: (..., 3, 3) predicted global rotation of those joints.
        true_global: (..., 3, 3) true global rotation in the same frame.

    Returns:
        (..., 21, 3) the joints turned by ``true_global @ predicted_global.mT``, m, float64 (float32 on a device without
        float64); the wrist stays where it is.

    Example:
        >>> pose = torch.rand(2, 21, 3, dtype=torch.float64)
        >>> pose = pose - pose[:, :1]
        >>> predicted, true = roma.random_rotmat((2, 2), dtype=torch.float64)
        >>> turned = align_global_rotation(pose @ predicted.mT, predicted, true)
        >>> torch.allclose(turned, pose @ true.mT)
        True
    """
    joints = widest(prediction_joints)
    wrist = joints[..., WRIST, None, :]
    correction = widest(true_global) @ widest(predicted_global).mT
    return (joints - wrist) @ correction.mT + wrist


def distances(prediction: Tensor, target: Tensor) -> Tensor:
    """Distance (...) from each predicted point to the true one, both (..., 3), in the unit of the points.

    Example:
        >>> import torch
        >>> distances(torch.tensor([3.0, 4.0, 12.0]), torch.zeros(3))
        tensor(13.)
    """
    # Written out because torch.linalg.vector_norm takes twice as long on a CPU when the last dimension is three.
    x, y, z = (prediction - target).square_().unbind(-1)
    return (x + y).add_(z).sqrt_()
