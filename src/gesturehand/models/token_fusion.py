"""The fusion Transformer: joint tokens refined under the guidance of gesture tokens."""

from typing import Literal

import torch
from torch import Tensor, nn

#: ``concat``: self-attention over gesture and joint tokens. ``cross``: joint tokens attend to each other, then to the
#: gesture tokens. ``none``: joint tokens alone, the ablation.
Fusion = Literal["concat", "cross", "none"]


class TokenFusion(nn.Module):
    """Pre-norm Transformer blocks (EANet's sizes by default) over joint tokens and gesture tokens.

    Args:
        fusion: How gesture tokens take part.
        width: Of a token.
        depth: Blocks.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
        dropout: In attention and MLP.
    """

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
        block = nn.TransformerDecoderLayer if fusion == "cross" else nn.TransformerEncoderLayer
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
            gesture_tokens: (B, G, width); not used where ``fusion`` is ``none``.

        Returns:
            (B, 21, width).
        """
        tokens = joint_tokens
        if self.fusion == "concat" and gesture_tokens is not None:
            tokens = torch.cat([gesture_tokens, joint_tokens], 1)
        for block in self.blocks:
            tokens = block(tokens, gesture_tokens) if self.fusion == "cross" else block(tokens)
        return self.norm(tokens[:, -joint_tokens.shape[1] :])
