"""Linear blend skinning in PyTorch: right and left hands mixed in a batch, differentiable, traceable for export."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from gesturehand.hand.mano_file import ManoData

#: MANO's 15 finger joints are five chains of three that start at the root.
_CHAINS: Final = (5, 3)


class SkinningLayer(nn.Module):
    """Shapes, poses and moves hands (Romero et al., *Embodied Hands*, 2017, equations 1-6).

    Each row uses the arrays of its own side without sorting the rows: both sides' arrays are multiplied as one matrix,
    with zeros for the other side's coefficients. No shape depends on the data, so the layer can be exported.

    Args:
        hands: The right and the left hand, V vertices each.
    """

    _shape: Tensor
    _rest_joints: Tensor
    _pose: Tensor
    _weights: Tensor

    def __init__(self, hands: Sequence[ManoData]) -> None:
        super().__init__()
        self.num_vertices = hands[0].num_vertices
        self.has_posedirs = any(hand.has_posedirs for hand in hands)
        # A row for each coefficient: the template's and the ten betas', of the right and then of the left hand.
        # Vertices come last, so that sums over joints and coordinates run along contiguous memory.
        shape = [np.concatenate([hand.v_template[None], np.moveaxis(hand.shapedirs, -1, 0)]) for hand in hands]
        joints = [hand.J_regressor @ rows for hand, rows in zip(hands, shape, strict=True)]
        arrays = {
            "_shape": np.concatenate(shape).swapaxes(1, 2),  # (22, 3, V)
            "_rest_joints": np.concatenate(joints),  # (22, 16, 3)
            "_pose": np.concatenate([hand.posedirs.T for hand in hands]),  # (270, 3, V)
            "_weights": np.concatenate([hand.weights.T for hand in hands]),  # (32, V)
        }
        if not self.has_posedirs:
            del arrays["_pose"]
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array).float().flatten(1).contiguous(), persistent=False)

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Skins hands.

        Args:
            rotations: (N, 16, 3, 3) joint rotations in MANO's order, root first, the mean pose included.
            betas: (N, 10) shape.
            transl: (N, 3) metres, or nothing: then the root joint lies at J₀(β).
            is_right: (N,) bool, which hand each is.

        Returns:
            Vertices (N, V, 3) and the posed skeleton's 16 joints (N, 16, 3), metres.
        """
        vertices = _of_own_side(_with_one(betas), is_right) @ self._shape  # (N, 3 · V)
        if self.has_posedirs:
            features = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)
            vertices = vertices + _of_own_side(features, is_right) @ self._pose
        rest = self.rest_joints(betas, is_right)
        world, joints = _posed_skeleton(rotations, rest)
        offsets = joints - (world @ rest[..., None])[..., 0]
        transforms = _of_own_side(torch.cat([world, offsets[..., None]], -1), is_right)  # (N, 32, 3, 4)
        blended = transforms.permute(0, 2, 3, 1) @ self._weights  # (N, 3, 4, V)
        vertices = (blended[:, :, :3] * vertices.unflatten(1, (1, 3, -1))).sum(2) + blended[:, :, 3]
        vertices = vertices.mT.contiguous()
        if transl is None:
            return vertices, joints
        return vertices + transl[:, None], joints + transl[:, None]

    def right_hand(self) -> dict[str, Tensor]:
        """The right hand's arrays, a row for the template and each of the ten betas, coordinates before vertices.

        Returns:
            ``shape`` (11, 3 · V) and ``rest_joints`` (11, 16 · 3), metres, and ``weights`` (16, V) of skinning.
        """
        arrays = {"shape": self._shape, "rest_joints": self._rest_joints, "weights": self._weights}
        return {name: array[: len(array) // 2] for name, array in arrays.items()}

    def rest_joints(self, betas: Tensor, is_right: Tensor) -> Tensor:
        """Joints of shaped hands at rest, untranslated.

        Args:
            betas: (..., 10) shape.
            is_right: (...) bool.

        Returns:
            (..., 16, 3) metres, in MANO's order. The first is J₀(β), about which the root rotation turns the hand.
        """
        return (_of_own_side(_with_one(betas), is_right) @ self._rest_joints).unflatten(-1, (-1, 3))


def _with_one(betas: Tensor) -> Tensor:
    """(..., 11): the template's coefficient, which is 1, and the betas."""
    return torch.cat([torch.ones_like(betas[..., :1]), betas], -1)


def _of_own_side(rows: Tensor, is_right: Tensor) -> Tensor:
    """(..., K, …) of hands (...) → (..., 2K, …): K for the right hand's arrays, K for the left's, one of them zero."""
    mask = is_right.reshape(is_right.shape + (1,) * (rows.ndim - is_right.ndim))
    return torch.cat([torch.where(mask, rows, 0.0), torch.where(mask, 0.0, rows)], is_right.ndim)


def _posed_skeleton(rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations relative to the parents and joints at rest → rotations (N, 16, 3, 3) and joints (N, 16, 3) as posed."""
    fingers, resting = rotations[:, 1:].unflatten(1, _CHAINS), rest[:, 1:].unflatten(1, _CHAINS)
    turned, joint, parent_at_rest = rotations[:, None, 0], rest[:, None, 0], rest[:, None, 0]
    turns, joints = [], []
    for k in range(_CHAINS[1]):
        joint = joint + (turned @ (resting[:, :, k] - parent_at_rest)[..., None])[..., 0]
        turned = turned @ fingers[:, :, k]
        parent_at_rest = resting[:, :, k]
        turns.append(turned)
        joints.append(joint)
    return (
        torch.cat([rotations[:, :1], torch.stack(turns, 2).flatten(1, 2)], 1),
        torch.cat([rest[:, :1], torch.stack(joints, 2).flatten(1, 2)], 1),
    )
