import numpy as np
import pytest
import torch

from gesturehand.metrics import MPVPE
from gesturehand.metrics.functional.protocol import PROTOCOLS

NAMES = ("vertices", "true_vertices", "joints", "true_joints", "fit", "interacting")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("num_hands", [1, 2])
def test_agrees_with_the_loop_over_batches(reference, hands, protocol, num_hands):
    data = hands(0, 16, num_hands)
    metric = MPVPE(protocol, chunk_hands=5)
    for part in (slice(0, 1), slice(1, 1), slice(1, 9), slice(9, 16)):
        metric.update(*(torch.tensor(data[name][part]) for name in NAMES))
    single, both = reference.mpvpe_samples(*(data[name] for name in NAMES), protocol)
    np.testing.assert_allclose(metric.compute().item(), np.mean(single + both), rtol=1e-6)
    np.testing.assert_allclose(metric.by_kind().numpy(), [np.mean(single), np.mean(both)], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "none"}, "protocol must be one of 'root', .*, but got 'none'"),
        ({"chunk_hands": -1}, "chunk_hands must be a positive integer, but got -1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        MPVPE(**arguments)
