"""Patterned cloth, and the body behind the hands that wears it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.cameras import DomeCamera

FloatArray = npt.NDArray[np.float64]

#: Side of the repeating piece of cloth and of the repeating piece of folds, m; of both, px.
_CLOTH_M: Final = 0.16
_FOLDS_M: Final = 0.6
_CLOTH_PX: Final = 256
#: Half axes of the body, m: across and from front to back.
_BODY_M: Final = (0.19, 0.125)
#: The outline is computed on a grid this many times coarser than the image.
_COARSER: Final = 4
_PATTERNS: Final = ("plain", "plain", "striped", "checked", "checked")


@dataclass(frozen=True, eq=False)
class Cloth:
    """A person's shirt.

    Attributes:
        pattern: (256, 256, 3) float32 BGR 0-255, repeats.
        folds: (256, 256) float32, factor on the brightness, repeats.
        colour_bgr: (3,) mean colour.
    """

    pattern: npt.NDArray[np.float32]
    folds: npt.NDArray[np.float32]
    colour_bgr: FloatArray

    def shade_at(self, around_m: FloatArray, along_m: FloatArray) -> FloatArray:
        """Brightness of the cloth at given places, relative to its mean colour."""
        grey = self.pattern.mean(-1)
        rows, columns = (np.floor(m / _CLOTH_M * _CLOTH_PX).astype(int) % _CLOTH_PX for m in (along_m, around_m))
        return np.asarray(grey[rows, columns] / max(float(self.colour_bgr.mean()), 1.0), np.float64)


@dataclass(frozen=True)
class Body:
    """An upright body.

    Attributes:
        place: (3,) m, world, the point of its axis at shoulder height.
        turn_rad: about the vertical axis.
    """

    place: FloatArray
    turn_rad: float


def make_cloth(rng: np.random.Generator) -> Cloth:
    """A shirt at random: plain, striped or checked, dark rather than bright."""
    kind = _PATTERNS[rng.integers(len(_PATTERNS))]
    base = _colour(rng, 40, 170)
    pattern = np.tile(base, (_CLOTH_PX, _CLOTH_PX, 1)).astype(np.float32)
    if kind != "plain":
        bands = _bands(rng)[:, None, None]
        other = _colour(rng, 80, 220)
        across = bands if rng.random() < 0.5 else bands.swapaxes(0, 1)
        pattern = (pattern * (1 - 0.75 * across) + other * 0.75 * across).astype(np.float32)
        if kind == "checked":
            bands, third = _bands(rng)[:, None, None], _colour(rng, 25, 220)
            along = bands.swapaxes(0, 1) if across.shape[0] > 1 else bands
            pattern = (pattern * (1 - 0.6 * along) + third * 0.6 * along).astype(np.float32)
    yarn = rng.normal(size=(_CLOTH_PX, _CLOTH_PX, 1)) * (0.08 if kind == "plain" else 0.05)
    pattern = (pattern * (1 + yarn)).astype(np.float32)
    return Cloth(pattern, _folds(rng), pattern.mean((0, 1)).astype(np.float64))


def draw_body(
    image: npt.NDArray[np.uint8], camera: DomeCamera, body: Body, cloth: Cloth, brightness: FloatArray
) -> None:
    """Draws a body, an upright elliptic cylinder, into an image that holds nothing nearer yet.

    Args:
        image: (H, W, 3) uint8 BGR, changed in place.
        camera: the camera that sees it.
        body: the body.
        cloth: its clothes.
        brightness: (3,) factor on blue, green and red: the camera's exposure and tint.
    """
    height, width = image.shape[:2]
    columns, rows = (np.arange(-(-n // _COARSER)) * _COARSER + (_COARSER - 1) / 2 for n in (width, height))
    x, y = np.meshgrid(
        *((p - c) / f for p, c, f in zip((columns, rows), camera.princpt_px, camera.focal_px, strict=True))
    )
    rays = np.stack([x, y, np.ones_like(x)], -1) @ camera.rotation.astype(np.float64)
    origin = camera.position_mm.astype(np.float64) / 1000 - body.place
    cosine, sine = np.cos(body.turn_rad), np.sin(body.turn_rad)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    rays, origin = rays @ turn.T, turn @ origin
    half = np.array([_BODY_M[0], 1.0, _BODY_M[1]])
    flat, start = (rays / half)[..., [0, 2]], (origin / half)[[0, 2]]
    a, b, c = (flat**2).sum(-1), flat @ start, start @ start - 1
    inside = b * b - a * c
    distance = (-b - np.sqrt(np.maximum(inside, 0))) / a
    hit = origin + distance[..., None] * rays
    # Shoulders slope, and the outline is not straight.
    slope = hit[..., 1] + 0.02 - 1.3 * np.abs(hit[..., 0]) ** 2 / _BODY_M[0]
    wavy = inside / (b * b) * 18 + 0.008 * np.sin(hit[..., 1] * 31 + 1.0) * np.sin(hit[..., 1] * 13)
    outline = np.minimum(np.minimum(wavy, slope * 6), np.where(distance > 0.3, 1.0, -1.0))
    facing = np.sqrt(np.clip(inside, 0, None)) / np.abs(b)
    angle = np.arctan2(hit[..., 0] / _BODY_M[0], -hit[..., 2] / _BODY_M[1])
    around = np.unwrap(angle, axis=1) * (sum(_BODY_M) / 2)
    shade = 0.4 + 0.7 * facing
    trousers = smoothstep((hit[..., 1] - 0.58) / 0.01)

    size = (len(columns) * _COARSER, len(rows) * _COARSER)
    maps = np.stack([outline, around, hit[..., 1], shade * (1 - 0.6 * trousers)], -1).astype(np.float32)
    full = cv2.resize(maps, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    covered = full[..., 0] > 0
    if not covered.any():
        return
    left, right = np.flatnonzero(covered.any(0))[[0, -1]]
    part = np.ascontiguousarray(full[:, left : right + 1])
    u, v = part[..., 1], part[..., 2]
    pixels = _repeated(cloth.pattern, u, v, _CLOTH_M)
    light = _repeated(cloth.folds, u, v, _FOLDS_M) * part[..., 3]
    drawn = cv2.multiply(pixels, cv2.merge([light * np.float32(b) for b in brightness]))
    drawn = cv2.GaussianBlur(np.clip(drawn, 0, 235).astype(np.uint8), (0, 0), 0.8)
    region = image[:, left : right + 1]
    soft = cv2.GaussianBlur(covered[:, left : right + 1].astype(np.float32), (0, 0), 1.0)[..., None]
    np.copyto(region, (region * (1 - soft) + drawn * soft).astype(np.uint8))


def _repeated(
    piece: npt.NDArray[np.float32], u: cv2.typing.MatLike, v: cv2.typing.MatLike, size_m: float
) -> npt.NDArray[np.float32]:
    scale = np.float32(len(piece) / size_m)
    return np.asarray(cv2.remap(piece, u * scale, v * scale, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def _colour(rng: np.random.Generator, darkest: float, brightest: float) -> FloatArray:
    hsv = np.array([[[rng.uniform(0, 180), rng.uniform(10, 150), rng.uniform(darkest, brightest)]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64)


def _bands(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(256,) coverage by stripes across the piece of cloth."""
    bands, period = np.zeros(_CLOTH_PX), _CLOTH_PX // int(rng.choice([2, 4, 8]))
    for _ in range(rng.integers(1, 4)):
        start, width = rng.integers(period), rng.integers(2, max(3, period // 2))
        bands[np.arange(_CLOTH_PX)[(np.arange(_CLOTH_PX) - start) % period < width]] += rng.uniform(0.4, 1.0)
    return np.clip(bands, 0, 1)


def _folds(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(256, 256), periodic: soft long ridges that run down and at a slant."""
    frequency = np.fft.fftfreq(_CLOTH_PX) * _CLOTH_PX
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    height = np.zeros((_CLOTH_PX, _CLOTH_PX))
    for scale in (5.0, 11.0):
        angle = rng.normal() * 0.5
        along, across = fy * np.cos(angle) + fx * np.sin(angle), fx * np.cos(angle) - fy * np.sin(angle)
        window = np.exp(-0.5 * ((along / (0.35 * scale)) ** 2 + ((np.abs(across) - scale) / (0.4 * scale)) ** 2))
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=height.shape)) * window).real
        height += noise / noise.std()
    return np.clip(1.0 + 0.16 * height, 0.5, 1.6).astype(np.float32)


def smoothstep(x: FloatArray) -> FloatArray:
    """From 0 below 0 to 1 above 1, level at both ends."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
