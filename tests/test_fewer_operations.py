"""Fewer operations give the same values, derivatives and types as more of them."""

import pytest
import torch
from torch import nn

from gesturehand.fewer_operations import constant, joined_linear, units_and_lengths, weights_cast_together

CPU = torch.device("cpu")


def test_numbers_and_types():
    assert constant((3, 1), CPU).tolist() == [3, 1]
    assert constant((3, 1), CPU).dtype == torch.int64
    assert constant((0.5,), CPU).dtype == torch.float32
    assert constant((3, 1), CPU) is constant((3, 1), CPU)


def test_made_in_inference_and_used_in_training():
    with torch.inference_mode():
        constant((0.25, 4.0), CPU)
    weight = torch.ones(2, requires_grad=True)
    (weight * constant((0.25, 4.0), CPU)).sum().backward()
    assert weight.grad.tolist() == [0.25, 4.0]


def plainly(vectors, shortest=0.0):
    lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(shortest)
    return vectors / lengths, lengths


@pytest.mark.parametrize("shortest", [0.0, 0.5])
@pytest.mark.parametrize("used", ["units", "lengths", "both"])
def test_values_and_gradients_are_those_of_a_quotient(shortest, used):
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(40, 2, 3, generator=rng, dtype=torch.float64) * 0.4
    short = vectors.norm(dim=-1) < 0.5
    assert short.any()
    assert not short.all()
    weights = torch.randn(40, 2, 3, generator=rng, dtype=torch.float64)
    results = []
    for function in (units_and_lengths, plainly):
        given = vectors.clone().requires_grad_()
        units, lengths = function(given, shortest)
        parts = {"units": (units * weights).sum(), "lengths": (lengths * weights[..., :1]).sum()}
        (sum(parts.values()) if used == "both" else parts[used]).backward()
        results.append((units.detach(), lengths.detach(), given.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


def test_gradients_are_those_of_finite_differences():
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(units_and_lengths, (vectors,))


def test_a_vector_without_length_has_a_finite_gradient_if_there_is_a_shortest():
    vectors = torch.zeros(2, 3, requires_grad=True)
    units, lengths = units_and_lengths(vectors, 1e-5)
    (units.sum() + lengths.sum()).backward()
    assert not units.any()
    assert (lengths == 1e-5).all()
    assert torch.isfinite(vectors.grad).all()


def test_nothing_to_differentiate():
    units, lengths = units_and_lengths(torch.tensor([3.0, 4.0]))
    assert units.tolist() == pytest.approx([0.6, 0.8])
    assert lengths.tolist() == [5.0]
    assert not units.requires_grad


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


def layers() -> nn.ModuleDict:
    torch.manual_seed(0)
    parts = {"conv": nn.Conv2d(3, 8, 1), "block": nn.TransformerEncoderLayer(8, 2, 16, 0.0, norm_first=True)}
    return nn.ModuleDict({**parts, "out": nn.Linear(8, 4)})


def loss_of(module: nn.ModuleDict) -> torch.Tensor:
    image = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    tokens = module["conv"](image).flatten(2).mT
    return module["out"](module["block"](tokens)).float().square().sum()


def test_losses_and_gradients_are_those_of_autocast():
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
