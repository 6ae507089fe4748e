"""Colour, noise and blur of a crop, by albumentations; geometry is :mod:`gesturehand.data.crop`'s alone."""

import os
from functools import cache
from typing import Final

import cv2
import numpy as np

# albumentations asks the network for a newer version of itself when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations

#: Standard deviations of the noise, as shares of the range.
_NOISE: Final = (0.01, 0.04)


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
        # Only what is drawn runs: albumentations' own draw costs more than a colour change.
        self.blur = albumentations.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.3, 1.0), p=1.0)

    def __call__(self, image: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Writes the changed image, a function of the image and the generator's state alone.

        Args:
            image: (S, S, 3) uint8 RGB; stays as it is.
            random: Where the changes are drawn from.
            out: Where the result goes, of the same shape; not ``image`` itself.
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
    """Adds normal noise: a stretch of a fixed sheet of it, at a place between 0 and 1."""
    sheet = _noise_sheet(2 * image.size)
    start = int(place * (sheet.size - image.size))
    noise = sheet[start : start + image.size].reshape(image.shape)
    # Rounded before it is added: the sum's rounding is the same, since pixels are integers.
    cv2.add(image, np.rint(noise * np.float32(deviation)).astype(np.int16), image, dtype=cv2.CV_8U)


@cache
def _noise_sheet(size: int) -> np.ndarray:
    """(size,) float32, standard normal; drawing a million numbers takes longer than decoding ten images."""
    return np.random.default_rng(0).standard_normal(size, dtype=np.float32)
