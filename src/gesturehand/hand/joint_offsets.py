"""Joints that lie beside a hand model's own, by offsets that turn with the bones."""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gesturehand.skeleton import JOINT_NAMES, MIDDLE_MCP, NUM_JOINTS, WRIST

_INDEX_MCP: Final = JOINT_NAMES.index("index1")
_PINKY_MCP: Final = JOINT_NAMES.index("pinky1")
#: The thumb turns against the palm, so that for these joints only the direction along their bones is known.
_ALONG_ONLY: Final = slice(JOINT_NAMES.index("thumb2"), JOINT_NAMES.index("thumb4") + 1)


def _bone(joint: int) -> tuple[int, int]:
    """The two joints between which a joint's bone lies; of the palm for wrist, knuckles and the thumb's base."""
    if joint == WRIST or JOINT_NAMES[joint].endswith("1"):
        return WRIST, MIDDLE_MCP
    return (joint - 1, joint) if JOINT_NAMES[joint].endswith("4") else (joint, joint + 1)


_FROM, _TO = (list(ends) for ends in zip(*map(_bone, range(NUM_JOINTS)), strict=True))


def joint_frames(joints: Tensor, is_right: Tensor) -> Tensor:
    """The directions in which each joint's offset is given.

    Args:
        joints: (..., 21, 3), the papers' order, any unit, in a frame that is not mirrored.
        is_right: (...) bool.

    Returns:
        (..., 21, 3, 3), unit columns: sideways, from the little to the index finger; along the bone, away from the
        wrist (the palm's bone for wrist, knuckles and the thumb's base); and perpendicular to both, out of the palm.
        For the thumb's other joints only the second is not zero.
    """
    along = normalize(joints[..., _TO, :] - joints[..., _FROM, :], dim=-1)
    across = (joints[..., _INDEX_MCP, :] - joints[..., _PINKY_MCP, :])[..., None, :]
    across = normalize(across - (across * along).sum(-1, keepdim=True) * along, dim=-1)
    outwards = torch.linalg.cross(across, along) * (2.0 * is_right - 1.0)[..., None, None]
    frames = torch.stack([across, along, outwards], -1)
    frames[..., _ALONG_ONLY, :, 0] = 0
    frames[..., _ALONG_ONLY, :, 2] = 0
    return frames


def moved_joints(joints: Tensor, is_right: Tensor, offsets: Tensor) -> Tensor:
    """Joints moved by offsets that turn with their bones.

    Args:
        joints: (..., 21, 3), as for :func:`joint_frames`.
        is_right: (...) bool.
        offsets: (..., 21, 3) in the directions of :func:`joint_frames` and the unit of the joints.
    """
    return joints + (joint_frames(joints, is_right) @ offsets[..., None])[..., 0]
