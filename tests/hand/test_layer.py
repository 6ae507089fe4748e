"""The layer on the device against NumPy skinning, smplx.MANO and the mirror."""

import contextlib
import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import smplx
import torch
from scipy.spatial.transform import Rotation
from smplx.utils import Struct

from gesturehand.errors import UserError
from gesturehand.hand import layer as layer_module
from gesturehand.hand.layer import HandModel, change_frame, mirror_x
from gesturehand.hand.load import mirror, open_hand
from gesturehand.hand.mano_file import mano_dictionary, write_npz
from gesturehand.hand.skinning import skin
from gesturehand.hand.skinning_layer import SkinningLayer
from gesturehand.hand.smplx_layer import SmplxLayer
from gesturehand.skeleton import JOINTS_FROM_MANO_AND_TIPS, SIDES, TIP_VERTICES


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture
def hands(posed_hand):
    """Two hands that are not each other's mirror image, with pose directions."""
    return {side: posed_hand(side) for side in SIDES}


@pytest.fixture
def posed_model(hands, monkeypatch) -> HandModel:
    monkeypatch.setattr(layer_module, "load_hand", lambda _, side: hands[side])
    return HandModel()


def tensors(*arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array).float() for array in arrays)


def joints_of(joints16, vertices, tips):
    return np.concatenate([joints16, vertices[:, list(TIP_VERTICES[tips])]], axis=1)[:, list(JOINTS_FROM_MANO_AND_TIPS)]


def test_agrees_with_numpy_skinning(posed_model, hands, rotations, rng):
    turns, betas, transl = rotations(6, 16, scale=1.0), 2 * rng.normal(size=(6, 10)), rng.normal(size=(6, 3))
    is_right = torch.tensor([True, False, False, True, True, False])
    vertices, joints = posed_model(*tensors(turns, betas, transl), is_right)
    assert vertices.dtype == joints.dtype == torch.float32
    for side, mask in (("right", is_right.numpy()), ("left", ~is_right.numpy())):
        expected, expected16 = skin(hands[side], turns[mask], betas[mask], transl[mask])
        np.testing.assert_allclose(vertices[mask], expected, atol=1e-5)
        np.testing.assert_allclose(joints[mask], joints_of(expected16, expected, "eanet"), atol=1e-5)
        still = replace(hands[side], posedirs=np.zeros_like(hands[side].posedirs))
        assert np.abs(skin(still, turns[mask], betas[mask], transl[mask])[0] - expected).max() > 1e-3


def test_pose_directions_of_the_open_hand_are_zero_and_it_agrees_too(model, rotations, rng):
    turns, betas, transl = rotations(4, 16), rng.normal(size=(4, 10)), rng.normal(size=(4, 3))
    for side in SIDES:
        is_right = torch.full((4,), side == "right")
        vertices, _ = model(*tensors(turns, betas, transl), is_right)
        np.testing.assert_allclose(vertices, skin(open_hand(side), turns, betas, transl)[0], atol=1e-5)


def test_left_hand_is_the_mirrored_right_hand(model, rotations, rng):
    turns, betas, transl = tensors(rotations(3, 16), rng.normal(size=(3, 10)), rng.normal(size=(3, 3)))
    right = model(turns, betas, transl, torch.ones(3, dtype=torch.bool))
    mirrored_turns, mirrored_transl = mirror_x(turns, transl)
    left = model(mirrored_turns, betas, mirrored_transl, torch.zeros(3, dtype=torch.bool))
    for a, b in zip(right, left, strict=True):
        torch.testing.assert_close(a * torch.tensor([-1.0, 1, 1]), b, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", SIDES)
def test_pose_of_files_is_relative_to_the_mean_as_smplx_has_it(posed_model, hands, rng, side):
    pose, betas, transl = tensors(rng.normal(0, 0.5, (3, 48)), rng.normal(size=(3, 10)), rng.normal(size=(3, 3)))
    is_right = torch.full((3,), side == "right")
    with contextlib.redirect_stdout(io.StringIO()):
        reference = smplx.MANO(
            "",
            is_rhand=side == "right",
            data_struct=Struct(**mano_dictionary(hands[side])),
            flat_hand_mean=False,
            use_pca=False,
        )
    expected = reference(betas=betas, global_orient=pose[:, :3], hand_pose=pose[:, 3:], transl=transl)
    rotations = posed_model.rotations_from_file_pose(pose, is_right)
    vertices, _ = posed_model(rotations, betas, transl, is_right)
    np.testing.assert_allclose(vertices, expected.vertices.detach(), atol=1e-5)

    without_mean = torch.from_numpy(Rotation.from_rotvec(pose.reshape(-1, 3).numpy()).as_matrix()).reshape(3, 16, 3, 3)
    vertices, _ = posed_model(without_mean.float(), betas, transl, is_right)
    assert (vertices - expected.vertices).norm(dim=-1).max() > 0.02


def test_zero_pose_in_a_file_is_the_mean_pose(model):
    is_right = torch.tensor([True, False])
    turns = model.rotations_from_file_pose(torch.zeros(2, 48), is_right)
    for k, side in enumerate(SIDES):
        mean = open_hand(side).hands_mean.reshape(15, 3)
        np.testing.assert_allclose(turns[k, 1:], Rotation.from_rotvec(mean).as_matrix(), atol=1e-6)
        np.testing.assert_allclose(model.hands_mean[k], mean.reshape(-1), atol=1e-7)
    torch.testing.assert_close(turns[:, 0], torch.eye(3).expand(2, 3, 3))


@pytest.mark.parametrize("leading", [(), (5,), (2, 2), (3, 1, 2), (0,), (0, 2), (2, 0)])
def test_any_leading_shape(model, rotations, rng, leading):
    turns, betas, transl = tensors(
        rotations(*leading, 16), rng.normal(size=(*leading, 10)), rng.normal(size=(*leading, 3))
    )
    is_right = torch.from_numpy(np.asarray(rng.uniform(size=leading) < 0.5))
    vertices, joints = model(turns, betas, transl, is_right)
    assert vertices.shape == (*leading, 1609, 3)
    assert joints.shape == (*leading, 21, 3)
    assert model.rest_root(betas, is_right).shape == (*leading, 3)
    assert model.joints_from_vertices(vertices, is_right).shape == (*leading, 21, 3)
    pose = torch.zeros(*leading, 48)
    assert model.rotations_from_file_pose(pose, is_right).shape == (*leading, 16, 3, 3)
    for index in np.ndindex(*leading):
        one = model(turns[index], betas[index], transl[index], is_right[index])
        torch.testing.assert_close(vertices[index], one[0], atol=1e-6, rtol=0)


def test_no_translation_leaves_the_root_joint_at_rest(posed_model, hands, rotations, rng, rest_joints):
    turns, betas = tensors(rotations(4, 16), rng.normal(size=(4, 10)))
    is_right = torch.tensor([True, False, True, False])
    _, joints = posed_model(turns, betas, None, is_right)
    roots = posed_model.rest_root(betas, is_right)
    torch.testing.assert_close(joints[:, 0], roots, atol=1e-6, rtol=0)
    for k, side in enumerate(("right", "left", "right", "left")):
        np.testing.assert_allclose(roots[k], rest_joints(hands[side], betas[k : k + 1].numpy())[0, 0], atol=1e-6)


@pytest.mark.parametrize("tips", TIP_VERTICES)
def test_joints_from_vertices(monkeypatch, hands, rotations, rng, tips):
    hands["left"] = replace(hands["left"], J_regressor=hands["left"].J_regressor[::-1].copy())
    monkeypatch.setattr(layer_module, "load_hand", lambda _, side: hands[side])
    model = HandModel(tips=tips)
    vertices = rng.normal(0, 0.1, (4, 1609, 3))
    is_right = np.array([True, False, True, False])
    joints = model.joints_from_vertices(*tensors(vertices), torch.from_numpy(is_right))
    for side, mask in (("right", is_right), ("left", ~is_right)):
        expected = joints_of(hands[side].J_regressor @ vertices[mask], vertices[mask], tips)
        np.testing.assert_allclose(joints[mask], expected, atol=1e-6)


def test_checkpoints_hold_nothing_of_the_model(model):
    assert model.state_dict() == {}
    assert list(model.parameters()) == []
    parent = torch.nn.Sequential(model, torch.nn.Linear(2, 2))
    assert set(parent.state_dict()) == {"1.weight", "1.bias"}
    parent.load_state_dict(parent.state_dict(), strict=True)


def test_buffers_follow_the_module(model, rotations, rng):
    double = HandModel().double()
    turns, betas, transl = rotations(2, 16), rng.normal(size=(2, 10)), rng.normal(size=(2, 3))
    is_right = torch.tensor([True, False])
    vertices, joints = double(*(torch.from_numpy(array) for array in (turns, betas, transl)), is_right)
    assert double.dtype == vertices.dtype == joints.dtype == torch.float64
    single, _ = model(*tensors(turns, betas, transl), is_right)
    np.testing.assert_allclose(single, vertices, atol=1e-5)
    assert double.rest_root(torch.from_numpy(betas), is_right).dtype == torch.float64


def test_half_precision_of_the_trainer_does_not_reach_the_hand(posed_model, rotations, rng):
    turns, betas, transl = tensors(rotations(4, 16), rng.normal(size=(4, 10)), rng.normal(size=(4, 3)))
    pose = torch.from_numpy(rng.normal(0, 0.5, (4, 48))).float()
    is_right = torch.tensor([True, False, True, False])

    def everything():
        vertices, joints = posed_model(turns, betas, transl, is_right)
        return (
            vertices,
            joints,
            posed_model.joints_from_vertices(vertices, is_right),
            posed_model.rest_root(betas, is_right),
            posed_model.rotations_from_file_pose(pose, is_right),
        )

    expected = everything()
    precision = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert (turns @ turns).dtype == torch.bfloat16
            results = everything()
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(precision)
    for result, reference in zip(results, expected, strict=True):
        assert result.dtype == torch.float32
        assert (result - reference).abs().max() < 1e-5


def test_half_precision_inputs_are_taken(model, rotations, rng):
    turns, betas = tensors(rotations(2, 16), rng.normal(size=(2, 10)))
    vertices, _ = model(turns.bfloat16(), betas.bfloat16(), None, torch.tensor([True, False]))
    expected, _ = model(turns.bfloat16().float(), betas.bfloat16().float(), None, torch.tensor([True, False]))
    assert vertices.dtype == torch.float32
    torch.testing.assert_close(vertices, expected)


def test_gradients_reach_the_parameters_of_their_own_hand(posed_model, rotations, rng):
    turns, betas, transl = tensors(rotations(3, 16), rng.normal(size=(3, 10)), rng.normal(size=(3, 3)))
    inputs = [tensor.requires_grad_() for tensor in (turns, betas, transl)]
    vertices, joints = posed_model(*inputs, torch.tensor([True, False, True]))
    (vertices[1].square().sum() + joints[1].square().sum()).backward()
    for tensor in inputs:
        assert tensor.grad is not None
        assert tensor.grad[1].abs().sum() > 0
        assert tensor.grad[0].abs().sum() == tensor.grad[2].abs().sum() == 0


def test_it_says_what_it_is(model, tmp_path, capsys):
    right = open_hand("right")
    assert model.name == "open hand"
    assert model.num_vertices == 1609
    assert model.faces.shape == (2, 3196, 3)
    np.testing.assert_array_equal(model.faces[0], right.faces)
    np.testing.assert_array_equal(model.faces[1], mirror(right).faces)

    longer = replace(right, v_template=right.v_template * 1.1)
    write_npz(longer, tmp_path / "MANO_RIGHT.npz")
    other = HandModel(tmp_path)
    assert other.name == str(tmp_path / "MANO_RIGHT.npz")
    assert other.fingerprint != model.fingerprint == HandModel().fingerprint
    assert capsys.readouterr().out == ""


def test_wrong_settings(tmp_path, small_hand):
    with pytest.raises(UserError, match="tips='manopth' is unknown; choose one of eanet, smplx, interhand"):
        HandModel(tips="manopth")
    write_npz(small_hand, tmp_path / "MANO_RIGHT.npz")
    with pytest.raises(UserError, match="too few vertices"):
        HandModel(tmp_path)
    write_npz(open_hand("left"), tmp_path / "MANO_LEFT.npz")
    with pytest.raises(UserError, match="vertices"):
        HandModel(tmp_path)


@pytest.fixture
def two_hands(posed_hand):
    """Two hands that are not each other's mirror image and differ in pose directions and skinning weights."""
    right, left = (posed_hand(side) for side in SIDES)
    left.weights[:] = np.roll(left.weights, 1, axis=0)
    return right, left


@pytest.fixture
def two_hands_model(two_hands, monkeypatch) -> HandModel:
    monkeypatch.setattr(layer_module, "load_hand", lambda _, side: two_hands[SIDES.index(side)])
    return HandModel()


def hands_of_smplx(two_hands, rotations, betas, transl, is_right):
    """Vertices and 21 joints from smplx's own layers, one hand at a time."""
    layers = SmplxLayer(two_hands).layers
    outputs = [
        layers[0 if right else 1](
            global_orient=rotations[k : k + 1, :1],
            hand_pose=rotations[k : k + 1, 1:],
            betas=betas[k : k + 1],
            transl=None if transl is None else transl[k : k + 1],
        )
        for k, right in enumerate(is_right.tolist())
    ]
    vertices, joints = (torch.cat([output[name] for output in outputs]) for name in ("vertices", "joints"))
    joints = torch.cat([joints, vertices[:, list(TIP_VERTICES["eanet"])]], 1)
    return vertices, joints[:, list(JOINTS_FROM_MANO_AND_TIPS)]


@pytest.fixture
def inputs(rotations, rng):
    """Rotations, betas and translations of eight two_hands, centimetres apart as in a crop's frame."""
    arrays = rotations(8, 16), rng.normal(size=(8, 10)), 0.1 * rng.normal(size=(8, 3))
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize("sides", [(1, 1, 1, 1, 1, 1, 1, 1), (0, 0, 0, 0, 0, 0, 0, 0), (1, 0, 0, 1, 0, 1, 1, 0)])
@pytest.mark.parametrize("translated", [True, False])
def test_values_and_gradients_are_those_of_smplx(two_hands, two_hands_model, inputs, sides, translated):
    is_right = torch.tensor(sides, dtype=torch.bool)
    results = []
    for hands in (two_hands_model, partial(hands_of_smplx, two_hands)):
        given = [tensor.clone().requires_grad_() for tensor in inputs]
        rotations, betas, transl = given
        vertices, joints = hands(rotations, betas, transl if translated else None, is_right)
        # Of order one: a loss in metres, averaged over coordinates.
        (vertices.square().mean() + joints.square().mean()).backward()
        results.append([vertices, joints, *(tensor.grad for tensor in given[: 3 if translated else 2])])
    for name, own, reference in zip(("vertices", "joints", "rotations", "betas", "transl"), *results, strict=False):
        torch.testing.assert_close(own, reference, atol=1e-6, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
    assert min(reference.abs().max() for reference in results[1]) > 1e-4


@pytest.mark.parametrize("layer", [SkinningLayer, SmplxLayer])
def test_wrist_is_the_origin_of_hands_about_it(two_hands, two_hands_model, inputs, layer):
    """The network's hands are those of ``forward`` minus their wrist, in values and gradients."""
    two_hands_model._layer = layer(two_hands)
    is_right = torch.tensor([True, False] * 4)
    results = []
    for about_wrist in (True, False):
        rotations, betas = (tensor.clone().requires_grad_() for tensor in inputs[:2])
        if about_wrist:
            vertices, joints = two_hands_model.about_wrist(rotations, betas, is_right)
        else:
            vertices, joints = hands_of_smplx(two_hands, rotations, betas, inputs[2], is_right)
            vertices, joints = vertices - joints[:, :1], joints - joints[:, :1]
        (vertices.square().mean() + joints.square().mean()).backward()
        results.append([vertices, joints, rotations.grad, betas.grad])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert not results[0][1][:, 0].any()


def test_gradients_are_those_of_finite_differences(two_hands_model, inputs):
    """In float64, and only with respect to the numbers that a network predicts."""
    model = two_hands_model.double()
    rotations, betas, transl = (tensor[:2].double() for tensor in inputs)
    is_right = torch.tensor([True, False])

    def seen(rotations: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor) -> torch.Tensor:
        vertices, joints = model(rotations, betas, transl, is_right)
        return torch.cat([vertices[:, ::400], joints], 1)

    given = tuple(tensor.requires_grad_() for tensor in (rotations, betas, transl))
    assert torch.autograd.gradcheck(seen, given, fast_mode=True)


def test_double_precision_is_that_of_numpy_skinning(two_hands, two_hands_model, inputs):
    rotations, betas, transl = (tensor.double() for tensor in inputs)
    vertices, joints = two_hands_model.double()(rotations, betas, transl, torch.ones(8, dtype=torch.bool))
    expected, expected16 = skin(two_hands[0], rotations.numpy(), betas.numpy(), transl.numpy())
    np.testing.assert_allclose(vertices, expected, atol=1e-6)  # the arrays themselves are rounded to float32
    np.testing.assert_allclose(joints, joints_of(expected16, expected, "eanet"), atol=1e-6)
    rest = SkinningLayer(two_hands).rest_joints(inputs[1], torch.zeros(8, dtype=torch.bool))
    shaped = two_hands[1].v_template + np.einsum("vcb,nb->nvc", two_hands[1].shapedirs, betas.numpy())
    np.testing.assert_allclose(rest, two_hands[1].J_regressor @ shaped, atol=1e-6)


# MANO files are posed by smplx, mixed sides and all.


def test_a_mano_file_is_posed_by_smplx_row_by_row(posed_hand, rotations, rng, tmp_path, monkeypatch):
    hands = {side: posed_hand(side) for side in SIDES}
    # The left hand's shape directions differ, or reading both would take them for the official file's slip.
    hands["left"] = replace(hands["left"], shapedirs=1.1 * hands["left"].shapedirs)
    for side, hand in hands.items():
        write_npz(hand, tmp_path / f"MANO_{side.upper()}.npz")
    model = HandModel(tmp_path)
    calls = []
    for layer in model.modules():
        if type(layer).__name__ == "MANOLayer":
            layer.register_forward_hook(lambda module, *_: calls.append(module.is_rhand))
    turns, betas, transl = rotations(5, 16), rng.normal(size=(5, 10)), rng.normal(size=(5, 3))
    is_right = np.array([True, False, False, True, False])
    given = [torch.from_numpy(array).float() for array in (turns, betas, transl)]
    vertices, _ = model(*given, torch.from_numpy(is_right))
    assert sorted(calls) == [False, True]
    for side, mask in (("right", is_right), ("left", ~is_right)):
        np.testing.assert_allclose(
            vertices[mask], skin(hands[side], turns[mask], betas[mask], transl[mask])[0], atol=1e-5
        )
    assert model.state_dict() == {}
    empty, _ = model(*(tensor[:0] for tensor in given), torch.from_numpy(is_right[:0]))
    assert empty.shape == (0, 1609, 3)


# Changes of frame and mirroring of parameters, against transforming the mesh.


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
