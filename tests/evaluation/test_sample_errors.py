"""Errors of samples, and numbers that JSON cannot express."""

import math

import numpy as np
import torch

from gesturehand.evaluation.sample_errors import SampleErrors, sample_errors_mm


def collected(ids, fine, errors, counted):
    samples = SampleErrors()
    batch = {"annotation_id": torch.tensor(ids), "gesture_fine": torch.tensor(fine), "counted": torch.tensor(counted)}
    samples.update(torch.tensor(errors, dtype=torch.float64), batch)
    samples.compute()
    return samples


def test_error_is_the_mean_over_the_valid_joints_of_both_hands():
    generator = np.random.default_rng(0)
    joints, true = generator.normal(size=(2, 3, 2, 21, 3))
    valid = generator.random((3, 2, 21)) > 0.3
    valid[:, :, 0] = True
    valid[1, 1] = False
    valid[2] = False
    targets = {"joints": torch.from_numpy(true), "joint_valid_eval": torch.from_numpy(valid)}
    result = sample_errors_mm(torch.from_numpy(joints), targets)
    for b in range(2):
        errors = [
            1000 * np.linalg.norm(joints[b, h, j] - joints[b, h, 0] - true[b, h, j] + true[b, h, 0])
            for h in range(2)
            for j in range(21)
            if valid[b, h, j]
        ]
        np.testing.assert_allclose(result[b], np.mean(errors))
    assert result[2].isnan()


def test_samples_that_fill_up_and_those_without_a_valid_joint_are_in_no_table():
    samples = collected([5, 3, 3, 8], [1, 1, 1, 0], [10.0, 30.0, 99.0, math.nan], [True, True, False, True])
    assert samples.annotation_id.tolist() == [3, 5, 8]
    assert samples.by_gesture(("a", "b")) == {"b": {"samples": 2, "mpjpe_mm": 20.0}}
    assert samples.worst(16) == [{"id": 3, "mpjpe_mm": 30.0}, {"id": 5, "mpjpe_mm": 10.0}]


def test_worst_are_the_largest_first_and_equal_ones_by_id():
    samples = collected([4, 2, 9, 7], [-1] * 4, [5.0, 5.0, 8.0, 1.0], [True] * 4)
    assert [row["id"] for row in samples.worst(3)] == [9, 2, 4]
    assert samples.by_gesture(("a",)) == {}


def test_no_samples_give_no_errors():
    samples = SampleErrors()
    samples.compute()
    assert samples.worst(16) == []
