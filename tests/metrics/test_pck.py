import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from gesturehand.metrics import PCKAUC, PCKCurve
from gesturehand.metrics.pck import pck_auc, pck_curve, pck_thresholds_mm, pck_update
from gesturehand.metrics.protocol import PROTOCOLS

NAMES = ("joints", "true_joints", "valid", "group")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("average", ["per_joint", "all"])
@pytest.mark.parametrize(("largest_mm", "count"), [(50, 100), (30, 16)])
def test_curve_and_area_agree_with_the_loop(reference, hands, protocol, average, largest_mm, count):
    data = hands(0, 20)
    lists, _ = reference.joint_error_lists(*(data[name] for name in NAMES), protocol)
    rows = list(lists.values()) if average == "per_joint" else [np.concatenate(list(lists.values()))]
    thresholds = np.linspace(0, largest_mm, count)
    expected = [np.mean([np.mean(np.array(row) <= threshold) for row in rows]) for threshold in thresholds]

    joints, truth, valid, group = (torch.tensor(data[name]) for name in NAMES)
    own = pck_thresholds_mm(largest_mm, count)
    curve = pck_curve(pck_update(joints, truth, valid, own, group, protocol), average)
    # An error of exactly 0 (the root's own) may round to either side of the threshold 0.
    np.testing.assert_allclose(curve.numpy()[1:], expected[1:], rtol=1e-9)
    expected[0] = curve[0].item()
    area = trapezoid(expected, thresholds) / largest_mm
    assert 0.05 < area < 0.95
    assert pck_auc(curve, own).item() == pytest.approx(area, rel=1e-9)

    settings = {"max_threshold_mm": largest_mm, "num_thresholds": count}
    metrics = PCKCurve(protocol, average, **settings), PCKAUC(protocol, average, **settings)
    for metric in metrics:
        metric.update(joints, truth, valid, group)
    np.testing.assert_allclose(metrics[0].thresholds_mm.numpy(), thresholds)
    torch.testing.assert_close(metrics[0].compute(), curve)
    assert metrics[1].compute().item() == pytest.approx(area, rel=1e-9)


def test_an_error_at_a_threshold_is_within_it():
    target = torch.zeros(1, 21, 3, dtype=torch.float64)
    prediction = target.clone()
    prediction[:, 1:, 0] = 2.0**-5  # 31.25 mm, exact in binary
    valid = torch.ones(1, 21, dtype=torch.bool)
    thresholds = pck_thresholds_mm(62.5, 5)
    histogram = pck_update(prediction, target, valid, thresholds, protocol="root", num_groups=1)
    assert pck_curve(histogram).tolist() == pytest.approx([1 / 21, 1 / 21, 1.0, 1.0, 1.0])


def test_a_joint_that_is_not_finite_is_never_correct():
    target = torch.rand(1, 21, 3)
    prediction = target.clone()
    prediction[:, 3] = torch.nan
    valid = torch.ones(1, 21, dtype=torch.bool)
    histogram = pck_update(prediction, target, valid, pck_thresholds_mm(), protocol="root")
    assert pck_curve(histogram)[-1].item() == pytest.approx(20 / 21)


@pytest.mark.parametrize("average", ["per_joint", "all"])
def test_nothing_counted_is_nan(average):
    empty = torch.zeros(0, 2, 21, 3)
    histogram = pck_update(empty, empty, torch.zeros(0, 2, 21, dtype=torch.bool), pck_thresholds_mm())
    assert pck_curve(histogram, average).isnan().all()
    assert pck_auc(pck_curve(histogram, average), pck_thresholds_mm()).isnan()


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
