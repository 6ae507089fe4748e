"""Shape checks at the boundary of the metrics: broadcasting two different shapes would give a wrong number silently."""

from torch import Tensor


def check_shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    """Refuse a tensor whose shape is not the expected one.

    Args:
        name: The argument's name.
        tensor: What was given.
        expected: The shape it must have.

    Raises:
        ValueError: The shape differs; the sentence shows both.

    Example:
        >>> import torch
        >>> check_shape("target", torch.zeros(4, 21, 3), (4, 2, 21, 3))
        Traceback (most recent call last):
        ValueError: target must have shape (4, 2, 21, 3), but got (4, 21, 3).
    """
    if tuple(tensor.shape) != tuple(expected):
        raise ValueError(f"{name} must have shape {tuple(expected)}, but got {tuple(tensor.shape)}.")


def check_trailing(name: str, tensor: Tensor, trailing: tuple[int | None, ...]) -> None:
    """Refuse a tensor whose last dimensions are not the expected ones.

    Args:
        name: The argument's name.
        tensor: What was given.
        trailing: The last dimensions; None stands for any size.

    Raises:
        ValueError: The last dimensions differ; the sentence shows both.

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
