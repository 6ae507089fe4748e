"""Augments pictures in training: a crop's colour, noise and blur by albumentations, and whole batches on the device.

torchvision's transforms draw one change for a whole batch and have neither spectra nor edges, so batches are augmented
in plain torch. Only pictures change here: geometry, which joints must follow, is left to :mod:`gesturehand.data.crop`.
"""

import os
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gesturehand.settings import check_range

# albumentations checks for a newer version over the network when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations

#: Standard deviations of the noise, as shares of the range.
_NOISE: Final = (0.01, 0.04)
#: The largest frequency whose amplitude is mixed, as a share of the side.
_SPECTRUM_BAND: Final = 0.05
#: A picture's resolution is lowered by a factor between these.
_LOWER_BY: Final = (1.3, 4.0)
#: Half sides of a patch, as shares of the picture's.
_PATCH: Final = (0.04, 0.18)
_PATCHES: Final = 2
#: Largest share of a crop beyond the picture's edge, and how often it is black there instead of the repeated border.
_BEYOND: Final = (0.05, 0.38)
_BLACK_SHARE: Final = 0.4


class AppearanceJitter:
    """Random colour factors per channel, noise and blur.

    Args:
        colour: Each channel is multiplied by a factor uniform in 1 ± ``colour`` (EANet: 0.2).
        noise_probability: Share of crops with Gaussian noise of up to 4 % of the range.
        blur_probability: Share of crops with a Gaussian blur of 3 × 3 px.
    """

    def __init__(self, colour: float = 0.2, noise_probability: float = 0.1, blur_probability: float = 0.1) -> None:
        self.colour = colour
        self.noise_probability = noise_probability
        self.blur_probability = blur_probability
        # Only the drawn changes run: albumentations' own random draw costs more than a colour change.
        self.blur = albumentations.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.3, 1.0), p=1.0)

    def __call__(self, image: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Writes the augmented image, which depends only on the image and the generator's state.

        Args:
            image: (S, S, 3) uint8 RGB; not changed.
            random: The generator from which the changes are drawn.
            out: Array for the result, of the same shape; not ``image`` itself.
        """
        # The same number of draws for every crop, so that one setting does not disturb another's.
        factors = random.uniform(1 - self.colour, 1 + self.colour, 3)
        noisy, blurred, strength, place = random.random(4)
        if self.colour > 0:
            # A matrix on 8-bit pixels is vectorised; a look-up table of three channels takes nine times as long.
            cv2.transform(image, np.diag(factors), out)
        else:
            out[:] = image
        if noisy < self.noise_probability:
            _add_noise(out, 255 * (_NOISE[0] + strength * (_NOISE[1] - _NOISE[0])), place)
        if blurred < self.blur_probability:
            self.blur.set_random_seed(int(random.integers(2**31)))
            out[:] = self.blur(image=out)["image"]


def _add_noise(image: np.ndarray, deviation: float, place: float) -> None:
    """Adds normal noise: a stretch of a fixed sheet of noise, at a place between 0 and 1."""
    sheet = _noise_sheet(2 * image.size)
    start = int(place * (sheet.size - image.size))
    noise = sheet[start : start + image.size].reshape(image.shape)
    # Rounded before it is added: the sum's rounding is the same, since pixels are integers.
    cv2.add(image, np.rint(noise * np.float32(deviation)).astype(np.int16), image, dtype=cv2.CV_8U)


@cache
def _noise_sheet(size: int) -> np.ndarray:
    """(size,) float32, standard normal; drawing a million numbers takes longer than decoding ten images."""
    return np.random.default_rng(0).standard_normal(size, dtype=np.float32)


@dataclass(frozen=True)
class BatchAugmentation:
    """Random changes of a training batch's pictures, on the batch's device.

    They are a function of (seed, epoch, batch, process), so that a resumed training makes the same changes. Noise is
    drawn on the device, so that a GPU's values differ from a CPU's.

    Attributes:
        spectrum_share: Share of pictures in which the amplitudes of low frequencies are mixed with another picture's of
            the batch; the phases stay.
        spectrum_strength: Largest weight of the other's amplitudes, 0 to 1.
        low_resolution_share: Share of pictures that are scaled down by 1.3 to 4 and up again.
        brightness: The mean is multiplied by 1 ± this.
        contrast: Deviations from the mean are multiplied by 1 ± this.
        saturation: Deviations from grey are multiplied by a factor between 1 - this and 1 + this.
        colour: Each channel is multiplied by 1 ± this.
        noise: Largest standard deviation of normal noise, of 255; weak noise is more frequent.
        patch_share: Probability of each of two rectangles of one colour.
        edge_share: Share of pictures that end inside the crop: black or the repeated border lies beyond.
    """

    spectrum_share: float = 0.12
    spectrum_strength: float = 0.8
    low_resolution_share: float = 0.1
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.75
    colour: float = 0.12
    noise: float = 10.0
    patch_share: float = 0.2
    edge_share: float = 0.14

    def check(self, section: str) -> None:
        """Checks the settings; ``section`` is their place in the configuration.

        Raises:
            UserError: One is out of its range.
        """
        values = asdict(self)
        check_range(section, 0, 255, noise=values.pop("noise"))
        check_range(section, 0, 1, **values)

    def __call__(self, image: Tensor, seed: tuple[int, ...]) -> Tensor:
        """Changes a batch of pictures.

        Args:
            image: (B, 3, S, S) uint8, or float in 0 … 255; not changed.
            seed: (seed, epoch, batch, process), each 0 or more.

        Returns:
            (B, 3, S, S) float32 in 0 … 255.
        """
        random = np.random.default_rng(seed)
        # Settings that are off draw as many numbers as others, so that one does not affect another.
        generators = random.spawn(6)
        with torch.autocast(image.device.type, enabled=False):
            picture = image.float()
            picture = self._mix_spectra(picture, generators[0])
            picture = self._lower_resolution(picture, generators[1])
            picture = self._change_colours(picture, generators[2])
            picture = self._add_noise(picture, generators[3])
            picture = self._erase(picture, generators[4])
            picture = self._end_inside(picture, generators[5])
            return picture.clamp(0, 255)

    def _mix_spectra(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        """Amplitude-spectrum augmentation: A ← (1 - λ) A + λ A' at low frequencies; half as much of the mean."""
        size, count = picture.shape[-1], len(picture)
        chosen = np.flatnonzero(random.random(count) < self.spectrum_share)
        others = random.permutation(count)[chosen]
        strength = random.random(count)[chosen] * self.spectrum_strength
        width = 1 + (random.random(count)[chosen] * _SPECTRUM_BAND * size).astype(np.int64)
        if not len(chosen):
            return picture
        rows = torch.from_numpy(chosen).to(picture.device)
        own, other = (
            torch.fft.rfft2(picture[torch.from_numpy(numbers).to(picture.device)]) for numbers in (chosen, others)
        )
        down = np.abs(np.fft.fftfreq(size, 1 / size))[:, None] < width[:, None, None]
        right = np.arange(own.shape[-1]) < width[:, None, None]
        share = (down & right) * strength[:, None, None]
        share[:, 0, 0] /= 2
        mixed = torch.from_numpy(share[:, None]).to(picture)
        amplitude = torch.lerp(own.abs(), other.abs(), mixed)
        changed = torch.fft.irfft2(torch.polar(amplitude, own.angle()), s=(size, size))
        return picture.index_copy(0, rows, changed)

    def _lower_resolution(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        size, count = picture.shape[-1], len(picture)
        chosen = np.flatnonzero(random.random(count) < self.low_resolution_share)
        factors = random.uniform(*_LOWER_BY, count)
        if len(chosen):
            picture = picture.clone()
        for place in chosen.tolist():
            small = F.interpolate(picture[place, None], size=(max(1, round(size / factors[place])),) * 2, mode="area")
            picture[place] = F.interpolate(small, size=(size, size), mode="bilinear")[0]
        return picture

    def _change_colours(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        def factors(spread: float, channels: int = 1) -> Tensor:
            drawn = 1 + spread * random.uniform(-1, 1, (len(picture), channels, 1, 1))
            return torch.from_numpy(drawn).to(picture)

        mean = picture.mean((1, 2, 3), keepdim=True)
        picture = (picture - mean) * factors(self.contrast) + mean * factors(self.brightness)
        grey = picture.mean(1, keepdim=True)
        return torch.lerp(grey, picture, factors(self.saturation)) * factors(self.colour, 3)

    def _add_noise(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        deviation = self.noise * random.random((len(picture), 1, 1, 1)) ** 2
        generator = torch.Generator(picture.device).manual_seed(int(random.integers(2**62)))
        if not self.noise:
            return picture
        noise = torch.randn(picture.shape, generator=generator, device=picture.device)
        return picture + noise * torch.from_numpy(deviation).to(picture)

    def _erase(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        size, count = picture.shape[-1], len(picture)
        place = torch.arange(size, device=picture.device)
        for _ in range(_PATCHES):
            drawn = random.random(count) < self.patch_share
            middle = random.uniform(0, size, (2, count))
            half = np.where(drawn, random.uniform(*_PATCH, (2, count)) * size, -1.0)
            colour = torch.from_numpy(random.uniform(0, 255, (count, 3, 1, 1))).to(picture)
            inside_y, inside_x = (
                (place - torch.from_numpy(middle[axis, :, None]).to(picture)).abs()
                < torch.from_numpy(half[axis, :, None]).to(picture)
                for axis in (0, 1)
            )
            patch = inside_y[:, None, :, None] & inside_x[:, None, None, :]
            picture = torch.where(patch, colour, picture)
        return picture

    def _end_inside(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        """Pixels beyond one of the four edges repeat the pixel on the edge, or are black."""
        size, count = picture.shape[-1], len(picture)
        drawn = random.random(count) < self.edge_share
        depth = np.where(drawn, (random.uniform(*_BEYOND, count) * size).astype(np.int64), 0)
        edge = random.integers(4, size=count)
        black = torch.from_numpy(random.random(count) < _BLACK_SHARE).to(picture.device)
        place = np.arange(size)
        for axis in (2, 3):
            low = np.where(edge == 2 * (axis - 2), depth, 0)[:, None]
            high = size - 1 - np.where(edge == 2 * (axis - 2) + 1, depth, 0)[:, None]
            seen = torch.from_numpy(np.clip(place, low, high)).to(picture.device)
            beyond = seen != torch.from_numpy(place).to(picture.device)
            shape = (count, 1, size, 1) if axis == 2 else (count, 1, 1, size)
            picture = picture.gather(axis, seen.view(shape).expand(picture.shape))
            picture = picture.masked_fill(beyond.view(shape) & black.view(count, 1, 1, 1), 0)
        return picture
