"""Gesture embedding, the two levels of gesture classes, and labels outside of them."""

import torch
from torch import Tensor, nn

from gesturehand.batch import GesturePrediction
from gesturehand.fewer_operations import joined_linear
from gesturehand.gestures import NO_GESTURE, OwnLabels


class GestureHead(nn.Module):
    """Pooled feature → gesture embedding → coarse and fine logits.

    The first stage learns the embedding, and the second fuses it with the joint tokens.

    Args:
        in_channels: Channels of the encoder's pooled feature.
        num_coarse: Coarse classes (27, or 54 per hand).
        num_fine: Fine classes (35, or 70 per hand).
        embedding_dim: E of the gesture embedding.
        dropout: Dropout before the classifiers.
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
        coarse, fine = joined_linear(kept, [self.coarse, self.fine])
        return GesturePrediction(gesture_embedding=embedding, coarse_logits=coarse.float(), fine_logits=fine.float())


class OwnLabelHead(nn.Module):
    """Gesture embedding → labels outside the gesture vocabulary; a label competes only with those of its own set.

    Two sets may mean different things by one word, or use two words for one thing, so their labels never compete.

    Args:
        embedding_dim: E of the gesture embedding.
        labels: L pairs of a set of labels and a label.
    """

    sets: Tensor

    def __init__(self, embedding_dim: int, labels: OwnLabels) -> None:
        super().__init__()
        self.classify = nn.Linear(embedding_dim, len(labels))
        numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in labels))}
        self.register_buffer("sets", torch.tensor([numbers[name] for name, _ in labels]), persistent=False)

    def forward(self, embedding: Tensor, label: Tensor) -> Tensor:
        """Logits among the labels of each sample's own set.

        Args:
            embedding: (B, E).
            label: (B,) int64, an index into the labels; -1 for none.

        Returns:
            (B, L) float32, -inf for the labels of other sets; nothing is masked for a sample without a label.
        """
        logits = self.classify(embedding).float()
        other = (self.sets != self.sets[label.clamp_min(0)][:, None]) & (label != NO_GESTURE)[:, None]
        return logits.masked_fill(other, float("-inf"))
