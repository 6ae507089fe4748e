import numpy as np
import pytest
import torch

from gesturehand.metrics.functional.mpjpe import mpjpe, mpjpe_per_joint, mpjpe_update
from gesturehand.metrics.functional.protocol import AVERAGES, PROTOCOLS

NAMES = ("joints", "true_joints", "valid", "group")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("batch", "num_hands"), [(1, 1), (1, 2), (30, 2)])
def test_agrees_with_the_loop(reference, hands, protocol, average, batch, num_hands):
    for seed in range(3):
        data = hands(seed, batch, num_hands)
        result = mpjpe(*(torch.tensor(data[name]) for name in NAMES), protocol, average)
        expected = reference.mpjpe(*(data[name] for name in NAMES), protocol, average)
        np.testing.assert_allclose(result.item(), expected, rtol=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_float32_agrees_with_the_loop(reference, hands, protocol):
    data = hands(3, 30, dtype=np.float32)
    result = mpjpe(*(torch.tensor(data[name]) for name in NAMES), protocol)
    double = [data[name].astype(np.float64) for name in NAMES[:2]]
    average = "per_sample" if protocol == "procrustes" else "per_joint"
    expected = reference.mpjpe(*double, data["valid"], data["group"], protocol, average)
    np.testing.assert_allclose(result.item(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_joint_agrees_with_the_loop(reference, hands, protocol):
    data = hands(4, 10)
    data["group"][data["group"] == 2] = 1
    sums = mpjpe_update(*(torch.tensor(data[name]) for name in NAMES), protocol)
    expected = np.full((4, 21), np.nan)
    for (group, joint), errors in reference.joint_error_lists(*(data[name] for name in NAMES), protocol)[0].items():
        expected[group, joint] = np.mean(errors)
    np.testing.assert_allclose(mpjpe_per_joint(sums).numpy(), expected, rtol=1e-6, atol=1e-9)
    assert np.isnan(expected[2]).all()


def test_every_joint_but_the_wrist_shifted(hands):
    truth = torch.tensor(hands(5)["true_joints"])
    shift = torch.tensor([0.003, -0.004, 0.012], dtype=torch.float64)
    prediction = truth.clone()
    prediction[..., 1:, :] += shift
    result = mpjpe(prediction, truth, torch.ones(truth.shape[:-1], dtype=torch.bool), protocol="root")
    assert result.item() == pytest.approx(13.0 * 20 / 21, rel=1e-9)


def test_a_joint_that_is_often_missing_weighs_the_same_per_joint_and_less_at_once():
    target = torch.zeros(4, 21, 3)
    prediction = target.clone()
    prediction[:, 5, 0] = 0.021
    valid = torch.ones(4, 21, dtype=torch.bool)
    valid[1:, 5] = False
    per_joint, at_once = (mpjpe(prediction, target, valid, protocol="root", average=a) for a in ("per_joint", "all"))
    assert per_joint.item() == pytest.approx(1.0)
    assert at_once.item() == pytest.approx(21 / 81)


def test_groups_weigh_the_same_and_an_absent_one_is_left_out():
    target = torch.zeros(5, 1, 21, 3)
    prediction = target.clone()
    prediction[0, :, 1:, 0] = 0.021
    valid = torch.ones(5, 1, 21, dtype=torch.bool)
    group = torch.tensor([1, 0, 0, 0, 0])[:, None]
    assert mpjpe(prediction, target, valid, group, "root").item() == pytest.approx((20.0 + 0.0) / 2)
    assert mpjpe(prediction, target, valid, None, "root").item() == pytest.approx(20.0 / 5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_counted_is_nan_and_never_an_error(protocol):
    hand, nothing = torch.rand(3, 2, 21, 3), torch.zeros(3, 2, 21, dtype=torch.bool)
    assert mpjpe(hand, hand, nothing, protocol=protocol).isnan()
    assert mpjpe(hand[:0], hand[:0], nothing[:0], nothing[:0, :, 0].long(), protocol).isnan()


def test_a_prediction_that_is_not_finite_does_not_vanish_from_the_mean():
    target = torch.rand(2, 21, 3)
    prediction = target.clone()
    prediction[:, 7] = torch.nan
    assert mpjpe(prediction, target, torch.ones(2, 21, dtype=torch.bool), protocol="root").isnan()
