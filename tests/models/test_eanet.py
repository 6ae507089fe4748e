"""EANet's parts: shapes, parameter counts in closed form, gradients, and the gesture variant."""

import pytest
import torch

from gesturehand.hand.layer import HandModel
from gesturehand.models.eanet import CrossAttentionBlock, EABlock, EANet, EANetHead, FuseFormer, GestureAttention
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead

SIZE = 64


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def self_block(w):
    """Two norms; qkv without bias; projection; MLP × 4 with biases."""
    return 2 * 2 * w + 3 * w * w + (w * w + w) + (w * 4 * w + 4 * w) + (4 * w * w + w)


def cross_block(w):
    """Three norms; query, key and value without bias; projection; MLP × 4 without biases, as in EANet's code."""
    return 3 * 2 * w + 3 * w * w + (w * w + w) + 2 * 4 * w * w


def fuse_former(w, places, depth):
    positions = 2 * (1 + 2 * places) * w + places * w
    linear = (2 * w * w + w) + 2 * (w * w + w)
    return positions + w + linear + depth * (self_block(w) + cross_block(w))


def pointwise(a, b):
    """1 × 1 convolution with bias, batch normalisation."""
    return a * b + b + 2 * b


def ea_block(c, w, places, depth):
    return 2 * pointwise(c, w) + 3 * fuse_former(w, places, depth) + 2 * pointwise(2 * w, 2 * w)


def hand_head(c, w, depth, volume):
    flat = 21 * (w + 3)
    joints = (c * 21 * volume + 21 * volume) + pointwise(c, w) + 21 * w + depth * self_block(w)
    return joints + (flat * 6 + 6) + (flat * 90 + 90) + (c * 10 + 10) + (c * 3 + 3)


def gesture_attention(w, logits):
    """Linear 1 → w, positions, two norms, attention with biases, Linear, gate."""
    return 2 * w + logits * w + 2 * 2 * w + 4 * (w * w + w) + (w * w + w) + 1


@pytest.mark.parametrize(("width", "places", "depth"), [(512, 64, 4), (32, 16, 2)])
def test_parameters_of_the_parts(width, places, depth):
    with torch.device("meta"):
        assert count(CrossAttentionBlock(width, 4)) == cross_block(width)
        assert count(FuseFormer(places, width=width, depth=depth)) == fuse_former(width, places, depth)
        assert count(EABlock(2048, places, width=width, depth=depth)) == ea_block(2048, width, places, depth)
        assert count(GestureAttention(62, width)) == gesture_attention(width, 62)
    assert count(EANetHead(2 * width, width=width, depth=depth)) == hand_head(2 * width, width, depth, 8)
    guided = EANetHead(2 * width, width=width, depth=depth, gesture_logits=62)
    assert count(guided) == hand_head(2 * width, width, depth, 8) + gesture_attention(width, 62)


def test_defaults_have_eanets_size():
    """129 SimTokens of width 512 with four blocks each, and ResNet-50's 2048 channels at 8 × 8 places."""
    encoder = Encoder("resnet50")
    network = EANet(encoder, HandModel())
    assert encoder.map_size**2 == 64
    assert network.ea_block.extract.position_similar.shape == (129, 512)
    assert len(network.ea_block.extract.self_attention) == len(network.ea_block.extract.cross_attention) == 4
    way = (2048 * 512 + 512) + (512 * 3 + 3)
    expected = ea_block(2048, 512, 64, 4) + 2 * hand_head(1024, 512, 4, 8) + way
    assert count(network) - count(encoder) == expected


def test_one_fuse_former_class_and_weights_of_each_hand():
    block = EABlock(8, 4, width=16, depth=1)
    fuse_formers = [m for m in block.modules() if isinstance(m, FuseFormer)]
    assert len(fuse_formers) == 3
    right, left = block.adapt
    assert {id(p) for p in right.parameters()}.isdisjoint(id(p) for p in left.parameters())


def test_cross_attention_agrees_with_a_plain_loop():
    torch.manual_seed(0)
    block = CrossAttentionBlock(8, 2).double()
    tokens, context = torch.randn(1, 3, 8).double(), torch.randn(1, 5, 8).double()
    query = block.query(block.norm_query(tokens))[0]
    key, value = block.key_value(block.norm_context(context))[0].chunk(2, -1)
    rows = []
    for i in range(3):
        row = []
        for head in (slice(0, 4), slice(4, 8)):
            score = torch.stack([query[i, head] @ key[j, head] / 2 for j in range(5)]).exp()
            row.append(sum(score[j] / score.sum() * value[j, head] for j in range(5)))
        rows.append(torch.cat(row))
    middle = tokens + block.projection(torch.stack(rows))
    expected = middle + block.mlp(block.norm_mlp(middle))
    torch.testing.assert_close(block(tokens, context), expected)


def test_fuse_former_keeps_every_place_where_it_is():
    """If attention adds nothing and positions are zero, a place depends only on both maps at that place."""
    torch.manual_seed(0)
    module = FuseFormer(6, width=8, depth=1, heads=2)
    torch.nn.init.zeros_(module.cross_attention[0].projection.weight)
    first, second = torch.randn(1, 8, 2, 3, requires_grad=True), torch.randn(1, 8, 2, 3, requires_grad=True)
    out = module(first, second)
    assert out.shape == (1, 8, 2, 3)
    for gradient in torch.autograd.grad(out[0, :, 1, 2].sum(), (first, second)):
        assert gradient[..., 1, 2].any()
        gradient[..., 1, 2] = 0
        assert not gradient.any()


def test_both_hands_see_the_shared_features_and_each_other():
    torch.manual_seed(0)
    block = EABlock(8, 4, width=16, depth=1).eval()
    feature_map = torch.randn(2, 8, 2, 2)
    right, left = block(feature_map)
    assert right.shape == left.shape == (2, 32, 2, 2)
    with torch.no_grad():
        block.split[1][0].bias += 1  # a change of the left hand's features reaches the right hand
    moved, _ = block(feature_map)
    assert not torch.allclose(moved, right)


def network_of(hand_model, *, attention=False, backbone="test_resnet", stride=16, size=SIZE):
    torch.manual_seed(0)
    encoder = Encoder(backbone, feature_stride=stride, image_size=size)
    head = GestureHead(encoder.pooled_channels, 27, 35, embedding_dim=16, dropout=0.0) if attention else None
    return EANet(encoder, hand_model, head, width=32, depth=1, volume_depth=4)


def inputs(count=3, size=SIZE):
    rng = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=rng)
    return image, torch.tensor([[True, False]]).expand(count, 2)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("attention", [False, True])
def test_outputs_follow_the_contract_also_under_autocast(hand_model, attention, autocast):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        hand, gesture = network_of(hand_model, attention=attention)(*inputs())
    assert {name: tuple(value.shape) for name, value in hand.items()} == {
        "joints_25d": (3, 2, 21, 3),
        "rotations": (3, 2, 16, 3, 3),
        "betas": (3, 2, 10),
        "camera": (3, 2, 3),
        "vertices": (3, 2, hand_model.num_vertices, 3),
        "joints": (3, 2, 21, 3),
        "joints_2d": (3, 2, 21, 2),
        "relative_translation": (3, 3),
    }
    assert all(value.dtype == torch.float32 for value in hand.values())
    assert (gesture is not None) == attention


@pytest.mark.parametrize(("backbone", "stride", "size"), [("test_vit", 16, 96), ("test_convnext", 32, 64)])
def test_positions_follow_the_feature_map(hand_model, backbone, stride, size):
    network = network_of(hand_model, backbone=backbone, stride=stride, size=size)
    assert network.ea_block.extract.position_query.shape == ((size // stride) ** 2, 32)
    assert network(*inputs(2, size))[0]["joints"].shape == (2, 2, 21, 3)


def test_left_and_right_hand_models_are_posed(hand_model):
    network = network_of(hand_model).eval()
    hand, _ = network(*inputs(1))
    for slot, is_right in enumerate((True, False)):
        vertices, joints = hand_model(
            hand["rotations"][:, slot], hand["betas"][:, slot], None, torch.tensor([is_right])
        )
        torch.testing.assert_close(hand["vertices"][:, slot], vertices - joints[:, :1])


def test_gate_starts_half_open_and_scales_what_gestures_add():
    torch.manual_seed(0)
    module = GestureAttention(9, 16, heads=2).eval()
    tokens = torch.randn(2, 21, 16)
    gesture = {"coarse_logits": torch.randn(2, 4), "fine_logits": torch.randn(2, 5)}
    assert float(module.gate) == 0
    with torch.no_grad():
        half = module(tokens, gesture)
        module.gate.fill_(-100.0)
        closed = module(tokens, gesture)
        torch.testing.assert_close(closed, module.norm(tokens))
        assert not torch.allclose(half, closed)
        module.gate.fill_(0.0)
        for level in gesture:
            other = module(tokens, {**gesture, level: gesture[level] + torch.randn(2, 1)})
            assert ((other - half).abs().amax((1, 2)) > 1e-6).all(), f"the {level} are not read"


def test_gestures_reach_both_hands(hand_model):
    network = network_of(hand_model, attention=True).eval()
    with torch.no_grad():
        before, _ = network(*inputs())
        network.gesture_head.fine.weight.add_(torch.randn_like(network.gesture_head.fine.weight))
        after, _ = network(*inputs())
    moved = (before["rotations"] - after["rotations"]).abs().amax((2, 3, 4))
    assert (moved > 1e-7).all()
    assert torch.equal(before["joints_25d"], after["joints_25d"])
