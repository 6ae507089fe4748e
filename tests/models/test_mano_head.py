"""Rotations from six numbers, and what the MANO head starts with."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.models.mano_head import TYPICAL_CAMERA_SCALE, ManoHead, rotation_from_6d


def gram_schmidt(six):
    """Zhou et al. (CVPR 2019), the six numbers as the rows of a (3, 2) matrix of two columns."""
    a, b = np.asarray(six).reshape(3, 2).T
    first = a / np.linalg.norm(a)
    second = b - (first @ b) * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], -1)


def test_rotation_is_gram_schmidts():
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
    # Scale is free, and so is a part of the first column in the second.
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


@pytest.fixture
def head():
    torch.manual_seed(0)
    return ManoHead(width=16, pooled_channels=24)


def test_it_starts_at_the_identity_with_a_hand_that_fills_the_crop(head):
    """Without input only the biases speak."""
    head.pooled.bias.data.zero_()
    result = head(torch.zeros(3, 21, 16), torch.zeros(3, 24))
    torch.testing.assert_close(result.rotations, torch.eye(3).expand(3, 16, 3, 3))
    assert not result.betas.any()
    torch.testing.assert_close(result.camera, torch.tensor([[TYPICAL_CAMERA_SCALE, 0, 0]]).expand(3, 3))
    random = head(torch.randn(3, 21, 16), torch.randn(3, 24))
    angles = Rotation.from_matrix(random.rotations.detach().reshape(-1, 3, 3).numpy()).magnitude()
    assert angles.max() < 0.5


def test_shapes_and_the_scale_is_positive(head):
    result = head(torch.randn(2, 21, 16) * 1000, torch.randn(2, 24) * 100)
    assert result.rotations.shape == (2, 16, 3, 3)
    assert result.betas.shape == (2, 10)
    assert result.camera.shape == (2, 3)
    assert (result.camera[:, 0] > 0).all()


def test_a_finger_joints_rotation_comes_from_its_own_token(head):
    """Tokens are in the papers' order, rotations in MANO's: index, middle, pinky, ring, thumb."""
    first_token = {"index": 5, "middle": 9, "pinky": 17, "ring": 13, "thumb": 1}
    expected = {1 + 3 * k + i: first_token[finger] + i for k, finger in enumerate(first_token) for i in range(3)}
    tokens, pooled = torch.randn(1, 21, 16), torch.randn(1, 24)
    before = head(tokens, pooled).rotations
    for rotation, token in expected.items():
        changed = tokens.clone()
        changed[:, token] += 1
        moved = (head(changed, pooled).rotations - before).abs().amax((0, 2, 3)) > 1e-6
        assert moved.nonzero()[:, 0].tolist() == [0, rotation]
    for tip in (4, 8, 12, 16, 20):
        changed = tokens.clone()
        changed[:, tip] += 1
        moved = (head(changed, pooled).rotations - before).abs().amax((0, 2, 3)) > 1e-6
        assert moved.nonzero()[:, 0].tolist() == [0], "a fingertip has no rotation but is part of the whole"
