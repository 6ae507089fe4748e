"""The encoder on small backbones of every kind: its feature map, its pooled feature, its errors."""

import pytest
import timm
import torch
from faults import faults
from refusals import refused
from torch.nn import functional as F

from gesturehand.errors import UserError
from gesturehand.models.encoder import Encoder

SIZE = 64


def images(count=2, size=SIZE, seed=0):
    return torch.randint(
        0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def encoder_of(backbone, stride=32, size=SIZE, **settings):
    torch.manual_seed(0)
    return Encoder(backbone, feature_stride=stride, image_size=size, **settings).eval()


def reference_maps(backbone, encoder, image, **settings):
    """All maps of a backbone with the same weights, as timm gives them, channels first."""
    net = timm.create_model(backbone, features_only=True, **settings).eval()
    own = encoder.net.state_dict()
    state = {key: own[key] for key in net.state_dict() if key in own}
    net.load_state_dict(state, strict=False)
    config = timm.data.resolve_data_config({}, model=net)
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    return net((image.float() / 255 - mean) / std), net.feature_info


@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_deepest_map_at_stride_32(backbone):
    encoder, image = encoder_of(backbone), images()
    features = encoder(image)
    maps, info = reference_maps(backbone, encoder, image)
    assert info.reduction()[-1] == 32
    assert features.feature_map.shape == (2, encoder.channels, 2, 2)
    assert encoder.channels == encoder.pooled_channels == info.channels()[-1]
    torch.testing.assert_close(features.feature_map, maps[-1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(features.pooled, maps[-1].mean((2, 3)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stride", [8, 16])
def test_merged_map_is_the_sum_of_its_levels_brought_to_one_size(stride):
    encoder, image = encoder_of("test_resnet", stride, merged_channels=24), images()
    features = encoder(image)
    maps, info = reference_maps("test_resnet", encoder, image)
    total = 0
    levels = [feature for feature, reduction in zip(maps, info.reduction(), strict=True) if reduction >= stride]
    assert len(levels) == len(encoder.merge) == {8: 3, 16: 2}[stride]
    for conv, feature in zip(encoder.merge, levels, strict=True):
        total = total + F.interpolate(conv(feature), size=SIZE // stride, mode="bilinear", align_corners=False)
    assert features.feature_map.shape == (2, 24, SIZE // stride, SIZE // stride)
    assert (encoder.channels, encoder.pooled_channels) == (24, info.channels()[-1])
    torch.testing.assert_close(features.feature_map, total.clamp_min(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(features.pooled, maps[-1].mean((2, 3)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("backbone", "size"), [("test_vit", 64), ("test_vit", 96), ("test_vit2", 64)])
def test_plain_vit_keeps_its_one_stride(backbone, size):
    encoder = encoder_of(backbone, 16, size)
    features = encoder(images(size=size))
    assert encoder.merge is None
    assert features.feature_map.shape == (2, encoder.channels, size // 16, size // 16)
    torch.testing.assert_close(features.pooled, features.feature_map.mean((2, 3)))


@pytest.mark.parametrize("stride", [16, 32])
def test_channels_that_come_last_are_moved(stride):
    """Swin's maps are (B, h, w, C); the encoder's are (B, C, h, w)."""
    backbone = "swin_tiny_patch4_window7_224"
    encoder, image = encoder_of(backbone, stride), images(1)
    features = encoder(image)
    maps, info = reference_maps(backbone, encoder, image, img_size=SIZE)
    assert maps[-1].shape == (1, 2, 2, info.channels()[-1])
    assert features.pooled.shape == (1, encoder.pooled_channels) == (1, info.channels()[-1])
    torch.testing.assert_close(features.pooled, maps[-1].mean((1, 2)), atol=1e-4, rtol=1e-4)
    assert features.feature_map.shape == (1, encoder.channels, SIZE // stride, SIZE // stride)
    if stride == 32:
        torch.testing.assert_close(features.feature_map, maps[-1].permute(0, 3, 1, 2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "stride"),
    [("test_resnet", 32), ("test_resnet", 8), ("test_vit", 16), ("test_convnext", 16), ("hrnet_w18_small", 32)],
)
def test_every_trainable_parameter_reaches_the_outputs(backbone, stride):
    """Distributed training refuses parameters without a gradient; those of HRNet's other branches are frozen."""
    encoder = encoder_of(backbone, stride).train()
    features = encoder(images(2))
    (features.feature_map.square().sum() + features.pooled.square().sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name
    frozen = [name for name, parameter in encoder.named_parameters() if not parameter.requires_grad]
    assert bool(frozen) == (backbone == "hrnet_w18_small")


def test_images_are_normalised_as_the_backbone_wants():
    for backbone in ("test_resnet", "test_vit", "mobilenetv3_small_100"):
        stride = 16 if backbone == "test_vit" else 32
        config = timm.get_pretrained_cfg(backbone)
        encoder = encoder_of(backbone, stride)
        seen = []
        encoder.net.register_forward_pre_hook(lambda module, arguments, seen=seen: seen.append(arguments[0]))
        image = images(1)
        encoder(image)
        for channel in range(3):
            expected = (image[0, channel] / 255 - config.mean[channel]) / config.std[channel]
            torch.testing.assert_close(seen[0][0, channel], expected, atol=1e-5, rtol=1e-5)


def test_normalisation_and_frozen_flags_are_not_saved():
    encoder = encoder_of("test_resnet", 16)
    assert not {"mean", "std"} & encoder.state_dict().keys()
    assert {key.split(".")[0] for key in encoder.state_dict()} == {"net", "merge"}


def test_image_of_another_size_is_encoded_by_convolutions():
    features = encoder_of("test_resnet", 32)(images(size=128))
    assert features.feature_map.shape[-2:] == (4, 4)


def test_unknown_backbone_is_named_with_a_suggestion():
    with pytest.raises(UserError, match=r"no model 'resnet51'.*model\.backbone.*did you mean .*resnet5"):
        Encoder("resnet51")
    with pytest.raises(UserError, match=r"no model 'qqqqqqqq'.*timm\.list_models"):
        Encoder("qqqqqqqq")


@pytest.mark.parametrize(("backbone", "stride", "there"), [("test_resnet", 64, "32"), ("test_vit", 32, "[16]")])
def test_missing_stride_is_refused_and_the_existing_ones_are_named(backbone, stride, there):
    with refused(there, match=f"'{backbone}'.*not {stride}.*model.feature_stride"):
        Encoder(backbone, feature_stride=stride, image_size=SIZE)


def test_backbone_without_feature_maps_is_a_sentence(monkeypatch):
    def no_maps(*args, **kwargs):
        raise RuntimeError("features_only not implemented for this model\nmore")

    monkeypatch.setattr(timm, "create_model", no_maps)
    with pytest.raises(
        UserError, match=r"'test_resnet' cannot serve.*features_only not implemented.*model\.backbone"
    ) as caught:
        Encoder("test_resnet", image_size=SIZE)
    assert "\n" not in str(caught.value)


def test_backbone_built_for_another_image_size_is_a_sentence():
    with pytest.raises(UserError, match=r"'efficientformer_l1' cannot take images of 64 px.*data\.image_size"):
        Encoder("efficientformer_l1", image_size=SIZE)


def test_map_that_does_not_lie_on_the_strides_grid_is_refused():
    """Inception's convolutions are not padded: its 32 px stride gives 6 × 6 places at 256 px instead of 8 × 8."""
    with pytest.raises(UserError, match=r"'inception_v3'.*6 × 6 places.*256 px"):
        Encoder("inception_v3", image_size=256)


def test_pretrained_weights_that_cannot_be_fetched_are_a_sentence(monkeypatch):
    def offline(*args, **kwargs):
        if kwargs.get("pretrained"):
            raise OSError("no network")
        return original(*args, **kwargs)

    original = timm.create_model
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"'test_resnet'.*OSError.*imagenet_weights=false"):
        Encoder("test_resnet", imagenet_weights=True, image_size=SIZE)


FAMILIES = {
    "resnet": ("resnet10t", 32),
    "hrnet": ("hrnet_w18_small", 32),
    "convnext": ("convnext_atto", 32),
    "mobilenet": ("mobilenetv3_small_050", 32),
    "vit": ("vit_tiny_patch16_224", 16),
    "swin": ("swin_tiny_patch4_window7_224", 32),
}


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("family", FAMILIES)
def test_families_give_maps_of_the_channels_and_stride_they_say(family, size):
    """For other input sizes too: transformers are built for the size that is asked for."""
    backbone, stride = FAMILIES[family]
    encoder = encoder_of(backbone, stride, size)
    features = encoder(images(1, size=size))
    assert features.feature_map.shape == (1, encoder.channels, size // stride, size // stride)
    assert encoder.map_size == size // stride
    assert features.pooled.shape == (1, encoder.pooled_channels)


@pytest.mark.parametrize(
    ("backbone", "freeze", "frozen", "free"),
    [
        ("test_resnet", "none", (), ("conv1", "layer1", "layer2", "layer3", "layer4")),
        ("test_resnet", "all", ("conv1", "layer1", "layer2", "layer3", "layer4"), ()),
        ("test_resnet", 8, ("conv1", "layer1", "layer2"), ("layer3", "layer4")),
        ("mediapipe_hand", 4, ("stage1", "stage2"), ("stage3", "stage4", "stage5")),
    ],
)
def test_frozen_stages_stay_as_they_are_in_training(backbone, freeze, frozen, free):
    """During training, no frozen tensor changes, including running statistics, while the others do."""
    encoder = encoder_of(backbone, 16, freeze=freeze).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    learning = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1.0)
    for seed in range(2):
        features = encoder(images(seed=seed))
        (features.feature_map.square().mean() + features.pooled.square().mean()).backward()
        optimizer.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    for stage in frozen:
        assert not any(name.startswith(f"net.{stage}.") for name in changed), stage
    for stage in (*free, "merge"):
        names = [name for name in before if stage in name.split(".")]
        assert names
        assert changed & set(names), stage
    assert encoder.training
    assert encoder.merge.training


def test_missing_stride_to_freeze():
    with pytest.raises(
        UserError, match=r"freeze_encoder is 5: give none, all, or one of the strides \[2, 4, 8, 16, 32"
    ):
        Encoder("test_resnet", image_size=SIZE, freeze=5)


@pytest.mark.parametrize(
    ("name", "says"),
    faults(
        "names of backbones",
        "refused, with the nearest name",
        (
            ("capitals", "ResNet18", "resnet18"),
            ("a hyphen for an underscore", "mobilenetv3-small-100", "mobilenetv3_small_100"),
            ("timm/ and a letter too many", "timm/resnett18", "resnet18"),
        ),
    ),
)
def test_a_name_that_is_nearly_right_is_refused_with_the_right_one(name, says):
    with pytest.raises(UserError, match=says):
        Encoder(name)
