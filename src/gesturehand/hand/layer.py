"""The hand model on the device: both hands of the open hand or of MANO, on batches of right and left hands mixed."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import roma
import torch
from torch import Tensor, nn

from gesturehand.errors import UserError
from gesturehand.hand.conventions import JOINT_DEFINITIONS, PoseForm
from gesturehand.hand.joint_offsets import moved_joints
from gesturehand.hand.load import load_hand
from gesturehand.hand.mano_file import NUM_BETAS, ManoData
from gesturehand.skeleton import JOINTS_FROM_MANO_AND_TIPS, NUM_JOINTS, NUM_MANO_JOINTS, SIDES, TIP_VERTICES, TIPS
from gesturehand.suggestions import did_you_mean


class HandModel(nn.Module):
    """Both hands of one model, differentiable. Metres; V vertices, F triangles; joints in the papers' order of 21.

    The open hand is skinned by :class:`~gesturehand.hand.layer.SkinningLayer`, MANO's files by smplx's layer.

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
            tips: which vertices are the fingertips, a key of ``skeleton.TIP_VERTICES``. The choice changes MPJPE.

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
            transl: (..., 3) metres, or nothing: then the root joint lies at J₀(β).
            is_right: (...) bool, which hand each is.

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
            is_right: (...) bool, which hand each is.

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
        """Joints as the sets define them that the hands are compared in.

        Args:
            joints: (B, H, 21, 3) m, of posed hands, in any frame that is not mirrored.
            vertices: (B, H, V, 3) m, of the same hands, in the same frame.
            is_right: (B, H) bool.
            definition: (B,) int64, as in :class:`gesturehand.batch.Batch`.

        Returns:
            (B, H, 21, 3); the same where the definition is 0.
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
            pose: (..., 48) axis-angle, radians, root first; or what ``form`` says.
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


def _float32(arrays: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


@contextlib.contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast, and no TF32 or bfloat16 inside float32 matrix products, whatever the trainer has chosen.

    Who compiles what this surrounds has to choose the products' precision outside.
    """
    with torch.autocast(device.type, enabled=False):
        if torch.compiler.is_compiling():
            yield
        else:
            with full_matmul_precision():
                yield


@contextlib.contextmanager
def full_matmul_precision() -> Iterator[None]:
    """No TF32 or bfloat16 inside float32 matrix products."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


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

        A joint turns what hangs on it about its place at rest, then its parent does the same with the whole of it.

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
    """What the homogeneous matrix of a turn R about a place c is made of: p ↦ (p - c) R + c is p ([1; -c] R + [0; c]).

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
