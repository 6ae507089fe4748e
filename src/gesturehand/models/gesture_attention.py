"""Joint tokens that attend to gesture logits: what the paper's author added to EANet."""

import torch
from torch import Tensor, nn

from gesturehand.batch import GesturePrediction


class GestureAttention(nn.Module):
    """Every gesture logit is a token; joint tokens attend to them, let through by a learned gate.

    output = LayerNorm(x + σ(gate) · Δ), the gate starting at 0. (In the author's public code the right hand reads the
    coarse and the left hand the fine logits; here each hand reads both levels.)

    Args:
        num_logits: Coarse and fine classes together.
        width: Of a joint token.
        heads: Attention heads.
        dropout: In the attention and after it.
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
