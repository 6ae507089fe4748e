"""Unit vectors and lengths against PyTorch's own derivatives and finite differences."""

import pytest
import torch

from gesturehand.unit_vectors import units_and_lengths


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


def test_a_vector_of_no_length_has_a_finite_gradient_where_there_is_a_shortest():
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
