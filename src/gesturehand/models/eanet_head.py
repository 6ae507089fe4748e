"""EANet's head of one hand: 2.5D joints, joint tokens, MANO."""

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from gesturehand.batch import NUM_BETAS, GesturePrediction
from gesturehand.models.ea_block import pointwise
from gesturehand.models.gesture_attention import GestureAttention
from gesturehand.models.joint_volume import JointVolumeHead
from gesturehand.models.mano_head import TYPICAL_CAMERA_SCALE, ManoParameters, rotation_from_6d
from gesturehand.skeleton import NUM_JOINTS, NUM_MANO_JOINTS


class EANetHead(nn.Module):
    """A hand's features → its 2.5D joints and MANO's parameters.

    Joint tokens are the features under the (detached) 2.5D joints, refined by self-attention; all of them side by side
    with their coordinates give the rotations. Shape and camera come from the pooled features.

    Args:
        in_channels: Of the hand's features (EANet: 1024).
        width: Of a joint token.
        depth: Blocks of self-attention.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
        volume_depth: Cells of the 2.5D volume along depth.
        gesture_logits: Coarse and fine classes that joint tokens attend to; 0 is EANet as published.
        gesture_heads: Attention heads of that.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        volume_depth: int = 8,
        gesture_logits: int = 0,
        gesture_heads: int = 8,
    ) -> None:
        super().__init__()
        self.joint_volume = JointVolumeHead(in_channels, volume_depth)
        self.feature = pointwise(in_channels, width)
        self.gesture_attention = (
            GestureAttention(gesture_logits, width, heads=gesture_heads) if gesture_logits else None
        )
        self.position = nn.Parameter(torch.randn(NUM_JOINTS, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio, qkv_bias=False) for _ in range(depth))
        flat = NUM_JOINTS * (width + 3)
        self.global_rotation = nn.Linear(flat, 6)
        self.joint_rotation = nn.Linear(flat, (NUM_MANO_JOINTS - 1) * 6)
        self.shape = nn.Linear(in_channels, NUM_BETAS)
        self.camera = nn.Linear(in_channels, 3)
        for layer in (self.global_rotation, self.joint_rotation, self.shape, self.camera):
            # Hundreds of inputs each: the sum's deviation is what has to be small, for rotations near the identity.
            nn.init.normal_(layer.weight, std=0.1 * layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        identity = torch.eye(3)[:, :2].flatten()
        self.global_rotation.bias.data.copy_(identity)
        self.joint_rotation.bias.data.copy_(identity.repeat(NUM_MANO_JOINTS - 1))

    def forward(self, features: Tensor, gesture: GesturePrediction | None) -> tuple[Tensor, ManoParameters]:
        """A hand's features (B, C, h, w) → joints (B, 21, 3), normalised 2.5D coordinates, and MANO's parameters."""
        joints_25d = self.joint_volume(features)
        places = joints_25d.detach()
        sampled = F.grid_sample(self.feature(features).float(), places[:, :, None, :2], align_corners=False)
        tokens = sampled[..., 0].mT
        if self.gesture_attention is not None and gesture is not None:
            tokens = self.gesture_attention(tokens, gesture)
        tokens = tokens + self.position
        for block in self.blocks:
            tokens = block(tokens)
        flat = torch.cat([tokens, places], -1).flatten(1)
        six = torch.cat([self.global_rotation(flat), self.joint_rotation(flat)], -1)
        pooled = features.mean((-2, -1))
        scale, shift = self.camera(pooled).float().split([1, 2], -1)
        mano = ManoParameters(
            rotations=rotation_from_6d(six.unflatten(-1, (NUM_MANO_JOINTS, 6))),
            betas=self.shape(pooled).float(),
            camera=torch.cat([TYPICAL_CAMERA_SCALE * scale.exp(), shift], -1),
        )
        return joints_25d, mano
