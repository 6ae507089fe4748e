"""The hand model as a program that can be exported: no data-dependent shapes, no choice of rows."""

from torch import Tensor, nn

from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import NUM_JOINTS, NUM_MANO_JOINTS


class TracedHandModel(nn.Module):
    """Gives what :class:`~gesturehand.hand.layer.HandModel` gives, whose layer cannot be traced where it is smplx's.

    Args:
        hand_model: Whose arrays are used.
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
    """Stands in for the hand model where its arrays must not be exported; what it gives is not used."""

    def about_wrist(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros."""
        nothing = rotations[..., :1, 0, :] * 0
        return nothing, nothing.expand(*nothing.shape[:-2], NUM_JOINTS, 3)
