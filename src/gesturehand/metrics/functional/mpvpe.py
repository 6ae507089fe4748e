"""Mean per-vertex position error."""

from typing import NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.functional.protocol import Protocol
from gesturehand.metrics.functional.shape import check_shape, check_trailing
from gesturehand.metrics.functional.vertex_error import CHUNK_HANDS, vertex_errors_mm


class VertexErrorSums(NamedTuple):
    """All that MPVPE needs to know of the samples seen: sums, which add up over batches and processes.

    Attributes:
        sample_error_mm: (2,) float64, sum of the samples' errors: of single-hand frames, of interacting ones.
        sample_count: (2,) float64, how many were counted; one hand of a pair is half a sample.
    """

    sample_error_mm: Tensor
    sample_count: Tensor

    @classmethod
    def zeros(cls) -> "VertexErrorSums":
        """The sums before any sample was seen."""
        return cls(torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))


def mpvpe_update(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    prediction_joints: Tensor,
    target_joints: Tensor,
    valid: Tensor,
    interacting: Tensor,
    protocol: Protocol = "eanet",
    chunk_hands: int = CHUNK_HANDS,
    pair_fitted: Tensor | None = None,
) -> VertexErrorSums:
    """The sums of one batch.

    A sample's error is the mean over its hands that have a fit; an interacting sample counts only if all its H hands
    have one. With H = 1 every hand is therefore a sample of its own, in interacting frames too, unless ``pair_fitted``
    says which hands belong to a pair: half a sample each, so that the two are counted as with H = 2.

    Args:
        prediction_vertices: (B, H, V, 3) predicted vertices, m.
        target_vertices: (B, H, V, 3) true vertices, m, the same frame.
        prediction_joints: (B, H, 21, 3) predicted joints, regressed from the posed mesh, m.
        target_joints: (B, H, 21, 3) true joints, regressed from the posed mesh, m.
        valid: (B, H) bool, the hand is there and has a fit.
        interacting: (B,) bool, the frame is one of two interacting hands.
        protocol: The protocol.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.
        pair_fitted: (B,) bool, with H = 1 only: both hands of the interacting frame are samples with a fit. None: every
            hand is a sample of its own.

    Returns:
        The sums over the batch.

    Raises:
        ValueError: A shape is wrong, the protocol has another name, or ``chunk_hands`` is not positive.

    Example:
        The second of two interacting samples lacks a fit of one hand:

        >>> joints, vertices = torch.rand(2, 2, 21, 3), torch.rand(2, 2, 778, 3)
        >>> fit, interacting = torch.tensor([[True, True], [True, False]]), torch.tensor([True, True])
        >>> mpvpe_update(vertices, vertices, joints, joints, fit, interacting).sample_count
        tensor([0., 1.], dtype=torch.float64)
    """
    check_trailing("prediction_vertices", prediction_vertices, (None, None, None, 3))
    check_shape("valid", valid, tuple(prediction_vertices.shape[:-2]))
    check_shape("interacting", interacting, tuple(prediction_vertices.shape[:1]))
    errors_mm = vertex_errors_mm(
        prediction_vertices, target_vertices, prediction_joints, target_joints, protocol, chunk_hands
    )
    valid, interacting = valid.bool(), interacting.bool()
    counted = torch.where(interacting, valid.all(-1), valid.any(-1))
    weight = torch.ones_like(errors_mm[:, 0])
    if pair_fitted is not None and valid.shape[1] == 1:
        counted = counted & (pair_fitted.bool() | ~interacting)
        weight = torch.where(interacting, 0.5, weight)
    sample_mm = torch.where(valid, errors_mm, 0.0).sum(-1) / valid.sum(-1).clamp(min=1)
    kinds = torch.stack([counted & ~interacting, counted & interacting]) * weight
    return VertexErrorSums(torch.where(kinds > 0, sample_mm * kinds, 0.0).sum(-1), kinds.sum(-1))


def mpvpe_by_kind(sums: VertexErrorSums) -> Tensor:
    """MPVPE of single-hand frames and of interacting ones.

    Args:
        sums: The sums over all samples.

    Returns:
        (2,) mm: single, interacting; NaN where nothing was counted.

    Example:
        >>> mpvpe_by_kind(VertexErrorSums(torch.tensor([30.0, 0.0]), torch.tensor([3, 0])))
        tensor([10., nan])
    """
    return sums.sample_error_mm / sums.sample_count


def mpvpe_compute(sums: VertexErrorSums) -> Tensor:
    """MPVPE over all samples from the sums.

    Args:
        sums: The sums over all samples.

    Returns:
        Scalar, mm; NaN if nothing was counted.

    Example:
        >>> mpvpe_compute(VertexErrorSums(torch.tensor([30.0, 50.0]), torch.tensor([3, 1])))
        tensor(20.)
    """
    return sums.sample_error_mm.sum() / sums.sample_count.sum()


def mpvpe(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    prediction_joints: Tensor,
    target_joints: Tensor,
    valid: Tensor,
    interacting: Tensor,
    protocol: Protocol = "eanet",
    chunk_hands: int = CHUNK_HANDS,
) -> Tensor:
    """Mean per-vertex position error of one set of samples.

    Args:
        prediction_vertices: (B, H, V, 3) predicted vertices, m.
        target_vertices: (B, H, V, 3) true vertices, m, the same frame.
        prediction_joints: (B, H, 21, 3) predicted joints, regressed from the posed mesh, m.
        target_joints: (B, H, 21, 3) true joints, regressed from the posed mesh, m.
        valid: (B, H) bool, the hand is there and has a fit.
        interacting: (B,) bool, the frame is one of two interacting hands.
        protocol: The protocol.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.

    Returns:
        Scalar, mm, float64; NaN if nothing was counted.

    Raises:
        ValueError: A shape is wrong, the protocol has another name, or ``chunk_hands`` is not positive.

    Example:
        >>> joints, vertices = torch.rand(3, 1, 21, 3), torch.rand(3, 1, 778, 3)
        >>> fit, interacting = torch.ones(3, 1, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
        >>> round(mpvpe(vertices + 0.01, vertices, joints, joints, fit, interacting, "root").item(), 2)
        17.32
    """
    sums = mpvpe_update(
        prediction_vertices,
        target_vertices,
        prediction_joints,
        target_joints,
        valid,
        interacting,
        protocol,
        chunk_hands,
    )
    return mpvpe_compute(sums)
