"""The truth in another project's convention has a large error, and the sentence says which convention and why."""

import numpy as np
import pytest
import torch

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.plausibility import OTHER_ORDERS
from gesturehand.evaluation.conventions import ConventionErrors
from gesturehand.evaluation.score import score_predictions
from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import JOINT_NAMES
from gesturehand.targets import build_targets

AXES = [
    ("y up", (1, -1, 1), "y pointing up"),
    ("OpenGL's axes", (1, -1, -1), "OpenGL"),
    ("PyTorch3D's axes", (-1, -1, 1), "PyTorch3D"),
    ("z backward", (1, 1, -1), "z pointing backward"),
    ("mirrored hands", (-1, 1, 1), "mirrored"),
]


def fault(variant):
    return pytest.mark.fault(
        kind="other conventions in a predictions file",
        variant=variant,
        outcome="scored, with a sentence that names the convention and what the error would be",
    )


@pytest.fixture(scope="module")
def targets(synthetic_root):
    data = InterHandDataModule(
        str(synthetic_root), image_size=8, batch_size=100, num_workers=0, mirror_left=False, read_images=False
    )
    (batch,) = data.evaluation_dataloader("val")
    return build_targets(batch, HandModel())


def sentence(joints, targets, pa_mpjpe_mm=None):
    errors = ConventionErrors()
    for rows in (slice(0, 5), slice(5, None)):
        errors.update(joints[rows], {name: value[rows] for name, value in targets.items()})
    return errors.sentence(pa_mpjpe_mm)


@pytest.mark.parametrize(
    ("signs", "named"), [pytest.param(signs, named, marks=fault(name), id=name) for name, signs, named in AXES]
)
def test_axes_are_named(signs, named, targets):
    text = sentence(targets["joints"] * torch.tensor(signs), targets)
    assert named in text
    assert "would be 0 mm for a frame with" in text


@pytest.mark.parametrize("order", [pytest.param(order, marks=fault(order), id=order) for order in OTHER_ORDERS])
def test_orders_are_named(order, targets):
    places = [JOINT_NAMES.index(name) for name in OTHER_ORDERS[order]]
    text = sentence(targets["joints"][:, :, places], targets)
    assert f"would be 0 mm for joints in {order}" in text


def test_small_errors_and_those_that_nothing_explains_have_no_sentence(targets):
    noise = torch.randn(targets["joints"].shape, generator=torch.Generator().manual_seed(0))
    assert sentence(targets["joints"] + 0.005 * noise, targets) is None
    assert sentence(targets["joints"] + 0.05 * noise, targets, pa_mpjpe_mm=60.0) is None
    assert ConventionErrors().sentence(0.0) is None


def test_small_error_after_alignment_is_said(targets):
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert "PA-MPJPE only 0 mm" in sentence(targets["joints"] @ quarter, targets, pa_mpjpe_mm=0.01)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda j: j[:, :, [JOINT_NAMES.index(name) for name in next(iter(OTHER_ORDERS.values()))]],
            "InterHand2.6M's order",
            marks=fault("the real frames in InterHand2.6M's order"),
        ),
        pytest.param(lambda j: j * np.float32([1, -1, 1]), "y pointing up", marks=fault("the real frames, y up")),
    ],
    ids=["order", "y up"],
)
def test_real_frames(change, words, real_sample, tmp_path):
    data = InterHandDataModule(
        str(real_sample),
        image_size=8,
        num_workers=0,
        hands="all",
        layout="two_hand",
        mirror_left=False,
        read_images=False,
        mano_fits=False,
    )
    hand_model = HandModel()
    (batch,) = data.test_dataloader()
    joints = change(build_targets(batch, hand_model)["joints"].numpy())
    np.savez(tmp_path / "p.npz", ids=batch["annotation_id"].numpy(), joints=joints)
    report = score_predictions(tmp_path / "p.npz", data, hand_model)
    assert report["metrics"]["mpjpe_mm"] > 70
    assert words in report["remark"]
    assert "would be 0 mm" in report["remark"]
