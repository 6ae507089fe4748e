"""Mean per-joint position error."""

from typing import NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.functional.hand_group import flat_groups, sum_by_group
from gesturehand.metrics.functional.joint_error import joint_errors_mm
from gesturehand.metrics.functional.protocol import AVERAGES, DEFAULT_AVERAGE, Average, Protocol, check_choice
from gesturehand.skeleton import NUM_JOINTS


class JointErrorSums(NamedTuple):
    """All that MPJPE needs to know of the hands seen: sums, which add up over batches and processes.

    Attributes:
        joint_error_mm: (G, 21) float64, sum of the errors of each joint of each group.
        joint_count: (G, 21) int64, how many were counted.
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
        ValueError: A shape is wrong, the protocol has another name, or a hand that counts is in no group.

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
    """Mean error of each joint of each group.

    Args:
        sums: The sums over all hands.

    Returns:
        (G, 21) mm, NaN where nothing was counted.

    Example:
        >>> mpjpe_per_joint(JointErrorSums.zeros(4)).isnan().all()
        tensor(True)
    """
    return sums.joint_error_mm / sums.joint_count


def mpjpe_compute(sums: JointErrorSums, average: Average) -> Tensor:
    """MPJPE from the sums.

    Args:
        sums: The sums over all hands.
        average: How to average; a (group, joint) that never occurred is left out.

    Returns:
        Scalar, mm; NaN if nothing was counted at all.

    Raises:
        ValueError: ``average`` has another name.

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
    """Mean per-joint position error of one set of hands.

    Args:
        prediction: (..., 21, 3) predicted joints, m, papers' order.
        target: (..., 21, 3) true joints, m, the same frame.
        valid: (..., 21) bool.
        group: (...) int, the joint set each hand belongs to; None puts all in group 0.
        protocol: The protocol.
        average: How to average; None for the protocol's own way.
        num_groups: Number of groups.

    Returns:
        Scalar, mm, float64; NaN if nothing was counted.

    Raises:
        ValueError: A shape is wrong, a name is unknown, or a hand that counts is in no group.

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
