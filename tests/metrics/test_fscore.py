import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from gesturehand.metrics import FScore
from gesturehand.metrics.fscore import f_score_compute, f_score_update, f_scores


def reference_f_score(reference, vertices, truth, threshold_mm):
    moved, _ = reference.aligned(vertices, truth, None, None, "procrustes")
    precision = np.mean(KDTree(truth).query(moved)[0] * 1000 < threshold_mm)
    recall = np.mean(KDTree(moved).query(truth)[0] * 1000 < threshold_mm)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_agrees_with_nearest_neighbours_of_scipy(reference, hands, dtype):
    data = hands(0, 4, vertices=200, noise=0.004, dtype=dtype)
    thresholds = (5.0, 10.0, 15.0)
    scores = f_scores(torch.tensor(data["vertices"]), torch.tensor(data["true_vertices"]), thresholds)
    for n in np.ndindex(4, 2):
        vertices, truth = (data[name][n].astype(np.float64) for name in ("vertices", "true_vertices"))
        expected = [reference_f_score(reference, vertices, truth, threshold) for threshold in thresholds]
        np.testing.assert_allclose(scores[n].numpy(), expected, rtol=1e-9)
    assert 0.05 < scores[..., 0].mean() < scores[..., 2].mean() < 0.95


def test_the_distance_from_the_camera_does_not_matter(hands):
    data = hands(3, 4, vertices=200, noise=0.004)
    vertices, truth = (torch.tensor(data[name]) for name in ("vertices", "true_vertices"))
    torch.testing.assert_close(f_scores(vertices + 1e6, truth + 1e6), f_scores(vertices, truth))


def test_chunks_do_not_change_the_result(hands):
    vertices, truth = (torch.tensor(hands(1, 5)[name]) for name in ("vertices", "true_vertices"))
    whole = f_scores(vertices, truth, chunk_hands=100)
    for chunk_hands in (1, 3):
        torch.testing.assert_close(f_scores(vertices, truth, chunk_hands=chunk_hands), whole)


def test_a_collapsed_prediction_scores_and_one_that_is_not_finite_scores_nothing():
    truth = torch.rand(30, 3, dtype=torch.float64)
    assert f_scores(torch.ones_like(truth), truth).isfinite().all()
    assert f_scores(torch.full_like(truth, torch.nan), truth).tolist() == [0.0, 0.0]


def test_mean_is_over_hands_with_a_fit(hands):
    data = hands(2, 6)
    vertices, truth, fit = (torch.tensor(data[name]) for name in ("vertices", "true_vertices", "fit"))
    mean = f_score_compute(f_score_update(vertices, truth, fit))
    torch.testing.assert_close(mean, f_scores(vertices, truth)[fit].mean(0))
    assert f_score_compute(f_score_update(vertices[:0], truth[:0], fit[:0])).isnan().all()
    metric = FScore(thresholds_mm=(5, 10, 15))
    metric.update(vertices, truth, fit)
    torch.testing.assert_close(metric.compute(), f_scores(vertices, truth, (5, 10, 15))[fit].mean(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"thresholds_mm": ()}, r"thresholds_mm must be positive numbers of millimetres, but got \(\)"),
        ({"thresholds_mm": (5, 0)}, r"thresholds_mm must be positive numbers of millimetres, but got \(5, 0\)"),
        ({"chunk_hands": 0}, "chunk_hands must be a positive integer, but got 0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        FScore(**arguments)
