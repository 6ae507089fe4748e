"""Tables on a device: the right numbers, one tensor, and of use in training after a validation."""

import torch

from gesturehand.device_constants import constant

CPU = torch.device("cpu")


def test_numbers_and_types():
    assert constant((3, 1), CPU).tolist() == [3, 1]
    assert constant((3, 1), CPU).dtype == torch.int64
    assert constant((0.5,), CPU).dtype == torch.float32
    assert constant((3, 1), CPU) is constant((3, 1), CPU)


def test_made_in_inference_and_used_in_training():
    with torch.inference_mode():
        constant((0.25, 4.0), CPU)
    weight = torch.ones(2, requires_grad=True)
    (weight * constant((0.25, 4.0), CPU)).sum().backward()
    assert weight.grad.tolist() == [0.25, 4.0]
