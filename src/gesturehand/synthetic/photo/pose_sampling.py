"""Poses over the whole range: gestures formed more or less, mixtures finger by finger, grips, and free angles.

All stay within the joints' limits, and fingers do not pass through each other or the palm, judged by bones as thick as
fingers (:func:`overlap`).
"""

from functools import cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from gesturehand.gestures import NO_GESTURE
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    LONG_FINGERS,
    NUM_ANGLES,
    gesture_poses,
    hand_model,
    neutral_pose,
    right_articulation,
    rotations_from_angles,
)

FloatArray = npt.NDArray[np.float64]
PoseKind = Literal["gesture", "mixture", "free", "grip", "clasp", "fist"]

#: Noise on every angle of a gesture and of a mixture, degrees.
_NOISE_DEG: Final = {"gesture": 6.0, "mixture": 8.0, "clasp": 7.0, "fist": 4.0}
#: Names of each long finger's angles, and of the thumb's.
_FINGERS: Final = (*(slice(4 * f, 4 * f + 4) for f in range(len(LONG_FINGERS))), slice(16, NUM_ANGLES))
#: The share of hands without a label that have free angles; the others are mixtures.
_FREE_SHARE: Final = 0.41
#: The share of hands in two-hand pictures that show a gesture.
_GESTURE_SHARE: Final = 0.32
#: Spread of index to little finger when stretched out, degrees.
_SPREAD_DEG: Final = (12.0, 2.0, -8.0, -18.0)
#: Free angles of the thumb, degrees.
_THUMB_DEG: Final = ((-25, 80), (-5, 75), (-20, 70), (-15, 65), (-15, 80))
#: Bend of the fingers around an object, degrees: knuckles and middle joints; the thumb's angles against it.
_GRIP_DEG: Final = ((10, 75), (20, 80))
_GRIP_THUMB_DEG: Final = ((5, 60), (25, 70), (10, 75), (0, 40), (0, 45))
#: Bend of the fingers of clasped hands, degrees: knuckles and middle joints, from palms laid together to interlaced
#: fingers; and the thumb's angles.
_CLASP_DEG: Final = ((0, 80), (5, 80))
_CLASP_THUMB_DEG: Final = ((-15, 60), (0, 60), (-10, 50), (-10, 40), (-10, 50))
#: Bend of a fist's fingers, degrees: knuckles and middle joints, and the sum with the last joints, which the palm
#: limits.
_FIST_DEG: Final = ((55, 88), (70, 100))
_FIST_SUM_DEG: Final = (185, 215)
#: The thumb of a fist: across the fingers, along them, or away from them.
_FIST_THUMBS_DEG: Final = (
    ((20, 45), (45, 70), (10, 35), (20, 45), (35, 65)),
    ((10, 60), (-5, 30), (-5, 40), (-10, 30), (-10, 45)),
    ((50, 90), (-10, 25), (-10, 15), (-15, 15), (-15, 15)),
)
#: Share of fists in which one or two fingers are stretched out, and the sets of these fingers.
_POINTING_SHARE: Final = 0.35
_POINTING: Final = ((0,), (1,), (3,), (0, 1), (0, 3))
#: Number of times a pose is drawn before it is moved back towards the relaxed hand.
_TRIES: Final = 4
_STEPS: Final = (0.85, 0.7, 0.5, 0.3, 0.0)
#: Radius of bones, m: of fingers at the base and at the tip, and of the palm.
_RADII_M: Final = (0.0085, 0.0065, 0.0165)
#: The depth to which such bones may overlap, m; in a fist, the fingers press on each other and on the palm.
_ALLOWED_M: Final = 0.003
_ALLOWED_IN_FIST_M: Final = 0.006
#: Number of points along a bone.
_ALONG: Final = np.linspace(0.0, 1.0, 4)


def hand_angles(kind: PoseKind, fine: int, formed: float, rng: np.random.Generator) -> FloatArray:
    """Angles of a hand whose fingers do not pass through each other.

    Args:
        kind: kind of the pose.
        fine: class of the gesture; the other kinds ignore it.
        formed: how far the gesture is formed, 0 to 1.
        rng: of the picture.

    Returns:
        (21,) degrees, within the joints' limits.
    """
    allowed = _ALLOWED_IN_FIST_M if kind == "fist" else _ALLOWED_M
    if kind == "gesture":
        allowed = max(_ALLOWED_M, _gesture_overlap()[fine])
    for _ in range(_TRIES):
        angles = _angles(kind, fine, formed, rng)
        if overlap(angles[None])[0] <= allowed:
            return angles
    nearer = neutral_pose() + np.array(_STEPS)[:, None] * (angles - neutral_pose())
    return nearer[int(np.argmax(overlap(nearer) <= allowed))]


def any_pose(rng: np.random.Generator, *, gestures: bool) -> tuple[PoseKind, FloatArray]:
    """A pose without a label, and its kind."""
    kind: PoseKind = "free" if rng.random() < _FREE_SHARE else "mixture"
    if gestures and rng.random() < _GESTURE_SHARE:
        kind = "gesture"
    fine = int(rng.integers(len(gesture_poses()))) if kind == "gesture" else NO_GESTURE
    return kind, hand_angles(kind, fine, amplitude(rng.random()), rng)


def amplitude(phase: float) -> float:
    """Degree (0 to 1) to which a gesture is formed at a place among its pictures: mostly high, seldom low (Beta(3, 1)).

    Example:
        >>> [round(amplitude(phase), 2) for phase in (0.0, 0.125, 1.0)]
        [0.0, 0.5, 1.0]
    """
    return float(np.cbrt(phase))


def overlap(angles_deg: FloatArray) -> FloatArray:
    """Depth (N,), m, to which the fingers of poses (N, 21) overlap each other or the palm, with bones as round rods.

    It is 0 for rods that merely touch, and negative if none touch.
    """
    data = hand_model("right")
    rotations = rotations_from_angles(angles_deg, right_articulation())
    count = len(angles_deg)
    vertices, joints = skin(data, rotations, np.zeros((count, 10)), np.zeros((count, 3)))
    joints = np.concatenate([joints, vertices[:, list(EANET_TIP_VERTICES)]], 1)[:, list(JOINTS_FROM_MANO_AND_TIPS)]
    chains = joints[:, 1:].reshape(count, 5, 4, 3)
    bones = _between(chains[:, :, :-1], chains[:, :, 1:])  # (N, 5, 3, 4, 3)
    fingers = bones.reshape(count, 5, -1, 3)[:, :, 2:]  # without the knuckle, which is joined to its neighbour's
    base, tip, palm_radius = _RADII_M
    radius = np.linspace(base, tip, fingers.shape[2])
    metacarpals = _between(np.broadcast_to(joints[:, :1], chains[:, 1:, 0].shape), chains[:, 1:, 0])[:, :, 1:]
    deepest = np.full(count, -np.inf)
    for a in range(5):
        # The first bones of long fingers, and with them the thumb's ball, belong to the palm.
        free = fingers[:, a, 4 if a == 0 else 3 :]
        room = radius[len(radius) - free.shape[1] :, None] + palm_radius
        deepest = np.maximum(deepest, _deepest(free, metacarpals.reshape(count, -1, 3), room))
        for b in range(a):
            deepest = np.maximum(deepest, _deepest(fingers[:, a], fingers[:, b], radius[:, None] + radius))
    return deepest


@cache
def _gesture_overlap() -> FloatArray:
    """(35,) m, the overlap in the gestures themselves, in which fingertips that meet press on each other."""
    return overlap(gesture_poses())


def _between(first: FloatArray, second: FloatArray) -> FloatArray:
    """(..., 4, 3) points from one point to another, both (..., 3)."""
    return first[..., None, :] + _ALONG[:, None] * (second - first)[..., None, :]


def _deepest(first: FloatArray, second: FloatArray, room: FloatArray) -> FloatArray:
    """(N,) the amount by which points (N, P, 3) come nearer than ``room`` (P, Q or 1) to points (N, Q, 3)."""
    distance = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1)
    return np.asarray((room - distance).max((1, 2)))


def _angles(kind: PoseKind, fine: int, formed: float, rng: np.random.Generator) -> FloatArray:
    if kind == "free":
        return np.clip(_free_angles(rng), *ANGLE_LIMITS_DEG.T)
    if kind == "grip":
        return np.clip(_grip_angles(rng), *ANGLE_LIMITS_DEG.T)
    if kind == "clasp":
        angles = _clasp_angles(rng)
    elif kind == "fist":
        angles = _fist_angles(rng)
    elif kind == "gesture":
        neutral = neutral_pose()
        angles = neutral + formed * (gesture_poses()[fine] - neutral)
    else:
        angles = _mixture(rng)
    return np.clip(angles + rng.normal(size=NUM_ANGLES) * _NOISE_DEG[kind], *ANGLE_LIMITS_DEG.T)


def _mixture(rng: np.random.Generator) -> FloatArray:
    """Every finger as in some gesture, more or less; in some hands neighbours do the same."""
    gestures, neutral = gesture_poses(), neutral_pose()
    of_finger = [gestures[rng.integers(len(gestures))] if rng.random() < 0.85 else neutral for _ in _FINGERS]
    if rng.random() < 0.4:
        for place in range(1, len(LONG_FINGERS)):
            if rng.random() < 0.6:
                of_finger[place] = of_finger[place - 1]
    angles = neutral.copy()
    for finger, goal in zip(_FINGERS, of_finger, strict=True):
        angles[finger] += np.sqrt(rng.random()) * (goal[finger] - neutral[finger])
    return angles


def _free_angles(rng: np.random.Generator) -> FloatArray:
    """Any bend; the fingers of most hands bend more or less together, and spread less the more they bend."""
    angles = np.empty(NUM_ANGLES)
    together, wide = np.array([rng.uniform(-15, 95), rng.uniform(0, 108)]), rng.uniform(0.2, 1.6)
    tie = 0.9 * rng.random()
    for finger, spread in zip(_FINGERS[:-1], _SPREAD_DEG, strict=True):
        own = np.array([rng.uniform(-20, 95), rng.uniform(-3, 110)])
        mcp, pip = own + (tie if rng.random() < 0.8 else 0.0) * (together - own)
        closed = 1 - 0.8 * max(mcp, 0.0) / 95
        angles[finger] = spread * wide * closed + rng.normal() * 4, mcp, pip, 0.65 * pip + rng.normal() * 10
    angles[_FINGERS[-1]] = rng.uniform(*np.array(_THUMB_DEG, np.float64).T)
    return angles


def clasp_partner(angles: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(21,) degrees: the angles of the hand that a hand with these angles clasps; they are nearly the same."""
    for _ in range(_TRIES):
        partner = np.clip(angles + rng.normal(size=NUM_ANGLES) * _NOISE_DEG["clasp"], *ANGLE_LIMITS_DEG.T)
        if overlap(partner[None])[0] <= _ALLOWED_M:
            return np.asarray(partner)
    return angles


def _clasp_angles(rng: np.random.Generator) -> FloatArray:
    """Long fingers bent alike, from hardly, as if the palms lie together, to far, as if the fingers are interlaced."""
    angles = np.empty(NUM_ANGLES)
    mcp, pip = (rng.uniform(*limits) for limits in _CLASP_DEG)
    wide = rng.uniform(0.3, 1.4)
    for finger, spread in zip(_FINGERS[:-1], _SPREAD_DEG, strict=True):
        angles[finger] = wide * spread, mcp, pip, 0.6 * pip
    angles[_FINGERS[-1]] = rng.uniform(*np.array(_CLASP_THUMB_DEG, np.float64).T)
    return angles


def _grip_angles(rng: np.random.Generator) -> FloatArray:
    """Fingers side by side around something, the thumb opposite."""
    angles = np.empty(NUM_ANGLES)
    mcp, pip = (rng.uniform(*limits) for limits in _GRIP_DEG)
    for finger, spread in zip(_FINGERS[:-1], _SPREAD_DEG, strict=True):
        own = pip + rng.normal() * 7
        angles[finger] = 0.6 * spread + rng.normal() * 3, mcp + rng.normal() * 7, own, 0.6 * own + rng.normal() * 6
    angles[_FINGERS[-1]] = rng.uniform(*np.array(_GRIP_THUMB_DEG, np.float64).T)
    return angles


def _fist_angles(rng: np.random.Generator) -> FloatArray:
    """Closed fingers side by side; in some hands one or two of them are stretched out, more or less."""
    angles = np.empty(NUM_ANGLES)
    mcp, pip = (rng.uniform(*limits) for limits in _FIST_DEG)
    closed = np.array([mcp, pip, rng.uniform(*_FIST_SUM_DEG) - mcp - pip])
    pointing = _POINTING[rng.integers(len(_POINTING))] if rng.random() < _POINTING_SHARE else ()
    bent = rng.uniform(0.0, 0.5)
    for place, (finger, spread) in enumerate(zip(_FINGERS[:-1], _SPREAD_DEG, strict=True)):
        angles[finger] = 0.4 * spread, *(closed * (bent if place in pointing else 1.0))
    angles[_FINGERS[-1]] = rng.uniform(*np.array(_FIST_THUMBS_DEG[rng.integers(3)], np.float64).T)
    return angles
