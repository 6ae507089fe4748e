"""MRRPE as a torchmetrics class."""

from typing import Any

from torch import Tensor

from gesturehand.metrics.functional.mrrpe import RootErrorSums, mrrpe_compute, mrrpe_update
from gesturehand.metrics.sum_metric import SumMetric


class MRRPE(SumMetric):
    """Mean relative-root position error in millimetres: the left wrist relative to the right one (InterNet's).

    Interacting frames only, and only those with both wrists valid. ``compute`` gives a float64 scalar, NaN if nothing
    was counted.

    Args:
        **kwargs: Arguments of torchmetrics.Metric.

    Example:
        >>> import torch
        >>> metric = MRRPE()
        >>> target = torch.zeros(3, 2, 21, 3)
        >>> prediction = target.clone()
        >>> prediction[:, 1, :, 2] += 0.012
        >>> metric.update(prediction, target, torch.ones(3, 2, 21, dtype=torch.bool), torch.ones(3, dtype=torch.bool))
        >>> round(metric.compute().item(), 4)
        12.0
    """

    higher_is_better = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(RootErrorSums.zeros(), **kwargs)

    def update(self, prediction: Tensor, target: Tensor, valid: Tensor, interacting: Tensor) -> None:
        """Add a batch, of which :func:`~gesturehand.metrics.functional.mrrpe.mrrpe_update` says more."""
        self.add_sums(mrrpe_update(prediction, target, valid, interacting))

    def compute(self) -> Tensor:
        """Scalar, mm, float64; NaN if nothing was counted."""
        return mrrpe_compute(self.sums(RootErrorSums))
