"""The curve of 3D PCK (percentage of correct keypoints) over distance, and the area under it."""

import math
from typing import Any, Final, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from gesturehand.metrics.checks import check_choice, check_positive_int, widest
from gesturehand.metrics.mpjpe import joint_errors_mm
from gesturehand.metrics.protocol import PROTOCOLS, Protocol, flat_groups, sum_by_group
from gesturehand.metrics.sum_metric import SumMetric
from gesturehand.skeleton import NUM_JOINTS

#: There is no ``per_sample``, since a curve describes many joints.
PCKAverage = Literal["per_joint", "all"]
PCK_AVERAGES: Final[tuple[PCKAverage, ...]] = get_args(PCKAverage)

#: FreiHAND's: 100 thresholds from 0 to 50 mm.
MAX_THRESHOLD_MM: Final = 50.0
NUM_THRESHOLDS: Final = 100


class PCKHistogram(NamedTuple):
    """Counts over the hands seen, from which the PCK curve is computed; they add up over batches and processes.

    Attributes:
        error_count: (G, 21, T + 1) int64, for each joint of each group the number of errors above the previous
            threshold and up to this one; the last entry holds those above all thresholds and those that are not finite.
    """

    error_count: Tensor

    @classmethod
    def zeros(cls, num_groups: int, num_thresholds: int) -> "PCKHistogram":
        """The counts before any hand was seen."""
        return cls(torch.zeros(num_groups, NUM_JOINTS, num_thresholds + 1, dtype=torch.int64))


def pck_thresholds_mm(max_threshold_mm: float = MAX_THRESHOLD_MM, num_thresholds: int = NUM_THRESHOLDS) -> Tensor:
    """Equally spaced thresholds, starting at 0 mm.

    Returns:
        (T,) mm, float64.

    Raises:
        ValueError: ``max_threshold_mm`` is not a positive number, or ``num_thresholds`` is below 2.

    Example:
        >>> pck_thresholds_mm(40, 5)
        tensor([ 0., 10., 20., 30., 40.], dtype=torch.float64)
    """
    if not 0 < max_threshold_mm < math.inf:
        raise ValueError(f"max_threshold_mm must be a positive number of millimetres, but got {max_threshold_mm!r}.")
    if isinstance(num_thresholds, bool) or not isinstance(num_thresholds, int) or num_thresholds < 2:
        raise ValueError(f"num_thresholds must be an integer of at least 2, but got {num_thresholds!r}.")
    return torch.linspace(0.0, max_threshold_mm, num_thresholds, dtype=torch.float64)


def pck_update(
    prediction: Tensor,
    target: Tensor,
    valid: Tensor,
    thresholds_mm: Tensor,
    group: Tensor | None = None,
    protocol: Protocol = "eanet",
    num_groups: int = 4,
) -> PCKHistogram:
    """Count the joint errors of one batch between the thresholds.

    Args:
        prediction: (..., 21, 3) predicted joints, m, papers' order.
        target: (..., 21, 3) true joints, m, the same frame.
        valid: (..., 21) bool.
        thresholds_mm: (T,) mm, ascending.
        group: (...) int, the joint set each hand belongs to (see :func:`hand_groups`); None puts all in group 0.
        protocol: The protocol.
        num_groups: Number of groups.

    Returns:
        The counts over the batch.

    Raises:
        ValueError: A shape is wrong, the protocol is unknown, or a hand that counts is in no group.

    Example:
        >>> joints = torch.rand(5, 21, 3)
        >>> valid = torch.ones(5, 21, dtype=torch.bool)
        >>> pck_update(joints, joints, valid, pck_thresholds_mm(50, 2), num_groups=1).error_count[0, 0]
        tensor([5, 0, 0])
    """
    errors_mm, counted = joint_errors_mm(prediction, target, valid, protocol)
    group = flat_groups(group, counted, num_groups)
    bins = torch.bucketize(errors_mm.reshape(-1, NUM_JOINTS), thresholds_mm.to(errors_mm))
    num_bins = thresholds_mm.numel() + 1
    joint = torch.arange(NUM_JOINTS, device=bins.device)
    cell = (group[:, None] * NUM_JOINTS + joint) * num_bins + bins
    ones = counted.reshape(-1, NUM_JOINTS).long()
    histogram = sum_by_group(ones.flatten(), cell.flatten(), num_groups * NUM_JOINTS * num_bins)
    return PCKHistogram(histogram.reshape(num_groups, NUM_JOINTS, num_bins))


def pck_curve(histogram: PCKHistogram, average: PCKAverage = "per_joint") -> Tensor:
    """The fraction of joints whose error is at most each threshold.

    Args:
        histogram: The counts over all hands.
        average: ``per_joint``, the mean of the curves of the (group, joint) pairs that occurred (FreiHAND's way), or
            ``all``, one curve over all errors.

    Returns:
        (T,) between 0 and 1, float64 (float32 on a device without float64); NaN if nothing was counted.

    Raises:
        ValueError: ``average`` is unknown.

    Example:
        >>> histogram = PCKHistogram.zeros(num_groups=1, num_thresholds=2)
        >>> histogram.error_count[0, 0] = torch.tensor([1, 1, 2])
        >>> pck_curve(histogram)
        tensor([0.2500, 0.5000], dtype=torch.float64)
    """
    check_choice("average", average, PCK_AVERAGES)
    error_count = histogram.error_count
    hits, count = error_count[..., :-1].cumsum(-1), error_count.sum(-1, keepdim=True)
    if average == "all":
        return widest(hits.sum((0, 1))) / count.sum()
    occurred = count > 0
    return torch.where(occurred, widest(hits) / count, 0.0).sum((0, 1)) / occurred.sum()


def pck_auc(curve: Tensor, thresholds_mm: Tensor) -> Tensor:
    """The area under a PCK curve (T,) by the trapezoid rule, relative to a curve that is 1 throughout.

    Example:
        >>> pck_auc(torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0.0, 25.0, 50.0]))
        tensor(0.7500)
    """
    thresholds_mm = thresholds_mm.to(curve)
    return torch.trapezoid(curve, thresholds_mm) / (thresholds_mm[-1] - thresholds_mm[0])


class PCKCurve(SumMetric):
    """Fraction of joints whose error is at most each of several thresholds.

    ``compute`` gives the curve (num_thresholds,), float64, at :attr:`thresholds_mm`; NaN if nothing was counted.

    Args:
        protocol: ``root``, ``eanet``, ``procrustes`` or ``eanet_published``.
        average: ``per_joint`` (the mean of the joints' curves, as FreiHAND) or ``all`` (one curve over all errors).
        max_threshold_mm: The last threshold; the first is 0.
        num_thresholds: Number of thresholds.
        num_groups: Number of groups of hands; the joints of different groups are counted as different joints.
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
        """Add a batch; the arguments are those of :func:`pck_update`."""
        self.add_sums(pck_update(prediction, target, valid, self.thresholds_mm, group, self.protocol, self.num_groups))

    def compute(self) -> Tensor:
        """(num_thresholds,) between 0 and 1, float64; NaN if nothing was counted."""
        return pck_curve(self.sums(PCKHistogram), self.average)

    def curve(self) -> Tensor:
        """(num_thresholds,) the curve over all processes, even if ``compute`` gives the area under it.

        Like ``compute``, every process must call it.
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
