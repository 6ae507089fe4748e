"""The paper's second stage: gesture tokens guide joint tokens, from an image of a hand to MANO.

:class:`TokenFusionNetwork` is the whole network and documents the sizes; its parts follow in the order in which an
image passes through them. The encoder and the gesture head come from the first stage; all architectures share the 2.5D
head.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gesturehand.batch import NUM_BETAS, GesturePrediction, HandPrediction
from gesturehand.fewer_operations import joined_linear, weights_cast_together
from gesturehand.hand.layer import HandModel
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.hand_prediction import JointVolumeHead, ManoParameters, mano_parameters, predicted_hands
from gesturehand.skeleton import JOINT_OF_MANO_ROTATION, NUM_JOINTS

#: ``concat``: self-attention over gesture and joint tokens. ``cross``: joint tokens attend to each other, then to the
#: gesture tokens. ``none``: only joint tokens, the ablation.
Fusion = Literal["concat", "cross", "none"]

#: Which gesture predictions become tokens.
GestureLevels = Literal["both", "coarse", "fine"]


class TokenFusionNetwork(nn.Module):
    """One RGB crop of a hand → gesture, 2.5D joints, MANO, mesh and 21 joints.

    Args:
        encoder: The first stage's encoder.
        gesture_head: The first stage's gesture head.
        hand_model: MANO's layer.
        fusion: The way in which gesture tokens guide the joint tokens.
        gesture_levels: Which class levels become tokens.
        width: Width of a token.
        depth: Fusion blocks.
        heads: Attention heads.
        mlp_ratio: Width of a fusion block's MLP, as a multiple of ``width``.
        dropout: Dropout in the fusion blocks.
        volume_depth: Cells of the 2.5D volume along depth.
    """

    def __init__(
        self,
        encoder: Encoder,
        gesture_head: GestureHead,
        hand_model: HandModel,
        *,
        fusion: Fusion = "concat",
        gesture_levels: GestureLevels = "both",
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        volume_depth: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.gesture_head = gesture_head
        self.hand_model = hand_model
        self.joint_volume = JointVolumeHead(encoder.channels, volume_depth, encoder.map_size)
        self.joint_tokens = JointTokens(encoder.channels, width)
        self.gesture_tokens = (
            None
            if fusion == "none"
            else GestureTokens(
                gesture_head.coarse.out_features,
                gesture_head.fine.out_features,
                gesture_head.embedding_dim,
                width,
                gesture_levels,
            )
        )
        self.token_fusion = TokenFusion(
            fusion, width=width, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout
        )
        self.mano_head = ManoHead(width, encoder.pooled_channels)

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction]:
        """Predicts one hand per crop.

        Args:
            image: (B, 3, S, S) RGB, uint8 or float in 0 … 255.
            is_right: (B, 1) bool, the side of the hand as the crop shows it.

        Returns:
            The hand (H = 1) and its gesture.
        """
        features = self.encoder(image)
        # The joint tokens' two biases are added before autocast would cast them.
        uncast = self.encoder, self.joint_tokens
        with weights_cast_together(part for part in self.children() if part not in uncast):
            gesture = self.gesture_head(features.pooled)
            joints_25d = self.joint_volume(features.feature_map)
            tokens = self.joint_tokens(features.feature_map, joints_25d)
            guidance = None if self.gesture_tokens is None else self.gesture_tokens(gesture)
            mano = self.mano_head(self.token_fusion(tokens, guidance), features.pooled)
        one = ManoParameters(*(parameter[:, None] for parameter in mano))
        hand = predicted_hands(joints_25d[:, None], one, self.hand_model, is_right)
        return hand, gesture


class JointTokens(nn.Module):
    """One token per joint, from the feature at its position, its 2.5D coordinates and its identity.

    The coordinate is detached before sampling, as EANet does: the feature's gradient would otherwise pull the joint
    towards positions that are easy to read instead of its true one.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.feature = nn.Linear(in_channels, width)
        self.coordinate = nn.Linear(3, width)
        self.joint = nn.Parameter(torch.randn(NUM_JOINTS, width) * 0.02)

    def forward(self, feature_map: Tensor, joints_25d: Tensor) -> Tensor:
        """Feature map (B, C, h, w) and normalised joints (B, 21, 3) → tokens (B, 21, width)."""
        places = joints_25d.detach()
        sampled = F.grid_sample(feature_map.float(), places[:, :, None, :2], align_corners=False)
        # Both layers as one: the sum of two products is the product of the concatenated factors.
        weight = torch.cat([self.feature.weight, self.coordinate.weight], 1)
        bias = self.feature.bias + self.coordinate.bias
        return F.linear(torch.cat([sampled.squeeze(-1).mT, places], -1), weight, bias) + self.joint


class GestureTokens(nn.Module):
    """Gesture predictions as tokens: soft class embeddings and the image's gesture embedding.

    A class token is the table of class embeddings weighted by the predicted probabilities, so that an uncertain
    prediction gives a mixture and the gradient reaches the gesture head.
    """

    def __init__(
        self, num_coarse: int, num_fine: int, embedding_dim: int, width: int, levels: GestureLevels = "both"
    ) -> None:
        super().__init__()
        self.coarse = nn.Linear(num_coarse, width, bias=False) if levels != "fine" else None
        self.fine = nn.Linear(num_fine, width, bias=False) if levels != "coarse" else None
        self.embedding = nn.Linear(embedding_dim, width)
        self.count = 1 + (self.coarse is not None) + (self.fine is not None)
        self.kind = nn.Parameter(torch.randn(self.count, width) * 0.02)

    def forward(self, gesture: GesturePrediction) -> Tensor:
        """A gesture prediction → tokens (B, 2 or 3, width)."""
        tokens = [self.embedding(gesture["gesture_embedding"])]
        if self.coarse is not None:
            tokens.append(self.coarse(gesture["coarse_logits"].softmax(-1)))
        if self.fine is not None:
            tokens.append(self.fine(gesture["fine_logits"].softmax(-1)))
        return torch.stack(tokens, 1) + self.kind


class TokenFusion(nn.Module):
    """Pre-norm Transformer blocks (EANet's sizes by default) over joint tokens and gesture tokens."""

    def __init__(
        self,
        fusion: Fusion = "concat",
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.fusion = fusion
        block = nn.TransformerDecoderLayer if fusion == "cross" else SelfAttentionBlock
        self.blocks = nn.ModuleList(
            block(
                width,
                heads,
                int(width * mlp_ratio),
                dropout=dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, joint_tokens: Tensor, gesture_tokens: Tensor | None = None) -> Tensor:
        """Refines joint tokens.

        Args:
            joint_tokens: (B, 21, width).
            gesture_tokens: (B, G, width); not used if ``fusion`` is ``none``.

        Returns:
            (B, 21, width).
        """
        tokens = joint_tokens
        if self.fusion == "concat" and gesture_tokens is not None:
            tokens = torch.cat([gesture_tokens, joint_tokens], 1)
        for block in self.blocks:
            tokens = block(tokens, gesture_tokens) if self.fusion == "cross" else block(tokens)
        return self.norm(tokens[:, -joint_tokens.shape[1] :])


class SelfAttentionBlock(nn.TransformerEncoderLayer):
    """torch's encoder layer, without the copies of queries, keys and values that torch's attention makes."""

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        """Self-attention of tokens (B, N, width), all of which see each other."""
        attention = self.self_attn
        joined = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = (
            part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in joined.chunk(3, -1)
        )
        dropout = attention.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return self.dropout1(attention.out_proj(attended.transpose(1, 2).flatten(2)))


class ManoHead(nn.Module):
    """Each finger joint's rotation from its own token; root, shape and camera from all and the pooled feature."""

    finger_joints: Tensor

    def __init__(self, width: int, pooled_channels: int) -> None:
        super().__init__()
        self.pooled = nn.Linear(pooled_channels, width)
        self.joint_rotation = nn.Linear(width, 6)
        self.global_rotation = nn.Linear(2 * width, 6)
        self.shape = nn.Linear(2 * width, NUM_BETAS)
        self.camera = nn.Linear(2 * width, 3)
        for layer in (self.joint_rotation, self.global_rotation, self.shape, self.camera):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        identity = torch.eye(3)[:, :2].flatten()
        for layer in (self.joint_rotation, self.global_rotation):
            layer.bias.data.copy_(identity)
        self.register_buffer("finger_joints", torch.tensor(JOINT_OF_MANO_ROTATION[1:]), persistent=False)

    def forward(self, joint_tokens: Tensor, pooled: Tensor) -> ManoParameters:
        """Joint tokens (B, 21, width) and the pooled feature (B, C') → :class:`ManoParameters`."""
        whole = torch.cat([joint_tokens.mean(1), self.pooled(pooled)], -1)
        root, betas, camera = joined_linear(whole, [self.global_rotation, self.shape, self.camera])
        fingers = self.joint_rotation(joint_tokens.index_select(1, self.finger_joints))
        return mano_parameters(torch.cat([root[:, None], fingers], 1), betas, camera)
