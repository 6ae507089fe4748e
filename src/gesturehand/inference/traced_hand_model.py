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
        self.with_tips = hand_model.with_tips

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As ``HandModel.forward``, for (B, H, …) and without a translation."""
        hands = rotations.shape[1]
        vertices, joints = self.skinning(
            rotations.reshape(-1, NUM_MANO_JOINTS, 3, 3), betas.reshape(-1, betas.shape[-1]), None, is_right.reshape(-1)
        )
        joints = self.with_tips(joints, vertices)
        return vertices.reshape(-1, hands, *vertices.shape[1:]), joints.reshape(-1, hands, NUM_JOINTS, 3)


class NoHandModel(nn.Module):
    """Stands in for the hand model where its arrays must not be exported; what it gives is not used."""

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Zeros."""
        nothing = rotations[..., :1, 0, :] * 0
        return nothing, nothing.expand(*nothing.shape[:-2], NUM_JOINTS, 3)
