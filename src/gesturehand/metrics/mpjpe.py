"""MPJPE as a torchmetrics class."""

from typing import Any

from torch import Tensor

from gesturehand.metrics.functional.mpjpe import JointErrorSums, mpjpe_compute, mpjpe_per_joint, mpjpe_update
from gesturehand.metrics.functional.protocol import (
    AVERAGES,
    DEFAULT_AVERAGE,
    PROTOCOLS,
    Average,
    Protocol,
    check_choice,
    check_positive_int,
)
from gesturehand.metrics.sum_metric import SumMetric


class MPJPE(SumMetric):
    """Mean per-joint position error in millimetres.

    ``compute`` gives a float64 scalar: with ``per_joint`` the mean over samples for each joint of each group, then over
    the (group, joint) pairs that occurred. A group that never occurs is left out; NaN if nothing was counted at all.

    For InterNet's number over all frames (``root``), which pools the single and interacting frames of a joint, take two
    groups, the sides. For EANet's, take the four of :func:`~gesturehand.metrics.functional.hand_groups`.

    Args:
        protocol: ``root`` (InterNet's), ``eanet`` (EANet's, corrected), ``procrustes`` (PA-MPJPE), or
            ``eanet_published`` (EANet's with the slips of its code, for comparison only).
        average: ``per_joint``, ``all`` (all valid joints at once: IntagHand's and mmpose's way) or ``per_sample`` (each
            hand's valid joints, then hands). None is the protocol's own: ``per_sample`` for ``procrustes``,
            ``per_joint`` for the others.
        num_groups: Number of groups of hands whose joints are different joints.
        **kwargs: Arguments of torchmetrics.Metric.

    Raises:
        ValueError: A name is unknown, or ``num_groups`` is not positive.

    Example:
        >>> import torch
        >>> metric = MPJPE(protocol="root")
        >>> target = torch.rand(4, 1, 21, 3)
        >>> prediction = target.clone()
        >>> prediction[..., 1:, 0] += 0.021
        >>> metric.update(prediction, target, torch.ones(4, 1, 21, dtype=torch.bool))
        >>> round(metric.compute().item(), 3)
        20.0
    """

    higher_is_better = False

    def __init__(
        self, protocol: Protocol = "eanet", average: Average | None = None, num_groups: int = 4, **kwargs: Any
    ) -> None:
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("average", average, (*AVERAGES, None))
        check_positive_int("num_groups", num_groups)
        super().__init__(JointErrorSums.zeros(num_groups), protocol, **kwargs)
        self.protocol: Protocol = protocol
        self.average: Average = DEFAULT_AVERAGE[protocol] if average is None else average
        self.num_groups = num_groups

    def update(self, prediction: Tensor, target: Tensor, valid: Tensor, group: Tensor | None = None) -> None:
        """Add a batch, of which :func:`~gesturehand.metrics.functional.mpjpe.mpjpe_update` says more."""
        self.add_sums(mpjpe_update(prediction, target, valid, group, self.protocol, self.num_groups))

    def compute(self) -> Tensor:
        """Scalar, mm, float64; NaN if nothing was counted."""
        return mpjpe_compute(self.sums(JointErrorSums), self.average)

    def per_joint(self) -> Tensor:
        """(num_groups, 21) mean error of each joint over all processes, mm, float64; NaN where nothing was counted.

        Every process must call it, as ``compute``.
        """
        with self.synchronized():
            return mpjpe_per_joint(self.sums(JointErrorSums))
