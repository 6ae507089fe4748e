"""Colour, noise and blur: functions of a generator that move nothing."""

import cv2
import numpy as np
import pytest

from gesturehand.data.appearance import AppearanceJitter


def changed(jitter: AppearanceJitter, image: np.ndarray, seed: int) -> np.ndarray:
    result = np.full_like(image, 7)
    jitter(image, np.random.default_rng(seed), result)
    return result


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(20, 180, (64, 64, 3), dtype=np.uint8)


def test_result_is_a_function_of_image_and_generator(image):
    first, second = (AppearanceJitter(0.2, 0.5, 0.5) for _ in range(2))
    results = {seed: changed(first, image, seed) for seed in range(8)}
    # In another order, by another object, and after other calls.
    for seed in reversed(results):
        np.random.default_rng().random()
        assert np.array_equal(changed(second, image, seed), results[seed])
        assert np.array_equal(changed(first, image, seed), results[seed])
    assert len({result.tobytes() for result in results.values()}) == len(results)


def test_global_random_state_is_neither_read_nor_changed(image):
    jitter = AppearanceJitter(0.2, 1.0, 1.0)
    np.random.seed(0)  # noqa: NPY002
    before = changed(jitter, image, 5)
    after = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    assert np.random.random() == after  # noqa: NPY002
    assert np.array_equal(changed(jitter, image, 5), before)


def test_image_itself_is_not_changed(image):
    original = image.copy()
    result = changed(AppearanceJitter(0.2, 1.0, 1.0), image, 3)
    assert np.array_equal(image, original)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)


def test_colour_is_one_factor_per_channel_within_its_bounds():
    jitter = AppearanceJitter(0.2, 0.0, 0.0)
    flat = np.full((16, 16, 3), 100, np.uint8)
    factors = []
    for seed in range(200):
        result = changed(jitter, flat, seed)
        assert (result == result[0, 0]).all(), "a factor belongs to a channel, not to a pixel"
        factors.append(result[0, 0] / 100)
    factors = np.array(factors)
    assert factors.min() >= 0.79
    assert factors.max() <= 1.21
    assert factors.min() < 0.82
    assert factors.max() > 1.18
    assert abs(np.corrcoef(factors[:, 0], factors[:, 1])[0, 1]) < 0.2
    assert factors.mean() == pytest.approx(1, abs=0.03)


def test_nothing_switched_on_changes_nothing(image):
    jitter = AppearanceJitter(0.0, 0.0, 0.0)
    for seed in range(5):
        assert np.array_equal(changed(jitter, image, seed), image)


def test_probabilities_are_shares_of_crops_and_independent(image):
    """What changed is told by the same seed's draw with the other change switched off."""
    flat = np.full((32, 32, 3), 100, np.uint8)
    noise, blur, both = AppearanceJitter(0, 0.3, 0), AppearanceJitter(0, 0, 0.3), AppearanceJitter(0, 0.3, 0.3)
    noisy = np.array([changed(noise, flat, seed).std() > 0 for seed in range(500)])
    blurred = np.array([not np.array_equal(changed(blur, image, seed), image) for seed in range(500)])
    assert noisy.mean() == pytest.approx(0.3, abs=0.08)
    assert blurred.mean() == pytest.approx(0.3, abs=0.08)
    assert (noisy & blurred).mean() == pytest.approx(0.09, abs=0.05)
    unchanged = np.array([np.array_equal(changed(both, image, seed), image) for seed in range(500)])
    assert unchanged.mean() == pytest.approx(0.49, abs=0.08)


def test_blur_reaches_the_next_pixel_only():
    dot = np.zeros((21, 21, 3), np.uint8)
    dot[10, 10] = 255
    reach = [np.argwhere(changed(AppearanceJitter(0, 0, 1), dot, seed)[..., 0]) - 10 for seed in range(50)]
    assert max(np.abs(places).max() for places in reach) == 1


def test_noise_is_as_strong_as_stated():
    flat = np.full((64, 64, 3), 128, np.uint8)
    strengths = [changed(AppearanceJitter(0, 1, 0), flat, seed).astype(float).std() / 255 for seed in range(50)]
    assert min(strengths) > 0.008
    assert max(strengths) < 0.043


@pytest.mark.parametrize("seed", range(5))
def test_geometry_stays(seed):
    """A bright square keeps its place to a hundredth of a pixel, whatever happens to its colour and edge."""
    image = np.zeros((64, 64, 3), np.uint8)
    cv2.rectangle(image, (20, 30), (34, 40), (200, 200, 200), -1)
    result = changed(AppearanceJitter(0.2, 0.0, 1.0), image, seed).astype(float).sum(-1)
    ys, xs = np.mgrid[:64, :64]
    assert (result * xs).sum() / result.sum() == pytest.approx(27, abs=0.01)
    assert (result * ys).sum() / result.sum() == pytest.approx(35, abs=0.01)
    noisy = changed(AppearanceJitter(0.2, 1.0, 1.0), image, seed)[..., 0]
    assert noisy[32:39, 22:33].min() > 100
    assert noisy[:25].max() < 60
