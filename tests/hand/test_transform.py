"""Changes of frame and mirroring of parameters against transforming the mesh."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import mirror, open_hand
from gesturehand.hand.skinning import skin
from gesturehand.hand.transform import change_frame, mirror_x


def mesh(hand, rotations, betas, transl):
    return skin(hand, rotations.numpy(), betas, transl.numpy())[0]


def test_change_of_frame_agrees_with_transforming_the_mesh(rotations, rng, rest_joints):
    hand = open_hand("left")
    turns, betas, transl = rotations(4, 16), 2 * rng.normal(size=(4, 10)), rng.normal(size=(4, 3))
    camera = Rotation.random(4, rng=2).as_matrix()
    shift = rng.normal(size=(4, 3))
    roots = rest_joints(hand, betas)[:, 0]
    inputs = [torch.from_numpy(array) for array in (turns, transl, roots, camera, shift)]
    new_turns, new_transl = change_frame(*inputs)
    expected = np.einsum("nij,nvj->nvi", camera, mesh(hand, inputs[0], betas, inputs[1])) + shift[:, None]
    np.testing.assert_allclose(mesh(hand, new_turns, betas, new_transl), expected, atol=1e-12)
    np.testing.assert_array_equal(new_turns[:, 1:], turns[:, 1:])

    # What is tempting and wrong shows: no root joint, or that of the mean shape.
    for wrong_roots, error in ((np.zeros_like(roots), 0.02), (np.tile(hand.joints[0], (4, 1)), 0.001)):
        _, wrong = change_frame(*inputs[:2], torch.from_numpy(wrong_roots), *inputs[3:])
        assert (new_transl - wrong).norm(dim=1).max() > error


def test_change_of_frame_in_float32_to_a_hundredth_of_a_millimetre(rotations, rng, rest_joints):
    hand = open_hand("right")
    turns, betas = rotations(4, 16), rng.normal(size=(4, 10))
    transl = rng.normal((0, 0, 1), 1, (4, 3))
    camera, shift = Rotation.random(4, rng=3).as_matrix(), rng.normal(size=(4, 3))
    inputs = [
        torch.from_numpy(array).float() for array in (turns, transl, rest_joints(hand, betas)[:, 0], camera, shift)
    ]
    moved = change_frame(*inputs)
    assert all(tensor.dtype == torch.float32 for tensor in moved)
    expected = mesh(hand, inputs[0].double(), betas, inputs[1].double()) @ camera.transpose(0, 2, 1) + shift[:, None]
    np.testing.assert_allclose(mesh(hand, moved[0].double(), betas, moved[1].double()), expected, atol=1e-5)


def test_one_camera_for_several_hands_and_hands_that_stay(rotations, rng):
    turns, transl = torch.from_numpy(rotations(2, 3, 16)), torch.from_numpy(rng.normal(size=(2, 3, 3)))
    roots = torch.from_numpy(rng.normal(size=(2, 3, 3)))
    camera, shift = torch.from_numpy(Rotation.random(rng=4).as_matrix()), torch.tensor([1.0, 2, 3]).double()
    new_turns, new_transl = change_frame(turns, transl, roots, camera, shift)
    assert new_turns.shape == (2, 3, 16, 3, 3)
    single = change_frame(turns[1, 2], transl[1, 2], roots[1, 2], camera, shift)
    torch.testing.assert_close((new_turns[1, 2], new_transl[1, 2]), single)
    same = change_frame(turns, transl, roots, torch.eye(3).double(), torch.zeros(3).double())
    torch.testing.assert_close(same, (turns, transl))
    empty = change_frame(turns[:0], transl[:0], roots[:0], camera, shift)
    assert empty[0].shape == (0, 3, 16, 3, 3)


def test_mirrored_parameters_on_the_other_hand(rotations, rng):
    hand = open_hand("right")
    turns, betas = torch.from_numpy(rotations(3, 16)), rng.normal(size=(3, 10))
    transl = torch.from_numpy(rng.normal(size=(3, 3)))
    mirrored = mirror_x(turns, transl)
    expected = mesh(hand, turns, betas, transl) * [-1, 1, 1]
    np.testing.assert_allclose(mesh(mirror(hand), mirrored[0], betas, mirrored[1]), expected, atol=1e-14)
    torch.testing.assert_close(mirror_x(*mirrored), (turns, transl))


def test_mirroring_in_axis_angle(rng):
    vectors = rng.normal(size=(16, 3))
    turns = torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix())
    mirrored, _ = mirror_x(turns, torch.zeros(3))
    np.testing.assert_allclose(mirrored, Rotation.from_rotvec(vectors * [1, -1, -1]).as_matrix(), atol=1e-14)
