"""Joint tokens and gesture tokens: what token fusion works on."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gesturehand.batch import GesturePrediction
from gesturehand.skeleton import NUM_JOINTS

#: Which gesture predictions become tokens.
GestureLevels = Literal["both", "coarse", "fine"]


class JointTokens(nn.Module):
    """One token a joint: the feature under it, its 2.5D place, and which joint it is.

    The coordinate is detached before sampling, as EANet does: the feature's gradient would otherwise pull the joint
    towards places that are easy to read instead of where it is.

    Args:
        in_channels: Of the feature map.
        width: Of a token.
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
        return self.feature(sampled[..., 0].mT) + self.coordinate(places) + self.joint


class GestureTokens(nn.Module):
    """Gesture predictions as tokens: soft class embeddings and the image's gesture embedding.

    A class token is the table of class embeddings weighted by the predicted probabilities, so that an uncertain
    prediction gives a mixture and the gradient reaches the gesture head.

    Args:
        num_coarse: Coarse classes.
        num_fine: Fine classes.
        embedding_dim: Of the gesture embedding.
        width: Of a token.
        levels: Class levels that become tokens; the embedding always does.
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
