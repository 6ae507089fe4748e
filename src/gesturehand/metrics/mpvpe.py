"""MPVPE as a torchmetrics class."""

from typing import Any

from torch import Tensor

from gesturehand.metrics.functional.mpvpe import VertexErrorSums, mpvpe_by_kind, mpvpe_compute, mpvpe_update
from gesturehand.metrics.functional.protocol import PROTOCOLS, Protocol, check_choice, check_positive_int
from gesturehand.metrics.functional.vertex_error import CHUNK_HANDS
from gesturehand.metrics.sum_metric import SumMetric


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
        """Add a batch, of which :func:`~gesturehand.metrics.functional.mpvpe.mpvpe_update` says more."""
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
        """(2,) error of single-hand and of interacting samples over all processes, mm, float64; NaN where none.

        Every process must call it, as ``compute``.
        """
        with self.synchronized():
            return mpvpe_by_kind(self.sums(VertexErrorSums))
