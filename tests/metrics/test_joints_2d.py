"""The 2D error against a plain loop over hands and joints, and on the shares of several processes."""

import math

import numpy as np
import pytest
import torch

from gesturehand.metrics.joints_2d import Joints2DError


def plain(prediction, target, valid):
    """The error of each hand by itself, in percent; hands without a size are left out."""
    found = []
    for hand in np.ndindex(valid.shape[:-1]):
        points = [k for k in range(21) if valid[hand][k]]
        if len(points) < 2:
            continue
        columns = [[target[hand][k][axis] for k in points] for axis in range(2)]
        side = max(max(column) - min(column) for column in columns)
        if side == 0:
            continue
        total = sum(math.dist(prediction[hand][k], target[hand][k]) for k in points)
        found.append(100 * total / len(points) / side)
    return found


def hands(seed, count=7):
    rng = np.random.default_rng(seed)
    target = rng.normal(100, 40, (count, 2, 21, 2))
    valid = rng.random((count, 2, 21)) < 0.8
    valid[0, 0], valid[1, 1] = False, np.arange(21) == 4
    target[2, 0] = 50.0  # all joints in one place
    target[~valid] = np.nan
    return rng.normal(100, 40, (count, 2, 21, 2)), target, valid


def test_it_is_the_mean_over_hands_of_a_plain_loop():
    prediction, target, valid = hands(0)
    expected = plain(prediction, target, valid)
    assert len(expected) == 11
    metric = Joints2DError()
    for part in (slice(0, 3), slice(3, 7)):
        metric.update(*(torch.from_numpy(array[part]) for array in (prediction, target, valid)))
    assert metric.compute().item() == pytest.approx(np.mean(expected), rel=1e-12)
    scaled = Joints2DError()
    scaled.update(*(torch.from_numpy(array) / 17 for array in (prediction, target)), torch.from_numpy(valid))
    assert scaled.compute().item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_nothing_counted_is_nan_and_a_wrong_shape_is_an_error():
    metric = Joints2DError()
    metric.update(torch.zeros(2, 1, 21, 2), torch.zeros(2, 1, 21, 2), torch.zeros(2, 1, 21, dtype=torch.bool))
    assert math.isnan(metric.compute())
    with pytest.raises(ValueError, match="valid must have shape"):
        metric.update(torch.zeros(2, 21, 2), torch.zeros(2, 21, 2), torch.zeros(2, dtype=torch.bool))
