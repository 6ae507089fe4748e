"""What networks and losses do in fewer operations, which a GPU takes no less time to start than to compute: tables that
stay on the device, unit vectors, linear layers as one product, weights from one cast.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

#: The layers whose weights autocast casts; it leaves those of a norm unchanged.
_CAST = nn.Linear | nn.Conv2d | nn.MultiheadAttention


@torch.compiler.assume_constant_result
def constant(values: tuple[int, ...] | tuple[float, ...], device: torch.device) -> Tensor:
    """A table on a device; the same tensor every time, which must not be changed.

    A list used as an index, or ``tensor.new_tensor(list)``, is copied to the GPU each time, and the copy waits for it.

    Args:
        values: N integers, or N floats.
        device: The device of the table.

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


def units_and_lengths(vectors: Tensor, shortest: float = 0.0) -> tuple[Tensor, Tensor]:
    """Vectors over their lengths, and these lengths.

    The result is that of ``vectors / lengths``, with the derivative written out: a GPU starts 4 to 8 operations for it
    instead of the 11 to 13 for the derivatives of a length and a quotient.

    Args:
        vectors: (..., C), float.
        shortest: The least length; shorter vectors are treated as if they had it, so that their gradient is finite.

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
        # A length that was raised to the least one does not depend on the vector.
        free = units * (lengths > ctx.shortest) if ctx.shortest > 0 else units
        if of_units is None:
            return None if of_lengths is None else of_lengths * free, None
        along = (of_units * units).sum(-1, keepdim=True)
        along = along if of_lengths is None else along - of_lengths * lengths
        return torch.addcmul(of_units, free, along, value=-1) / lengths, None


def joined_linear(tokens: Tensor, layers: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
    """The outputs of several linear layers with biases, from one matrix product.

    On a GPU a small layer takes no longer than its launch, once forward and twice backward.

    Args:
        tokens: (..., in_features).
        layers: Layers that take this input, each with any number of outputs.

    Returns:
        (..., out_features) of each layer.

    Example:
        >>> one, other = nn.Linear(4, 2), nn.Linear(4, 3)
        >>> [tuple(out.shape) for out in joined_linear(torch.zeros(8, 4), [one, other])]
        [(8, 2), (8, 3)]
    """
    weight = torch.cat([layer.weight for layer in layers])
    bias = torch.cat([layer.bias for layer in layers])
    return F.linear(tokens, weight, bias).split([layer.out_features for layer in layers], -1)


@contextmanager
def weights_cast_together(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Gives the layers of modules in training their weights as autocast would cast them, but from a single cast.

    Autocast uses a separate operation to cast each weight and bias, and each of their gradients: fifty of each in
    TokenFusion's heads. The parameters do not change, and gradients arrive in them. Nothing is done without autocast,
    without gradients, or while compiling, because the compiler joins casts itself.

    Args:
        modules: Modules whose linear, convolutional and attention layers are called within; no other thread may use
            them.
    """
    owners = [
        (layer, name, parameter)
        for module in modules
        if module.training
        for layer in module.modules()
        if isinstance(layer, _CAST)
        for name, parameter in layer.named_parameters(recurse=False)
        if parameter.dtype == torch.float32
    ]
    device = owners[0][2].device.type if owners else "cpu"
    casts = torch.is_autocast_enabled(device) and torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if not owners or not casts:
        yield
        return
    parameters = [parameter for _, _, parameter in owners]
    flat = torch.cat([parameter.flatten() for parameter in parameters]).to(torch.get_autocast_dtype(device))
    parts = flat.split([parameter.numel() for parameter in parameters])
    try:
        for (layer, name, parameter), part in zip(owners, parts, strict=True):
            _set(layer, name, part.view_as(parameter))
        yield
    finally:
        for layer, name, parameter in owners:
            _set(layer, name, parameter)


def _set(layer: nn.Module, name: str, tensor: Tensor) -> None:
    # As torch.func.functional_call does, which takes only a single module that would have to contain all of them.
    layer._parameters[name] = tensor  # type: ignore[assignment]
