"""The named evaluation protocols: how they align and average, which joints they need, and groups of hands.

Numbers are comparable only within one protocol, so every metric carries its protocol's name.
"""

from typing import Final, Literal, get_args

import torch
from torch import Tensor

from gesturehand.metrics.checks import check_shape
from gesturehand.skeleton import WRIST

#: ``root``: InterNet's, wrist subtracted. ``eanet``: IntagHand's alignment as EANet evaluates, middle-finger MCP
#: subtracted and scaled by MCP–wrist. ``procrustes``: similarity without reflection. ``eanet_published``: ``eanet``
#: with the two slips of EANet's published code, for comparison with numbers that were computed with it.
Protocol = Literal["root", "eanet", "procrustes", "eanet_published"]
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

#: ``per_joint``: mean over samples for each joint, then over the joints that occurred (InterNet, EANet). ``all``: mean
#: over all valid joints at once (IntagHand, mmpose). ``per_sample``: mean over each hand's valid joints, then over
#: hands.
Average = Literal["per_joint", "all", "per_sample"]
AVERAGES: Final[tuple[Average, ...]] = get_args(Average)

#: The average that the papers use with each protocol.
DEFAULT_AVERAGE: Final[dict[Protocol, Average]] = {
    "root": "per_joint",
    "eanet": "per_joint",
    "procrustes": "per_sample",
    "eanet_published": "per_joint",
}

#: A hand counts only if these joints are valid. Under ``eanet`` that is the wrist alone, as published: the middle MCP
#: on which it aligns comes from the fit's mesh, which does not depend on the annotation.
REQUIRED_JOINTS: Final[dict[Protocol, tuple[int, ...]]] = {
    "root": (WRIST,),
    "eanet": (WRIST,),
    "procrustes": (),
    "eanet_published": (WRIST,),
}

#: Fewer points do not determine a similarity transform in space.
MIN_PROCRUSTES_JOINTS: Final = 3

MM_PER_M: Final = 1000.0


#: Joints of different groups are averaged separately: EANet's 42 joints of single-hand frames and 42 of interacting
#: ones.
HAND_GROUPS: Final = ("single_right", "single_left", "interacting_right", "interacting_left")


def hand_groups(left: Tensor, interacting: Tensor) -> Tensor:
    """The index into :data:`HAND_GROUPS` of every hand.

    For InterNet's number over all frames, which pools the single and interacting frames of a joint, use
    ``left.long()`` and two groups instead.

    Args:
        left: (B, H) bool, the hand is a left one in the photograph, even if its crop is mirrored.
        interacting: (B,) bool, the frame is one of two interacting hands.

    Returns:
        (B, H) int64.

    Raises:
        ValueError: A shape is wrong.

    Example:
        >>> hand_groups(torch.tensor([[False, True], [False, True]]), torch.tensor([False, True]))
        tensor([[0, 1],
                [2, 3]])
    """
    check_shape("interacting", interacting, tuple(left.shape[:1]))
    return left.long() + 2 * interacting.long()[:, None]


def flat_groups(group: Tensor | None, counted: Tensor, num_groups: int) -> Tensor:
    """The group of every hand as a flat index that is safe to sum by.

    Args:
        group: (...) int, the group of each hand; None puts all in group 0. A hand without a counted joint may have any
            group.
        counted: (..., 21) bool, the joints that count.
        num_groups: Number of groups.

    Returns:
        (N,) int64 over the flattened hands.

    Raises:
        ValueError: The shape is wrong, or a hand that counts is in a group that does not exist.

    Example:
        >>> flat_groups(torch.tensor([3, -1]), torch.tensor([[True] * 21, [False] * 21]), num_groups=4)
        tensor([3, 0])
    """
    hands = tuple(counted.shape[:-1])
    if group is None:
        return torch.zeros(hands, dtype=torch.int64, device=counted.device).flatten()
    check_shape("group", group, hands)
    group = torch.where(counted.any(-1), group.long(), 0).flatten()
    outside = (group < 0) | (group >= num_groups)
    if outside.any():
        raise ValueError(f"group must be between 0 and {num_groups - 1}, but got {int(group[outside][0])}.")
    return group


def sum_by_group(values: Tensor, group: Tensor, num_groups: int) -> Tensor:
    """Sum the rows of each group.

    Args:
        values: (N, ...) a row per hand, floating point or int64.
        group: (N,) int64 group of each row.
        num_groups: Number of groups.

    Returns:
        (num_groups, ...) sums, of the dtype of ``values``; 0 for a group without rows.

    Example:
        >>> sum_by_group(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 0]), num_groups=3)
        tensor([5., 0., 2.])
    """
    return values.new_zeros((num_groups, *values.shape[1:])).index_add_(0, group, values)
