import math

import numpy as np
import pytest
import torch

from gesturehand.metrics import PCKAUC, PCKCurve

NAMES = ("joints", "true_joints", "valid", "group")


@pytest.mark.parametrize("average", ["per_joint", "all"])
def test_agrees_with_the_loop_over_batches(reference, hands, average):
    data = hands(0, 16)
    curve = PCKCurve("procrustes", average, max_threshold_mm=30, num_thresholds=16)
    area = PCKAUC("procrustes", average, max_threshold_mm=30, num_thresholds=16)
    for part in (slice(0, 1), slice(1, 1), slice(1, 9), slice(9, 16)):
        for metric in (curve, area):
            metric.update(*(torch.tensor(data[name][part]) for name in NAMES))
    lists, _ = reference.joint_error_lists(*(data[name] for name in NAMES), "procrustes")
    rows = list(lists.values()) if average == "per_joint" else [np.concatenate(list(lists.values()))]
    thresholds = np.linspace(0, 30, 16)
    expected = [np.mean([np.mean(np.array(row) <= threshold) for row in rows]) for threshold in thresholds]
    np.testing.assert_allclose(curve.thresholds_mm.numpy(), thresholds)
    np.testing.assert_allclose(curve.compute().numpy(), expected, rtol=1e-9)
    assert area.compute().item() == pytest.approx(np.trapezoid(expected, thresholds) / 30, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "pa"}, "protocol must be one of .*, but got 'pa'"),
        ({"average": "per_sample"}, "average must be one of 'per_joint', 'all', but got 'per_sample'"),
        ({"max_threshold_mm": -50}, "max_threshold_mm must be a positive number of millimetres, but got -50"),
        ({"max_threshold_mm": math.inf}, "max_threshold_mm must be a positive number of millimetres, but got inf"),
        ({"num_thresholds": 1}, "num_thresholds must be an integer of at least 2, but got 1"),
        ({"num_groups": 0}, "num_groups must be a positive integer, but got 0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    for metric_class in (PCKCurve, PCKAUC):
        with pytest.raises(ValueError, match=message):
            metric_class(**arguments)
