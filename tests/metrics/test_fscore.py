import pytest
import torch

from gesturehand.metrics import FScore
from gesturehand.metrics.functional.fscore import f_scores


def test_mean_over_batches_is_the_mean_over_hands(hands):
    data = hands(0, 12, noise=0.006)
    vertices, truth, fit = (torch.tensor(data[name]) for name in ("vertices", "true_vertices", "fit"))
    metric = FScore(thresholds_mm=(5, 10, 15))
    for part in (slice(0, 1), slice(1, 1), slice(1, 7), slice(7, 12)):
        metric.update(vertices[part], truth[part], fit[part])
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
