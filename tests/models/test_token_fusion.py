"""Token fusion as a whole on a tiny backbone, then its parts: tokens, the direction of guidance, the MANO head."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from gesturehand.camera import weak_perspective
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.hand_prediction import TYPICAL_CAMERA_SCALE
from gesturehand.models.token_fusion import (
    GestureTokens,
    JointTokens,
    ManoHead,
    SelfAttentionBlock,
    TokenFusion,
    TokenFusionNetwork,
)

SIZE = 64
FUSIONS = [(fusion, levels) for fusion in ("concat", "cross", "none") for levels in ("both", "coarse", "fine")]


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
def test_outputs_follow_the_contract_also_under_autocast(hand_model, fusion, levels, autocast):
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


def test_hand_model_is_not_a_parameter_and_not_saved(hand_model):
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
    # The wrist is where the camera puts it.
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


def bilinear(feature_map, x, y):
    """The map's value at normalised coordinates, zero outside."""
    channels, height, width = feature_map.shape
    column, row = (x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5
    value = np.zeros(channels)
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < height and 0 <= j < width:
                value += (1 - abs(row - i)) * (1 - abs(column - j)) * feature_map[:, i, j]
    return value


def test_joint_token_is_the_feature_under_the_joint_its_place_and_its_name():
    torch.manual_seed(0)
    tokens = JointTokens(6, 10)
    feature_map, joints = torch.randn(2, 6, 4, 4), torch.rand(2, 21, 3) * 2.2 - 1.1
    result = tokens(feature_map, joints)
    assert result.shape == (2, 21, 10)
    for b, j in np.ndindex(2, 21):
        x, y, _ = joints[b, j].tolist()
        sampled = torch.from_numpy(bilinear(feature_map[b].numpy(), x, y)).float()
        expected = tokens.feature(sampled) + tokens.coordinate(joints[b, j]) + tokens.joint[j]
        torch.testing.assert_close(result[b, j], expected, atol=1e-5, rtol=1e-4)


def test_joint_in_a_cells_centre_reads_that_cell():
    tokens = JointTokens(64, 64)
    nn.init.eye_(tokens.feature.weight)
    for parameter in (tokens.feature.bias, tokens.coordinate.weight, tokens.coordinate.bias, tokens.joint):
        nn.init.zeros_(parameter)
    feature_map = torch.eye(64).reshape(1, 64, 8, 8)
    joints = torch.zeros(1, 21, 3)
    joints[0, 3] = torch.tensor([(2 * 6 + 1) / 8 - 1, (2 * 1 + 1) / 8 - 1, 0.3])  # column 6, row 1
    expected = torch.zeros(64)
    expected[1 * 8 + 6] = 1
    torch.testing.assert_close(tokens(feature_map, joints)[0, 3], expected)


def test_coordinates_are_detached():
    tokens = JointTokens(6, 10)
    feature_map, joints = torch.randn(1, 6, 4, 4, requires_grad=True), torch.zeros(1, 21, 3, requires_grad=True)
    tokens(feature_map, joints).square().sum().backward()
    assert joints.grad is None
    assert feature_map.grad.any()


def gesture(batch=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {
        "gesture_embedding": torch.randn(batch, 12, generator=rng).requires_grad_(),
        "coarse_logits": torch.randn(batch, 27, generator=rng).requires_grad_(),
        "fine_logits": torch.randn(batch, 35, generator=rng).requires_grad_(),
    }


@pytest.mark.parametrize(("levels", "count"), [("both", 3), ("coarse", 2), ("fine", 2)])
def test_gesture_tokens_are_soft_class_embeddings_and_the_images(levels, count):
    torch.manual_seed(0)
    tokens, prediction = GestureTokens(27, 35, 12, 10, levels), gesture()
    result = tokens(prediction)
    assert result.shape == (3, count, 10)
    assert tokens.count == count
    for b in range(3):
        expected = [tokens.embedding(prediction["gesture_embedding"][b])]
        for level, layer in (("coarse", tokens.coarse), ("fine", tokens.fine)):
            if levels in ("both", level):
                table = layer.weight.T
                probability = prediction[f"{level}_logits"][b].softmax(0)
                expected.append(sum(p * row for p, row in zip(probability, table, strict=True)))
            else:
                assert layer is None
        torch.testing.assert_close(result[b], torch.stack(expected) + tokens.kind, atol=1e-5, rtol=1e-4)


def test_certain_prediction_is_one_row_of_the_table():
    tokens, prediction = GestureTokens(27, 35, 12, 10), gesture(1)
    prediction["fine_logits"] = torch.full((1, 35), -1e4)
    prediction["fine_logits"][0, 20] = 1e4
    torch.testing.assert_close(tokens(prediction)[0, 2], tokens.fine.weight[:, 20] + tokens.kind[2])


def test_gradient_reaches_the_gesture_head():
    prediction = gesture()
    GestureTokens(27, 35, 12, 10)(prediction).square().sum().backward()
    assert all(value.grad.any() for value in prediction.values())


WIDTH = 16


def fusion_of(kind, **settings):
    torch.manual_seed(0)
    return TokenFusion(kind, width=WIDTH, depth=2, heads=4, **settings).eval()


def token_pair(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2, 21, WIDTH, generator=rng), torch.randn(2, 3, WIDTH, generator=rng)


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_joint_tokens_come_out_in_their_shape(kind):
    fusion, (joints, gestures) = fusion_of(kind), token_pair()
    result = fusion(joints, gestures)
    assert result.shape == joints.shape
    # The last norm.
    torch.testing.assert_close(result.mean(-1), torch.zeros(2, 21), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_gestures_guide_unless_fusion_is_none(kind):
    fusion, (joints, gestures) = fusion_of(kind), token_pair()
    before = fusion(joints, gestures)
    for token in range(3):
        changed = gestures.clone()
        changed[0, token] = torch.randn(WIDTH)
        after = fusion(joints, changed)
        difference = (after - before).abs().amax(-1)
        if kind == "none":
            assert torch.equal(after, before)
        else:
            assert (difference[0] > 1e-5).all(), "every joint token is guided by every gesture token"
        torch.testing.assert_close(after[1], before[1], msg="samples do not see each other")
    if kind == "none":
        assert torch.equal(fusion(joints), before)


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_joints_attend_to_each_other(kind):
    fusion, (joints, gestures) = fusion_of(kind), token_pair()
    changed = joints.clone()
    changed[:, 4] = torch.randn(WIDTH)
    difference = (fusion(changed, gestures) - fusion(joints, gestures)).abs().amax((0, 2))
    assert (difference > 1e-5).all()


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_order_of_the_joints_is_only_in_their_tokens(kind):
    """Attention is equivariant: permuted tokens come out permuted, without gesture tokens among them."""
    fusion, (joints, gestures) = fusion_of(kind), token_pair()
    order = torch.randperm(21, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        fusion(joints[:, order], gestures), fusion(joints, gestures)[:, order], atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_depth_and_mlp_are_settings(kind):
    def size(**settings):
        return sum(p.numel() for p in TokenFusion(kind, width=WIDTH, heads=4, **settings).parameters())

    attention = 4 * WIDTH * (WIDTH + 1) * (2 if kind == "cross" else 1)
    norms = 2 * WIDTH * (3 if kind == "cross" else 2)
    for depth, ratio in ((1, 4.0), (3, 2.0)):
        hidden = int(WIDTH * ratio)
        mlp = WIDTH * hidden + hidden + hidden * WIDTH + WIDTH
        assert size(depth=depth, mlp_ratio=ratio) == depth * (attention + norms + mlp) + 2 * WIDTH


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_training_and_evaluation_agree_without_dropout(kind):
    """PyTorch takes a different path through its Transformer layers in evaluation."""
    fusion, (joints, gestures) = fusion_of(kind, dropout=0.0), token_pair()
    with torch.no_grad():
        quick = fusion(joints, gestures)
    torch.testing.assert_close(fusion.train()(joints, gestures), quick, atol=1e-5, rtol=1e-4)


@pytest.fixture
def mano_head():
    torch.manual_seed(0)
    return ManoHead(width=16, pooled_channels=24)


def test_it_starts_at_the_identity_with_a_hand_that_fills_the_crop(mano_head):
    """Without input, only the biases count."""
    mano_head.pooled.bias.data.zero_()
    result = mano_head(torch.zeros(3, 21, 16), torch.zeros(3, 24))
    torch.testing.assert_close(result.rotations, torch.eye(3).expand(3, 16, 3, 3))
    assert not result.betas.any()
    torch.testing.assert_close(result.camera, torch.tensor([[TYPICAL_CAMERA_SCALE, 0, 0]]).expand(3, 3))
    random = mano_head(torch.randn(3, 21, 16), torch.randn(3, 24))
    angles = Rotation.from_matrix(random.rotations.detach().reshape(-1, 3, 3).numpy()).magnitude()
    assert angles.max() < 0.5


def test_shapes_and_the_scale_is_positive(mano_head):
    result = mano_head(torch.randn(2, 21, 16) * 1000, torch.randn(2, 24) * 100)
    assert result.rotations.shape == (2, 16, 3, 3)
    assert result.betas.shape == (2, 10)
    assert result.camera.shape == (2, 3)
    assert (result.camera[:, 0] > 0).all()


def test_a_finger_joints_rotation_comes_from_its_own_token(mano_head):
    """Tokens are in the papers' order, rotations in MANO's: index, middle, pinky, ring, thumb."""
    first_token = {"index": 5, "middle": 9, "pinky": 17, "ring": 13, "thumb": 1}
    expected = {1 + 3 * k + i: first_token[finger] + i for k, finger in enumerate(first_token) for i in range(3)}
    tokens, pooled = torch.randn(1, 21, 16), torch.randn(1, 24)
    before = mano_head(tokens, pooled).rotations
    for rotation, token in expected.items():
        changed = tokens.clone()
        changed[:, token] += 1
        moved = (mano_head(changed, pooled).rotations - before).abs().amax((0, 2, 3)) > 1e-6
        assert moved.nonzero()[:, 0].tolist() == [0, rotation]
    for tip in (4, 8, 12, 16, 20):
        changed = tokens.clone()
        changed[:, tip] += 1
        moved = (mano_head(changed, pooled).rotations - before).abs().amax((0, 2, 3)) > 1e-6
        assert moved.nonzero()[:, 0].tolist() == [0], "a fingertip has no rotation but is part of the whole"


def test_attention_is_torchs():
    """The block computes the same as torch's layer with the same weights, and so do its gradients."""
    torch.manual_seed(0)
    block = SelfAttentionBlock(16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True).double()
    plain = torch.nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    plain.load_state_dict(block.state_dict())
    tokens = torch.randn(3, 5, 16, dtype=torch.float64, requires_grad=True)
    results = []
    for layer in (block, plain):
        out = layer(tokens)
        results.append((out, *torch.autograd.grad(out.square().sum(), [tokens, *layer.parameters()])))
    torch.testing.assert_close(*results)
