"""The hand model on the device: both hands of the open hand or of MANO, on batches of right and left hands mixed.

Its parameters can be changed rigidly without a mesh: to those of a hand seen from another frame, or in the mirror.
"""

import hashlib
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor, nn

from gesturehand.errors import UserError
from gesturehand.hand.conventions import JOINT_DEFINITIONS, PoseForm
from gesturehand.hand.joint_offsets import moved_joints
from gesturehand.hand.load import load_hand
from gesturehand.hand.mano_file import NUM_BETAS
from gesturehand.hand.skinning_layer import SkinningLayer
from gesturehand.precision import full_precision
from gesturehand.skeleton import JOINTS_FROM_MANO_AND_TIPS, NUM_JOINTS, NUM_MANO_JOINTS, SIDES, TIP_VERTICES, TIPS
from gesturehand.suggestions import did_you_mean


class HandModel(nn.Module):
    """Both hands of one model, differentiable. Metres; V vertices, F triangles; joints in the papers' order of 21.

    The open hand is skinned by :class:`~gesturehand.hand.skinning_layer.SkinningLayer`, MANO's files by smplx's layer.

    The model's arrays are not part of ``state_dict``: a checkpoint never contains MANO's licensed data, and a trained
    network can be loaded next to another hand model. Arithmetic is float32 even under autocast, because half precision
    moves vertices by tenths of a millimetre (float64 after ``.double()``).

    Attributes:
        name: "open hand", or the file.
        fingerprint: SHA-256 of both hands' arrays, 64 hexadecimal digits.
        tips: Name of the fingertips, a key of ``skeleton.TIP_VERTICES``.
        num_vertices: V.
        faces: (2, F, 3) int64 triangles of the right and the left hand.
        hands_mean: (2, 45) mean finger pose of the right and the left hand, axis-angle.
    """

    faces: Tensor
    hands_mean: Tensor
    _components: Tensor
    _set_tips: Tensor
    _set_offsets: Tensor
    _joints: Tensor
    _regressors: Tensor

    def __init__(self, mano: str | Path | None = None, tips: str = "eanet") -> None:
        """Loads the model.

        Args:
            mano: None for the open hand, or a folder or file of MANO (see ``load_hand``).
            tips: the vertices that are the fingertips, a key of ``skeleton.TIP_VERTICES``. The choice changes MPJPE.

        Raises:
            UserError: the files are missing or wrong, or the name of the fingertips is unknown.
        """
        super().__init__()
        if tips not in TIP_VERTICES:
            meant = did_you_mean(tips, TIP_VERTICES, f"choose one of {', '.join(TIP_VERTICES)}.")
            raise UserError(f"tips={tips!r} is unknown; {meant}")
        right, left = hands = [load_hand(mano, side) for side in SIDES]
        if right.faces.shape != left.faces.shape or right.num_vertices != left.num_vertices:
            raise UserError(f"{right.source} and {left.source} have different meshes; give both hands of one model.")
        if right.num_vertices <= max(TIP_VERTICES[tips]):
            raise UserError(f"{right.source} has too few vertices for the fingertips {tips!r}; give a MANO-like model.")
        self.name = right.source
        self.fingerprint = hashlib.sha256("".join(hand.fingerprint for hand in hands).encode()).hexdigest()
        self.tips = tips
        self.num_vertices = right.num_vertices
        #: Skins either model; what an exported program contains.
        self.skinning = SkinningLayer(hands)
        self._layer: nn.Module = self.skinning
        if mano is not None:
            from gesturehand.hand.smplx_layer import SmplxLayer

            self._layer = SmplxLayer(hands)

        buffers = {
            "faces": torch.from_numpy(np.stack([hand.faces for hand in hands])),
            "hands_mean": _float32([hand.hands_mean for hand in hands]),
            "_components": _float32([hand.hands_components for hand in hands]),
            "_set_tips": self._tips_of_sets(),
            "_set_offsets": self._offsets_of_sets(),
            "_joints": torch.tensor((*range(NUM_MANO_JOINTS), *(NUM_MANO_JOINTS + tip for tip in TIP_VERTICES[tips])))[
                list(JOINTS_FROM_MANO_AND_TIPS)
            ],
            "_regressors": _float32([hand.J_regressor for hand in hands]),
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    def _tips_of_sets(self) -> Tensor:
        """(1 + definitions, 2, 5) fingertip vertices: the model's own, then each set's, right and left hand."""
        of_sets = [definition.tips_on(self.num_vertices) for definition in JOINT_DEFINITIONS]
        own = TIP_VERTICES[self.tips]
        return torch.tensor([[own, own], *([tips[side] for side in SIDES] for tips in of_sets)])

    def _offsets_of_sets(self) -> Tensor:
        """(1 + definitions, 21, 3) m, from the model's own joints to each set's."""
        of_sets = [definition.offsets_on(self.num_vertices) for definition in JOINT_DEFINITIONS]
        return torch.tensor([((0.0, 0.0, 0.0),) * NUM_JOINTS, *of_sets]) / 1000

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the results: float32, or float64 after ``.double()``."""
        return self.hands_mean.dtype

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Shapes, poses and moves hands.

        Args:
            rotations: (..., 16, 3, 3) joint rotations in MANO's order, root first, the mean pose included.
            betas: (..., 10) shape.
            transl: (..., 3) metres; if None, the root joint lies at J₀(β).
            is_right: (...) bool, the side of each hand.

        Returns:
            Vertices (..., V, 3) and joints (..., 21, 3), metres. The joints are the posed skeleton's 16 and the five
            fingertip vertices.
        """
        with full_precision(rotations.device):
            root = self.rest_root(betas, is_right)
            place = root if transl is None else root + transl.to(self.dtype)
            vertices, joints = self.about_wrist(rotations, betas, is_right)
            return vertices + place[..., None, :], joints + place[..., None, :]

    def about_wrist(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`forward`, relative to the wrist, about which the root rotation turns a hand.

        Args:
            rotations: (..., 16, 3, 3) joint rotations in MANO's order, root first, the mean pose included.
            betas: (..., 10) shape.
            is_right: (...) bool, the side of each hand.

        Returns:
            Vertices (..., V, 3) and joints (..., 21, 3), metres.
        """
        leading = rotations.shape[:-3]
        with full_precision(rotations.device):
            points = self._layer(
                rotations.to(self.dtype).reshape(-1, NUM_MANO_JOINTS, 3, 3),
                betas.to(self.dtype).expand(*leading, NUM_BETAS).reshape(-1, NUM_BETAS),
                is_right.expand(leading).reshape(-1),
            )
            vertices, joints = self.mesh_and_joints(points)
        return vertices.reshape(*leading, *vertices.shape[1:]), joints.reshape(*leading, *joints.shape[1:])

    def joints_from_vertices(self, vertices: Tensor, is_right: Tensor) -> Tensor:
        """The joints that protocol ``eanet`` evaluates: the joint regressor applied to the posed mesh, and fingertips.

        They differ by millimetres from the posed skeleton's joints, which ``forward`` returns.

        Args:
            vertices: (..., V, 3) posed mesh.
            is_right: (...) bool.

        Returns:
            (..., 21, 3) joints, in the unit of the vertices.
        """
        with full_precision(vertices.device):
            vertices = vertices.to(self.dtype)
            right, left = (regressor @ vertices for regressor in self._regressors)
            joints = torch.where(is_right[..., None, None], right, left)
            return torch.cat([joints, vertices], -2).index_select(-2, self._joints)

    def joints_as_defined(self, joints: Tensor, vertices: Tensor, is_right: Tensor, definition: Tensor) -> Tensor:
        """Joints as they are defined by the sets in which the hands are compared.

        Args:
            joints: (B, H, 21, 3) m, of posed hands, in any frame that is not mirrored.
            vertices: (B, H, V, 3) m, of the same hands, in the same frame.
            is_right: (B, H) bool.
            definition: (B,) int64, as in :class:`gesturehand.batch.Batch`.

        Returns:
            (B, H, 21, 3); unchanged if the definition is 0.
        """
        tips = self._set_tips[definition[:, None], (~is_right).long()]
        joints = joints.clone()
        joints[..., TIPS, :] = vertices.gather(-2, tips[..., None].expand(*tips.shape, 3))
        return moved_joints(joints, is_right, self._set_offsets[definition][:, None])

    def rest_root(self, betas: Tensor, is_right: Tensor) -> Tensor:
        """The root joint J₀(β) at rest, about which a hand turns; ``change_frame`` needs it.

        Args:
            betas: (..., 10) shape.
            is_right: (...) bool.

        Returns:
            (..., 3) metres.
        """
        with full_precision(betas.device):
            return self.skinning.rest_joints(betas.to(self.dtype), is_right)[..., 0, :]

    def rotations_from_file_pose(self, pose: Tensor, is_right: Tensor, form: Tensor | None = None) -> Tensor:
        """Joint rotations from a pose as annotation files hold it, in InterHand2.6M's relative to the mean pose.

        The rotation of a finger joint is R(pose + hands_mean), added as axis-angle vectors (smplx's
        ``flat_hand_mean=False``); it is not R(pose)·R(hands_mean). The root has no mean.

        Args:
            pose: (..., 48) axis-angle, radians, root first; or as ``form`` says.
            is_right: (...) bool.
            form: (...) int64, each hand's :class:`~gesturehand.hand.conventions.PoseForm`; None: InterHand2.6M's.

        Returns:
            (..., 16, 3, 3) rotations in MANO's order.
        """
        with full_precision(pose.device):
            pose = pose.to(self.dtype)
            side = (~is_right).long()
            fingers, mean = pose[..., 3:], self.hands_mean[side]
            if form is not None:
                right, left = (fingers @ components for components in self._components)
                posed = torch.where(is_right[..., None], right, left)
                fingers = torch.where((form & PoseForm.COMPONENTS > 0)[..., None], posed, fingers)
                mean = torch.where((form & PoseForm.FLAT > 0)[..., None], 0.0, mean)
            vectors = torch.cat([pose[..., :3], fingers + mean], dim=-1)
            return roma.rotvec_to_rotmat(vectors.reshape(*vectors.shape[:-1], NUM_MANO_JOINTS, 3))

    def mesh_and_joints(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Splits a layer's (N, 3, 16 + V) into vertices (N, V, 3) and 21 joints (N, 21, 3) in the papers' order."""
        return points[..., NUM_MANO_JOINTS:].mT, points.index_select(-1, self._joints).mT.contiguous()


def change_frame(
    rotations: Tensor, transl: Tensor, rest_root: Tensor, rotation: Tensor, translation: Tensor
) -> tuple[Tensor, Tensor]:
    """Parameters of the hand whose mesh is X' = R X + T, for instance from world to camera.

    MANO turns a hand about its root joint J₀(β) and not about the origin, so the translation becomes
    t' = R (J₀ + t) + T − J₀. J₀ must be that of these betas: the mean shape's is off by millimetres.

    Args:
        rotations: (..., 16, 3, 3) joint rotations, root first.
        transl: (..., 3) translation t, metres.
        rest_root: (..., 3) J₀(β) at rest, metres (``HandModel.rest_root``).
        rotation: (..., 3, 3) R.
        translation: (..., 3) T, metres. With a camera at ``campos`` in the world it is −R·campos.

    Returns:
        Rotations (..., 16, 3, 3), of which only the root's changes, and translation (..., 3).
    """
    root = rotation @ rotations[..., 0, :, :]
    fingers = rotations[..., 1:, :, :].expand(*root.shape[:-2], -1, -1, -1)
    moved = (rotation @ (rest_root + transl)[..., None])[..., 0] + translation - rest_root
    return torch.cat([root[..., None, :, :], fingers], dim=-3), moved


def mirror_x(rotations: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
    """Parameters of the other hand whose mesh is the mirror image in x; betas stay as they are.

    In matrices R' = M R M with M = diag(−1, 1, 1), in axis-angle (a, b, c) → (a, −b, −c); no fingers are swapped.

    Args:
        rotations: (..., 16, 3, 3) joint rotations.
        transl: (..., 3) translation, metres.

    Returns:
        Mirrored rotations (..., 16, 3, 3) and translation (..., 3).
    """
    signs = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations * signs[:, None] * signs, transl * signs.to(transl)


def _float32(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()
