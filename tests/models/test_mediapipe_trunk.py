"""MediaPipe's trunk against the output of MediaPipe's own file in LiteRT."""

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from gesturehand.models.encoder import Encoder
from gesturehand.models.mediapipe_trunk import TRUNK_WEIGHTS

#: Written by scripts/build_mediapipe_trunk.py with LiteRT: images, the map at stride 16, the pooled last map.
REFERENCE = Path(__file__).with_name("mediapipe_hand_reference.npz")


@pytest.fixture(scope="module")
def trunk():
    net = timm.create_model("mediapipe_hand", features_only=True).eval()
    with as_file(files("gesturehand.assets") / TRUNK_WEIGHTS) as path:
        net.load_state_dict(load_file(path))
    return net


def maps_of(trunk, images):
    with torch.no_grad():
        return trunk(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)


def test_maps_are_those_that_litert_gave(trunk):
    reference = np.load(REFERENCE)
    maps = maps_of(trunk, reference["images"])
    assert reference["pooled"].max() > 1
    np.testing.assert_allclose(maps[3], reference["stage4"], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(maps[4].mean((2, 3)), reference["pooled"], atol=1e-5, rtol=1e-5)


def test_the_encoder_gives_them_for_bytes(trunk):
    reference = np.load(REFERENCE)
    encoder = Encoder("mediapipe_hand", weights="mediapipe_hand", image_size=224).eval()
    with torch.no_grad():
        features = encoder(torch.from_numpy(reference["images"]).permute(0, 3, 1, 2))
    np.testing.assert_allclose(features.pooled, reference["pooled"], atol=1e-5, rtol=1e-5)


def test_size_of_the_trunk_and_its_maps(trunk):
    assert sum(parameter.numel() for parameter in trunk.parameters()) == 2_568_096
    for size in (224, 96, 65):
        maps = maps_of(trunk, np.zeros((1, size, size, 3), np.uint8))
        for feature, channels, stride in zip(
            maps, trunk.feature_info.channels(), trunk.feature_info.reduction(), strict=True
        ):
            assert feature.shape == (1, channels, -(-size // stride), -(-size // stride))


def test_the_whole_trunk_pools_its_last_map(trunk):
    whole = timm.create_model("mediapipe_hand").eval()
    whole.load_state_dict(trunk.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(whole(image), trunk(image)[-1].mean((2, 3)))
