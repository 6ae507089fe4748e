"""EANet's FuseFormer: one feature map told about another through tokens of both."""

import torch
from timm.layers import Mlp
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F


class CrossAttentionBlock(nn.Module):
    """Pre-norm cross-attention and MLP, as EANet's: no bias in query, key, value and MLP.

    Args:
        width: Of a token.
        heads: Attention heads.
        mlp_ratio: Width of the MLP over the token's.
    """

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


class FuseFormer(nn.Module):
    """Features of ``first`` fused with those of ``second`` (EANet, Extract and Adaptation).

    *JoinToken*: both features of a place side by side, brought to one width. *SimToken*: a class token and the places
    of both maps as tokens of one sequence, after self-attention. JoinTokens then attend to SimTokens.

    Args:
        places: h · w of a feature map (EANet: 64).
        width: Channels of a feature map and of a token.
        depth: Blocks of self-attention, and as many of cross-attention.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
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
