import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.inference.joint_definition import moved_joints
from gesturehand.synthetic.articulation import posed_mesh


@pytest.fixture
def fitted_offsets(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return importlib.import_module("joint_offsets").fitted_offsets


def test_offsets_are_found_again_from_projections_with_outliers(fitted_offsets):
    """Hands of any pose, marked where known offsets put the joints, as seen from anywhere, turned, scaled and moved."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(21, 3)) * 3
    truth[2:5, [0, 2]] = 0
    joints, marked = [], []
    for _ in range(300):
        pose = (rng.normal(size=48) * 0.35).astype(np.float32)
        _, own = posed_mesh("right", pose, np.zeros(10, np.float32))
        own = own.astype(float) @ Rotation.random(rng=rng).as_matrix().T
        flat = moved_joints(own[None], np.array([True]), truth / 1000)[0, :, :2]
        angle, scale = rng.uniform(-0.3, 0.3), rng.uniform(500, 3000)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        joints.append(own)
        marked.append(scale * flat @ turn.T + rng.uniform(0, 400, 2) + rng.normal(size=(21, 2)))
    marked = np.array(marked)
    marked[::10] += rng.normal(size=(30, 21, 2)) * 80  # hands whose labels are wrong
    found = fitted_offsets(np.array(joints), marked)
    np.testing.assert_allclose(found, truth, atol=0.5)


def test_joints_that_are_marked_where_they_are_stay(fitted_offsets):
    rng = np.random.default_rng(1)
    joints = np.array(
        [
            posed_mesh("right", (rng.normal(size=48) * 0.5).astype(np.float32), np.zeros(10, np.float32))[1]
            for _ in range(40)
        ]
    ).astype(float)
    assert np.abs(fitted_offsets(joints, 1000 * joints[..., :2])).max() == pytest.approx(0, abs=1e-6)
