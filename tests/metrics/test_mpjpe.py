import numpy as np
import pytest
import torch

from gesturehand.metrics import MPJPE
from gesturehand.metrics.functional.protocol import AVERAGES, PROTOCOLS

NAMES = ("joints", "true_joints", "valid", "group")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("average", [None, *AVERAGES])
def test_agrees_with_the_loop_over_batches(reference, hands, protocol, average):
    data = hands(0, 20)
    metric = MPJPE(protocol, average)
    for part in (slice(0, 1), slice(1, 1), slice(1, 9), slice(9, 20)):
        metric.update(*(torch.tensor(data[name][part]) for name in NAMES))
    own = "per_sample" if protocol == "procrustes" else "per_joint"
    expected = reference.mpjpe(*(data[name] for name in NAMES), protocol, average or own)
    np.testing.assert_allclose(metric.compute().item(), expected, rtol=1e-6)
    assert metric.compute().dtype == torch.float64


def test_per_joint_results_average_to_the_scalar(hands):
    data = hands(1, 20)
    data["group"][data["group"] == 3] = 0
    metric = MPJPE("eanet")
    metric.update(*(torch.tensor(data[name]) for name in NAMES))
    errors = metric.per_joint()
    assert errors.shape == (4, 21)
    assert errors[3].isnan().all()
    assert errors[:3].isfinite().all()
    torch.testing.assert_close(errors.nanmean(), metric.compute())


def test_two_groups_pool_single_and_interacting_frames():
    """InterNet's number over all frames: joints of the sides apart, kinds of frames together."""
    target = torch.zeros(4, 1, 21, 3)
    prediction = target.clone()
    prediction[0, :, 1:, 0] = 0.021
    valid, left = torch.ones(4, 1, 21, dtype=torch.bool), torch.tensor([[0], [0], [0], [1]])
    metric = MPJPE("root", num_groups=2)
    metric.update(prediction, target, valid, left)
    assert metric.compute().item() == pytest.approx((20 / 3 + 0) / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "pa"}, "protocol must be one of 'root', .*, but got 'pa'"),
        ({"average": "mean"}, "average must be one of 'per_joint', .*, but got 'mean'"),
        ({"num_groups": 0}, "num_groups must be a positive integer, but got 0"),
        ({"num_groups": 2.0}, r"num_groups must be a positive integer, but got 2\.0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        MPJPE(**arguments)
