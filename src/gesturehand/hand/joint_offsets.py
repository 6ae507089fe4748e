"""Joints that lie beside a hand model's own, by offsets that turn with the bones."""

from typing import Any, Final, TypeAlias

from gesturehand.skeleton import JOINT_NAMES, MIDDLE_MCP, NUM_JOINTS, WRIST

#: An array of NumPy, which is faster for a single hand, or a tensor of PyTorch, which can be differentiated.
Array: TypeAlias = Any
_INDEX_MCP: Final = JOINT_NAMES.index("index1")
_PINKY_MCP: Final = JOINT_NAMES.index("pinky1")
#: The thumb turns against the palm, so that of these joints only the direction along their bones can be measured.
ALONG_ONLY: Final = slice(JOINT_NAMES.index("thumb2"), JOINT_NAMES.index("thumb4") + 1)


def _bone(joint: int) -> tuple[int, int]:
    """The two joints between which a joint's bone lies; of the palm for wrist, knuckles and the thumb's base."""
    if joint == WRIST or JOINT_NAMES[joint].endswith("1"):
        return WRIST, MIDDLE_MCP
    return (joint - 1, joint) if JOINT_NAMES[joint].endswith("4") else (joint, joint + 1)


_FROM, _TO = (list(ends) for ends in zip(*map(_bone, range(NUM_JOINTS)), strict=True))
#: The order of the components of vectors in their cross product.
_NEXT: Final = [1, 2, 0]
_LAST: Final = [2, 0, 1]


def joint_directions(joints: Array, is_right: Array) -> tuple[Array, Array, Array]:
    """The directions in which each joint's offset is given.

    Args:
        joints: (..., 21, 3), the papers' order, any unit, in a frame that is not mirrored.
        is_right: (...) bool.

    Returns:
        Three times (..., 21, 3), unit vectors: sideways, from the little to the index finger; along the bone, away from
        the wrist (the palm's bone for wrist, knuckles and the thumb's base); and perpendicular to both, out of the
        palm.
    """
    along = _unit(joints[..., _TO, :] - joints[..., _FROM, :])
    across = joints[..., _INDEX_MCP : _INDEX_MCP + 1, :] - joints[..., _PINKY_MCP : _PINKY_MCP + 1, :]
    across = _unit(across - (across * along).sum(-1)[..., None] * along)
    outwards = across[..., _NEXT] * along[..., _LAST] - across[..., _LAST] * along[..., _NEXT]
    return across, along, outwards * (2.0 * is_right - 1.0)[..., None, None]


def moved_joints(joints: Array, is_right: Array, offsets: Array) -> Array:
    """Joints moved by offsets that turn with their bones.

    Args:
        joints: (..., 21, 3), as for :func:`joint_directions`.
        is_right: (...) bool.
        offsets: (..., 21, 3) in the directions of :func:`joint_directions` and the unit of the joints.
    """
    across, along, outwards = joint_directions(joints, is_right)
    return joints + across * offsets[..., :1] + along * offsets[..., 1:2] + outwards * offsets[..., 2:]


def _unit(vectors: Array) -> Array:
    return vectors / ((vectors * vectors).sum(-1)[..., None] + 1e-24) ** 0.5
