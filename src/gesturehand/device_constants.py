"""Tables of numbers as tensors, which are copied to a device once and not in every step."""

import functools

import torch
from torch import Tensor


@torch.compiler.assume_constant_result
def constant(values: tuple[int, ...] | tuple[float, ...], device: torch.device) -> Tensor:
    """A table on a device; the same tensor every time, which must not be changed.

    A list used as an index, or ``tensor.new_tensor(list)``, is copied to the GPU each time, and the copy waits for it.

    Args:
        values: N integers, or N floats.
        device: Where.

    Returns:
        (N,) int64 or float32.

    Example:
        >>> constant((0, 2), torch.device("cpu"))
        tensor([0, 2])
    """
    return _made(values, device)


@functools.cache
def _made(values: tuple[int, ...] | tuple[float, ...], device: torch.device) -> Tensor:
    # A tensor that is made in a validation must serve the training after it too.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device)
