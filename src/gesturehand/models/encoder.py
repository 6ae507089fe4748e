"""The image encoder that both stages and all architectures share: any timm backbone with a spatial feature map."""

import copy
import difflib
from typing import Any, Literal, NamedTuple

import timm
import torch
from timm.models import get_pretrained_cfg, is_model
from torch import Tensor, nn
from torch.nn import functional as F

from gesturehand.errors import UserError, first_line
from gesturehand.models.encoder_weights import Origin, load_encoder_weights, timm_origin

#: Which part of a backbone is frozen: nothing, all of it, or everything up to its map at that stride.
Freeze = Literal["none", "all"] | int


class EncoderFeatures(NamedTuple):
    """An encoder's output.

    Attributes:
        feature_map: (B, C, h, w) at the encoder's stride.
        pooled: (B, C'), the deepest map averaged over its positions.
    """

    feature_map: Tensor
    pooled: Tensor


class Encoder(nn.Module):
    """A timm backbone that turns an image into a feature map and a pooled feature.

    At ``feature_stride`` 32 the feature map is the backbone's deepest one (the method's 8 × 8 at 256 px). A finer
    stride suits small images: the deeper maps are upsampled to it and added (1 × 1 convolutions, ReLU), so that a 96 px
    image has 6 × 6 positions instead of 3 × 3.

    Args:
        backbone: A timm model name.
        imagenet_weights: Start from timm's pretrained weights; they are downloaded.
        feature_stride: Stride of the feature map, in pixels of the image.
        merged_channels: Channels of the feature map if maps are merged.
        image_size: Side of the images, px; used by backbones that are built for one size (ViT, Swin).
        weights: Weights on this machine from which the backbone starts, see
            :func:`~gesturehand.models.encoder_weights.load_encoder_weights`.
        freeze: ``none``; ``all``: the backbone keeps its weights, and only the layers that merge its maps learn; or a
        stride: the backbone is frozen up to its map at that stride. Frozen batch norms stay in evaluation mode.

    Attributes:
        channels: C of the feature map.
        pooled_channels: C' of the pooled feature.
        feature_stride: As given.
        map_size: h = w of the feature map of images of ``image_size``.
        origin: The origin of the backbone's weights before training here, and their licence; None: random.

    Raises:
        UserError: timm has no such model, it has no feature map at this stride, or its weights are unavailable.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str = "hrnet_w32",
        *,
        imagenet_weights: bool = False,
        feature_stride: int = 32,
        merged_channels: int = 128,
        image_size: int = 256,
        weights: str | None = None,
        freeze: Freeze = "none",
    ) -> None:
        super().__init__()
        if imagenet_weights and weights is not None:
            raise UserError(
                "model.imagenet_weights and model.encoder_weights cannot both be given: leave one of them out."
            )
        backbone = backbone.removeprefix("timm/")  # as the Hugging Face hub writes the names
        levels = _levels(backbone, feature_stride, image_size)
        # Channels last is more than twice as fast on CPUs with depth-wise convolutions, and preferred by GPUs under
        # bf16.
        self.net = _create(backbone, imagenet_weights, image_size, levels).to(memory_format=torch.channels_last)
        self.feature_stride = feature_stride
        self.map_size = -(-image_size // feature_stride)
        channels, self.channels_last = _examine(self.net, backbone, feature_stride, image_size)
        self.pooled_channels = channels[-1]
        self.merge: nn.ModuleList | None = None
        self.channels = channels[-1]
        if len(levels) > 1:
            self.merge = nn.ModuleList(nn.Conv2d(width, merged_channels, 1) for width in channels)
            self.channels = merged_channels
        normalisation = timm.data.resolve_data_config({}, model=self.net)
        for name in ("mean", "std"):
            value = torch.tensor(normalisation[name], dtype=torch.float32) * 255
            self.register_buffer(name, value.view(1, 3, 1, 1), persistent=False)
        self.origin: Origin | None = timm_origin(self.net) if imagenet_weights else None
        if weights is not None:
            self.origin = load_encoder_weights(self, backbone, weights)
        self._frozen = _frozen_parameters(self.net, backbone, freeze, image_size)
        for name, parameter in self.net.named_parameters():
            if name in self._frozen:
                parameter.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Encoder":
        """Sets the mode; frozen batch norms stay in evaluation mode."""
        super().train(mode)
        for name, module in self.net.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and f"{name}.weight" in self._frozen:
                module.eval()
        return self

    def forward(self, image: Tensor) -> EncoderFeatures:
        """Encodes images.

        Args:
            image: (B, 3, S, S) RGB, uint8 or float in 0 … 255; normalised here, as the backbone's weights require.
        """
        normalised = (image.float() - self.mean) / self.std
        maps = self.net(normalised.contiguous(memory_format=torch.channels_last))
        if self.channels_last:
            maps = [feature.permute(0, 3, 1, 2) for feature in maps]
        pooled = maps[-1].mean((-2, -1))
        if self.merge is None:
            return EncoderFeatures(maps[-1], pooled)
        size = maps[0].shape[-2:]
        merged = [
            F.interpolate(conv(feature), size=size, mode="bilinear", align_corners=False)
            for conv, feature in zip(self.merge, maps, strict=True)
        ]
        return EncoderFeatures(torch.stack(merged).sum(0).relu(), pooled)


def _size_arguments(backbone: str, image_size: int) -> dict[str, Any]:
    """Transformers are built for one image size; convolutional backbones take any."""
    config = get_pretrained_cfg(backbone)
    return {"img_size": image_size} if config is not None and config.fixed_input_size else {}


def _levels(backbone: str, feature_stride: int, image_size: int) -> tuple[int, ...]:
    """Indices of the backbone's maps from the wanted stride to the deepest."""
    if not is_model(backbone):
        close = difflib.get_close_matches(backbone, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see timm.list_models()."
        raise UserError(f"timm has no model '{backbone}' for model.backbone: {hint}")
    try:
        with torch.device("meta"):
            probe = timm.create_model(backbone, features_only=True, **_size_arguments(backbone, image_size))
    except (RuntimeError, TypeError, AttributeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"Backbone '{backbone}' cannot serve as an encoder, timm gives no spatial feature maps of it "
            f"({first_line(error)}): choose another for model.backbone."
        ) from None
    strides = list(probe.feature_info.reduction())  # type: ignore[operator, union-attr]
    if feature_stride not in strides:
        raise UserError(
            f"Backbone '{backbone}' has feature maps at strides {sorted(set(strides))}, not {feature_stride}: set "
            "model.feature_stride to one of them."
        )
    # A plain ViT keeps one stride in every block: only its last map counts.
    first = max(i for i, stride in enumerate(strides) if stride == feature_stride)
    return tuple(range(first, len(strides)))


def _create(backbone: str, imagenet_weights: bool, image_size: int, levels: tuple[int, ...]) -> nn.Module:
    settings: dict[str, Any] = {"features_only": True, "out_indices": levels, **_size_arguments(backbone, image_size)}
    if not imagenet_weights:
        return timm.create_model(backbone, pretrained=False, **settings)
    try:
        return timm.create_model(backbone, pretrained=True, **settings)
    except Exception as error:  # the download goes through several libraries with unrelated exception types
        raise UserError(
            f"The pretrained weights of '{backbone}' could not be fetched ({type(error).__name__}): connect to the "
            "network once, or start from random weights with --model.init_args.imagenet_weights=false."
        ) from error


def _examine(net: nn.Module, backbone: str, feature_stride: int, image_size: int) -> tuple[list[int], bool]:
    """Channels of each map and whether they come last; parameters that reach no map are frozen.

    timm's feature extractors may keep layers whose output is not returned (HRNet's other branches). Distributed
    training refuses parameters without a gradient, so these are taken out of training. The backbone is examined on the
    meta device, where nothing is computed.
    """
    twin = copy.deepcopy(net).to("meta").eval()
    try:
        maps = twin(torch.zeros(1, 3, image_size, image_size, device="meta"))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UserError(
            f"Backbone '{backbone}' cannot take images of {image_size} px ({first_line(error)}): change "
            "data.image_size, or choose another for model.backbone."
        ) from None
    expected = list(net.feature_info.channels())  # type: ignore[operator, union-attr]
    channels_last = [m.shape[1] for m in maps] != expected and [m.shape[-1] for m in maps] == expected
    # Joints are looked up by their position in the crop, which a map with other cells (unpadded convolutions) would
    # shift.
    size = tuple(maps[0].shape[1:3] if channels_last else maps[0].shape[2:])
    if set(size) != {-(-image_size // feature_stride)}:
        raise UserError(
            f"Backbone '{backbone}' gives a map of {size[0]} × {size[1]} places for images of {image_size} px, which "
            f"is not a stride of {feature_stride} px: choose another for model.backbone."
        )
    sum(m.sum() for m in maps).backward()
    for parameter, seen in zip(net.parameters(), twin.parameters(), strict=True):
        if seen.grad is None:
            parameter.requires_grad_(False)
    return expected, channels_last


def _frozen_parameters(net: nn.Module, backbone: str, freeze: Freeze, image_size: int) -> frozenset[str]:
    """Names of the backbone's frozen parameters: those on which the map at a stride depends."""
    if freeze == "none":
        return frozenset()
    if freeze == "all":
        return frozenset(name for name, _ in net.named_parameters())
    with torch.device("meta"):
        probe = timm.create_model(backbone, features_only=True, **_size_arguments(backbone, image_size)).eval()
        maps = probe(torch.zeros(1, 3, image_size, image_size))
    strides = list(probe.feature_info.reduction())  # type: ignore[operator, union-attr]
    if freeze not in strides:
        raise UserError(
            f"model.freeze_encoder is {freeze}: give none, all, or one of the strides {sorted(set(strides))} of "
            f"'{backbone}'."
        )
    maps[max(i for i, stride in enumerate(strides) if stride == freeze)].sum().backward()
    return frozenset(name for name, parameter in probe.named_parameters() if parameter.grad is not None)
