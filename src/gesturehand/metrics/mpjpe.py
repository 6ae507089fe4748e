"""MPJPE: the error of every joint under a protocol, and its mean, as functions and as a torchmetrics class."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.alignment import align_eanet, align_procrustes, align_root, distances
from gesturehand.metrics.checks import check_choice, check_positive_int, check_shape, check_trailing, widest
from gesturehand.metrics.protocol import (
    AVERAGES,
    DEFAULT_AVERAGE,
    MIN_PROCRUSTES_JOINTS,
    MM_PER_M,
    PROTOCOLS,
    REQUIRED_JOINTS,
    Average,
    Protocol,
    flat_groups,
    sum_by_group,
)
from gesturehand.metrics.sum_metric import SumMetric
from gesturehand.skeleton import INTERHAND_FROM_JOINTS, NUM_JOINTS


def counted_joints(valid: Tensor, protocol: Protocol) -> Tensor:
    """The joints that count: the valid ones of the hands that the protocol can align.

    ``root`` and ``eanet`` need a valid wrist, ``procrustes`` three valid joints.
    ``eanet_published`` needs a valid wrist and applies the mask as the published code does: in InterHand2.6M's order,
    tip first and wrist last, to joints that are in the papers' order.

    Args:
        valid: (..., 21) bool, the joint is annotated; papers' order.
        protocol: The protocol.

    Returns:
        (..., 21) bool, papers' order.

    Example:
        >>> valid = torch.ones(2, 21, dtype=torch.bool)
        >>> valid[0, 0] = False
        >>> counted_joints(valid, "root").sum(-1), counted_joints(valid, "procrustes").sum(-1)
        (tensor([ 0, 21]), tensor([20, 21]))
    """
    valid = valid.bool()
    if protocol == "procrustes":
        return valid & (valid.sum(-1, keepdim=True) >= MIN_PROCRUSTES_JOINTS)
    counted = valid & valid[..., list(REQUIRED_JOINTS[protocol])].all(-1, keepdim=True)
    return counted[..., list(INTERHAND_FROM_JOINTS)] if protocol == "eanet_published" else counted


def joint_errors_mm(
    prediction: Tensor, target: Tensor, valid: Tensor, protocol: Protocol = "eanet"
) -> tuple[Tensor, Tensor]:
    """Distance of each predicted joint to the true one after the protocol's alignment, one hand at a time.

    A degenerate hand (all joints equal) has a finite error under every protocol; see :func:`align_eanet` and
    :func:`align_procrustes`. A prediction that is not finite has an error that is not finite. Under
    ``eanet_published`` a hand without a fit is given as a target of zeros and ``valid`` as annotated, as in the
    published code, and has an error of 0 mm.

    Args:
        prediction: (..., 21, 3) predicted joints, m, papers' order, the same frame as the truth.
        target: (..., 21, 3) true joints, m.
        valid: (..., 21) bool, the joint is annotated (and, under ``eanet``, its hand has a fit).
        protocol: The protocol.

    Returns:
        The errors (..., 21) in mm, float64 (float32 on a device without float64), 0 for joints that are not counted;
        and (..., 21) bool, the joints that are counted.

    Raises:
        ValueError: A shape is wrong, or the protocol is unknown.

    Example:
        >>> target = torch.zeros(21, 3)
        >>> target[:, 0] = torch.arange(21) / 100
        >>> prediction = target.clone()
        >>> prediction[5, 1] += 0.003
        >>> errors, counted = joint_errors_mm(prediction, target, torch.ones(21, dtype=torch.bool), "root")
        >>> round(errors[5].item(), 3), int(counted.sum())
        (3.0, 21)
    """
    check_choice("protocol", protocol, PROTOCOLS)
    check_trailing("prediction", prediction, (NUM_JOINTS, 3))
    check_shape("target", target, tuple(prediction.shape))
    check_shape("valid", valid, tuple(prediction.shape[:-1]))
    prediction, target = widest(prediction), widest(target)
    counted = counted_joints(valid, protocol)
    if protocol == "procrustes":
        prediction = align_procrustes(prediction, target, counted)
    elif protocol == "root":
        prediction, target = align_root(prediction, target, prediction, target)
    else:
        scale_without_truth = 0.0 if protocol == "eanet_published" else 1.0
        prediction, target = align_eanet(prediction, target, prediction, target, scale_without_truth)
    errors_mm = distances(prediction, target) * MM_PER_M
    return torch.where(counted, errors_mm, 0.0), counted


class JointErrorSums(NamedTuple):
    """Sums over the hands seen, from which MPJPE is computed; they add up over batches and processes.

    Attributes:
        joint_error_mm: (G, 21) float64, sum of the errors of each joint of each group.
        joint_count: (G, 21) int64, number of joints counted.
        hand_error_mm: (G,) float64, sum over hands of the mean error of the hand's counted joints.
        hand_count: (G,) int64, hands with a counted joint.
    """

    joint_error_mm: Tensor
    joint_count: Tensor
    hand_error_mm: Tensor
    hand_count: Tensor

    @classmethod
    def zeros(cls, num_groups: int) -> "JointErrorSums":
        """The sums before any hand was seen."""
        return cls(
            torch.zeros(num_groups, NUM_JOINTS, dtype=torch.float64),
            torch.zeros(num_groups, NUM_JOINTS, dtype=torch.int64),
            torch.zeros(num_groups, dtype=torch.float64),
            torch.zeros(num_groups, dtype=torch.int64),
        )


def mpjpe_update(
    prediction: Tensor,
    target: Tensor,
    valid: Tensor,
    group: Tensor | None = None,
    protocol: Protocol = "eanet",
    num_groups: int = 4,
) -> JointErrorSums:
    """The sums of one batch.

    Args:
        prediction: (..., 21, 3) predicted joints, m, papers' order.
        target: (..., 21, 3) true joints, m, the same frame.
        valid: (..., 21) bool.
        group: (...) int, the joint set each hand belongs to (see :func:`hand_groups`); None puts all in group 0.
        protocol: The protocol.
        num_groups: Number of groups.

    Returns:
        The sums over the batch.

    Raises:
        ValueError: A shape is wrong, the protocol is unknown, or a hand that counts is in no group.

    Example:
        >>> joints = torch.rand(5, 1, 21, 3)
        >>> mpjpe_update(joints, joints, torch.ones(5, 1, 21, dtype=torch.bool)).hand_count
        tensor([5, 0, 0, 0])
    """
    errors_mm, counted = joint_errors_mm(prediction, target, valid, protocol)
    group = flat_groups(group, counted, num_groups)
    errors_mm, counted = errors_mm.reshape(-1, NUM_JOINTS), counted.reshape(-1, NUM_JOINTS)
    joints_of_hand = counted.sum(-1)
    hand_mean_mm = errors_mm.sum(-1) / joints_of_hand.clamp(min=1)
    return JointErrorSums(
        sum_by_group(errors_mm, group, num_groups),
        sum_by_group(counted.long(), group, num_groups),
        sum_by_group(hand_mean_mm, group, num_groups),
        sum_by_group((joints_of_hand > 0).long(), group, num_groups),
    )


def mpjpe_per_joint(sums: JointErrorSums) -> Tensor:
    """(G, 21) mean error of each joint of each group, mm; NaN where nothing was counted.

    Example:
        >>> mpjpe_per_joint(JointErrorSums.zeros(4)).isnan().all()
        tensor(True)
    """
    return sums.joint_error_mm / sums.joint_count


def mpjpe_compute(sums: JointErrorSums, average: Average) -> Tensor:
    """MPJPE from the sums over all hands: scalar, mm; NaN if nothing was counted at all.

    A (group, joint) that never occurred is left out. Raises ValueError if ``average`` is unknown.

    Example:
        >>> sums = JointErrorSums.zeros(1)
        >>> sums.joint_error_mm[0, :2] = torch.tensor([10.0, 60.0])
        >>> sums.joint_count[0, :2] = torch.tensor([1, 3])
        >>> mpjpe_compute(sums, "per_joint").item(), mpjpe_compute(sums, "all").item()
        (15.0, 17.5)
    """
    check_choice("average", average, AVERAGES)
    if average == "all":
        return sums.joint_error_mm.sum() / sums.joint_count.sum()
    if average == "per_sample":
        return sums.hand_error_mm.sum() / sums.hand_count.sum()
    occurred = sums.joint_count > 0
    return torch.where(occurred, mpjpe_per_joint(sums), 0.0).sum() / occurred.sum()


def mpjpe(
    prediction: Tensor,
    target: Tensor,
    valid: Tensor,
    group: Tensor | None = None,
    protocol: Protocol = "eanet",
    average: Average | None = None,
    num_groups: int = 4,
) -> Tensor:
    """Mean per-joint position error of one set of hands: scalar, mm, float64; NaN if nothing was counted.

    The arguments and errors are those of :func:`mpjpe_update`; an ``average`` of None is the protocol's own.

    Example:
        Every joint but the wrist 21 mm off:

        >>> target = torch.rand(4, 21, 3, dtype=torch.float64)
        >>> prediction = target.clone()
        >>> prediction[:, 1:, 0] += 0.021
        >>> round(mpjpe(prediction, target, torch.ones(4, 21, dtype=torch.bool), protocol="root").item(), 6)
        20.0
    """
    sums = mpjpe_update(prediction, target, valid, group, protocol, num_groups)
    return mpjpe_compute(sums, DEFAULT_AVERAGE[protocol] if average is None else average)


class MPJPE(SumMetric):
    """Mean per-joint position error in millimetres.

    ``compute`` gives a float64 scalar: with ``per_joint`` the mean over samples for each joint of each group, then over
    the (group, joint) pairs that occurred. A group that never occurs is left out; NaN if nothing was counted at all.

    For InterNet's number over all frames (``root``), which pools the single and interacting frames of a joint, use two
    groups, the sides. For EANet's, use the four of :func:`~gesturehand.metrics.protocol.hand_groups`.

    Args:
        protocol: ``root`` (InterNet's), ``eanet`` (EANet's, corrected), ``procrustes`` (PA-MPJPE), or
            ``eanet_published`` (EANet's with the slips of its code, for comparison only).
        average: ``per_joint``, ``all`` (all valid joints at once: IntagHand's and mmpose's way) or ``per_sample`` (each
            hand's valid joints, then hands). None is the protocol's own: ``per_sample`` for ``procrustes``,
            ``per_joint`` for the others.
        num_groups: Number of groups of hands; the joints of different groups are averaged as different joints.
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
        """Add a batch; the arguments are those of :func:`mpjpe_update`."""
        self.add_sums(mpjpe_update(prediction, target, valid, group, self.protocol, self.num_groups))

    def compute(self) -> Tensor:
        """Scalar, mm, float64; NaN if nothing was counted."""
        return mpjpe_compute(self.sums(JointErrorSums), self.average)

    def per_joint(self) -> Tensor:
        """(num_groups, 21) mean error of each joint over all processes, mm, float64; NaN where nothing was counted.

        Like ``compute``, every process must call it.
        """
        with self.synchronized():
            return mpjpe_per_joint(self.sums(JointErrorSums))
