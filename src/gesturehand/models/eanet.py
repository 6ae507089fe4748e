"""EANet (Park et al., ICCVW 2023): one crop of up to two hands → both hands and their relative translation.

:class:`EANet` is the whole network and documents the sizes; its parts follow in the order in which an image passes
through them. ``places`` is the number of positions in the feature map, h · w: 64 in EANet.
"""

from typing import Any

import torch
from timm.layers import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from gesturehand.batch import NUM_BETAS, GesturePrediction, HandPrediction
from gesturehand.hand.layer import HandModel
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.hand_prediction import JointVolumeHead, ManoParameters, mano_parameters, predicted_hands
from gesturehand.skeleton import NUM_JOINTS, NUM_MANO_JOINTS, SIDES


class EANet(nn.Module):
    """Extract-and-Adaptation Network for two hands, after its published code.

    Where this library has its own convention, EANet follows it: cell centres and normalised coordinates in the
    soft-argmax, a positive camera scale, the posed skeleton's joints.

    Args:
        encoder: The first stage's.
        hand_model: MANO's layer.
        gesture_head: The first stage's, whose logits the joint tokens then attend to (the author's variant); None is
            EANet as published.
        width: Width of a token (EANet: 512); a hand's features have twice as many channels.
        depth: Blocks of each attention.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
        volume_depth: Cells of the 2.5D volume along depth.
        gesture_heads: Attention heads over the gesture logits.
    """

    def __init__(
        self,
        encoder: Encoder,
        hand_model: HandModel,
        gesture_head: GestureHead | None = None,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        volume_depth: int = 8,
        gesture_heads: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.hand_model = hand_model
        self.gesture_head = gesture_head
        sizes: dict[str, Any] = {"width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio}
        self.ea_block = EABlock(encoder.channels, encoder.map_size**2, **sizes)
        logits = 0 if gesture_head is None else gesture_head.coarse.out_features + gesture_head.fine.out_features
        self.hands = nn.ModuleList(
            EANetHead(2 * width, volume_depth=volume_depth, gesture_logits=logits, gesture_heads=gesture_heads, **sizes)
            for _ in SIDES
        )
        self.relative_translation = nn.Sequential(nn.Linear(4 * width, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts both hands of each crop, even if one is absent.

        Args:
            image: (B, 3, S, S) RGB, uint8 or float in 0 … 255, S as the encoder was built for.
            is_right: (B, 2) bool, the sides as the crop shows them: right, left.

        Returns:
            The hands (H = 2, right and left) and, with a gesture head, their gesture.
        """
        encoded = self.encoder(image)
        gesture = None if self.gesture_head is None else self.gesture_head(encoded.pooled)
        features = self.ea_block(encoded.feature_map)
        joints_25d, mano = zip(*(hand(f, gesture) for hand, f in zip(self.hands, features, strict=True)), strict=True)
        both = ManoParameters(*(torch.stack(parts, 1) for parts in zip(*mano, strict=True)))
        hand = predicted_hands(torch.stack(joints_25d, 1), both, self.hand_model, is_right)
        pooled = torch.cat(features, 1).mean((-2, -1))
        hand["relative_translation"] = self.relative_translation(pooled).float()
        return hand, gesture


class EABlock(nn.Module):
    """Splits an image's features into those of each hand, extracts what they share and adapts it to each."""

    def __init__(
        self,
        in_channels: int,
        places: int,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
    ) -> None:
        super().__init__()

        def fuse_former() -> FuseFormer:
            return FuseFormer(places, width=width, depth=depth, heads=heads, mlp_ratio=mlp_ratio)

        self.split = nn.ModuleList(pointwise(in_channels, width) for _ in SIDES)
        self.extract = fuse_former()
        self.adapt = nn.ModuleList(fuse_former() for _ in SIDES)
        self.out = nn.ModuleList(pointwise(2 * width, 2 * width) for _ in SIDES)

    def forward(self, feature_map: Tensor) -> list[Tensor]:
        """Feature map (B, C, h, w) → features of the right and of the left hand, each (B, 2 · width, h, w)."""
        hands = [split(feature_map) for split in self.split]
        interaction = self.extract(*hands)
        return [
            out(torch.cat([hand, adapt(hand, interaction)], 1))
            for hand, adapt, out in zip(hands, self.adapt, self.out, strict=True)
        ]


class FuseFormer(nn.Module):
    """Features of ``first`` fused with those of ``second`` (EANet, Extract and Adaptation).

    *JoinToken*: both features at a position, concatenated and projected to one width. *SimToken*: a class token and the
    positions of both maps as tokens of one sequence, after self-attention. JoinTokens then attend to SimTokens.
    """

    def __init__(
        self, places: int, *, width: int = 512, depth: int = 4, heads: int = 4, mlp_ratio: float = 4.0
    ) -> None:
        super().__init__()
        self.join = nn.Linear(2 * width, width)
        self.class_token = nn.Parameter(torch.randn(1, width) * 0.02)
        self.position_similar = nn.Parameter(torch.randn(1 + 2 * places, width) * 0.02)
        self.self_attention = nn.ModuleList(Block(width, heads, mlp_ratio, qkv_bias=False) for _ in range(depth))
        self.similar = nn.Linear(width, width)
        self.position_query = nn.Parameter(torch.randn(places, width) * 0.02)
        self.position_context = nn.Parameter(torch.randn(1 + 2 * places, width) * 0.02)
        self.cross_attention = nn.ModuleList(CrossAttentionBlock(width, heads, mlp_ratio) for _ in range(depth))
        self.out = nn.Linear(width, width)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two feature maps (B, width, h, w) → (B, width, h, w)."""
        size = first.shape[-2:]
        a, b = (feature.flatten(2).mT for feature in (first, second))
        joined = self.join(torch.cat([a, b], -1))
        similar = torch.cat([self.class_token.expand(a.shape[0], 1, -1), a, b], 1) + self.position_similar
        for block in self.self_attention:
            similar = block(similar)
        context = self.similar(similar) + self.position_context
        tokens = joined + self.position_query
        for block in self.cross_attention:
            tokens = block(tokens, context)
        return self.out(tokens).mT.unflatten(-1, size)


class CrossAttentionBlock(nn.Module):
    """Pre-norm cross-attention and MLP as in EANet, without biases in query, key, value and MLP."""

    def __init__(self, width: int, heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm_query = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.projection = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio), bias=False)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (B, N, width) attend to the context (B, M, width) → (B, N, width)."""
        query = self._split(self.query(self.norm_query(tokens)))
        key, value = (self._split(part) for part in self.key_value(self.norm_context(context)).chunk(2, -1))
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + self.projection(attended)
        return tokens + self.mlp(self.norm_mlp(tokens))

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, width) → (B, heads, N, width / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EANetHead(nn.Module):
    """A hand's features → its 2.5D joints and MANO's parameters.

    Joint tokens are the features at the (detached) 2.5D joints, refined by self-attention; concatenated with their
    coordinates they give the rotations. Shape and camera come from the pooled features.
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
            # With hundreds of inputs each, the deviation of the sum has to be small for rotations near the identity.
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
        six = torch.cat([self.global_rotation(flat), self.joint_rotation(flat)], -1).unflatten(-1, (NUM_MANO_JOINTS, 6))
        pooled = features.mean((-2, -1))
        return joints_25d, mano_parameters(six, self.shape(pooled), self.camera(pooled))


class GestureAttention(nn.Module):
    """Every gesture logit is a token; joint tokens attend to them through a learned gate.

    output = LayerNorm(x + σ(gate) · Δ), the gate starting at 0. (In the author's public code the right hand reads the
    coarse and the left hand the fine logits; here each hand reads both levels.)
    """

    def __init__(self, num_logits: int, width: int, *, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.logit = nn.Linear(1, width)
        self.position = nn.Parameter(torch.randn(num_logits, width) * 0.02)
        self.norm_query = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.out = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout))
        self.gate = nn.Parameter(torch.zeros(()))
        self.norm = nn.LayerNorm(width)

    def forward(self, joint_tokens: Tensor, gesture: GesturePrediction) -> Tensor:
        """Joint tokens (B, 21, width), guided by both levels of a gesture prediction → (B, 21, width)."""
        logits = torch.cat([gesture["coarse_logits"], gesture["fine_logits"]], -1)
        context = self.logit(logits[..., None]) + self.position
        attended, _ = self.attention(self.norm_query(joint_tokens), context, context, need_weights=False)
        return self.norm(joint_tokens + self.gate.sigmoid() * self.out(attended))


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    """1 × 1 convolution, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU())
