"""Linear layers that read the same input, computed together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
