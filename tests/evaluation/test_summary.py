"""The baselines, which do not look at the image, against plain loops."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.evaluation.summary import baseline_metrics, mean_hand
from gesturehand.metrics.hand_metrics import HAND_METRICS
from gesturehand.targets import build_targets


@pytest.fixture(scope="module")
def data(synthetic_root):
    return InterHandDataModule(
        str(synthetic_root), image_size=64, batch_size=13, num_workers=0, augment=False, read_images=False
    )


@pytest.fixture(scope="module")
def mean(data, hand_model):
    return mean_hand(data.evaluation_dataloader("train"), hand_model)


@pytest.fixture(scope="module")
def hands(data, hand_model):
    """Every training hand as (relative joints, valid, rotations, β, has a fit), float64."""
    result = []
    for batch in data.evaluation_dataloader("train"):
        targets = build_targets(batch, hand_model)
        for b in range(len(batch["image"])):
            joints = targets["joints"][b, 0].double().numpy()
            result.append(
                (
                    joints - joints[0],
                    targets["joint_valid_3d"][b, 0].numpy(),
                    targets["rotations"][b, 0].double().numpy(),
                    targets["betas"][b, 0].double().numpy(),
                    bool(targets["mano_valid"][b, 0]),
                )
            )
    return result


def test_mean_joints_agree_with_a_loop(mean, hands):
    assert any(not valid.all() for _, valid, *_ in hands), "the set has no invalid joint to leave out"
    for j in range(21):
        values = [joints[j] for joints, valid, *_ in hands if valid[j]]
        np.testing.assert_allclose(mean.joints[j], np.mean(values, 0), atol=1e-6)
    assert not mean.joints[0].any()


def test_mean_shape_agrees_with_a_loop(mean, hands):
    fitted = [betas for *_, betas, fit in hands if fit]
    assert len(fitted) < len(hands)
    np.testing.assert_allclose(mean.betas, np.mean(fitted, 0), atol=1e-6)


def test_mean_rotations_agree_with_scipy(mean, hands):
    """SciPy's mean rotation is the one nearest to the mean matrix too."""
    fitted = np.array([rotations for _, _, rotations, _, fit in hands if fit])
    for k in range(16):
        expected = Rotation.from_matrix(fitted[:, k]).mean().as_matrix()
        np.testing.assert_allclose(mean.rotations[k], expected, atol=1e-4)


def test_means_do_not_depend_on_batches_or_uncounted_samples(data, mean, hand_model):
    (whole,) = InterHandDataModule(
        data.root, image_size=64, batch_size=1000, num_workers=0, augment=False, read_images=False
    ).evaluation_dataloader("train")
    filler = {name: value.clone() for name, value in whole.items()}
    filler["counted"][:] = False
    filler["joints_world"] += 1
    again = mean_hand([whole, filler], hand_model)
    for name in ("joints", "rotations", "betas"):
        torch.testing.assert_close(getattr(again, name), getattr(mean, name), atol=1e-5, rtol=1e-4)


def test_errors_of_the_mean_joints_agree_with_a_loop(data, mean, hand_model):
    """Relative to the wrist, first per joint and side, then over them (protocol ``root``)."""
    batches = list(data.evaluation_dataloader("test"))
    errors: dict[tuple[bool, int], list[float]] = {}
    for batch in batches:
        targets = build_targets(batch, hand_model)
        for b in range(len(batch["image"])):
            joints = targets["joints"][b, 0].double().numpy()
            for j in range(21):
                if targets["joint_valid_eval"][b, 0, j]:
                    error = np.linalg.norm(joints[j] - joints[0] - mean.joints[j].double().numpy())
                    side = bool(targets["source_is_right"][b, 0])
                    errors.setdefault((side, j), []).append(1000 * error)
    expected = np.mean([np.mean(values) for values in errors.values()])
    result = baseline_metrics(mean, batches, hand_model)
    assert result["mean_joints"]["mpjpe_mm"] == pytest.approx(expected, rel=1e-4)
    assert expected > 5


def test_only_numbers_that_mean_something_are_given(data, mean, hand_model):
    result = baseline_metrics(mean, data.evaluation_dataloader("test"), hand_model)
    assert result.keys() == {"mean_joints", "mean_pose"}
    for row in result.values():
        assert row.keys() == HAND_METRICS.keys()
    given = {name for name, value in result["mean_joints"].items() if value is not None}
    assert given == {"mpjpe_mm", "pa_mpjpe_mm"}
    assert all(value is not None and math.isfinite(value) and value > 0 for value in result["mean_pose"].values())


def test_mean_pose_of_one_hand_is_that_hand(data, hand_model):
    """If it is trained and tested on one fitted hand, the mean MANO pose is correct up to rounding."""
    batch = next(iter(data.evaluation_dataloader("train")))
    number = int(batch["mano_valid"][:, 0].nonzero()[0])
    one = {name: value[number : number + 1] for name, value in batch.items()}
    result = baseline_metrics(mean_hand([one], hand_model), [one], hand_model)["mean_pose"]
    for name in ("mpvpe_mm", "pa_mpvpe_mm", "mpjpe_eanet_mm", "mpvpe_eanet_mm"):
        assert result[name] < 1e-2, name
