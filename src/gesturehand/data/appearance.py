"""Colour, noise and blur of a crop, by albumentations; geometry is :mod:`gesturehand.data.crop`'s alone."""

import os

import numpy as np

# albumentations asks the network for a newer version of itself when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations


class AppearanceJitter:
    """Random colour factors per channel, noise and blur.

    Args:
        colour: Each channel is multiplied by a factor uniform in 1 ± ``colour`` (EANet: 0.2).
        noise_probability: Share of crops with Gaussian noise of up to 4 % of the range.
        blur_probability: Share of crops with a Gaussian blur of 3 × 3 px.
    """

    def __init__(self, colour: float = 0.2, noise_probability: float = 0.1, blur_probability: float = 0.1) -> None:
        self.transform = albumentations.Compose(
            [
                albumentations.MultiplicativeNoise(
                    multiplier=(1 - colour, 1 + colour), per_channel=True, elementwise=False, p=float(colour > 0)
                ),
                albumentations.GaussNoise(std_range=(0.01, 0.04), p=noise_probability),
                albumentations.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.3, 1.0), p=blur_probability),
            ]
        )

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The changed image, a function of the image and the seed alone.

        Args:
            image: (S, S, 3) uint8 RGB.
            seed: Non-negative.
        """
        # One seed for all, as albumentations would set it, gives noise and blur to the same crops.
        seeds = np.random.SeedSequence(seed).generate_state(len(self.transform.transforms)).tolist()
        for transform, own_seed in zip(self.transform.transforms, seeds, strict=True):
            transform.set_random_seed(own_seed)
        return self.transform(image=image)["image"]
