"""The 3D PCK curve and the area under it as torchmetrics classes."""

from typing import Any

from torch import Tensor

from gesturehand.metrics.functional.pck import (
    MAX_THRESHOLD_MM,
    NUM_THRESHOLDS,
    PCK_AVERAGES,
    PCKAverage,
    PCKHistogram,
    pck_auc,
    pck_curve,
    pck_thresholds_mm,
    pck_update,
)
from gesturehand.metrics.functional.protocol import PROTOCOLS, Protocol, check_choice, check_positive_int
from gesturehand.metrics.sum_metric import SumMetric


class PCKCurve(SumMetric):
    """Fraction of joints whose error is at most each of a row of thresholds.

    ``compute`` gives the curve (num_thresholds,), float64, at :attr:`thresholds_mm`; NaN if nothing was counted.

    Args:
        protocol: ``root``, ``eanet``, ``procrustes`` or ``eanet_published``.
        average: ``per_joint`` (the mean of the joints' curves, as FreiHAND) or ``all`` (one curve over all errors).
        max_threshold_mm: The last threshold; the first is 0.
        num_thresholds: How many thresholds.
        num_groups: Number of groups of hands whose joints are different joints.
        **kwargs: Arguments of torchmetrics.Metric.

    Raises:
        ValueError: A name is unknown, or a number is out of its range.

    Example:
        >>> import torch
        >>> metric = PCKCurve(protocol="root", max_threshold_mm=40, num_thresholds=5)
        >>> target = torch.rand(4, 1, 21, 3)
        >>> prediction = target.clone()
        >>> prediction[..., 1:, 0] += 0.025
        >>> metric.update(prediction, target, torch.ones(4, 1, 21, dtype=torch.bool))
        >>> metric.compute()
        tensor([0.0476, 0.0476, 0.0476, 1.0000, 1.0000], dtype=torch.float64)
    """

    higher_is_better = True

    def __init__(
        self,
        protocol: Protocol = "eanet",
        average: PCKAverage = "per_joint",
        max_threshold_mm: float = MAX_THRESHOLD_MM,
        num_thresholds: int = NUM_THRESHOLDS,
        num_groups: int = 4,
        **kwargs: Any,
    ) -> None:
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("average", average, PCK_AVERAGES)
        check_positive_int("num_groups", num_groups)
        thresholds_mm = pck_thresholds_mm(max_threshold_mm, num_thresholds)
        super().__init__(PCKHistogram.zeros(num_groups, num_thresholds), protocol, max_threshold_mm, **kwargs)
        self.protocol: Protocol = protocol
        self.average: PCKAverage = average
        self.num_groups = num_groups
        #: (num_thresholds,) mm, float64, on the CPU.
        self.thresholds_mm = thresholds_mm

    def update(self, prediction: Tensor, target: Tensor, valid: Tensor, group: Tensor | None = None) -> None:
        """Add a batch, of which :func:`~gesturehand.metrics.functional.pck.pck_update` says more."""
        self.add_sums(pck_update(prediction, target, valid, self.thresholds_mm, group, self.protocol, self.num_groups))

    def compute(self) -> Tensor:
        """(num_thresholds,) between 0 and 1, float64; NaN if nothing was counted."""
        return pck_curve(self.sums(PCKHistogram), self.average)

    def curve(self) -> Tensor:
        """(num_thresholds,) the curve over all processes, also where ``compute`` gives the area under it.

        Every process must call it, as ``compute``.
        """
        with self.synchronized():
            return pck_curve(self.sums(PCKHistogram), self.average)


class PCKAUC(PCKCurve):
    """Area under the 3D PCK curve by the trapezoid rule, relative to a curve that is 1 throughout.

    Takes the arguments of :class:`PCKCurve`; ``compute`` gives a float64 scalar, NaN if nothing was counted.

    Example:
        >>> import torch
        >>> metric = PCKAUC(protocol="procrustes", max_threshold_mm=50)
        >>> joints = torch.rand(4, 1, 21, 3)
        >>> metric.update(2 * joints, joints, torch.ones(4, 1, 21, dtype=torch.bool))
        >>> metric.compute().item() > 0.99
        True
    """

    def compute(self) -> Tensor:
        """Scalar between 0 and 1, float64; NaN if nothing was counted."""
        return pck_auc(super().compute(), self.thresholds_mm)
