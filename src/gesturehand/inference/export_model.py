"""A regressor as one program without data-dependent shapes, for export."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from gesturehand.hand.layer import HandModel
from gesturehand.inference.predictor import HandPredictor
from gesturehand.skeleton import NUM_JOINTS, NUM_MANO_JOINTS


class TracedHandModel(nn.Module):
    """Computes the same as :class:`~gesturehand.hand.layer.HandModel`, which cannot be traced if its layer is smplx's.

    Args:
        hand_model: The hand model whose arrays are used.
    """

    def __init__(self, hand_model: HandModel) -> None:
        super().__init__()
        self.skinning = hand_model.skinning
        self.mesh_and_joints = hand_model.mesh_and_joints

    def about_wrist(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> tuple[Tensor, Tensor]:
        """As ``HandModel.about_wrist``, for (B, H, …)."""
        hands = rotations.shape[1]
        points = self.skinning(
            rotations.reshape(-1, NUM_MANO_JOINTS, 3, 3), betas.reshape(-1, betas.shape[-1]), is_right.reshape(-1)
        )
        vertices, joints = self.mesh_and_joints(points)
        return vertices.reshape(-1, hands, *vertices.shape[1:]), joints.reshape(-1, hands, NUM_JOINTS, 3)


class NoHandModel(nn.Module):
    """Stands in for the hand model if its arrays must not be exported; its output is not used."""

    def about_wrist(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros."""
        nothing = rotations[..., :1, 0, :] * 0
        return nothing, nothing.expand(*nothing.shape[:-2], NUM_JOINTS, 3)


class ExportModel(nn.Module):
    """Takes crops and returns hands as the image shows them; left hands are mirrored inside.

    The first argument is ``image``, (B, 3, S, S) uint8 RGB; a one-hand network also takes ``is_right``, (B,) bool. The
    outputs of a two-hand network have an axis of hands, right and left, behind the batch's.

    Args:
        predictor: The predictor whose regressor is exported; it is copied.
        mesh: Also give vertices, joints and their projection; the program then contains the hand model's arrays.
    """

    def __init__(self, predictor: HandPredictor, mesh: bool = True) -> None:
        super().__init__()
        regressor: Any = copy.deepcopy(predictor.model).cpu().eval()
        self.network: Any = regressor.network
        self.two_hand = predictor.two_hand
        self.mirror_left = predictor.mirror_left
        self.mesh = mesh
        self.hand_model = TracedHandModel(regressor.hand_model) if mesh else NoHandModel()
        self.network.hand_model = self.hand_model

    def forward(self, image: Tensor, is_right: Tensor | None = None) -> dict[str, Tensor]:
        """Predicts.

        Returns:
            ``global_orient`` (B, 3, 3), ``hand_pose`` (B, 15, 3, 3), ``betas`` (B, 10), ``camera`` (B, 3) weak
            perspective, ``joints_25d`` (B, 21, 3) normalised; with a mesh ``vertices`` (B, V, 3) and ``joints`` (B, 21,
            3) m, camera axes, relative to the wrist, and ``joints_2d`` (B, 21, 2) normalised; with a gesture head
            ``gesture_coarse`` and ``gesture_fine`` probabilities and ``gesture_embedding``; of two hands
            ``relative_translation`` (B, 3) m.
        """
        batch = image.shape[0]
        if self.two_hand or is_right is None:
            sides = torch.tensor([[True, False]], device=image.device).expand(batch, 2)
            flipped = torch.zeros_like(sides[:, :1])
        else:
            sides = is_right.reshape(-1, 1)
            flipped = ~sides if self.mirror_left else torch.zeros_like(sides)
        shown = torch.where(flipped[..., None, None], image.flip(-1), image)
        hand, gesture = self.network(shown, sides | flipped)
        sign = torch.where(flipped, -1.0, 1.0)
        ones = torch.ones_like(sign)
        mirror = torch.stack([sign, ones, ones], -1)  # (B, 1 or H, 3)
        rotations = hand["rotations"] * mirror[..., None, :, None] * mirror[..., None, None, :]
        outputs = {
            "global_orient": rotations[:, :, 0],
            "hand_pose": rotations[:, :, 1:],
            "betas": hand["betas"],
            "camera": hand["camera"] * torch.stack([ones, sign, ones], -1),
            "joints_25d": hand["joints_25d"] * mirror[..., None, :],
        }
        if self.mesh:
            mesh = self.hand_model.about_wrist(rotations, hand["betas"], sides)
            outputs["vertices"], outputs["joints"] = mesh
            outputs["joints_2d"] = hand["joints_2d"] * mirror[..., None, :2]
        if not self.two_hand:
            outputs = {name: output[:, 0] for name, output in outputs.items()}
        elif "relative_translation" in hand:
            outputs["relative_translation"] = hand["relative_translation"]
        if gesture is not None:
            outputs["gesture_coarse"] = gesture["coarse_logits"].softmax(-1)
            outputs["gesture_fine"] = gesture["fine_logits"].softmax(-1)
            outputs["gesture_embedding"] = gesture["gesture_embedding"].float()
        return outputs

    def inputs(self, images: Tensor, is_right: Tensor) -> tuple[Tensor, ...]:
        """The arguments for crops (B, 3, S, S) uint8 and sides (B,) bool."""
        return (images,) if self.two_hand else (images, is_right)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return ("image",) if self.two_hand else ("image", "is_right")
