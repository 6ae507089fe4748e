"""Linear blend skinning on the device, without a loop over sides or joints, so that a program of it can be exported."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from gesturehand.hand.mano_file import NUM_BETAS, ManoData
from gesturehand.skeleton import NUM_MANO_JOINTS

#: MANO's 15 finger joints are five chains of three that start at the root.
_CHAINS: Final = (5, 3)


class SkinningLayer(nn.Module):
    """Shapes, poses and moves hands (Romero et al., *Embodied Hands*, 2017, equations 1-6).

    Each row uses the arrays of its own side without sorting the rows: both sides' arrays are multiplied as one matrix,
    with zeros for the other side's coefficients. No shape depends on the data, so the layer can be exported.

    The root joint is the origin. The skeleton's 16 joints are points of the skin too, each of which moves with its own
    joint alone. Points are homogeneous rows (x, y, z, 1), which a (4, 3) matrix M turns and moves: p' = p M. The fourth
    coordinate is a column of the arrays, so that no operation appends it.

    Args:
        hands: The right and the left hand, V vertices each.
    """

    _roots: Tensor
    _shape: Tensor
    _turning: Tensor
    _pose: Tensor
    _weights: Tensor
    _sides: Tensor
    _one: Tensor
    _fourth_column: Tensor

    def __init__(self, hands: Sequence[ManoData]) -> None:
        super().__init__()
        self.num_vertices = hands[0].num_vertices
        self.has_posedirs = any(hand.has_posedirs for hand in hands)
        # A row for each coefficient: the template's and the ten betas', of the right and then of the left hand.
        # Points come last, so that sums over joints and coordinates run along contiguous memory.
        shape = [np.concatenate([hand.v_template[None], np.moveaxis(hand.shapedirs, -1, 0)]) for hand in hands]
        joints = [hand.J_regressor @ rows for hand, rows in zip(hands, shape, strict=True)]
        points = np.concatenate([np.concatenate(joints), np.concatenate(shape)], 1)  # (22, 16 + V, 3)
        roots = points[:, :1]
        template = np.arange(2 * (1 + NUM_BETAS)) % (1 + NUM_BETAS) == 0
        pose = np.concatenate([hand.posedirs.T.swapaxes(1, 2) for hand in hands])
        of_joints = np.zeros((len(pose), NUM_MANO_JOINTS, 3))
        own_joint = np.eye(NUM_MANO_JOINTS)
        arrays = {
            "_roots": roots,
            "_shape": _with_fourth(points - roots, template).swapaxes(1, 2),  # (22, 4, 16 + V)
            "_turning": _turning((points - roots)[:, :NUM_MANO_JOINTS], template),  # (22, 16, 2, 4, 3)
            "_pose": _with_fourth(np.concatenate([of_joints, pose], 1), 0).swapaxes(1, 2),
            "_weights": np.stack([np.concatenate([own_joint, hand.weights.T], 1) for hand in hands]),
        }
        if not self.has_posedirs:
            del arrays["_pose"]
        buffers = {name: torch.from_numpy(array).float().flatten(1).contiguous() for name, array in arrays.items()}
        buffers["_sides"] = torch.tensor([True, False])
        buffers["_one"] = torch.ones(1)
        buffers["_fourth_column"] = torch.tensor([[0.0], [0.0], [0.0], [1.0]])
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> Tensor:
        """Skins hands whose root joint lies at the origin.

        Args:
            rotations: (N, 16, 3, 3) joint rotations in MANO's order, root first, the mean pose included.
            betas: (N, 10) shape.
            is_right: (N,) bool, which hand each is.

        Returns:
            (N, 3, 16 + V) metres: the posed skeleton's 16 joints, then the vertices.
        """
        coefficients = self._coefficients(betas, is_right)
        points = coefficients.flatten(1) @ self._shape  # (N, 4 · (16 + V))
        if self.has_posedirs:
            features = (rotations[:, 1:] - torch.eye(3).to(rotations)).flatten(1)
            points = points + _of_own_side(features, is_right[:, None] == self._sides) @ self._pose
        transforms = self._posed_skeleton(rotations, coefficients)  # (N, 16, 4, 3)
        # A template's coefficient is 1 on a hand's own side and 0 on the other.
        weights = (coefficients[..., 0].detach() @ self._weights).unflatten(-1, (NUM_MANO_JOINTS, -1))
        blended = torch.bmm(transforms.flatten(2).mT, weights)  # (N, 12, 16 + V)
        return (blended.unflatten(1, (4, 3)) * points.unflatten(1, (4, 1, -1))).sum(1)

    def right_hand(self) -> dict[str, Tensor]:
        """The right hand's arrays, a row for the template and each of the ten betas, coordinates before vertices.

        Returns:
            ``shape`` (11, 3 · V) and ``rest_joints`` (11, 16 · 3), metres, and ``weights`` (16, V) of skinning.
        """
        points = (self._shape.unflatten(1, (4, -1))[:, :3] + self._roots[..., None])[: 1 + NUM_BETAS]
        return {
            "shape": points[..., NUM_MANO_JOINTS:].flatten(1),
            "rest_joints": points[..., :NUM_MANO_JOINTS].mT.flatten(1),
            "weights": self._weights[0].unflatten(0, (NUM_MANO_JOINTS, -1))[:, NUM_MANO_JOINTS:],
        }

    def rest_joints(self, betas: Tensor, is_right: Tensor) -> Tensor:
        """Joints of shaped hands at rest, untranslated.

        Args:
            betas: (..., 10) shape.
            is_right: (...) bool.

        Returns:
            (..., 16, 3) metres, in MANO's order. The first is J₀(β), about which the root rotation turns the hand.
        """
        joints = self._shape.unflatten(1, (4, -1))[:, :3, :NUM_MANO_JOINTS] + self._roots[..., None]
        return (self._coefficients(betas, is_right).flatten(-2) @ joints.flatten(1)).unflatten(-1, (3, -1)).mT

    def _coefficients(self, betas: Tensor, is_right: Tensor) -> Tensor:
        """(..., 2, 11): the template's coefficient, which is 1, and the betas, for the arrays of both hands."""
        coefficients = torch.cat([self._one.expand(*betas.shape[:-1], 1), betas], -1)
        return _of_own_side(coefficients, is_right[..., None] == self._sides).unflatten(-1, (2, -1))

    def _posed_skeleton(self, rotations: Tensor, coefficients: Tensor) -> Tensor:
        """The effect of posing on the points at rest that move with each joint.

        A joint rotates everything that hangs on it about its place at rest, and then its parent does the same with all
        of it.

        Args:
            rotations: (N, 16, 3, 3) relative to the parents.
            coefficients: (N, 2, 11) of the shape.

        Returns:
            (N, 16, 4, 3) from points at rest to posed ones.
        """
        from_place, to_place = (coefficients.flatten(1) @ self._turning).view(-1, 2, 4, 3).unbind(1)
        about = torch.baddbmm(to_place, from_place, rotations.mT.flatten(0, 1)).view(-1, NUM_MANO_JOINTS, 4, 3)
        root, fingers = about.split([1, NUM_MANO_JOINTS - 1], 1)
        fourth = self._fourth_column.expand(*fingers.shape[:-1], 1)
        first, second, third = torch.cat([fingers, fourth], -1).unflatten(1, _CHAINS).unbind(2)
        second = second @ first
        chains = torch.stack([first, second, third @ second], 2)  # (N, 5, 3, 4, 4) of all that hangs on the root
        root = root.flatten(1, 2)
        return torch.cat([root, chains.flatten(1, 3) @ root], 1).unflatten(1, (NUM_MANO_JOINTS, 4))


def _turning(joints: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Parts of the homogeneous matrix of a rotation R about a place c: p ↦ (p - c) R + c is p ([1; -c] R + [0; c]).

    Args:
        joints: (22, 16, 3) of the places, by coefficient.
        template: (22,) whether a coefficient is the template's.

    Returns:
        (22, 16, 2, 4, 3), [1; -c] and [0; c].
    """
    matrices = np.zeros((*joints.shape[:2], 2, 4, 3))
    matrices[template, :, 0, :3] = np.eye(3)
    matrices[:, :, 0, 3], matrices[:, :, 1, 3] = -joints, joints
    return matrices


def _of_own_side(rows: Tensor, own: Tensor) -> Tensor:
    """(..., K) of hands, (..., 2) whose side → (..., 2K): K for the right hand's arrays, K for the left's, one zero."""
    return (rows[..., None, :] * own[..., None]).flatten(-2)


def _with_fourth(rows: np.ndarray, fourth: np.ndarray | int) -> np.ndarray:
    """(K, N, 3) rows of coordinates → (K, N, 4), the fourth one the row's in ``fourth`` (K,)."""
    column = np.broadcast_to(np.reshape(fourth, (-1, 1, 1)), (*rows.shape[:2], 1))
    return np.concatenate([rows, column], -1)
