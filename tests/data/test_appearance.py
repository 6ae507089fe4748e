"""Colour, noise and blur: functions of a generator that move nothing."""

import cv2
import numpy as np
import pytest
import torch

from gesturehand.data.appearance import AppearanceJitter, BatchAugmentation
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError

SIZE, COUNT = 40, 24
NOTHING = {
    "spectrum_share": 0, "low_resolution_share": 0, "brightness": 0, "contrast": 0, "saturation": 0, "colour": 0,
    "noise": 0, "patch_share": 0, "edge_share": 0,
}  # fmt: skip
SEED = (0, 1, 2, 0)


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
    """A change shows in comparison with the same seed's draw with the other change switched off."""
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


def only(**settings):
    return BatchAugmentation(**(NOTHING | settings))


@pytest.fixture
def pictures():
    """Far enough from 0 and 255 that nothing is cut off."""
    return torch.randint(90, 166, (COUNT, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_nothing_switched_on_leaves_a_batch_as_it_is(pictures):
    assert torch.equal(only()(pictures, SEED), pictures.float())


def test_changes_are_a_function_of_the_numbers(pictures):
    change, before = BatchAugmentation(), pictures.clone()
    one = change(pictures, SEED)
    torch.rand(1)  # the global generator has no part in it
    assert torch.equal(one, change(pictures.float(), SEED))
    assert torch.equal(pictures, before)
    assert one.dtype == torch.float32
    assert 0 <= one.min() <= one.max() <= 255
    for place in range(4):
        other = [number + (place == at) for at, number in enumerate(SEED)]
        assert (change(pictures, tuple(other)) != one).flatten(1).any(1).all()


def test_one_setting_does_not_disturb_another(pictures):
    everything_else = only(spectrum_share=1, low_resolution_share=1, contrast=0.3, noise=4, patch_share=0.5)
    edges, both = (BatchAugmentation(**(vars(setting) | {"edge_share": 1})) for setting in (only(), everything_else))
    cut = edges(torch.full_like(pictures, 128), SEED) == 0
    assert torch.equal(both(pictures, SEED)[cut], torch.zeros(int(cut.sum())))


def test_spectrum_keeps_phases_and_high_frequencies(pictures):
    # A different wave in each picture, so that low frequencies differ.
    wave = torch.cos(torch.linspace(0, 2 * torch.pi, SIZE + 1)[:-1]) * torch.linspace(5, 30, COUNT)[:, None]
    pictures = pictures.float() * 0.3 + 85 + wave[:, None, None]
    changed = only(spectrum_share=1, spectrum_strength=1)(pictures, SEED)
    before, after = np.fft.fft2(pictures.double().numpy()), np.fft.fft2(changed.double().numpy())
    low = np.abs(np.fft.fftfreq(SIZE, 1 / SIZE)) < 1 + 0.05 * SIZE
    low = low[:, None] & low
    np.testing.assert_allclose(after[..., ~low], before[..., ~low], atol=0.5)
    np.testing.assert_allclose(np.angle(after / before)[..., low], 0, atol=1e-2)
    lowest = np.abs(after)[..., 0, 1] / np.abs(before)[..., 0, 1]
    assert (np.abs(lowest - 1) > 0.05).mean() > 0.25  # the others only mix the mean


def test_spectrum_of_some_leaves_the_others(pictures):
    changed = only(spectrum_share=0.5)(pictures, SEED)
    untouched = torch.tensor([torch.equal(one, other) for one, other in zip(changed, pictures.float(), strict=True)])
    assert 0 < untouched.sum() < COUNT


def test_brightness_and_contrast_are_linear(pictures):
    x = pictures.double()
    mean = x.mean((1, 2, 3))
    brighter = only(brightness=0.3)(pictures, SEED).double()
    factors = brighter.mean((1, 2, 3)) / mean
    assert ((factors - 1).abs() <= 0.3001).all()
    assert factors.std() > 0.05
    np.testing.assert_allclose(brighter - x, ((factors - 1) * mean)[:, None, None, None].expand_as(x), atol=1e-3)
    stronger = only(contrast=0.3)(pictures, SEED).double()
    np.testing.assert_allclose(stronger.mean((1, 2, 3)), mean, atol=1e-3)
    ratio = stronger.std((1, 2, 3)) / x.std((1, 2, 3))
    assert ratio.min() >= 0.6999
    assert ratio.max() <= 1.3001
    assert ratio.std() > 0.05


def test_saturation_keeps_grey_and_colour_scales_channels(pictures):
    x = pictures.double()
    paler = only(saturation=0.75)(pictures, SEED).double()
    np.testing.assert_allclose(paler.mean(1), x.mean(1), atol=1e-3)
    factors = only(colour=0.1)(pictures, SEED).double() / x
    np.testing.assert_allclose(factors.flatten(2).std(-1), 0, atol=1e-6)
    assert ((factors - 1).abs() <= 0.1001).all()
    assert (factors[:, 0, 0, 0] != factors[:, 1, 0, 0]).all()


def test_noise_is_as_strong_as_said(pictures):
    noise = only(noise=10)(pictures, SEED) - pictures
    deviation = noise.flatten(1).std(1)
    assert deviation.max() < 10.5
    assert deviation.max() > 5
    np.testing.assert_allclose(noise.flatten(1).mean(1), 0, atol=0.7)


def test_lower_resolution_keeps_the_mean(pictures):
    changed = only(low_resolution_share=1)(pictures, SEED)
    np.testing.assert_allclose(changed.mean((2, 3)), pictures.float().mean((2, 3)), atol=1.5)
    assert (changed.flatten(1).std(1) < 0.8 * pictures.float().flatten(1).std(1)).all()


def test_patches_are_rectangles_of_one_colour(pictures):
    changed = only(patch_share=1)(pictures, SEED)
    hidden = (changed != pictures).any(1)
    assert hidden.flatten(1).any(1).all()
    for picture, patch in zip(changed, hidden, strict=True):
        colours = torch.unique(picture[:, patch], dim=1).T
        assert len(colours) <= 2
        for colour in colours:
            rows, columns = torch.nonzero((picture == colour[:, None, None]).all(0), as_tuple=True)
            assert np.ptp(rows) < 0.36 * SIZE + 1
            assert np.ptp(columns) < 0.36 * SIZE + 1


def test_picture_ends_at_one_edge(pictures):
    changed = only(edge_share=1)(pictures, SEED)
    kinds = set()
    for one, source in zip(changed, pictures.float(), strict=True):
        found = []
        for edge in range(4):
            # Turned so that the edge in question is the first rows.
            turned, before = (torch.rot90(x, edge, (1, 2)) for x in (one, source))
            for depth in range(int(0.05 * SIZE), int(0.38 * SIZE) + 1):
                for black in (True, False):
                    wanted = before.clone()
                    wanted[:, :depth] = 0 if black else before[:, depth : depth + 1]
                    if torch.equal(turned, wanted):
                        found.append((edge, black))
        assert len(found) == 1
        kinds |= set(found)
    assert len(kinds) > 4


@pytest.mark.parametrize(
    ("setting", "value"), [("spectrum_share", 1.5), ("noise", -1), ("contrast", float("nan")), ("edge_share", "often")]
)
def test_impossible_setting_is_named(setting, value):
    with pytest.raises(UserError, match=f"data.device_augmentation.{setting}"):
        InterHandDataModule(device_augmentation=BatchAugmentation(**{setting: value}))


def test_data_module_changes_pictures_only(pictures):
    batch = {"image": pictures, "annotation_id": torch.arange(COUNT)}
    assert InterHandDataModule().augmented(batch, 0, 0) is batch
    data = InterHandDataModule(seed=3, device_augmentation=BatchAugmentation())
    changed = data.augmented(batch, 5, 7, 1)
    assert torch.equal(changed["image"], BatchAugmentation()(pictures, (3, 5, 7, 1)))
    assert changed["annotation_id"] is batch["annotation_id"]
    assert torch.equal(batch["image"], pictures)
