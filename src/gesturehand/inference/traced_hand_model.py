"""The hand model as a program that can be exported: no data-dependent shapes, no choice of rows."""

import torch
from torch import Tensor, nn

from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import MANO_PARENTS, NUM_JOINTS, NUM_MANO_JOINTS


class TracedHandModel(nn.Module):
    """Linear blend skinning (Romero et al., 2017, equations 1-6) with each row's own hand's arrays.

    Gives what :class:`~gesturehand.hand.layer.HandModel` gives. That one sorts right from left hands, and smplx looks
    parents up in a tensor; neither can be traced.

    Args:
        hand_model: Whose arrays are used.
    """

    faces: Tensor
    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    regressor: Tensor
    weights: Tensor

    def __init__(self, hand_model: HandModel) -> None:
        super().__init__()
        right, left = hand_model.layers
        names = {
            "template": "v_template",
            "shapedirs": "shapedirs",
            "posedirs": "posedirs",
            "regressor": "J_regressor",
            "weights": "lbs_weights",
        }
        for name, original in names.items():
            both = torch.stack([getattr(right, original), getattr(left, original)]).float()
            self.register_buffer(name, both, persistent=False)
        self.with_tips = hand_model._with_tips

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As ``HandModel.forward``, for (B, H, …) and without a translation."""
        hands = rotations.shape[1]
        rotations = rotations.reshape(-1, NUM_MANO_JOINTS, 3, 3)
        betas = betas.reshape(-1, betas.shape[-1])
        side = is_right.reshape(-1)[:, None, None]

        def own(of_right: Tensor, of_left: Tensor) -> Tensor:
            return torch.where(side, of_right, of_left)

        shape = own(*(torch.einsum("vcb,nb->nvc", directions, betas) for directions in self.shapedirs))
        vertices = own(*self.template) + shape
        rest = own(*self.regressor) @ vertices
        features = (rotations[:, 1:] - torch.eye(3)).reshape(-1, 9 * (NUM_MANO_JOINTS - 1))
        vertices = vertices + own(*((features @ directions).unflatten(1, (-1, 3)) for directions in self.posedirs))
        turned, joints = [rotations[:, 0]], [rest[:, 0]]
        for joint in range(1, NUM_MANO_JOINTS):
            parent = MANO_PARENTS[joint]
            bone = rest[:, joint] - rest[:, parent]
            joints.append(joints[parent] + (turned[parent] @ bone[..., None])[..., 0])
            turned.append(turned[parent] @ rotations[:, joint])
        world, posed = torch.stack(turned, 1), torch.stack(joints, 1)
        offsets = posed - (world @ rest[..., None])[..., 0]
        transforms = torch.cat([world, offsets[..., None]], -1).flatten(2)
        blended = (own(*self.weights) @ transforms).unflatten(2, (3, 4))
        vertices = (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]
        all_joints = self.with_tips(posed, vertices)
        return vertices.reshape(-1, hands, *vertices.shape[1:]), all_joints.reshape(-1, hands, NUM_JOINTS, 3)


class NoHandModel(nn.Module):
    """Stands in for the hand model where its arrays must not be exported; what it gives is not used."""

    def forward(
        self, rotations: Tensor, betas: Tensor, transl: Tensor | None, is_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Zeros."""
        nothing = rotations[..., :1, 0, :] * 0
        return nothing, nothing.expand(*nothing.shape[:-2], NUM_JOINTS, 3)
