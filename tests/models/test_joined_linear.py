"""Several layers as one product give what each gives alone, and each its own gradient."""

import torch
from torch import nn

from gesturehand.models.joined_linear import joined_linear


def test_outputs_and_gradients_are_each_layers_own():
    torch.manual_seed(0)
    layers = [nn.Linear(6, size).double() for size in (1, 4, 3)]
    tokens = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    weights = [torch.randn(2, 5, layer.out_features, dtype=torch.float64) for layer in layers]

    def gradients(outputs):
        loss = sum((out * weight).sum() for out, weight in zip(outputs, weights, strict=True))
        return torch.autograd.grad(loss, [tokens, *(p for layer in layers for p in layer.parameters())])

    alone, joined = [layer(tokens) for layer in layers], joined_linear(tokens, layers)
    torch.testing.assert_close(list(joined), alone)
    torch.testing.assert_close(gradients(joined), gradients(alone))
