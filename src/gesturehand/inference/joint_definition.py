"""The definition of joints: a hand model's own, or the places that people and landmark networks mark in photographs.

Data sets define the 21 joints differently. A model's joints are the places where its bones turn; annotators mark the
knuckles and creases that they see, several millimetres away. The JSON of weights for photographs can therefore hold an
offset for each joint, measured on photographs by ``scripts/joint_offsets.py``.
"""

from typing import Any, Final, Literal

import numpy as np
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
        found = np.asarray(offsets_mm, np.float64) / 1000
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (NUM_JOINTS, 3) or not np.isfinite(found).all():
        raise UserError(f"{source}: joint_offsets_mm must be {NUM_JOINTS} lists of three numbers, or be left out.")
    return tuple(map(tuple, found.tolist()))
