"""The second stage's network as a whole, on a tiny backbone."""

import pytest
import torch

from gesturehand.camera import weak_perspective
from gesturehand.hand.layer import HandModel
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.token_fusion_network import TokenFusionNetwork

SIZE = 64
FUSIONS = [(fusion, levels) for fusion in ("concat", "cross", "none") for levels in ("both", "coarse", "fine")]


@pytest.fixture(scope="module")
def hand_model():
    return HandModel()


def network_of(hand_model, fusion="concat", levels="both", backbone="test_resnet", stride=16):
    torch.manual_seed(0)
    encoder = Encoder(backbone, feature_stride=stride, image_size=SIZE)
    head = GestureHead(encoder.pooled_channels, 27, 35, embedding_dim=16, dropout=0.0)
    return TokenFusionNetwork(
        encoder, head, hand_model, fusion=fusion, gesture_levels=levels, width=32, depth=1, volume_depth=4
    )


def inputs(count=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=rng)
    return image, (torch.arange(count) % 2 == 0)[:, None]


def shapes(count, vertices):
    return {
        "joints_25d": (count, 1, 21, 3),
        "rotations": (count, 1, 16, 3, 3),
        "betas": (count, 1, 10),
        "camera": (count, 1, 3),
        "vertices": (count, 1, vertices, 3),
        "joints": (count, 1, 21, 3),
        "joints_2d": (count, 1, 21, 2),
    }


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize(("fusion", "levels"), [("concat", "both"), ("cross", "fine"), ("none", "both")])
def test_outputs_are_the_contracts_also_under_autocast(hand_model, fusion, levels, autocast):
    network = network_of(hand_model, fusion, levels)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        hand, gesture = network(*inputs())
    assert {name: tuple(value.shape) for name, value in hand.items()} == shapes(3, hand_model.num_vertices)
    assert all(value.dtype == torch.float32 for value in hand.values())
    assert gesture["gesture_embedding"].shape == (3, 16)
    assert gesture["coarse_logits"].shape == (3, 27)
    assert gesture["fine_logits"].shape == (3, 35)
    assert gesture["coarse_logits"].dtype == gesture["fine_logits"].dtype == torch.float32


def test_backward_under_autocast_gives_finite_float32_gradients(hand_model):
    network = network_of(hand_model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hand, gesture = network(*inputs())
        loss = sum(value.square().mean() for value in (*hand.values(), *gesture.values()))
    loss.backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.dtype == torch.float32, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize(("fusion", "levels"), FUSIONS)
def test_every_trainable_parameter_gets_a_gradient(hand_model, fusion, levels):
    """Distributed training stops at a parameter without one."""
    network = network_of(hand_model, fusion, levels)
    hand, gesture = network(*inputs())
    # As in training: the hand's terms and the auxiliary losses of both gesture levels.
    loss = sum(value.square().sum() for value in hand.values())
    loss = loss + gesture["coarse_logits"].square().sum() + gesture["fine_logits"].square().sum()
    loss.backward()
    unused = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == []


def test_parameters_of_a_setting_are_only_there_in_it(hand_model):
    def names(fusion, levels):
        return {name for name, _ in network_of(hand_model, fusion, levels).named_parameters()}

    assert not any(name.startswith("gesture_tokens") for name in names("none", "both"))
    assert "gesture_tokens.fine.weight" in names("concat", "fine") - names("concat", "coarse")


def test_hand_model_is_no_parameter_and_not_saved(hand_model):
    network = network_of(hand_model)
    assert not any(key.startswith("hand_model") for key in network.state_dict())
    assert not any(name.startswith("hand_model") for name, _ in network.named_parameters())


def test_mesh_is_the_parameters_relative_to_the_wrist(hand_model):
    network = network_of(hand_model).eval()
    image, is_right = inputs(4)
    with torch.no_grad():
        hand, _ = network(image, is_right)
        other, _ = network(image, ~is_right)
    vertices, joints = hand_model(hand["rotations"], hand["betas"], None, is_right)
    torch.testing.assert_close(hand["joints"], joints - joints[..., :1, :])
    torch.testing.assert_close(hand["vertices"], vertices - joints[..., :1, :])
    assert not hand["joints"][..., 0, :].any()
    torch.testing.assert_close(hand["joints_2d"], weak_perspective(hand["joints"], hand["camera"]))
    # The wrist is where the camera says.
    torch.testing.assert_close(hand["joints_2d"][..., 0, :], hand["camera"][..., 1:])
    assert torch.equal(other["rotations"], hand["rotations"])
    assert not torch.allclose(other["vertices"], hand["vertices"])


@pytest.mark.parametrize(("fusion", "guided"), [("concat", True), ("cross", True), ("none", False)])
def test_gestures_reach_the_hand_unless_fusion_is_none(hand_model, fusion, guided):
    network = network_of(hand_model, fusion).eval()
    image, is_right = inputs()
    with torch.no_grad():
        before, _ = network(image, is_right)
        network.gesture_head.fine.weight.add_(torch.randn_like(network.gesture_head.fine.weight))
        after, _ = network(image, is_right)
    assert torch.equal(before["joints_25d"], after["joints_25d"]), "the volume does not see the gesture"
    moved = (before["rotations"] - after["rotations"]).abs().amax((1, 2, 3, 4))
    assert bool((moved > 1e-7).all()) == guided
    assert bool(moved.any()) == guided


def test_samples_do_not_see_each_other(hand_model):
    network = network_of(hand_model).eval()
    image, is_right = inputs(4)
    with torch.no_grad():
        together, _ = network(image, is_right)
        alone, _ = network(image[2:3], is_right[2:3])
    for name, value in alone.items():
        torch.testing.assert_close(together[name][2:3], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize(("backbone", "stride"), [("test_vit", 16), ("test_convnext", 32)])
def test_it_runs_on_other_backbones(hand_model, backbone, stride):
    hand, _ = network_of(hand_model, backbone=backbone, stride=stride)(*inputs())
    assert {name: tuple(value.shape) for name, value in hand.items()} == shapes(3, hand_model.num_vertices)
