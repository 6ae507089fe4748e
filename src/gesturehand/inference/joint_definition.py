"""The definition of joints: a hand model's own, or the places that people and landmark networks mark in photographs.

Data sets define the 21 joints differently. A model's joints are the places where its bones turn; annotators mark the
knuckles and creases that they see, several millimetres away. The JSON of weights for photographs can therefore hold an
offset for each joint, measured on photographs by ``scripts/joint_offsets.py``.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
import torch
from torch import Tensor

from gesturehand.errors import UserError
from gesturehand.hand.joint_offsets import moved_joints
from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import NUM_JOINTS

#: (21, 3) m, as plain numbers, which can be compared.
Offsets = tuple[tuple[float, float, float], ...]
#: ``annotated``: moved by the offsets of the weights, if they have any; ``model``: the hand model's own.
Joints = Literal["annotated", "model"]
JOINTS: Final = ("annotated", "model")
#: No definition places a joint further from another one's: a hand is that wide.
_MAX_OFFSET_MM: Final = 100
_Millimetres = Annotated[float, msgspec.Meta(ge=-_MAX_OFFSET_MM, le=_MAX_OFFSET_MM)]


class AnnotatedHand:
    """A hand model whose joints are moved by offsets; its mesh stays.

    Args:
        hand_model: The model.
        offsets_m: (21, 3) m.
    """

    def __init__(self, hand_model: HandModel, offsets_m: Offsets) -> None:
        self._hand_model = hand_model
        self._offsets_m = torch.tensor(offsets_m)
        self.faces = hand_model.faces

    def __call__(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As :class:`~gesturehand.hand.layer.HandModel`."""
        vertices, joints = self._hand_model(rotations, betas, transl, is_right)
        return vertices, moved_joints(joints, is_right, self._offsets_m.to(joints))


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
        found = msgspec.convert(offsets_mm, list[tuple[_Millimetres, _Millimetres, _Millimetres]])
    except msgspec.ValidationError:
        found = []
    if len(found) != NUM_JOINTS:
        raise UserError(
            f"{source}: joint_offsets_mm must be {NUM_JOINTS} lists of three numbers from -{_MAX_OFFSET_MM} to "
            f"{_MAX_OFFSET_MM}, or be left out."
        )
    return tuple((x / 1000, y / 1000, z / 1000) for x, y, z in found)
