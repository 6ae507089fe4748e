import numpy as np
import pytest
import torch

from gesturehand.metrics import MRRPE
from gesturehand.metrics.mrrpe import mrrpe_compute, mrrpe_update

NAMES = ("joints", "true_joints", "valid", "interacting")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_agrees_with_the_loop(hands, dtype):
    data = hands(0, 60, dtype=dtype)
    errors = []
    for n in range(60):
        if data["interacting"][n] and data["valid"][n, 0, 0] and data["valid"][n, 1, 0]:
            joints, truth = data["joints"][n, :, 0].astype(np.float64), data["true_joints"][n, :, 0].astype(np.float64)
            errors.append(1000 * np.linalg.norm((joints[1] - joints[0]) - (truth[1] - truth[0])))
    tensors = [torch.tensor(data[name]) for name in NAMES]
    sums, metric = mrrpe_update(*tensors), MRRPE()
    metric.update(*tensors)
    assert 0 < len(errors) < 60
    assert sums.sample_count == len(errors)
    for found in (mrrpe_compute(sums), metric.compute()):
        np.testing.assert_allclose(found.item(), np.mean(errors), rtol=1e-6)


def test_moving_both_hands_together_costs_nothing(hands):
    data = {name: torch.tensor(hands(1, 10)[name]) for name in NAMES}
    moved = data["true_joints"] + torch.tensor([0.1, -0.2, 0.3])
    everything = torch.ones_like(data["valid"]), torch.ones(10, dtype=torch.bool)
    assert mrrpe_compute(mrrpe_update(moved, data["true_joints"], *everything)).item() == pytest.approx(0, abs=1e-9)


def test_single_hands_have_none(hands):
    data = {name: torch.tensor(hands(2, 4)[name]) for name in NAMES}
    nobody = torch.zeros(4, dtype=torch.bool)
    assert mrrpe_compute(mrrpe_update(data["joints"], data["true_joints"], data["valid"], nobody)).isnan()
    with pytest.raises(ValueError, match=r"prediction must have shape \(..., N, 2, 21, 3\), but got \(4, 1, 21, 3\)"):
        mrrpe_update(data["joints"][:, :1], data["true_joints"][:, :1], data["valid"][:, :1], nobody)
