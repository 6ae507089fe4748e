"""Floating-point precision of the metrics: float64 for joints and sums wherever the device has it."""

import torch
from torch import Tensor


def supports_float64(device: torch.device) -> bool:
    """Whether tensors of a device may be float64; Apple's MPS is the backend that has none.

    Example:
        >>> supports_float64(torch.device("cpu")), supports_float64(torch.device("mps"))
        (True, False)
    """
    return device.type != "mps"


def widest(tensor: Tensor) -> Tensor:
    """The tensor in float64, or in float32 on a device without float64.

    Predictions come in bfloat16 or float32, and float64 is exempt from autocast, so a metric does not depend on the
    precision that the trainer runs in.
    The result is detached.

    Example:
        >>> widest(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float64
    """
    return tensor.detach().to(torch.float64 if supports_float64(tensor.device) else torch.float32)


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in its own precision, or in float32 if that is less.

    For the vertices: aligned on a root in float32, they are exact to 0.00001 mm, and take half the time of float64.
    The result is detached.

    Example:
        >>> [at_least_float32(torch.ones(2, dtype=dtype)).dtype for dtype in (torch.half, torch.double)]
        [torch.float32, torch.float64]
    """
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
