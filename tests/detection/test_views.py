import numpy as np
import pytest

from gesturehand.detection.views import views_of


@pytest.mark.parametrize("size", [(640, 480), (1080, 1920), (3000, 2000)])
def test_palms_of_every_size_and_place_are_seen_whole_and_large_enough(size):
    rng = np.random.default_rng(0)
    squares = np.stack([view.square for view in views_of(*size, 40)])
    for hand in np.geomspace(40, 0.9 * min(size), 12):
        middles = rng.uniform(hand / 2, np.array(size) - hand / 2, (40, 2)) - 0.5
        of_network = 192 * hand / squares[:, 2]
        fits = (of_network > 32) & (of_network < 110)
        apart = np.abs(middles[:, None] - squares[None, :, :2]).max(-1)
        # A palm with the fingers' roots has less than 0.7 of the hand's length.
        whole = apart + 0.7 * hand / 2 <= squares[:, 2] / 2 + 1e-6
        assert (whole & fits).any(1).all(), hand


def test_their_number_is_limited():
    assert len(views_of(60000, 45000, 40)) < 600
    assert len(views_of(1, 1, 40)) == len(views_of(150, 200, 40)) == 3


def test_larger_smallest_hands_take_fewer():
    counts = [len(views_of(2000, 1500, smallest)) for smallest in (30, 60, 120, 240, 500)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0] / 10
