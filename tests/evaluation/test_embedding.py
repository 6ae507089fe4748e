"""Principal components against the eigenvectors of the covariance."""

import numpy as np
import torch

from gesturehand.evaluation.embedding import principal_components


def test_same_as_the_covariance_eigenvectors():
    generator = np.random.default_rng(0)
    data = generator.normal(size=(200, 6)) * [5, 3, 1, 1, 0.5, 0.1] @ np.linalg.qr(generator.normal(size=(6, 6)))[0]
    points, shares = principal_components(torch.from_numpy(data), 3)
    values, vectors = np.linalg.eigh(np.cov(data.T))
    expected = (data - data.mean(0)) @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-4)
    np.testing.assert_allclose(shares, values[::-1][:3] / values.sum(), rtol=1e-5)


def test_mirrored_directions_give_the_same_map():
    data = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(principal_components(data, 2)[0][order], principal_components(data[order], 2)[0])
