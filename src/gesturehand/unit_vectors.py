"""Directions and lengths of vectors."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def units_and_lengths(vectors: Tensor, shortest: float = 0.0) -> tuple[Tensor, Tensor]:
    """Vectors over their lengths, and these lengths.

    What ``vectors / lengths`` gives, with the derivative written out: a GPU starts 4 to 8 operations for it instead of
    the 11 to 13 of a length's and a quotient's derivatives.

    Args:
        vectors: (..., C), float.
        shortest: The least length, which shorter vectors count as, so that their gradient is finite.

    Returns:
        (..., C) and (..., 1).

    Example:
        >>> units_and_lengths(torch.tensor([[3.0, 0.0, 4.0]]))
        (tensor([[0.6000, 0.0000, 0.8000]]), tensor([[5.]]))
    """
    units, lengths = _UnitsAndLengths.apply(vectors, shortest)
    return units, lengths


class _UnitsAndLengths(torch.autograd.Function):
    """With u = v / |v|: d|v| = u · dv, and du = (dv - u (u · dv)) / |v|."""

    @staticmethod
    def forward(vectors: Tensor, shortest: float) -> tuple[Tensor, Tensor]:
        lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        if shortest > 0:
            lengths = lengths.clamp_min(shortest)
        return vectors / lengths, lengths

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*output)
        ctx.shortest = inputs[1]
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_units: Tensor | None, of_lengths: Tensor | None) -> tuple[Tensor | None, None]:
        units, lengths = ctx.saved_tensors
        # A length that is the least one does not depend on the vector.
        free = units * (lengths > ctx.shortest) if ctx.shortest > 0 else units
        if of_units is None:
            return None if of_lengths is None else of_lengths * free, None
        along = (of_units * units).sum(-1, keepdim=True)
        along = along if of_lengths is None else along - of_lengths * lengths
        return torch.addcmul(of_units, free, along, value=-1) / lengths, None
