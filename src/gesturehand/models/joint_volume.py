"""The 2.5D head: a volume per joint and its soft-argmax."""

import torch
from torch import Tensor, nn

from gesturehand.skeleton import NUM_JOINTS


def soft_argmax(volume: Tensor) -> Tensor:
    """Expected position of a softmax over a volume's cells, in normalised coordinates.

    A cell stands at its centre, (i + 0.5) · 2 / n - 1 along an axis of n cells, so the outermost half cell cannot be
    reached; crops leave a margin wider than that around the hand. Computed in float32.

    Args:
        volume: (..., D, h, w) logits.

    Returns:
        (..., 3) float32, x, y, z in -1 … 1.

    Example:
        >>> volume = torch.full((8, 8, 8), -100.0)
        >>> volume[4, 0, 7] = 100.0
        >>> soft_argmax(volume).tolist()
        [0.875, -0.875, 0.125]
    """
    with torch.autocast(volume.device.type, enabled=False):
        shape = volume.shape[-3:]
        probability = volume.float().flatten(-3).softmax(-1).unflatten(-1, shape)
        expected = []
        for axis in (-1, -2, -3):
            others = tuple(a for a in (-1, -2, -3) if a != axis)
            n = volume.shape[axis]
            centres = (torch.arange(n, device=volume.device, dtype=torch.float32) + 0.5) * (2 / n) - 1
            expected.append((probability.sum(others) * centres).sum(-1))
        return torch.stack(expected, -1)


class JointVolumeHead(nn.Module):
    """1 × 1 convolution to a volume (B, 21, D, h, w), then soft-argmax to 2.5D joints.

    Args:
        in_channels: Of the feature map.
        depth: D, cells along the root-relative depth (EANet: 8).
    """

    def __init__(self, in_channels: int, depth: int = 8) -> None:
        super().__init__()
        self.depth = depth
        self.conv = nn.Conv2d(in_channels, NUM_JOINTS * depth, 1)
        # A nearly flat volume puts every joint at the centre at first, where all cells receive gradients.
        nn.init.normal_(self.conv.weight, std=0.01)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, feature_map: Tensor) -> Tensor:
        """Feature map (B, C, h, w) → joints (B, 21, 3) float32, normalised 2.5D coordinates."""
        return soft_argmax(self.conv(feature_map).unflatten(1, (NUM_JOINTS, self.depth)))
