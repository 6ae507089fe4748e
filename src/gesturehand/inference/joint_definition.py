"""The definition of joints: a hand model's own, or the places that people and landmark networks mark in photographs.

Data sets define the 21 joints differently. A model's joints are the places where its bones turn; annotators mark the
knuckles and creases that they see, several millimetres away. The JSON of weights for photographs can therefore hold an
offset for each joint, measured on photographs by ``scripts/joint_offsets.py``.
"""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import JOINT_NAMES, MIDDLE_MCP, NUM_JOINTS, WRIST

FloatArray = npt.NDArray[np.float64]
#: (21, 3) m, as plain numbers, which can be compared.
Offsets = tuple[tuple[float, float, float], ...]
#: ``annotated``: moved by the offsets of the weights, if they have any; ``model``: the hand model's own.
Joints = Literal["annotated", "model"]
JOINTS: Final = ("annotated", "model")

#: Index and little knuckle, between which the palm is widest.
_INDEX_MCP: Final = JOINT_NAMES.index("index1")
_PINKY_MCP: Final = JOINT_NAMES.index("pinky1")
#: The thumb turns against the palm, so that for these joints only the direction along their bones is known.
_ALONG_ONLY: Final = tuple(JOINT_NAMES.index(f"thumb{k}") for k in (2, 3, 4))


def _bone(joint: int) -> tuple[int, int]:
    """The two joints between which a joint's bone lies; of the palm for wrist, knuckles and the thumb's base."""
    if joint == WRIST or JOINT_NAMES[joint].endswith("1"):
        return WRIST, MIDDLE_MCP
    return (joint - 1, joint) if JOINT_NAMES[joint].endswith("4") else (joint, joint + 1)


_FROM, _TO = np.transpose([_bone(joint) for joint in range(NUM_JOINTS)])


def joint_frames(joints: FloatArray, is_right: npt.NDArray[np.bool_]) -> FloatArray:
    """The directions in which each joint's offset is given.

    Args:
        joints: (N, 21, 3), the papers' order, any unit.
        is_right: (N,) sides.

    Returns:
        (N, 21, 3, 3), unit columns: sideways, from the little to the index finger; along the bone, away from the wrist
        (that of the palm for wrist, knuckles and the thumb's base); and perpendicular to both, out of the palm. For the
        thumb's other joints only the second is not zero.
    """
    along = _unit(joints[:, _TO] - joints[:, _FROM])
    across = (joints[:, _INDEX_MCP] - joints[:, _PINKY_MCP])[:, None]
    across = _unit(across - (across * along).sum(-1, keepdims=True) * along)
    outwards = np.cross(across, along) * np.where(is_right, 1.0, -1.0)[:, None, None]
    frames = np.stack([across, along, outwards], -1)
    frames[:, _ALONG_ONLY, :, 0] = 0
    frames[:, _ALONG_ONLY, :, 2] = 0
    return frames


def moved_joints(joints: FloatArray, is_right: npt.NDArray[np.bool_], offsets_m: Offsets | FloatArray) -> FloatArray:
    """Joints moved by offsets that turn with their bones.

    Args:
        joints: (N, 21, 3) m, in any frame that is not mirrored.
        is_right: (N,) sides.
        offsets_m: (21, 3) m, in the directions of :func:`joint_frames`.
    """
    return joints + (joint_frames(joints, is_right) @ np.asarray(offsets_m)[:, :, None])[..., 0]


class AnnotatedHand:
    """A hand model whose joints are moved by offsets; its mesh stays.

    Args:
        hand_model: The model.
        offsets_m: (21, 3) m.
    """

    def __init__(self, hand_model: HandModel, offsets_m: Offsets | FloatArray) -> None:
        self._hand_model = hand_model
        self._offsets_m = offsets_m
        self.faces = hand_model.faces

    def __call__(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As :class:`~gesturehand.hand.layer.HandModel`, for (N, …) hands."""
        vertices, joints = self._hand_model(rotations, betas, transl, is_right)
        moved = moved_joints(joints.double().cpu().numpy(), is_right.cpu().numpy(), self._offsets_m)
        return vertices, torch.from_numpy(moved).to(joints)


#: A hand model with its own joints, or with moved ones.
PosedHand = HandModel | AnnotatedHand


def offsets_in_m(offsets_mm: Any, source: str) -> Offsets | None:
    """Offsets from the JSON of weights, or None if it has none.

    Args:
        offsets_mm: 21 lists of three numbers, mm.
        source: The file, for the message.

    Raises:
        UserError: They are something else.
    """
    if offsets_mm is None:
        return None
    try:
        found = np.asarray(offsets_mm, np.float64) / 1000
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (NUM_JOINTS, 3) or not np.isfinite(found).all():
        raise UserError(f"{source}: joint_offsets_mm must be {NUM_JOINTS} lists of three numbers, or be left out.")
    return tuple(map(tuple, found.tolist()))


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return vectors / np.maximum(length, 1e-12)
