"""The gesture head: embedding and logits of both levels."""

import torch

from gesturehand.models.gesture_head import GestureHead


def test_shapes_and_types():
    head = GestureHead(20, 27, 35, embedding_dim=12)
    result = head(torch.randn(4, 20))
    assert result["gesture_embedding"].shape == (4, 12)
    assert result["coarse_logits"].shape == (4, 27)
    assert result["fine_logits"].shape == (4, 35)
    assert head.embedding_dim == 12


def test_logits_are_linear_in_the_embedding_and_the_embedding_is_what_dropout_leaves_alone():
    torch.manual_seed(0)
    head = GestureHead(20, 27, 35, embedding_dim=12, dropout=0.5)
    pooled = torch.randn(4, 20)
    head.eval()
    still = head(pooled)
    torch.testing.assert_close(still["coarse_logits"], head.coarse(still["gesture_embedding"]))
    torch.testing.assert_close(still["fine_logits"], head.fine(still["gesture_embedding"]))
    head.train()
    one, other = head(pooled), head(pooled)
    assert torch.equal(one["gesture_embedding"], still["gesture_embedding"])
    assert not torch.equal(one["fine_logits"], other["fine_logits"])


def test_logits_are_float32_under_autocast():
    head = GestureHead(20, 27, 35)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = head(torch.randn(2, 20))
    assert result["coarse_logits"].dtype == result["fine_logits"].dtype == torch.float32
