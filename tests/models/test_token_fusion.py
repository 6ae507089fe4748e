"""The fusion Transformer: who guides whom in each setting."""

import pytest
import torch

from gesturehand.models.token_fusion import TokenFusion

WIDTH = 16


def fusion_of(kind, **settings):
    torch.manual_seed(0)
    return TokenFusion(kind, width=WIDTH, depth=2, heads=4, **settings).eval()


def tokens(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(2, 21, WIDTH, generator=rng), torch.randn(2, 3, WIDTH, generator=rng)


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_joint_tokens_come_out_in_their_shape(kind):
    fusion, (joints, gestures) = fusion_of(kind), tokens()
    result = fusion(joints, gestures)
    assert result.shape == joints.shape
    # The last norm.
    torch.testing.assert_close(result.mean(-1), torch.zeros(2, 21), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_gestures_guide_unless_fusion_is_none(kind):
    fusion, (joints, gestures) = fusion_of(kind), tokens()
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
    fusion, (joints, gestures) = fusion_of(kind), tokens()
    changed = joints.clone()
    changed[:, 4] = torch.randn(WIDTH)
    difference = (fusion(changed, gestures) - fusion(joints, gestures)).abs().amax((0, 2))
    assert (difference > 1e-5).all()


@pytest.mark.parametrize("kind", ["none", "concat", "cross"])
def test_order_of_the_joints_is_only_in_their_tokens(kind):
    """Attention is equivariant: permuted tokens come out permuted, and no gesture token among them."""
    fusion, (joints, gestures) = fusion_of(kind), tokens()
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
    """PyTorch takes another path through its Transformer layers in evaluation."""
    fusion, (joints, gestures) = fusion_of(kind, dropout=0.0), tokens()
    with torch.no_grad():
        quick = fusion(joints, gestures)
    torch.testing.assert_close(fusion.train()(joints, gestures), quick, atol=1e-5, rtol=1e-4)
