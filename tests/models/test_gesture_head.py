"""The gesture head: embedding and logits of both levels."""

import math

import torch
from torch.nn import functional as F

from gesturehand.losses import label_cross_entropy
from gesturehand.models.gesture_head import GestureHead, OwnLabelHead


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


def test_a_label_competes_only_within_its_own_set():
    """Against a sum over the labels of the set alone; the number of other labels and their weights do not matter."""
    torch.manual_seed(0)
    labels = [("one", "A"), ("two", "A"), ("one", "B"), ("two", "B"), ("two", "C")]
    head = OwnLabelHead(12, labels)
    embedding = torch.randn(4, 12)
    label = torch.tensor([2, 4, -1, 0])
    found = label_cross_entropy(head(embedding, label), label)
    all_logits = (embedding @ head.classify.weight.T + head.classify.bias).detach()
    wanted = 0.0
    for row, number in ((0, 2), (1, 4), (3, 0)):
        own = [k for k, (name, _) in enumerate(labels) if name == labels[number][0]]
        wanted += math.log(sum(math.exp(all_logits[row, k]) for k in own)) - float(all_logits[row, number])
    assert found.count == 3
    assert abs(float(found.total) - wanted) < 1e-5
    found.total.backward()
    assert torch.isfinite(head.classify.weight.grad).all()
    # A sample of set "one" moves no weight of set "two".
    head.zero_grad()
    F.cross_entropy(head(embedding[:1], label[:1]), label[:1]).backward()
    moved = head.classify.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [True, False, True, False, False]


def test_without_a_label_all_sets_are_compared():
    head = OwnLabelHead(12, [("one", "A"), ("two", "A")])
    assert torch.isfinite(head(torch.randn(3, 12), torch.full((3,), -1))).all()
