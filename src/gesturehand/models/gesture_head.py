"""Gesture embedding and the two levels of gesture classes."""

from torch import Tensor, nn

from gesturehand.batch import GesturePrediction


class GestureHead(nn.Module):
    """Pooled feature → gesture embedding → coarse and fine logits.

    The embedding is what the first stage learns and what the second fuses with the joint tokens.

    Args:
        in_channels: Channels of the encoder's pooled feature.
        num_coarse: Coarse classes (27, or 54 per hand).
        num_fine: Fine classes (35, or 70 per hand).
        embedding_dim: E of the gesture embedding.
        dropout: Before the classifiers.
    """

    def __init__(
        self, in_channels: int, num_coarse: int, num_fine: int, *, embedding_dim: int = 512, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.embed = nn.Sequential(nn.Linear(in_channels, embedding_dim), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.coarse = nn.Linear(embedding_dim, num_coarse)
        self.fine = nn.Linear(embedding_dim, num_fine)

    def forward(self, pooled: Tensor) -> GesturePrediction:
        """Predicts from the pooled feature (B, in_channels); logits are float32."""
        embedding = self.embed(pooled)
        kept = self.dropout(embedding)
        return GesturePrediction(
            gesture_embedding=embedding,
            coarse_logits=self.coarse(kept).float(),
            fine_logits=self.fine(kept).float(),
        )
