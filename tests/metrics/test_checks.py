import pytest
import torch

from gesturehand.metrics.checks import widest


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_values_are_kept_in_float64_without_a_gradient(dtype):
    values = torch.rand(5).to(dtype).requires_grad_()
    wide = widest(values)
    assert wide.dtype == torch.float64
    assert not wide.requires_grad
    assert torch.equal(wide.to(dtype), values)
