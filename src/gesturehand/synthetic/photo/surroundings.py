"""The surroundings of the hands: pieces of photographs, real or made up, behind and in front of them, and the objects
that they hold.

Nothing here depends on the hands, so that the surroundings do not give a gesture away: a person's pictures share a few
places, whatever gestures they show.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.splits import Split
from gesturehand.synthetic.capture import CapturedHand
from gesturehand.synthetic.photo.plan import PhotoSettings, photographs_of, read_photograph
from gesturehand.synthetic.plan import generator
from gesturehand.synthetic.render import Surface, surface_as_it_is

Picture = npt.NDArray[np.uint8]

#: Number of photographs for each person.
_PLACES: Final = 4
#: Share of the photograph's shorter side that fills a picture.
_PIECE: Final = (0.12, 0.9)
#: Shares of pictures with a smooth wall or sky behind the hands, and with a background out of focus.
_SMOOTH_SHARE: Final = 0.15
_BLURRED_SHARE: Final = 0.4
#: Sides of a made-up photograph, px; number of its surfaces, and the size of the largest and smallest as shares of
#: its height.
_MADE_UP_PX: Final = (480, 640)
_SURFACES: Final = (40, 110)
_LARGEST, _SMALLEST = 0.9, 0.05
FloatArray = npt.NDArray[np.float64]
Shape = Literal["cylinder", "box", "ball"]
_SHAPES: Final[tuple[Shape, ...]] = ("cylinder", "box", "ball")

#: Shares of the room between fingers and palm that a held object fills, and its greatest radius, m.
_SNUG: Final = (0.85, 1.0)
_THICKEST_M: Final = 0.045
#: Offsets from the middle of the fingers' ring at which the middle of a grip is sought, m.
_AROUND_M: Final = (-0.016, -0.008, 0.0, 0.008, 0.016)
#: Flesh around the bones of fingers and palm, m, which a held object leaves free.
_FLESH_M: Final = 0.0085
#: Least radius of a held object, m: a pen's.
_THINNEST_M: Final = 0.004
#: Least distance from the camera, m.
_NEAREST_M: Final = 0.07
#: Joints in the papers' order: knuckles, last joints of the long fingers, all tips.
_KNUCKLES: Final = [5, 9, 13, 17]
_LAST: Final = [7, 11, 15, 19]
_TIPS: Final = [4, 8, 12, 16, 20]
#: The joint before each joint but the wrist.
_PARENTS: Final = [0 if joint % 4 == 1 else joint - 1 for joint in range(1, 21)]


def background(settings: PhotoSettings, split: Split, subject: int, rng: np.random.Generator) -> Picture:
    """A picture's background.

    Args:
        settings: the set's.
        split: the picture's; every split has its own photographs.
        subject: the person whose places these are.
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
        subject: the person whose places these are.
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
    for natural images*, 2001) in front of a wall and a floor, each with a texture whose amplitude falls with
    the frequency.
    """
    height, width = _MADE_UP_PX
    hues = rng.uniform(0, 180, 3)
    image = np.empty((height, width, 3), np.float32)
    image[:] = _colour(hues, rng)
    image[round(height * rng.uniform(0.4, 1.0)) :] = _colour(hues, rng)
    textures = [_texture(rng, slope) for slope in (0.9, 1.2, 1.6)]
    image *= np.clip(1 + 0.12 * textures[rng.integers(3)], 0.3, 1.8)[..., None]
    uniform = rng.random(int(rng.integers(*_SURFACES)))
    # The inverse of the distribution function of r⁻³ between the smallest and the largest radius.
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
    """(H, W) of mean 0 and standard deviation 1; the amplitude at frequency f is f to the power of minus ``slope``."""
    height, width = _MADE_UP_PX
    fy, fx = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    amplitude = np.maximum(np.hypot(fy, fx), 1 / width) ** -slope
    phase = np.exp(2j * np.pi * rng.random(amplitude.shape))
    texture = np.fft.irfft2(amplitude * phase, s=(height, width))
    return np.asarray((texture - texture.mean()) / texture.std(), np.float32)


def _colour(hues: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(3,) BGR, of one of a place's few hues, mostly pale."""
    hue = (hues[rng.integers(len(hues))] + rng.normal() * 8) % 180
    hsv = np.array([[[hue, 255 * rng.beta(1.2, 4), 255 * rng.beta(1.6, 1.6)]]]).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Solid:
    """An object in the world.

    Attributes:
        shape: its shape.
        vertices: (V, 3) m.
        surface: its faces.
        held: whether the hand is around it.
    """

    shape: Shape
    vertices: FloatArray
    surface: Surface
    held: bool


def make_solid(hand: CapturedHand, rng: np.random.Generator, *, held: bool) -> Solid | None:
    """An object of a size that hands hold: between fingers and palm, or in front of or behind the hand.

    Args:
        hand: the hand; the world is the camera's frame.
        rng: the picture's.
        held: put it between fingers and palm if there is room.

    Returns:
        The object; None if it would be too close to the camera.
    """
    shape = _SHAPES[rng.integers(len(_SHAPES))]
    half = _half_axes(shape, rng)
    unit, surface = _unit(shape)
    if held:
        turn, place, room = _grip(hand, shape == "ball", rng)
        held = room >= _THINNEST_M
    if held:
        half = _fitted(shape, half, min(room, _THICKEST_M) * rng.uniform(*_SNUG))
    else:
        quaternion = rng.normal(size=4)
        turn = Rotation.from_quat(quaternion / np.linalg.norm(quaternion)).as_matrix()
        place = _beside(hand, unit * half @ turn.T, rng)
    vertices = unit * half @ turn.T + place
    return Solid(shape, vertices, surface, held) if vertices[:, 2].min() > _NEAREST_M else None


def _half_axes(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """(3,) m, half the size along each axis; a hand holds the object along the last one."""
    if shape == "cylinder":
        radius = rng.uniform(0.006, 0.04)
        return np.array([radius, radius, rng.uniform(0.04, 0.12)])
    if shape == "box":
        return np.array([rng.uniform(0.004, 0.035), rng.uniform(0.015, 0.05), rng.uniform(0.03, 0.09)])
    return rng.uniform(0.015, 0.045) * np.array([1.0, rng.uniform(0.75, 1.2), rng.uniform(0.75, 1.4)])


def _fitted(shape: Shape, half: FloatArray, room: float) -> FloatArray:
    """The half axes scaled to fill the room around the object's axis, m; along the axis it sticks out of the hand."""
    if shape == "ball":
        return half * room / half.max()
    widest = half[0] if shape == "cylinder" else np.hypot(half[0], half[1])
    return half * [room / widest, room / widest, 1.0]


def _grip(hand: CapturedHand, ball: bool, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, float]:
    """Axes (3, 3) and middle (3,) of a held object, the last axis across the fingers, and the room around it, m."""
    joints = hand.joints
    across = joints[5] - joints[17]
    across = across / np.linalg.norm(across)
    normal = np.cross(across, joints[9] - joints[0])
    normal /= np.linalg.norm(normal)
    turn = np.stack([np.cross(normal, across), normal, across], 1)
    turn = turn @ Rotation.from_rotvec(rng.normal(size=3) * 0.2).as_matrix()
    knuckles, last, tips = (joints[row].mean(0) for row in (_KNUCKLES, _LAST, _TIPS))
    # Among places near the middle of the fingers' ring, the one farthest from all bones.
    steps = np.stack(np.meshgrid(_AROUND_M, _AROUND_M), -1).reshape(-1, 2)
    places = (knuckles + last + tips) / 3 + steps @ turn[:, :2].T
    bones = np.concatenate([joints[1:], (joints[1:] + joints[_PARENTS]) / 2])
    offsets = bones - places[:, None]
    if not ball:
        offsets = offsets @ turn[:, :2]
    room = np.linalg.norm(offsets, axis=-1).min(1)
    best = int(room.argmax())
    return turn, places[best], float(room[best]) - _FLESH_M


def _beside(hand: CapturedHand, offsets: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Middle, (3,) m, of an object in front of the hand, which covers part of it, or behind it."""
    low, high = hand.vertices[:, 2].min(), hand.vertices[:, 2].max()
    place = hand.joints.mean(0) + rng.normal(size=3) * 0.06
    reach = offsets[:, 2].max() + rng.uniform(0.003, 0.03)
    depth = low - reach if rng.random() < 0.5 else high + reach
    # On the same line of sight, so that it is as far from the hand in the picture as in the world.
    return np.asarray(place * depth / place[2]) if depth > 0 else np.array([0.0, 0.0, -1.0])


@cache
def _unit(shape: Shape) -> tuple[FloatArray, Surface]:
    """Vertices within the cube from -1 to 1, and faces; edges are sharp where the vertices of two sides are apart."""
    if shape == "ball":
        polar, around = np.meshgrid(np.linspace(0, np.pi, 13), np.linspace(0, 2 * np.pi, 25), indexing="ij")
        flat = np.sin(polar)
        patches = [np.stack([flat * np.cos(around), flat * np.sin(around), np.cos(polar)], -1)]
    elif shape == "cylinder":
        around = np.linspace(0, 2 * np.pi, 21)
        circle = np.stack([np.cos(around), np.sin(around), np.zeros_like(around)], -1)
        patches = [np.stack([circle + np.array([0, 0, z]) for z in np.linspace(-1, 1, 6)])]
        patches += [np.stack([circle * r + np.array([0, 0, z]) for r in (0.0, 0.5, 1.0)]) for z in (-1, 1)]
    else:
        u, v = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5), indexing="ij")
        patches = [np.roll(np.stack([u, v, np.full_like(u, s)], -1), axis, -1) for axis in range(3) for s in (-1, 1)]
    vertices = np.concatenate([patch.reshape(-1, 3) for patch in patches])
    faces, first = [], 0
    for patch in patches:
        number = first + np.arange(patch.shape[0] * patch.shape[1]).reshape(patch.shape[:2])
        a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
        faces += [np.stack(corners, -1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))]
        first += number.size
    return vertices, surface_as_it_is(_outwards(vertices, np.concatenate(faces)), len(vertices))


def _outwards(vertices: FloatArray, faces: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Faces of a convex solid around 0, counter-clockwise seen from outside, without those that have no area."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normals * corners.mean(1)).sum(1) < 0
    faces = np.where(inwards[:, None], faces[:, ::-1], faces)
    return faces[np.linalg.norm(normals, axis=1) > 1e-9]
