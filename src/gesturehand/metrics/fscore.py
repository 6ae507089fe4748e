"""F-score of a predicted mesh at a distance."""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.alignment import align_procrustes
from gesturehand.metrics.checks import check_positive_int, check_shape, check_trailing, widest
from gesturehand.metrics.protocol import MM_PER_M
from gesturehand.metrics.sum_metric import SumMetric

#: The thresholds of FreiHAND and HO-3D.
F_SCORE_THRESHOLDS_MM: Final = (5.0, 15.0)
#: Hands processed at a time; the distances among 778 × 778 vertices take 5 MB per hand.
F_SCORE_CHUNK_HANDS: Final = 4


class FScoreSums(NamedTuple):
    """The sums from which the mean F-score is computed.

    Attributes:
        f_score: (T,) float64, sum over hands of the F-score at each threshold.
        hand_count: () int64, number of hands counted.
    """

    f_score: Tensor
    hand_count: Tensor

    @classmethod
    def zeros(cls, num_thresholds: int) -> "FScoreSums":
        """The sums before any hand was seen."""
        return cls(torch.zeros(num_thresholds, dtype=torch.float64), torch.zeros((), dtype=torch.int64))


def check_thresholds(thresholds_mm: Sequence[float]) -> None:
    """Raise a ValueError that shows the thresholds if there are none, or if one of them is not a positive number.

    Example:
        >>> check_thresholds([5, -15])
        Traceback (most recent call last):
        ValueError: thresholds_mm must be positive numbers of millimetres, but got [5, -15].
    """
    if len(thresholds_mm) == 0 or not all(0 < threshold < math.inf for threshold in thresholds_mm):
        raise ValueError(f"thresholds_mm must be positive numbers of millimetres, but got {thresholds_mm!r}.")


def f_scores(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    thresholds_mm: Sequence[float] = F_SCORE_THRESHOLDS_MM,
    chunk_hands: int = F_SCORE_CHUNK_HANDS,
) -> Tensor:
    """F-score of each hand after Procrustes alignment of its vertices (FreiHAND's and HO-3D's protocol).

    Precision is the fraction of predicted vertices nearer than the threshold to some true vertex, recall that of true
    vertices nearer than the threshold to some predicted vertex, and F their harmonic mean (0 if both are 0). The
    nearest vertex counts, not the one with the same index.

    Args:
        prediction_vertices: (..., V, 3) predicted vertices, m.
        target_vertices: (..., V, 3) true vertices, m.
        thresholds_mm: T distances, mm.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.

    Returns:
        (..., T) between 0 and 1, float64 (float32 on a device without float64); 0 for a prediction that is not finite.

    Raises:
        ValueError: A shape is wrong, or a threshold or ``chunk_hands`` is not positive.

    Example:
        >>> vertices = torch.rand(2, 778, 3, generator=torch.Generator().manual_seed(0)) / 5
        >>> f_scores(1.1 * vertices, vertices)
        tensor([[1., 1.],
                [1., 1.]], dtype=torch.float64)
    """
    check_thresholds(thresholds_mm)
    check_positive_int("chunk_hands", chunk_hands)
    check_trailing("prediction_vertices", prediction_vertices, (None, 3))
    check_shape("target_vertices", target_vertices, tuple(prediction_vertices.shape))
    hands, num_vertices = tuple(prediction_vertices.shape[:-2]), prediction_vertices.shape[-2]
    flat = [tensor.reshape(-1, num_vertices, 3) for tensor in (prediction_vertices, target_vertices)]
    chunks = zip(*(tensor.split(chunk_hands) for tensor in flat), strict=True)
    scores = [_chunk_f_scores(thresholds_mm, *chunk) for chunk in chunks]
    return torch.cat(scores).reshape(*hands, len(thresholds_mm))


def _chunk_f_scores(thresholds_mm: Sequence[float], prediction: Tensor, target: Tensor) -> Tensor:
    prediction, target = align_procrustes(prediction, target), widest(target)
    # |a|² + |b|² − 2ab, a matrix product, is exact enough only near the origin.
    centre = target.mean(-2, keepdim=True)
    prediction, target = prediction - centre, target - centre
    squared = torch.baddbmm(target.square().sum(-1)[:, None, :], prediction, target.mT, alpha=-2)
    squared += prediction.square().sum(-1)[:, :, None]
    limits = squared.new_tensor([(threshold / MM_PER_M) ** 2 for threshold in thresholds_mm])
    precision, recall = ((squared.amin(dim)[..., None] < limits).to(squared).mean(-2) for dim in (-1, -2))
    both = precision + recall
    return torch.where(both > 0, 2 * precision * recall / both, 0.0)


def f_score_update(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    valid: Tensor,
    thresholds_mm: Sequence[float] = F_SCORE_THRESHOLDS_MM,
    chunk_hands: int = F_SCORE_CHUNK_HANDS,
) -> FScoreSums:
    """The sums of one batch; arguments and errors as for :func:`f_scores`.

    ``valid`` (...) bool says which hands are present and have a fit.

    Example:
        >>> vertices = torch.rand(2, 1, 50, 3)
        >>> f_score_update(vertices, vertices, torch.tensor([[True], [False]]))
        FScoreSums(f_score=tensor([1., 1.], dtype=torch.float64), hand_count=tensor(1))
    """
    scores = f_scores(prediction_vertices, target_vertices, thresholds_mm, chunk_hands)
    check_shape("valid", valid, tuple(prediction_vertices.shape[:-2]))
    valid = valid.bool()
    scores = torch.where(valid[..., None], scores, 0.0)
    return FScoreSums(scores.reshape(-1, len(thresholds_mm)).sum(0), valid.sum())


def f_score_compute(sums: FScoreSums) -> Tensor:
    """Mean F-score over hands from the sums, (T,) between 0 and 1; NaN if nothing was counted.

    Example:
        >>> f_score_compute(FScoreSums(torch.tensor([1.0, 1.5]), torch.tensor(2)))
        tensor([0.5000, 0.7500])
    """
    return sums.f_score / sums.hand_count


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
        """Add a batch; the arguments are those of :func:`f_score_update`."""
        self.add_sums(f_score_update(prediction_vertices, target_vertices, valid, self.thresholds_mm, self.chunk_hands))

    def compute(self) -> Tensor:
        """(T,) between 0 and 1, float64; NaN if nothing was counted."""
        return f_score_compute(self.sums(FScoreSums))
