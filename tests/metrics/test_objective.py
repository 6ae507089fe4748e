"""Losses of an evaluation against NumPy over everything at once."""

import numpy as np
import torch

from gesturehand.losses import MaskedSum, masked_l1
from gesturehand.metrics.objective import ObjectiveMetrics, WeightedLoss


def test_it_is_the_mean_over_all_valid_entries_whatever_the_batches():
    rng = np.random.default_rng(0)
    prediction, valid = rng.normal(size=(23, 5, 3)), rng.uniform(size=(23, 5)) < 0.3
    metrics = ObjectiveMetrics({"pose": 2.0, "shape": 3.0})
    for start in range(0, 23, 4):
        part = slice(start, start + 4)
        sums = masked_l1(*(torch.from_numpy(a[part]) for a in (prediction, np.zeros_like(prediction), valid)))
        metrics.update({"pose": sums, "shape": MaskedSum(sums.total, 2 * sums.count)})
    expected = np.abs(prediction[valid]).mean()
    found = {name: metric.compute().item() for name, metric in metrics.named("val").items()}
    np.testing.assert_allclose(
        [found["val/loss"], found["val/loss_pose"], found["val/loss_shape"]],
        [3.5 * expected, expected, expected / 2],
        rtol=1e-12,
    )


def test_a_term_without_a_valid_entry_adds_nothing():
    metric = WeightedLoss({"pose": 1.0, "shape": 1.0})
    nothing = MaskedSum(torch.zeros(()), torch.zeros(()))
    metric.update({"pose": MaskedSum(torch.tensor(6.0), torch.tensor(3.0)), "shape": nothing})
    assert metric.compute() == 2.0
