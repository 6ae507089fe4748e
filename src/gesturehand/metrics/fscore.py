"""The F-score as a torchmetrics class."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gesturehand.metrics.functional.fscore import (
    F_SCORE_CHUNK_HANDS,
    F_SCORE_THRESHOLDS_MM,
    FScoreSums,
    check_thresholds,
    f_score_compute,
    f_score_update,
)
from gesturehand.metrics.functional.protocol import check_positive_int
from gesturehand.metrics.sum_metric import SumMetric


class FScore(SumMetric):
    """Mean over hands of the F-score of the vertices after Procrustes alignment (FreiHAND's and HO-3D's).

    ``compute`` gives one number between 0 and 1 for each threshold, float64; NaN if nothing was counted.

    Args:
        thresholds_mm: Distances, mm.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.
        **kwargs: Arguments of torchmetrics.Metric.

    Raises:
        ValueError: There is no threshold or one is not positive, or ``chunk_hands`` is not positive.

    Example:
        >>> import torch
        >>> metric = FScore()
        >>> vertices = torch.rand(2, 1, 50, 3)
        >>> metric.update(2 * vertices, vertices, torch.ones(2, 1, dtype=torch.bool))
        >>> metric.compute()
        tensor([1., 1.], dtype=torch.float64)
    """

    higher_is_better = True

    def __init__(
        self,
        thresholds_mm: Sequence[float] = F_SCORE_THRESHOLDS_MM,
        chunk_hands: int = F_SCORE_CHUNK_HANDS,
        **kwargs: Any,
    ) -> None:
        check_thresholds(thresholds_mm)
        check_positive_int("chunk_hands", chunk_hands)
        super().__init__(FScoreSums.zeros(len(thresholds_mm)), *thresholds_mm, **kwargs)
        self.thresholds_mm = tuple(thresholds_mm)
        self.chunk_hands = chunk_hands

    def update(self, prediction_vertices: Tensor, target_vertices: Tensor, valid: Tensor) -> None:
        """Add a batch, of which :func:`~gesturehand.metrics.functional.fscore.f_score_update` says more."""
        self.add_sums(f_score_update(prediction_vertices, target_vertices, valid, self.thresholds_mm, self.chunk_hands))

    def compute(self) -> Tensor:
        """(T,) between 0 and 1, float64; NaN if nothing was counted."""
        return f_score_compute(self.sums(FScoreSums))
