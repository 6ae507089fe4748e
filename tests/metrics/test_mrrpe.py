import numpy as np
import torch

from gesturehand.metrics import MRRPE


def test_agrees_with_the_loop_over_batches(hands):
    data = hands(0, 30)
    metric = MRRPE()
    for part in (slice(0, 1), slice(1, 1), slice(1, 9), slice(9, 30)):
        metric.update(*(torch.tensor(data[name][part]) for name in ("joints", "true_joints", "valid", "interacting")))
    errors = [
        1000 * np.linalg.norm(np.diff(data["joints"][n, :, 0] - data["true_joints"][n, :, 0], axis=0))
        for n in range(30)
        if data["interacting"][n] and data["valid"][n, :, 0].all()
    ]
    np.testing.assert_allclose(metric.compute().item(), np.mean(errors), rtol=1e-6)
