import numpy as np
import pytest

from gesturehand.camera import transform_affine
from gesturehand.detection.views import ImagePyramid, views_of


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


def ramp(height, width):
    """Red grows by x, green by y; 0…250 over the image."""
    image = np.zeros((height, width, 3), np.float64)
    image[..., 0] = np.linspace(0, 250, width)
    image[..., 1] = np.linspace(0, 250, height)[:, None]
    return np.round(image).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2, -3.0])
@pytest.mark.parametrize("side", [20.0, 60.0, 150.0, 430.0])
def test_a_crop_shows_what_its_map_says(side, angle):
    height, width = 701, 1003
    square = np.array([503.3, 351.7, side])
    crop, back = ImagePyramid(ramp(height, width)).cut(square, 32, angle)
    y, x = np.mgrid[:32, :32]
    place = transform_affine(np.stack([x, y], -1).reshape(-1, 2).astype(float), back)
    np.testing.assert_allclose(place.mean(0), square[:2], atol=1e-9)
    wanted = place / [width - 1, height - 1] * 250
    difference = crop.reshape(-1, 3)[:, :2] - wanted
    assert np.abs(difference).max() < 2
    # Rounding aside: half a pixel of a level would be 0.5 and more.
    assert np.abs(difference.mean(0)).max() < 0.25


def test_content_turns_clockwise():
    image = np.zeros((90, 90, 3), np.uint8)
    image[:30, 30:60] = 255  # above the middle
    crop, _ = ImagePyramid(image).cut(np.array([44.5, 44.5, 90.0]), 90, np.pi / 2)
    assert crop[45, 75, 0] == 255  # right of it
    assert crop[15, 45, 0] == 0


def test_outside_the_image_all_is_black():
    image = np.full((50, 60, 3), 200, np.uint8)
    crop, _ = ImagePyramid(image).cut(np.array([0.0, 25.0, 40.0]), 40)
    assert not crop[:, :19].any()
    assert (crop[:, 21:] == 200).all()
    assert not ImagePyramid(image).cut(np.array([500.0, 25.0, 40.0]), 40)[0].any()


def test_fine_stripes_do_not_alias():
    image = np.zeros((1024, 1024, 3), np.uint8)
    image[:, ::2] = 255
    crop, _ = ImagePyramid(image).cut(np.array([511.5, 511.5, 1024.0]), 64)
    assert abs(crop.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 40000), (40000, 1)])
def test_any_size_of_image(size):
    image = np.full((*size, 3), 9, np.uint8)
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    crop, _ = ImagePyramid(image).cut(np.array([*middle, 32.0]), 32)
    assert crop.shape == (32, 32, 3)
    assert crop.max() > 0
