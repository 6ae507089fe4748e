"""The trunk of MediaPipe's hand landmark model as a timm backbone, ``mediapipe_hand``."""

from typing import Any, Final, NamedTuple

from timm.layers import create_conv2d
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

#: The weights' file, under ``gesturehand/assets/``.
TRUNK_WEIGHTS: Final = "mediapipe_hand.safetensors"


class Block(NamedTuple):
    """An inverted residual block: widen by a 1 × 1 convolution, filter each channel, narrow by a 1 × 1 convolution.

    Attributes:
        wide: Channels that are filtered.
        kernel: Side of the filters, px.
        stride: Stride of the filters.
        channels: Channels of the result; if they and the size equal the input's, the input is added.
    """

    wide: int
    kernel: int
    stride: int
    channels: int


STEM_CHANNELS: Final = 24
#: The blocks of each stage; a stage halves the size. The first block does not widen.
STAGES: Final[tuple[tuple[Block, ...], ...]] = (
    (Block(24, 3, 1, 16),),
    (Block(64, 3, 2, 24), Block(144, 3, 1, 24)),
    (Block(144, 5, 2, 40), Block(240, 5, 1, 40)),
    (
        Block(240, 3, 2, 80),
        Block(480, 3, 1, 80),
        Block(480, 3, 1, 80),
        Block(480, 5, 1, 112),
        Block(672, 5, 1, 112),
        Block(672, 5, 1, 112),
    ),
    (Block(672, 5, 2, 192), Block(1152, 5, 1, 192), Block(1152, 5, 1, 192), Block(1152, 5, 1, 192)),
)
#: The last map is widened and filtered like a block's, but not narrowed.
LAST_CHANNELS: Final = 1152


class ConvLayer(nn.Sequential):
    """A convolution with a bias and TFLite's "same" padding, and a ReLU6 unless it is linear."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = create_conv2d(before, after, kernel, stride=stride, padding="same", depthwise=depthwise, bias=True)
        if not linear:
            self.activation = nn.ReLU6(inplace=True)


class InvertedResidual(nn.Module):
    """A block of the table."""

    def __init__(self, before: int, block: Block) -> None:
        super().__init__()
        self.expand = nn.Identity() if block.wide == before else ConvLayer(before, block.wide)
        self.depthwise = ConvLayer(block.wide, block.wide, block.kernel, block.stride, depthwise=True)
        self.project = ConvLayer(block.wide, block.channels, linear=True)
        self.adds_input = block.stride == 1 and before == block.channels

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C', h / stride, w / stride)."""
        change = self.project(self.depthwise(self.expand(feature)))
        return feature + change if self.adds_input else change


class MediaPipeTrunk(nn.Module):
    """The convolutions of MediaPipe's hand landmark model (full), whose batch norms were folded into them.

    Made for upright crops of 224 px with RGB in 0…1. MediaPipe's own heads, which read the pooled last map, are not
    included. F. Zhang et al., *MediaPipe Hands: On-device Real-time Hand Tracking*, arXiv:2006.10214; the layers are
    read from the model's graph (``scripts/build_mediapipe_trunk.py``).

    Args:
        in_chans: Channels of the image.
        num_classes: 0: the trunk classifies nothing. timm passes it.
    """

    def __init__(self, in_chans: int = 3, num_classes: int = 0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.feature_info = []
        channels = STEM_CHANNELS
        for number, blocks in enumerate(STAGES, 1):
            layers: list[nn.Module] = [ConvLayer(in_chans, channels, 3, 2)] if number == 1 else []
            for block in blocks:
                layers.append(InvertedResidual(channels, block))
                channels = block.channels
            if number == len(STAGES):
                layers.append(ConvLayer(channels, LAST_CHANNELS))
                layers.append(ConvLayer(LAST_CHANNELS, LAST_CHANNELS, 3, depthwise=True))
                channels = LAST_CHANNELS
            name = f"stage{number}"
            self.add_module(name, nn.Sequential(*layers))
            self.feature_info.append({"num_chs": channels, "reduction": 2**number, "module": name})

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) RGB in 0…1 → the last map averaged over its positions, (B, 1152)."""
        for stage in self.children():
            image = stage(image)
        return image.mean((-2, -1))


default_cfgs = generate_default_cfgs(
    {
        "mediapipe_hand": {
            "num_classes": 0,
            "input_size": (3, 224, 224),
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "license": "apache-2.0",
            "first_conv": "stage1.0.conv",
            "classifier": None,
        }
    }
)


@register_model
def mediapipe_hand(pretrained: bool = False, **settings: Any) -> nn.Module:
    """The trunk, in the form that ``timm.create_model`` expects.

    Args:
        pretrained: timm has no weights for it, but :mod:`gesturehand.models.encoder_weights` has.
        settings: Further arguments from timm.
    """
    return build_model_with_cfg(
        MediaPipeTrunk, "mediapipe_hand", pretrained, feature_cfg={"flatten_sequential": False}, **settings
    )
