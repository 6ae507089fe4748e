"""Weights cast together against autocast's own casts."""

import pytest
import torch
from torch import nn

from gesturehand.models.joint_cast import weights_cast_together


def layers() -> nn.ModuleDict:
    torch.manual_seed(0)
    parts = {"conv": nn.Conv2d(3, 8, 1), "block": nn.TransformerEncoderLayer(8, 2, 16, 0.0, norm_first=True)}
    return nn.ModuleDict({**parts, "out": nn.Linear(8, 4)})


def loss_of(module: nn.ModuleDict) -> torch.Tensor:
    image = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    tokens = module["conv"](image).flatten(2).mT
    return module["out"](module["block"](tokens)).float().square().sum()


def test_losses_and_gradients_are_autocasts():
    results = []
    for together in (True, False):
        module = layers()
        with torch.autocast("cpu", torch.bfloat16):
            if together:
                with weights_cast_together([module]):
                    loss = loss_of(module)
            else:
                loss = loss_of(module)
        loss.backward()
        assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in module.parameters())
        results.append([loss.detach(), *(parameter.grad for parameter in module.parameters())])
    assert len(results[0]) == 1 + 2 + 12 + 2
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("fails", [True, False])
def test_parameters_are_themselves_afterwards(fails):
    module = layers()
    before = dict(module.named_parameters())
    with torch.autocast("cpu", torch.bfloat16):
        try:
            with weights_cast_together([module]):
                assert module["out"].weight.dtype == torch.bfloat16
                assert module["block"].norm1.weight.dtype == torch.float32
                if fails:
                    raise ValueError
        except ValueError:
            assert fails
    after = dict(module.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is parameter for name, parameter in before.items())


@pytest.mark.parametrize("why", ["no autocast", "no gradients", "evaluation", "no layers"])
def test_nothing_is_cast_where_nothing_would_be_or_is_learned(why):
    module = layers().train(why != "evaluation")
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=why != "no autocast"),
        torch.set_grad_enabled(why != "no gradients"),
        weights_cast_together([] if why == "no layers" else [module]),
    ):
        assert module["out"].weight.dtype == torch.float32
