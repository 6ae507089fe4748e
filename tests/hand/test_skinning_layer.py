"""The layer of the open hand against smplx's, values and gradients."""

import numpy as np
import pytest
import torch

from gesturehand.hand.skinning import skin
from gesturehand.hand.skinning_layer import SkinningLayer
from gesturehand.hand.smplx_layer import SmplxLayer
from gesturehand.skeleton import SIDES


@pytest.fixture
def hands(posed_hand):
    """Two hands that are not each other's mirror image, with pose directions and skinning weights of their own."""
    right, left = (posed_hand(side) for side in SIDES)
    left.weights[:] = np.roll(left.weights, 1, axis=0)
    return right, left


@pytest.fixture
def inputs(rotations, rng):
    """Rotations, betas and translations of eight hands, centimetres apart as in a crop's frame."""
    arrays = rotations(8, 16), rng.normal(size=(8, 10)), 0.1 * rng.normal(size=(8, 3))
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize("sides", [(1, 1, 1, 1, 1, 1, 1, 1), (0, 0, 0, 0, 0, 0, 0, 0), (1, 0, 0, 1, 0, 1, 1, 0)])
@pytest.mark.parametrize("translated", [True, False])
def test_values_and_gradients_are_those_of_smplx(hands, inputs, sides, translated):
    is_right = torch.tensor(sides, dtype=torch.bool)
    results = []
    for layer in (SkinningLayer(hands), SmplxLayer(hands)):
        given = [tensor.clone().requires_grad_() for tensor in inputs]
        rotations, betas, transl = given
        vertices, joints = layer(rotations, betas, transl if translated else None, is_right)
        # Of the order of one: a loss in metres, averaged over coordinates.
        (vertices.square().mean() + joints.square().mean()).backward()
        results.append([vertices, joints, *(tensor.grad for tensor in given[: 3 if translated else 2])])
    for name, own, reference in zip(("vertices", "joints", "rotations", "betas", "transl"), *results, strict=False):
        torch.testing.assert_close(own, reference, atol=1e-6, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
    assert min(reference.abs().max() for reference in results[1]) > 1e-4


def test_gradients_are_those_of_finite_differences(hands, inputs):
    """In float64 and only over the numbers that a network predicts."""
    layer = SkinningLayer(hands).double()
    rotations, betas, transl = (tensor[:2].double() for tensor in inputs)
    is_right = torch.tensor([True, False])

    def seen(rotations: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor) -> torch.Tensor:
        vertices, joints = layer(rotations, betas, transl, is_right)
        return torch.cat([vertices[:, ::400], joints], 1)

    given = tuple(tensor.requires_grad_() for tensor in (rotations, betas, transl))
    assert torch.autograd.gradcheck(seen, given, fast_mode=True)


def test_double_precision_is_that_of_numpy_skinning(hands, inputs):
    rotations, betas, transl = (tensor.double() for tensor in inputs)
    vertices, joints = SkinningLayer(hands).double()(rotations, betas, transl, torch.ones(8, dtype=torch.bool))
    expected = skin(hands[0], rotations.numpy(), betas.numpy(), transl.numpy())
    np.testing.assert_allclose(vertices, expected[0], atol=1e-6)  # the arrays themselves are rounded to float32
    np.testing.assert_allclose(joints, expected[1], atol=1e-6)
    rest = SkinningLayer(hands).rest_joints(inputs[1], torch.zeros(8, dtype=torch.bool))
    shaped = hands[1].v_template + np.einsum("vcb,nb->nvc", hands[1].shapedirs, betas.numpy())
    np.testing.assert_allclose(rest, hands[1].J_regressor @ shaped, atol=1e-6)
