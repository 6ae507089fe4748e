"""Casts together the weights that autocast would cast one by one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

#: The layers whose weights autocast casts; it leaves those of a norm unchanged.
_CAST = nn.Linear | nn.Conv2d | nn.MultiheadAttention


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
