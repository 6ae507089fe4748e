"""All numbers together, against the functional metrics on all data."""

import pytest
import torch

from gesturehand.hand.layer import HandModel
from gesturehand.metrics.functional import f_scores, hand_groups, mpjpe, mpvpe
from gesturehand.metrics.hand_metrics import DETAILED_METRICS, HAND_METRICS, HandMetrics

HAND_MODEL = HandModel()
SAMPLES = 6


def hands(seed):
    """Predictions, targets and the batch of a few pairs, some with one hand, no fit or invalid joints."""
    generator = torch.Generator().manual_seed(seed)

    def near(tensor):
        return tensor + 0.01 * torch.randn(tensor.shape, generator=generator)

    is_right = torch.tensor([True, False]).expand(SAMPLES, 2)
    rotations = torch.eye(3).expand(SAMPLES, 2, 16, 3, 3)
    vertices, joints = HAND_MODEL(rotations, torch.randn(SAMPLES, 2, 10, generator=generator), None, is_right)
    interacting = torch.arange(SAMPLES) % 2 == 0
    present = interacting[:, None] | torch.tensor([True, False])
    valid = (torch.rand(SAMPLES, 2, 21, generator=generator) > 0.2) & present[..., None]
    valid[..., 0] |= present
    valid &= valid[..., :1]
    fitted = present.clone()
    fitted[2, 1] = fitted[3, 0] = False
    prediction = {"joints": near(joints), "vertices": near(vertices), "rotations": rotations}
    targets = {
        "joints": joints,
        "vertices": vertices,
        "rotations": rotations,
        "joint_valid_eval": valid,
        "mano_valid": fitted,
        "source_is_right": is_right,
    }
    batch = {"is_right": is_right, "interacting": interacting, "pair_fitted": interacting & fitted.all(-1)}
    return prediction, targets, batch


@pytest.fixture(scope="module")
def metrics():
    result = HandMetrics(detailed=True)
    for seed in (0, 1):
        result.update(*hands(seed), HAND_MODEL)
    return result


@pytest.fixture(scope="module")
def everything():
    parts = [hands(seed) for seed in (0, 1)]
    return [{key: torch.cat([part[k][key] for part in parts]) for key in parts[0][k]} for k in range(3)]


def test_names_are_those_described(metrics):
    assert metrics.compute().keys() == HAND_METRICS.keys() | DETAILED_METRICS.keys()
    assert HandMetrics().compute().keys() == HAND_METRICS.keys()
    assert metrics.averages().keys() == metrics.compute().keys()


def test_errors_of_single_and_two_hand_frames_are_those_of_either_alone(metrics, everything):
    prediction, targets, batch = everything
    regressed = [HAND_MODEL.joints_from_vertices(p["vertices"], batch["is_right"]) for p in (prediction, targets)]
    fitted = targets["mano_valid"]
    values = metrics.compute()
    for name, rows in {"single": ~batch["interacting"], "interacting": batch["interacting"]}.items():
        counted = fitted & rows[:, None]
        group = hand_groups(~targets["source_is_right"], batch["interacting"])
        valid = targets["joint_valid_eval"] & counted[..., None]
        expected = mpjpe(*regressed, valid, group, "eanet")
        # Joints are regressed in float32, whose last digits depend on how many hands are regressed together.
        torch.testing.assert_close(values[f"mpjpe_eanet_{name}_mm"], expected, rtol=1e-6, atol=0)
        meshes = prediction["vertices"], targets["vertices"]
        expected = mpvpe(*meshes, *regressed, counted, batch["interacting"], "eanet")
        torch.testing.assert_close(values[f"mpvpe_eanet_{name}_mm"], expected, rtol=1e-6, atol=0)


def test_f_scores_are_the_mean_over_hands_with_a_fit(metrics, everything):
    prediction, targets, _ = everything
    fitted = targets["mano_valid"]
    expected = f_scores(prediction["vertices"][fitted], targets["vertices"][fitted]).mean(0)
    values = metrics.compute()
    torch.testing.assert_close(torch.stack([values["f_score_5"], values["f_score_15"]]), expected)


def test_area_is_under_the_curve_that_is_reported(metrics):
    curves, values = metrics.pck(), metrics.compute()
    thresholds = torch.tensor(curves["thresholds_mm"], dtype=torch.float64)
    for protocol in ("root", "procrustes"):
        area = torch.trapezoid(torch.tensor(curves[protocol], dtype=torch.float64), thresholds) / thresholds[-1]
        torch.testing.assert_close(values[f"auc_{protocol}"], area)
        assert 0 < area < 1


def test_published_protocol_takes_hands_without_a_fit_for_perfect():
    """With every joint valid, its two slips amount to one: such hands add to the counts and nothing to the sums."""
    prediction, targets, batch = hands(0)
    targets["joint_valid_eval"] = torch.ones_like(targets["joint_valid_eval"])
    targets["mano_valid"] = torch.ones_like(targets["mano_valid"])
    targets["mano_valid"][:2] = False
    batch["interacting"] = torch.ones_like(batch["interacting"])
    metrics = HandMetrics(detailed=True)
    metrics.update(prediction, targets, batch, HAND_MODEL)
    values = metrics.compute()
    expected = values["mpjpe_eanet_mm"] * (SAMPLES - 2) / SAMPLES
    torch.testing.assert_close(values["mpjpe_eanet_published_mm"], expected)


def test_without_any_fit_no_number_of_meshes_is_given():
    prediction, targets, batch = hands(0)
    targets["mano_valid"] = torch.zeros_like(targets["mano_valid"])
    metrics = HandMetrics(detailed=True)
    metrics.update(prediction, targets, batch, HAND_MODEL)
    known = {name for name, value in metrics.compute().items() if not value.isnan()}
    assert known == {"mpjpe_mm", "pa_mpjpe_mm", "auc_root", "auc_procrustes"}


def test_mean_of_the_joints_is_the_number(metrics):
    rows = metrics.per_joint()
    values = metrics.compute()
    for protocol, name in {"root": "mpjpe_mm", "eanet": "mpjpe_eanet_mm"}.items():
        table = torch.tensor(list(rows[protocol].values()), dtype=torch.float64)
        torch.testing.assert_close(table.nanmean(), values[name])


def test_reset_forgets_everything():
    metrics = HandMetrics(detailed=True)
    metrics.update(*hands(0), HAND_MODEL)
    metrics.reset()
    assert all(value.isnan() for value in metrics.compute().values())
