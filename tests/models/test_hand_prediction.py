"""Soft-argmax against a slow expectation, the 2.5D head around it, and rotations from six numbers."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.models.hand_prediction import JointVolumeHead, rotation_from_6d, soft_argmax


def slow(volume):
    """Expectation of (x, y, z), normalised coordinates, under a softmax over one volume's cells."""
    depth, height, width = volume.shape
    weights = np.exp(volume - volume.max())
    total, expected = weights.sum(), np.zeros(3)
    for z, y, x in np.ndindex(depth, height, width):
        place = [(2 * i + 1) / n - 1 for i, n in ((x, width), (y, height), (z, depth))]
        expected += weights[z, y, x] / total * np.array(place)
    return expected


@pytest.mark.parametrize("shape", [(8, 8, 8), (3, 4, 5), (1, 2, 6)])
def test_it_is_the_expectation(shape):
    volumes = np.random.default_rng(0).normal(0, 3, (2, 3, *shape))
    result = soft_argmax(torch.from_numpy(volumes))
    assert result.dtype == torch.float32
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(result[place], slow(volumes[place]), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8, 8), (4, 6, 5)])
def test_a_peak_is_its_cells_centre_and_the_outermost_centre_is_reached(shape):
    depth, height, width = shape
    for cell in ((0, 0, 0), (depth - 1, height - 1, width - 1), (1, 2, 3)):
        volume = torch.full(shape, -1e3)
        volume[cell] = 1e3
        z, y, x = cell
        expected = [(2 * x + 1) / width - 1, (2 * y + 1) / height - 1, (2 * z + 1) / depth - 1]
        torch.testing.assert_close(soft_argmax(volume), torch.tensor(expected))
    assert soft_argmax(torch.zeros(shape)).abs().max() < 1e-6


def test_it_is_computed_in_float32_under_autocast():
    volume = torch.randn(2, 21, 8, 8, 8, generator=torch.Generator().manual_seed(0)) * 5
    expected = soft_argmax(volume)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(soft_argmax(volume), expected)
        rounded = soft_argmax(volume.bfloat16())
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, soft_argmax(volume.bfloat16().float()))


def test_gradient_is_that_of_the_expectation():
    volume = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    # The step is coarse because everything inside is float32.
    assert torch.autograd.gradcheck(soft_argmax, (volume,), eps=1e-2, atol=1e-3)


def test_head_reads_its_channels_as_joints_times_depth():
    head = JointVolumeHead(5, depth=4)
    with torch.no_grad():
        head.conv.weight.zero_()
        head.conv.bias.zero_()
        head.conv.bias[7 * 4 + 3] = 1e3  # joint 7, deepest cell
    joints = head(torch.zeros(2, 5, 6, 6))
    assert joints.shape == (2, 21, 3)
    expected = torch.zeros(2, 21, 3)
    expected[:, 7, 2] = 0.75
    torch.testing.assert_close(joints, expected, atol=1e-6, rtol=0)


def test_head_starts_near_the_middle():
    torch.manual_seed(0)
    joints = JointVolumeHead(64)(torch.randn(4, 64, 8, 8))
    assert joints.abs().max() < 0.2


def gram_schmidt(six):
    """Zhou et al. (CVPR 2019), the six numbers as the rows of a (3, 2) matrix of two columns."""
    a, b = np.asarray(six).reshape(3, 2).T
    first = a / np.linalg.norm(a)
    second = b - (first @ b) * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], -1)


def test_rotation_agrees_with_gram_schmidt():
    six = np.random.default_rng(0).normal(size=(3, 5, 6))
    result = rotation_from_6d(torch.from_numpy(six))
    assert result.dtype == torch.float32
    for place in np.ndindex(3, 5):
        np.testing.assert_allclose(result[place], gram_schmidt(six[place]), atol=1e-5)


def test_first_two_columns_of_a_rotation_give_it_back():
    matrices = Rotation.random(50, rng=np.random.default_rng(0)).as_matrix()
    six = torch.from_numpy(matrices[:, :, :2].reshape(50, 6))
    result = rotation_from_6d(six)
    np.testing.assert_allclose(result, matrices, atol=1e-6)
    np.testing.assert_allclose(torch.linalg.det(result), np.ones(50), atol=1e-5)
    # Scale is free, and so is the part of the second column along the first.
    skewed = six.unflatten(-1, (3, 2)) * torch.tensor([3.0, 0.5])
    skewed[..., 1] += 0.7 * skewed[..., 0]
    np.testing.assert_allclose(rotation_from_6d(skewed.flatten(-2)), matrices, atol=1e-5)


def test_rotation_is_computed_in_float32_under_autocast():
    six = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rotation_from_6d(six), rotation_from_6d(six))
        result = rotation_from_6d(six.bfloat16())
    assert result.dtype == torch.float32
    torch.testing.assert_close(result @ result.mT, torch.eye(3).expand(4, 3, 3), atol=1e-5, rtol=0)
