import numpy as np
import pytest
import torch

from gesturehand.metrics import MPJPE
from gesturehand.metrics.mpjpe import counted_joints, joint_errors_mm, mpjpe, mpjpe_per_joint, mpjpe_update
from gesturehand.metrics.protocol import AVERAGES, PROTOCOLS


def compare_with_reference(reference, data, protocol, tolerance):
    errors, counted = joint_errors_mm(
        torch.tensor(data["joints"]), torch.tensor(data["true_joints"]), torch.tensor(data["valid"]), protocol
    )
    assert errors.dtype == torch.float64
    expected = np.zeros(data["valid"].shape)
    expected_counted = np.zeros(data["valid"].shape, dtype=bool)
    for n in np.ndindex(data["valid"].shape[:-1]):
        double = data["joints"][n].astype(np.float64), data["true_joints"][n].astype(np.float64)
        for j, error in reference.joint_errors(*double, data["valid"][n], protocol).items():
            expected[n][j], expected_counted[n][j] = error, True
    np.testing.assert_array_equal(counted.numpy(), expected_counted)
    np.testing.assert_allclose(errors.numpy(), expected, **tolerance)
    return expected_counted


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("batch", [1, 40])
def test_float64_errors_agree_with_the_loop(reference, hands, protocol, batch):
    counted = compare_with_reference(reference, hands(batch, batch), protocol, {"rtol": 1e-6, "atol": 1e-9})
    assert batch == 1 or 0 < counted.mean() < 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_float32_errors_agree_with_the_loop(reference, hands, protocol):
    compare_with_reference(reference, hands(7, 40, dtype=np.float32), protocol, {"rtol": 0, "atol": 1e-4})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("degenerate", ["prediction", "truth", "both"])
def test_degenerate_hands_agree_with_the_loop(reference, hands, protocol, degenerate):
    data = hands(3, 4)
    data["valid"][:] = True
    if degenerate != "truth":
        data["joints"][:] = data["joints"][..., :1, :]
    if degenerate != "prediction":
        data["true_joints"][:] = data["true_joints"][..., :1, :]
    assert compare_with_reference(reference, data, protocol, {"rtol": 1e-6, "atol": 1e-9}).all()


@pytest.mark.parametrize("protocol", ["root", "eanet", "procrustes"])
def test_masked_joints_may_hold_anything(hands, protocol):
    data = {name: torch.tensor(value) for name, value in hands(4, 20).items()}
    clean, counted = joint_errors_mm(data["joints"], data["true_joints"], data["valid"], protocol)
    kept = data["valid"].clone()
    # Under eanet both come from meshes: the MCP on which it aligns exists whether or not it is annotated.
    kept[..., 9] |= protocol == "eanet"
    joints = torch.where(kept[..., None], data["joints"], torch.nan)
    truth = torch.where(kept[..., None], data["true_joints"], torch.inf)
    dirty, dirty_counted = joint_errors_mm(joints, truth, data["valid"], protocol)
    torch.testing.assert_close(dirty, clean)
    assert torch.equal(dirty_counted, counted)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_prediction_that_is_not_finite_is_seen(hands, protocol):
    data = {name: torch.tensor(value) for name, value in hands(5, 3).items()}
    data["joints"][1, 0, 9] = torch.nan
    errors, counted = joint_errors_mm(data["joints"], data["true_joints"], torch.ones_like(data["valid"]), protocol)
    assert counted.all()
    assert errors[1, 0].isnan().any()
    assert errors.isnan().sum() == errors[1, 0].isnan().sum()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_mirrored_left_hand_has_the_same_errors(hands, protocol):
    data = {name: torch.tensor(value) for name, value in hands(6, 10).items()}
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    errors, _ = joint_errors_mm(data["joints"], data["true_joints"], data["valid"], protocol)
    mirrored, _ = joint_errors_mm(data["joints"] * mirror, data["true_joints"] * mirror, data["valid"], protocol)
    torch.testing.assert_close(mirrored, errors)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_autocast_changes_nothing(hands, protocol):
    data = {name: torch.tensor(value) for name, value in hands(8, 5, dtype=np.float32).items()}
    errors, _ = joint_errors_mm(data["joints"], data["true_joints"], data["valid"], protocol)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast, _ = joint_errors_mm(data["joints"], data["true_joints"], data["valid"], protocol)
    assert torch.equal(errors, under_autocast)


def test_the_published_mask_is_in_the_wrong_order():
    valid = torch.ones(21, dtype=torch.bool)
    valid[4] = False  # the thumb's tip, InterHand2.6M's first joint
    assert counted_joints(valid, "eanet").logical_not().nonzero().flatten().tolist() == [4]
    assert counted_joints(valid, "eanet_published").logical_not().nonzero().flatten().tolist() == [0]


def test_the_published_error_of_a_hand_without_a_fit_is_zero():
    prediction, no_mesh, valid = torch.rand(21, 3), torch.zeros(21, 3), torch.ones(21, dtype=torch.bool)
    assert joint_errors_mm(prediction, no_mesh, valid, "eanet_published")[0].sum() == 0
    assert joint_errors_mm(prediction, no_mesh, valid, "eanet")[0].sum() > 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 16, 3), (2, 16, 3), (2, 16)), r"prediction must have shape \(..., 21, 3\), but got \(2, 16, 3\)"),
        (((2, 21, 3), (21, 3), (2, 21)), r"target must have shape \(2, 21, 3\), but got \(21, 3\)"),
        (((2, 21, 3), (2, 21, 3), (2, 1)), r"valid must have shape \(2, 21\), but got \(2, 1\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        joint_errors_mm(*(torch.ones(shape) for shape in shapes), "root")


NAMES = ("joints", "true_joints", "valid", "group")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("batch", "num_hands"), [(1, 1), (1, 2), (30, 2)])
def test_agrees_with_the_loop(reference, hands, protocol, average, batch, num_hands):
    for seed in range(3):
        data = hands(seed, batch, num_hands)
        tensors = [torch.tensor(data[name]) for name in NAMES]
        result = mpjpe(*tensors, protocol, average)
        expected = reference.mpjpe(*(data[name] for name in NAMES), protocol, average)
        np.testing.assert_allclose(result.item(), expected, rtol=1e-6)
        own = "per_sample" if protocol == "procrustes" else "per_joint"
        for chosen in (average, None) if average == own else (average,):
            metric = MPJPE(protocol, chosen)
            metric.update(*tensors)
            torch.testing.assert_close(metric.compute(), result, equal_nan=True)


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
    """InterNet's number over all frames keeps the sides' joints apart and pools the kinds of frames."""
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
