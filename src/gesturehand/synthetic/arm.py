"""The arm behind a hand: a tapered tube that continues the open wrist, bends at wrist and elbow, and has a sleeve.

The tube's first ring is the hand mesh's own boundary, so hand and arm are one smooth surface. Bend, elbow and sleeve
are drawn from the same distribution for every gesture.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.skeleton import WRIST, Side
from gesturehand.synthetic.articulation import hand_model
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.capture import CapturedHand
from gesturehand.synthetic.clothes import Cloth, smoothstep
from gesturehand.synthetic.render import Mesh, Surface, boundary_loops, surface_of

FloatArray = npt.NDArray[np.float64]

#: Number of the tube's segments that are skin, and of those behind them that are cloth.
_SKIN_SEGMENTS: Final = 14
_CLOTH_SEGMENTS: Final = 20
RINGS: Final = _SKIN_SEGMENTS + 2 + _CLOTH_SEGMENTS
#: The first ring of an arm that is cloth.
FIRST_CLOTH_RING: Final = _SKIN_SEGMENTS
#: Lengths from wrist to elbow and from elbow to shoulder, m.
_FOREARM_M: Final = 0.25
_UPPER_ARM_M: Final = 0.24
#: Radius of the arm in wrist radii, at distances from the wrist.
_TAPER_AT_M: Final = (0.0, 0.015, 0.05, 0.12, 0.19, 0.25, 0.35, 0.55)
_TAPER: Final = (1.0, 0.97, 1.0, 1.24, 1.42, 1.38, 1.5, 1.75)
#: Bend of the wrist up or down, and sideways: standard deviation and limit, degrees.
_WRIST_DEG: Final = ((22.0, 55.0), (9.0, 22.0))
#: Number of bends tried; the one that turns the arm farthest from the camera is kept, so that it does not hide the
#: hand.
_TRIES: Final = 6
_UP: Final = np.array([0.0, -1.0, 0.0])

#: Materials of the faces of :func:`limb_surface`.
HAND, SKIN, CLOTH = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Arm:
    """An arm in the world.

    Attributes:
        rings: (R, 20, 3) m, all rings but the wrist's.
        along_m: (R,) distance from the wrist along the arm.
        shoulder: (3,) m.
    """

    rings: FloatArray
    along_m: FloatArray
    shoulder: FloatArray


@cache
def hand_surface(side: Side) -> Surface:
    """The hand's closed surface, without an arm."""
    hand = hand_model(side)
    return surface_of(hand.faces, hand.num_vertices)


@cache
def limb_surface(side: Side) -> tuple[Surface, npt.NDArray[np.int64]]:
    """Faces of hand and arm together, the arm's vertices behind the hand's, and the material of each face."""
    hand = hand_model(side)
    loop = np.array(wrist_boundary(side))
    count = len(loop)
    rings = np.concatenate([loop[None], hand.num_vertices + np.arange((RINGS - 1) * count).reshape(-1, count)])
    near, far = rings[:-1], rings[1:]
    a, b, c, d = near, np.roll(near, -1, 1), np.roll(far, -1, 1), far
    tube = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    material = np.where(np.arange(RINGS - 1) < _SKIN_SEGMENTS, SKIN, CLOTH).repeat(2 * count)
    surface = surface_of(np.concatenate([hand.faces, tube]), hand.num_vertices + (RINGS - 1) * count)
    cap = len(surface.faces) - len(hand.faces) - len(tube)
    return surface, np.concatenate([np.full(len(hand.faces), HAND), material, np.full(cap, CLOTH)])


def make_arm(hand: CapturedHand, to_camera: FloatArray, rng: np.random.Generator) -> Arm:
    """Bends an arm away from a hand.

    Args:
        hand: the hand.
        to_camera: (3,) unit vector from the hand towards the first camera, world.
        rng: the frame's.
    """
    root = Rotation.from_rotvec(hand.pose[:3].astype(np.float64)).as_matrix()
    # The wrist is kept rigid: the thumb moves the skinned one by tenths of a millimetre, which the arm would give away.
    start = hand.joints[WRIST] + _rest_ring(hand.side, hand.betas.astype(np.float64).tobytes()) @ root.T
    centre = start.mean(0)
    mirror = 1.0 if hand.side == "right" else -1.0
    away, across = root @ [mirror, 0.0, 0.0], root @ [0.0, 0.0, 1.0]
    forearm = _forearm(away, across, to_camera, rng)
    upper = _upper_arm(forearm, to_camera, rng)

    length = _FOREARM_M * rng.uniform(0.95, 1.05)
    total = length + _UPPER_ARM_M
    sleeve = rng.uniform(0.05, 0.22) if rng.random() < 0.6 else rng.uniform(0.28, 0.36)
    along = np.concatenate(
        [np.linspace(0, sleeve, _SKIN_SEGMENTS + 1)[1:], np.linspace(sleeve, total, _CLOTH_SEGMENTS + 1)]
    )
    fine = np.linspace(0, total, 160)
    wrist_bend, elbow_bend = smoothstep(fine / 0.045), smoothstep((fine - length + 0.04) / 0.08)
    first, second = _turn(away, forearm), _turn(forearm, upper)
    turns = Rotation.from_rotvec(np.outer(elbow_bend, second)) * Rotation.from_rotvec(np.outer(wrist_bend, first))
    directions = turns.apply(away)
    path = centre + np.concatenate([np.zeros((1, 3)), np.cumsum((directions[1:] + directions[:-1]) / 2, 0) * fine[1]])

    offsets = start - centre
    flat = offsets - np.outer(offsets @ away, away)
    flatten = smoothstep(along / 0.02)[:, None, None]
    shape = offsets * (1 - flatten) + flat * flatten
    radius = np.linalg.norm(flat, axis=1, keepdims=True)
    rounding = 0.7 * smoothstep(along / 0.18)[:, None, None]
    shape = shape * (1 - rounding + rounding * radius.mean() / radius)
    shape = shape * np.interp(along, _TAPER_AT_M, _TAPER)[:, None, None]
    ring, cloth = np.arange(len(along)), np.arange(len(along)) >= _SKIN_SEGMENTS
    angle = np.arange(len(start)) * 2 * np.pi / len(start)
    folds = sum(np.sin(along[:, None] * rng.uniform(60, 190) + k * angle + rng.uniform(0, 6.3)) for k in (-2, -1, 1, 2))
    wider = np.where(
        cloth[:, None], 1.16 + 0.022 * folds + 0.05 * smoothstep(1 - (ring[:, None] - _SKIN_SEGMENTS) / 2), 1.0
    )
    shape = shape * wider[..., None]
    nearest = np.clip(np.searchsorted(fine, along), 0, len(fine) - 1)
    rings = path[nearest][:, None] + np.einsum("rij,rkj->rki", turns.as_matrix()[nearest], shape)
    return Arm(rings, along, path[-1])


@cache
def wrist_boundary(side: Side) -> tuple[int, ...]:
    """Vertices around the open wrist of a hand model."""
    return tuple(boundary_loops(hand_model(side).faces)[0])


@lru_cache(maxsize=64)
def _rest_ring(side: Side, betas: bytes) -> FloatArray:
    """(20, 3) m, the wrist's boundary at rest, relative to the wrist joint."""
    hand = hand_model(side)
    shaped = hand.v_template + hand.shapedirs @ np.frombuffer(betas)
    return shaped[list(wrist_boundary(side))] - hand.J_regressor[0] @ shaped


def _forearm(away: FloatArray, across: FloatArray, to_camera: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(3,) unit vector from the wrist to the elbow."""
    (flex, most_flex), (side, most_side) = _WRIST_DEG
    best = away
    for attempt in range(_TRIES):
        bend = np.clip(rng.normal() * flex, -most_flex, most_flex)
        turn = np.clip(rng.normal() * side, -most_side, most_side)
        normal = np.cross(away, across)
        tried = Rotation.from_rotvec(np.radians(bend) * across + np.radians(turn) * normal).apply(away)
        if attempt == 0 or tried @ to_camera < best @ to_camera:
            best = tried
        if best @ to_camera < 0.3:
            break
    return np.asarray(best)


def _upper_arm(forearm: FloatArray, to_camera: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(3,) unit vector from the elbow to the shoulder: up, and away from the camera rather than towards it."""
    level = forearm - to_camera * rng.uniform(0.5, 1.2) + rng.normal(size=3) * 0.4
    level -= _UP * (level @ _UP)
    upper = _UP * rng.uniform(0.4, 1.0) + level / np.linalg.norm(level)
    upper /= np.linalg.norm(upper)
    # The elbow does not close: at least 50 degrees stay between the two halves of the arm.
    while upper @ forearm < -0.64:
        upper = upper + 0.3 * forearm
        upper /= np.linalg.norm(upper)
    return upper


def _turn(start: FloatArray, end: FloatArray) -> FloatArray:
    """(3,) rotation vector that turns one unit vector into another, not opposite one."""
    normal = np.cross(start, end)
    sine = np.linalg.norm(normal)
    return np.asarray(normal / max(float(sine), 1e-9) * np.arctan2(sine, start @ end))


def limb_mesh(
    hand: CapturedHand, arm: Arm, place: int, hands: int, camera: DomeCamera, albedo: FloatArray, cloth: Cloth
) -> Mesh:
    """Hand and arm as one mesh, camera frame.

    Args:
        hand: the hand.
        arm: the arm behind it.
        place: number of the hand among the hands of the picture.
        hands: number of hands in the picture.
        camera: the camera that sees them.
        albedo: (V,) factor on the shade, for the hand's vertices and for all rings of the arm but the wrist's.
        cloth: the sleeve's.

    Returns:
        The mesh. A picture has 2 x hands + 1 materials: each hand, the skin of each arm, and one for all sleeves.
    """
    surface, material = limb_surface(hand.side)
    row = np.zeros(3, np.int64)
    row[[HAND, SKIN, CLOTH]] = place, hands + place, 2 * hands
    vertices = camera.to_camera(np.concatenate([hand.vertices, arm.rings.reshape(-1, 3)]))
    around = np.arange(arm.rings.shape[1]) * 0.011
    woven = cloth.shade_at(np.broadcast_to(around, arm.rings.shape[:2]), arm.along_m[:, None])
    is_cloth = np.arange(len(arm.along_m))[:, None] >= FIRST_CLOTH_RING
    tube = np.where(
        is_cloth, 0.45 + 0.55 * np.clip(woven, 0.2, 2.0), albedo[-arm.rings[..., 0].size :].reshape(woven.shape)
    )
    return Mesh(vertices, surface, row[material], np.concatenate([albedo[: len(hand.vertices)], tube.ravel()]))
