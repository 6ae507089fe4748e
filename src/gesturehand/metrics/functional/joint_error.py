"""The error of every joint under a protocol, and which joints the protocol counts."""

import torch
from torch import Tensor

from gesturehand.metrics.functional.alignment import align_eanet, align_procrustes, align_root
from gesturehand.metrics.functional.distance import distances
from gesturehand.metrics.functional.precision import widest
from gesturehand.metrics.functional.protocol import (
    MIN_PROCRUSTES_JOINTS,
    MM_PER_M,
    PROTOCOLS,
    REQUIRED_JOINTS,
    Protocol,
    check_choice,
)
from gesturehand.metrics.functional.shape import check_shape, check_trailing
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

    A degenerate hand (all joints equal) has a finite error under every protocol: see :func:`align_eanet` and
    :func:`align_procrustes`. A prediction that is not finite has an error that is not finite. Under
    ``eanet_published`` a hand without a fit is given as a target of zeros and ``valid`` as annotated, as in the
    published code, and has an error of 0 mm.

    Args:
        prediction: (..., 21, 3) predicted joints, m, papers' order, the same frame as the truth.
        target: (..., 21, 3) true joints, m.
        valid: (..., 21) bool, the joint is annotated (and, under ``eanet``, its hand has a fit).
        protocol: The protocol.

    Returns:
        The errors (..., 21) in mm, float64 (float32 on a device without), 0 where not counted; and which joints are
        counted (..., 21), bool.

    Raises:
        ValueError: A shape is wrong, or the protocol has another name.

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
