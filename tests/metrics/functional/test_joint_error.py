import numpy as np
import pytest
import torch

from gesturehand.metrics.functional.joint_error import counted_joints, joint_errors_mm
from gesturehand.metrics.functional.protocol import PROTOCOLS


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
def test_float64_agrees_with_the_loop(reference, hands, protocol, batch):
    counted = compare_with_reference(reference, hands(batch, batch), protocol, {"rtol": 1e-6, "atol": 1e-9})
    assert batch == 1 or 0 < counted.mean() < 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_float32_agrees_with_the_loop(reference, hands, protocol):
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
    # Under eanet both come from meshes: the MCP it aligns on is there whether or not it is annotated.
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
