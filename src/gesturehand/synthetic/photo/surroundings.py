"""What lies behind and in front of the hands: pieces of a few photographs for each person, or of made-up ones.

Nothing here depends on the hands, so that the surroundings do not give a gesture away: a person's pictures share a few
places, whatever gestures they show.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.splits import Split
from gesturehand.synthetic.photo.plan import PhotoSettings, photographs_of, read_photograph
from gesturehand.synthetic.settings import generator

Picture = npt.NDArray[np.uint8]

#: Photographs for each person.
_PLACES: Final = 4
#: Share of the photograph's shorter side that fills a picture.
_PIECE: Final = (0.12, 0.9)
#: Shares of pictures before a smooth wall or sky, and out of focus.
_SMOOTH_SHARE: Final = 0.15
_BLURRED_SHARE: Final = 0.4
#: Sides of a made-up photograph, px; number of its surfaces, and the size of the largest and smallest as shares of
#: its height.
_MADE_UP_PX: Final = (480, 640)
_SURFACES: Final = (40, 110)
_LARGEST, _SMALLEST = 0.9, 0.05


def background(settings: PhotoSettings, split: Split, subject: int, rng: np.random.Generator) -> Picture:
    """A picture's background.

    Args:
        settings: the set's.
        split: the picture's; every split has its own photographs.
        subject: whose places they are.
        rng: the picture's.

    Returns:
        (image_px, image_px, 3) uint8 BGR.
    """
    side = settings.image_px
    if rng.random() < _SMOOTH_SHARE:
        return _smooth(side, rng)
    places = _places(settings, split, subject)
    piece = _piece(places[rng.integers(len(places))], side, rng)
    if rng.random() < _BLURRED_SHARE:
        return np.asarray(cv2.GaussianBlur(piece, (0, 0), rng.uniform(0.5, 4)), np.uint8)
    return piece


def put_before(
    image: Picture, settings: PhotoSettings, split: Split, subject: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Covers part of the picture with a flat object that looks like a piece of a photograph.

    Args:
        image: (H, W, 3) uint8 BGR, changed in place.
        settings: the set's.
        split: the picture's.
        subject: whose places they are.
        rng: the picture's.

    Returns:
        (H, W) bool, where more than half of the pixel is covered.
    """
    side = settings.image_px
    middle, radius = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0.06, 0.22) * side
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    reach = radius * rng.uniform(0.4, 1.6, len(angles))
    tall = rng.uniform(0.5, 1.5, len(angles))
    corners = middle + reach[:, None] * np.stack([np.cos(angles), np.sin(angles) * tall], 1)
    cover = np.zeros((side, side), np.uint8)
    cv2.fillPoly(cover, [corners.astype(np.int32)], 255)
    share = cv2.GaussianBlur(cover, (0, 0), 0.8).astype(np.float32)[..., None] / 255
    image[:] = image * (1 - share) + background(settings, split, subject, rng) * share
    return np.asarray(share[..., 0] > 0.5)


@lru_cache(maxsize=8)
def _places(settings: PhotoSettings, split: Split, subject: int) -> tuple[Picture, ...]:
    rng = generator(settings.seed, "places", subject)
    if settings.backgrounds is None:
        return tuple(_made_up(rng) for _ in range(_PLACES))
    names = photographs_of(settings.backgrounds, split)
    chosen = rng.permutation(len(names))[:_PLACES]
    return tuple(read_photograph(Path(settings.backgrounds) / names[number]) for number in chosen)


def _piece(photograph: Picture, side: int, rng: np.random.Generator) -> Picture:
    height, width = photograph.shape[:2]
    size = max(int(rng.uniform(*_PIECE) * min(height, width)), 8)
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    piece = photograph[top : top + size, left : left + size]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    method = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(piece), (side, side), interpolation=method), np.uint8)


def _smooth(side: int, rng: np.random.Generator) -> Picture:
    """A gradient between two colours, down or across."""
    first, last = rng.uniform(0, 255, (2, 3))
    if rng.random() < 0.7:
        # Walls and skies: two shades of nearly the same colour.
        last = np.clip(first * rng.uniform(0.5, 1.3) + rng.normal(size=3) * 10, 0, 255)
    share = np.linspace(0, 1, side)[:, None, None]
    image = np.broadcast_to(first * (1 - share) + last * share, (side, side, 3)).astype(np.uint8)
    return np.ascontiguousarray(image if rng.random() < 0.5 else image.transpose(1, 0, 2))


def _made_up(rng: np.random.Generator) -> Picture:
    """Surfaces that hide each other, their sizes and textures distributed as in photographs.

    Discs, boxes and strips with radii by the power law r⁻³ ("dead leaves"; Lee, Mumford and Huang, *Occlusion models
    for natural images*, 2001) before a wall and a floor, each with a texture whose amplitude falls with the frequency.
    """
    height, width = _MADE_UP_PX
    hues = rng.uniform(0, 180, 3)
    image = np.empty((height, width, 3), np.float32)
    image[:] = _colour(hues, rng)
    image[round(height * rng.uniform(0.4, 1.0)) :] = _colour(hues, rng)
    textures = [_texture(rng, slope) for slope in (0.9, 1.2, 1.6)]
    image *= np.clip(1 + 0.12 * textures[rng.integers(3)], 0.3, 1.8)[..., None]
    uniform = rng.random(int(rng.integers(*_SURFACES)))
    # Inverse of the distribution of r⁻³ between the smallest and the largest.
    radii = (_SMALLEST**-2 + uniform * (_LARGEST**-2 - _SMALLEST**-2)) ** -0.5 * height / 2
    for radius in np.sort(radii)[::-1] if rng.random() < 0.5 else radii:
        mask = np.zeros((height, width), np.uint8)
        middle = (rng.uniform(0, width), rng.uniform(0, height))
        kind, longer, angle = rng.integers(3), rng.uniform(0.3, 3.0), rng.normal() * 20 + 90 * rng.integers(2)
        if kind == 0:
            cv2.ellipse(
                mask, tuple(map(int, middle)), (int(radius) + 1, int(radius * longer) + 1), angle, 0, 360, 1, -1
            )
        else:
            sides = (2 * radius * (0.25 if kind == 2 else 1), 2 * radius * longer)
            cv2.fillPoly(mask, [cv2.boxPoints((middle, sides, angle)).astype(np.int32)], 1)
        left, top, across, down = cv2.boundingRect(mask)
        part = (slice(top, top + down), slice(left, left + across))
        inside = mask[part] > 0
        shade = 1 + rng.uniform(0, 0.35) * textures[rng.integers(3)][part]
        # Lit from one side.
        first, last = rng.uniform(0.7, 1.3, 2)
        shade = shade * np.linspace(float(first), float(last), across, dtype=np.float32)
        image[part][inside] = (np.clip(shade, 0.2, 2.0)[..., None] * _colour(hues, rng).astype(np.float32))[inside]
    light = 1 + 0.3 * cv2.resize(
        rng.normal(size=(3, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    soft = cv2.GaussianBlur(image * light[..., None], (0, 0), rng.uniform(0.6, 1.2))
    return np.clip(soft, 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, slope: float) -> npt.NDArray[np.float32]:
    """(H, W) of mean 0 and deviation 1, the amplitude of each frequency f is f to the power of minus ``slope``."""
    height, width = _MADE_UP_PX
    fy, fx = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    amplitude = np.maximum(np.hypot(fy, fx), 1 / width) ** -slope
    phase = np.exp(2j * np.pi * rng.random(amplitude.shape))
    texture = np.fft.irfft2(amplitude * phase, s=(height, width))
    return np.asarray((texture - texture.mean()) / texture.std(), np.float32)


def _colour(hues: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(3,) BGR: of one of a place's few hues, mostly pale."""
    hue = (hues[rng.integers(len(hues))] + rng.normal() * 8) % 180
    hsv = np.array([[[hue, 255 * rng.beta(1.2, 4), 255 * rng.beta(1.6, 1.6)]]]).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64)
