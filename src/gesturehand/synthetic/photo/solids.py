"""Objects in or near a hand: cylinders, boxes and balls."""

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.synthetic.capture import CapturedHand
from gesturehand.synthetic.render import Surface, surface_as_it_is

FloatArray = npt.NDArray[np.float64]
Shape = Literal["cylinder", "box", "ball"]
_SHAPES: Final[tuple[Shape, ...]] = ("cylinder", "box", "ball")

#: How much of the room between fingers and palm a held object fills, and its greatest radius, m.
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
    """An object of a size that hands hold, between fingers and palm, or in front of or behind the hand.

    Args:
        hand: the hand; the world is the camera's frame.
        rng: the picture's.
        held: put it between fingers and palm if there is room.

    Returns:
        The object; None where it would be too close to the camera.
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
    """(3,) m, half the size along each axis; the last one is that along which a hand holds it."""
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
    # Of places near the middle of the fingers' ring, the one farthest from all bones.
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
    """Faces of a convex solid around 0, counter-clockwise seen from outside, without those of no area."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normals * corners.mean(1)).sum(1) < 0
    faces = np.where(inwards[:, None], faces[:, ::-1], faces)
    return faces[np.linalg.norm(normals, axis=1) > 1e-9]
