"""Checks of metrics' arguments: shapes that would broadcast silently are refused, and precision is raised."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    """Raise a ValueError that shows both shapes if a tensor's shape is not the expected one.

    Example:
        >>> import torch
        >>> check_shape("target", torch.zeros(4, 21, 3), (4, 2, 21, 3))
        Traceback (most recent call last):
        ValueError: target must have shape (4, 2, 21, 3), but got (4, 21, 3).
    """
    if tuple(tensor.shape) != tuple(expected):
        raise ValueError(f"{name} must have shape {tuple(expected)}, but got {tuple(tensor.shape)}.")


def check_trailing(name: str, tensor: Tensor, trailing: tuple[int | None, ...]) -> None:
    """Raise a ValueError that shows both shapes if a tensor's last dimensions are not the expected ones.

    None stands for any size.

    Example:
        >>> import torch
        >>> check_trailing("prediction", torch.zeros(4, 16, 3), (21, 3))
        Traceback (most recent call last):
        ValueError: prediction must have shape (..., 21, 3), but got (4, 16, 3).
    """
    given = tuple(tensor.shape)
    last = given[-len(trailing) :]
    matches = (size is None or size == got for size, got in zip(trailing, last, strict=False))
    if len(last) < len(trailing) or not all(matches):
        expected = ", ".join("N" if size is None else str(size) for size in trailing)
        raise ValueError(f"{name} must have shape (..., {expected}), but got {given}.")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise a ValueError that shows the choices if a value is not one of them.

    Example:
        >>> check_choice("protocol", "pa", ("root", "eanet"))
        Traceback (most recent call last):
        ValueError: protocol must be one of 'root', 'eanet', but got 'pa'.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, but got {value!r}.")


def check_positive_int(name: str, value: Any) -> None:
    """Raise a ValueError that shows the value if it is not an int of at least 1.

    Example:
        >>> check_positive_int("num_groups", 0)
        Traceback (most recent call last):
        ValueError: num_groups must be a positive integer, but got 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, but got {value!r}.")


def supports_float64(device: torch.device) -> bool:
    """Whether a device supports float64 tensors; Apple's MPS is the backend that does not.

    Example:
        >>> supports_float64(torch.device("cpu")), supports_float64(torch.device("mps"))
        (True, False)
    """
    return device.type != "mps"


def widest(tensor: Tensor) -> Tensor:
    """The tensor in float64, or in float32 on a device without float64.

    Predictions come in bfloat16 or float32, and float64 is exempt from autocast, so a metric does not depend on the
    trainer's precision. The result is detached.

    Example:
        >>> widest(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float64
    """
    return tensor.detach().to(torch.float64 if supports_float64(tensor.device) else torch.float32)


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor in its own precision, or in float32 if that is less.

    This is meant for vertices: aligned on a root in float32, they are exact to 0.00001 mm and take half the time of
    float64. The result is detached.

    Example:
        >>> [at_least_float32(torch.ones(2, dtype=dtype)).dtype for dtype in (torch.half, torch.double)]
        [torch.float32, torch.float64]
    """
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
