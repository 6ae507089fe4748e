"""MPVPE: the mean error of a hand's vertices under a protocol, as functions and as a torchmetrics class."""

from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.alignment import align_eanet, align_procrustes, align_root, distances
from gesturehand.metrics.checks import (
    at_least_float32,
    check_choice,
    check_positive_int,
    check_shape,
    check_trailing,
    widest,
)
from gesturehand.metrics.protocol import MM_PER_M, PROTOCOLS, Protocol
from gesturehand.metrics.sum_metric import SumMetric
from gesturehand.skeleton import NUM_JOINTS

#: Hands whose vertices are worked on at a time. 64 MANO hands take 0.6 MB per intermediate result, which stays in a
#: CPU's cache; larger chunks are slower there.
CHUNK_HANDS: Final = 64


def vertex_errors_mm(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    prediction_joints: Tensor,
    target_joints: Tensor,
    protocol: Protocol = "eanet",
    chunk_hands: int = CHUNK_HANDS,
) -> Tensor:
    """Mean over the vertices of the distance to the true vertex after the protocol's alignment, one hand at a time.

    ``root`` and ``eanet`` take root and scale from the joints, so that joints and vertices of a hand are aligned alike.
    ``procrustes`` registers the vertices themselves, as FreiHAND does, and ignores the joints.
    ``eanet_published`` is ``eanet`` here: the published code counts only hands with a fit in MPVPE.

    Args:
        prediction_vertices: (..., V, 3) predicted vertices, m, the same frame as the truth.
        target_vertices: (..., V, 3) true vertices, m.
        prediction_joints: (..., 21, 3) predicted joints, regressed from the posed mesh, m.
        target_joints: (..., 21, 3) true joints, regressed from the posed mesh, m.
        protocol: The protocol.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.

    Returns:
        (...) mean error in mm, float64 (float32 on a device without float64); exact to 0.0001 mm for float32 vertices.

    Raises:
        ValueError: A shape is wrong, the protocol is unknown, or ``chunk_hands`` is not positive.

    Example:
        >>> joints, vertices = torch.rand(2, 21, 3), torch.rand(2, 778, 3)
        >>> vertex_errors_mm(vertices + 0.01, vertices, joints, joints, "root").round(decimals=2)
        tensor([17.3200, 17.3200], dtype=torch.float64)
    """
    check_choice("protocol", protocol, PROTOCOLS)
    check_positive_int("chunk_hands", chunk_hands)
    check_trailing("prediction_vertices", prediction_vertices, (None, 3))
    hands = tuple(prediction_vertices.shape[:-2])
    check_shape("target_vertices", target_vertices, tuple(prediction_vertices.shape))
    check_shape("prediction_joints", prediction_joints, (*hands, NUM_JOINTS, 3))
    check_shape("target_joints", target_joints, (*hands, NUM_JOINTS, 3))
    num_vertices = prediction_vertices.shape[-2]
    flat = [tensor.reshape(-1, num_vertices, 3) for tensor in (prediction_vertices, target_vertices)]
    flat += [tensor.reshape(-1, NUM_JOINTS, 3) for tensor in (prediction_joints, target_joints)]
    chunks = zip(*(tensor.split(chunk_hands) for tensor in flat), strict=True)
    return torch.cat([_chunk_errors_mm(protocol, *chunk) for chunk in chunks]).reshape(hands)


def _chunk_errors_mm(
    protocol: Protocol, prediction: Tensor, target: Tensor, prediction_joints: Tensor, target_joints: Tensor
) -> Tensor:
    if protocol == "procrustes":
        prediction = align_procrustes(prediction, target)
    else:
        align = align_root if protocol == "root" else align_eanet
        points = at_least_float32(prediction), at_least_float32(target)
        prediction, target = align(*points, at_least_float32(prediction_joints), at_least_float32(target_joints))
    return widest(distances(prediction, target).mean(-1)) * MM_PER_M


class VertexErrorSums(NamedTuple):
    """Sums over the samples seen, from which MPVPE is computed; they add up over batches and processes.

    Attributes:
        sample_error_mm: (2,) float64, sum of the samples' errors in single-hand and in interacting frames.
        sample_count: (2,) float64, number of samples counted; one hand of a pair is half a sample.
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
    have one. With H = 1 every hand is therefore a separate sample, in interacting frames too, unless ``pair_fitted``
    says which hands belong to a pair: these are half a sample each, so that the two are counted as with H = 2.

    Args:
        prediction_vertices: (B, H, V, 3) m; this and the next three as for :func:`vertex_errors_mm`.
        target_vertices: (B, H, V, 3) m.
        prediction_joints: (B, H, 21, 3) m.
        target_joints: (B, H, 21, 3) m.
        valid: (B, H) bool, the hand is there and has a fit.
        interacting: (B,) bool, the frame is one of two interacting hands.
        protocol: The protocol.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.
        pair_fitted: (B,) bool, with H = 1 only: both hands of the interacting frame are samples with a fit. None: every
            hand is a separate sample.

    Returns:
        The sums over the batch.

    Raises:
        ValueError: A shape is wrong, the protocol is unknown, or ``chunk_hands`` is not positive.

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
    """MPVPE of single-hand frames and of interacting ones, (2,) mm; NaN where nothing was counted.

    Example:
        >>> mpvpe_by_kind(VertexErrorSums(torch.tensor([30.0, 0.0]), torch.tensor([3, 0])))
        tensor([10., nan])
    """
    return sums.sample_error_mm / sums.sample_count


def mpvpe_compute(sums: VertexErrorSums) -> Tensor:
    """MPVPE from the sums over all samples: scalar, mm; NaN if nothing was counted.

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
    """Mean per-vertex position error of one set of samples: scalar, mm, float64; NaN if nothing was counted.

    The arguments and errors are those of :func:`mpvpe_update`.

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


class MPVPE(SumMetric):
    """Mean per-vertex position error in millimetres.

    Mean over the vertices of each sample, then over samples. An interacting sample is the mean of its hands and counts
    only if all have a fit; with H = 1 every hand is a sample unless ``update`` is told of pairs. ``compute`` gives a
    float64 scalar, NaN if nothing was counted.

    Args:
        protocol: ``root``, ``eanet`` (root and scale of the joints), ``procrustes`` (registers the vertices, as
            FreiHAND), or ``eanet_published`` (the same as ``eanet`` for vertices).
        chunk_hands: Hands worked on at a time, which bounds the extra memory.
        **kwargs: Arguments of torchmetrics.Metric.

    Raises:
        ValueError: A name is unknown, or ``chunk_hands`` is not positive.

    Example:
        >>> import torch
        >>> metric = MPVPE(protocol="root")
        >>> joints, vertices = torch.rand(3, 1, 21, 3), torch.rand(3, 1, 778, 3)
        >>> fit, interacting = torch.ones(3, 1, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
        >>> metric.update(vertices + 0.01, vertices, joints, joints, fit, interacting)
        >>> round(metric.compute().item(), 2)
        17.32
    """

    higher_is_better = False

    def __init__(self, protocol: Protocol = "eanet", chunk_hands: int = CHUNK_HANDS, **kwargs: Any) -> None:
        check_choice("protocol", protocol, PROTOCOLS)
        check_positive_int("chunk_hands", chunk_hands)
        super().__init__(VertexErrorSums.zeros(), protocol, **kwargs)
        self.protocol: Protocol = protocol
        self.chunk_hands = chunk_hands

    def update(
        self,
        prediction_vertices: Tensor,
        target_vertices: Tensor,
        prediction_joints: Tensor,
        target_joints: Tensor,
        valid: Tensor,
        interacting: Tensor,
        pair_fitted: Tensor | None = None,
    ) -> None:
        """Add a batch; the arguments are those of :func:`mpvpe_update`."""
        self.add_sums(
            mpvpe_update(
                prediction_vertices,
                target_vertices,
                prediction_joints,
                target_joints,
                valid,
                interacting,
                self.protocol,
                self.chunk_hands,
                pair_fitted,
            )
        )

    def compute(self) -> Tensor:
        """Scalar, mm, float64; NaN if nothing was counted."""
        return mpvpe_compute(self.sums(VertexErrorSums))

    def by_kind(self) -> Tensor:
        """(2,) error of single-hand and of interacting samples over all processes, mm, float64; NaN if there are none.

        Like ``compute``, every process must call it.
        """
        with self.synchronized():
            return mpvpe_by_kind(self.sums(VertexErrorSums))
