"""EANet's EABlock: one feature map → a feature map of each hand that knows of the other."""

import torch
from torch import Tensor, nn

from gesturehand.models.fuse_former import FuseFormer
from gesturehand.skeleton import SIDES


def pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    """1 × 1 convolution, batch normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU())


class EABlock(nn.Module):
    """Splits an image's features into the hands', extracts what they share and adapts it to each.

    Args:
        in_channels: Of the encoder's feature map.
        places: h · w of the feature map.
        width: Channels of a hand's features (EANet: 512).
        depth: Blocks of each attention in a FuseFormer.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
    """

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
