import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.metrics.alignment import align_eanet, align_global_rotation, align_procrustes, align_root


@pytest.mark.parametrize("num_points", [3, 4, 21])
def test_procrustes_is_the_similarity_of_scipy(num_points):
    rng = np.random.default_rng(num_points)
    prediction, target = rng.normal(size=(2, 5, 2, num_points, 3))
    aligned = align_procrustes(torch.tensor(prediction), torch.tensor(target)).numpy()
    for n in np.ndindex(5, 2):
        a, b = prediction[n] - prediction[n].mean(0), target[n] - target[n].mean(0)
        rotation, _ = Rotation.align_vectors(b, a)
        turned = rotation.apply(a)
        expected = turned * (turned * b).sum() / (turned**2).sum() + target[n].mean(0)
        np.testing.assert_allclose(aligned[n], expected, atol=1e-10)


def test_procrustes_registers_by_the_valid_points_alone():
    rng = np.random.default_rng(0)
    prediction, target = torch.tensor(rng.normal(size=(2, 21, 3)))
    valid = torch.arange(21) % 3 > 0
    expected = align_procrustes(prediction[valid], target[valid])
    prediction[~valid], target[~valid] = torch.nan, 1e9
    aligned = align_procrustes(prediction, target, valid)
    torch.testing.assert_close(aligned[valid], expected)


def test_procrustes_removes_a_similarity_and_keeps_a_reflection(hands):
    truth = torch.tensor(hands(0)["true_joints"])
    rotation = torch.tensor(Rotation.random(12, random_state=0).as_matrix().reshape(6, 2, 3, 3))
    torch.testing.assert_close(align_procrustes(0.3 * truth @ rotation.mT - 2.0, truth), truth)
    mirrored = align_procrustes(truth * torch.tensor([-1.0, 1.0, 1.0]), truth)
    assert (mirrored - truth).norm(dim=-1).mean() > 0.01


@pytest.mark.parametrize("position", [(0.0, 0.0, 0.0), (0.1, 0.2, 0.7)])
def test_procrustes_of_degenerate_hands(position):
    truth = torch.tensor(np.random.default_rng(0).normal(size=(21, 3)))
    point = torch.tensor(position).double().expand(21, 3)
    torch.testing.assert_close(align_procrustes(point, truth), truth.mean(0).expand(21, 3))
    torch.testing.assert_close(align_procrustes(truth, point), point)
    torch.testing.assert_close(align_procrustes(point, point + 1), point + 1)
    line = torch.linspace(-0.1, 0.1, 21).double()[:, None] * torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(align_procrustes(2 * line.flip(-1) + 1, line), line)


def test_procrustes_gives_nan_and_no_error_if_there_is_nothing_to_register():
    prediction, target = torch.rand(2, 3, 21, 3, dtype=torch.float64)
    valid = torch.ones(3, 21, dtype=torch.bool)
    valid[0, 2:] = False
    prediction[1, 4] = torch.inf
    aligned = align_procrustes(prediction, target, valid)
    assert aligned[:2].isnan().all()
    assert aligned[2].isfinite().all()
    assert align_procrustes(prediction[:0], target[:0]).shape == (0, 21, 3)


def test_root_puts_both_wrists_at_the_origin(hands):
    data = {name: torch.tensor(value) for name, value in hands(1).items()}
    prediction, target = align_root(data["vertices"], data["true_vertices"], data["joints"], data["true_joints"])
    torch.testing.assert_close(prediction + data["joints"][..., :1, :], data["vertices"])
    torch.testing.assert_close(target + data["true_joints"][..., :1, :], data["true_vertices"])


def test_eanet_removes_scale_about_any_centre_but_no_rotation(hands):
    truth = torch.tensor(hands(2)["true_joints"])
    scaled = 0.4 * truth + torch.tensor([1.0, -2.0, 0.5])
    prediction, target = align_eanet(scaled, truth, scaled, truth)
    torch.testing.assert_close(prediction, target)
    turned = truth @ torch.tensor(Rotation.from_rotvec([0, 0, 0.3]).as_matrix()).mT
    prediction, target = align_eanet(turned, truth, turned, truth)
    assert (prediction - target).norm(dim=-1).mean() > 0.01


def test_eanet_scales_vertices_by_the_joints(hands):
    data = {name: torch.tensor(value) for name, value in hands(3).items()}
    joints, truth = data["joints"], data["true_joints"]
    prediction, _ = align_eanet(data["vertices"], data["true_vertices"], joints, truth)
    scale = (truth[..., 9, :] - truth[..., 0, :]).norm(dim=-1) / (joints[..., 9, :] - joints[..., 0, :]).norm(dim=-1)
    torch.testing.assert_close(prediction, (data["vertices"] - joints[..., 9:10, :]) * scale[..., None, None])


def test_eanet_of_degenerate_hands_is_finite():
    hand = torch.rand(21, 3, dtype=torch.float64)
    point = torch.ones(21, 3, dtype=torch.float64)
    prediction, _ = align_eanet(point, hand, point, hand)
    torch.testing.assert_close(prediction, torch.zeros_like(point))
    unscaled, _ = align_eanet(hand, point, hand, point)
    torch.testing.assert_close(unscaled, hand - hand[9])
    vanished, _ = align_eanet(hand, point, hand, point, scale_without_truth=0.0)
    torch.testing.assert_close(vanished, torch.zeros_like(hand))


def test_autocast_changes_nothing(hands):
    """A trainer in bf16-mixed updates its metrics under autocast, which would rotate the hands in bfloat16."""
    data = hands(4, dtype=np.float32)
    prediction, target = torch.tensor(data["joints"]), torch.tensor(data["true_joints"])
    rotations = torch.tensor(Rotation.random(12, random_state=0).as_matrix().reshape(6, 2, 3, 3)).float()
    registered = align_procrustes(prediction, target)
    turned = align_global_rotation(prediction, rotations, rotations.flip(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(align_procrustes(prediction, target), registered)
        torch.testing.assert_close(align_global_rotation(prediction, rotations, rotations.flip(0)), turned)


def test_global_rotation_against_scipy_and_about_the_wrist():
    rng = np.random.default_rng(0)
    pose, wrist = rng.normal(size=(3, 21, 3)), rng.normal(size=(3, 1, 3))
    pose -= pose[:, :1]
    predicted, true = Rotation.random(3, random_state=1), Rotation.random(3, random_state=2)
    joints = np.stack([predicted[n].apply(pose[n]) + wrist[n] for n in range(3)])
    expected = np.stack([true[n].apply(pose[n]) + wrist[n] for n in range(3)])
    turned = align_global_rotation(*map(torch.tensor, (joints, predicted.as_matrix(), true.as_matrix())))
    np.testing.assert_allclose(turned.numpy(), expected, atol=1e-12)
