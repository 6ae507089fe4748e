"""MRRPE: the error of the left hand's position relative to the right one."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.alignment import distances
from gesturehand.metrics.checks import check_shape, check_trailing, widest
from gesturehand.metrics.protocol import MM_PER_M
from gesturehand.metrics.sum_metric import SumMetric
from gesturehand.skeleton import NUM_JOINTS, WRIST


class RootErrorSums(NamedTuple):
    """Sums over the samples seen, from which MRRPE is computed.

    Attributes:
        root_error_mm: () float64, sum of the errors.
        sample_count: () int64, number of samples counted.
    """

    root_error_mm: Tensor
    sample_count: Tensor

    @classmethod
    def zeros(cls) -> "RootErrorSums":
        """The sums before any sample was seen."""
        return cls(torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64))


def mrrpe_update(prediction: Tensor, target: Tensor, valid: Tensor, interacting: Tensor) -> RootErrorSums:
    """The sums of one batch: error of the left wrist's position relative to the right wrist (InterNet's definition).

    Args:
        prediction: (B, 2, 21, 3) predicted joints of the right and the left hand, m, one frame for both hands.
        target: (B, 2, 21, 3) true joints, m.
        valid: (B, 2, 21) bool; a sample counts only if both wrists are valid.
        interacting: (B,) bool; a sample counts only if it is of two interacting hands.

    Returns:
        The sums over the batch.

    Raises:
        ValueError: A shape is wrong.

    Example:
        The left hand is 12 mm too far away, in one interacting and in one single-hand frame:

        >>> target = torch.zeros(2, 2, 21, 3)
        >>> prediction = target.clone()
        >>> prediction[:, 1, :, 2] += 0.012
        >>> valid = torch.ones(2, 2, 21, dtype=torch.bool)
        >>> sums = mrrpe_update(prediction, target, valid, torch.tensor([True, False]))
        >>> round(sums.root_error_mm.item(), 4), sums.sample_count.item()
        (12.0, 1)
    """
    check_trailing("prediction", prediction, (None, 2, NUM_JOINTS, 3))
    check_shape("target", target, tuple(prediction.shape))
    check_shape("valid", valid, tuple(prediction.shape[:-1]))
    check_shape("interacting", interacting, tuple(prediction.shape[:1]))
    error = widest(prediction[:, :, WRIST]) - widest(target[:, :, WRIST])
    error_mm = distances(error[:, 1], error[:, 0]) * MM_PER_M
    counted = valid[:, :, WRIST].bool().all(-1) & interacting.bool()
    return RootErrorSums(torch.where(counted, error_mm, 0.0).sum(), counted.sum())


def mrrpe_compute(sums: RootErrorSums) -> Tensor:
    """MRRPE from the sums over all samples: scalar, mm; NaN if nothing was counted.

    Example:
        >>> mrrpe_compute(RootErrorSums(torch.tensor(30.0), torch.tensor(2)))
        tensor(15.)
    """
    return sums.root_error_mm / sums.sample_count


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
        """Add a batch; the arguments are those of :func:`mrrpe_update`."""
        self.add_sums(mrrpe_update(prediction, target, valid, interacting))

    def compute(self) -> Tensor:
        """Scalar, mm, float64; NaN if nothing was counted."""
        return mrrpe_compute(self.sums(RootErrorSums))
