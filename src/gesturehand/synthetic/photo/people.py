"""The people of the photo-like set: shape, skin from light to dark with creases and nails, and clothes."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import EANET_TIP_VERTICES, MANO_JOINT_NAMES, Side
from gesturehand.synthetic.arm import limb_surface
from gesturehand.synthetic.articulation import LONG_FINGERS, hand_model, right_articulation
from gesturehand.synthetic.clothes import Cloth, make_cloth
from gesturehand.synthetic.plan import generator
from gesturehand.synthetic.sequence import Subject, make_subject

FloatArray = npt.NDArray[np.float64]

#: From light to dark skin in full light, BGR.
_SKIN_BGR: Final = np.array(
    [
        (170, 200, 238),
        (150, 185, 232),
        (140, 178, 228),
        (115, 155, 212),
        (92, 130, 186),
        (74, 105, 155),
        (55, 80, 122),
        (38, 55, 90),
    ],
    np.float64,
)
#: Waves of mottled skin: their number per metre, and their greatest strength.
_WAVES: Final = ((60.0, 0.45), (160.0, 0.375), (400.0, 0.3))
#: With the darkest skin, the palm is lighter than the back of the hand by this share; with the lightest it is not.
_PALM_LIGHTER: Final = 0.9
#: A crease darkens the skin of finger joints within about this distance, m, by at most this share.
_CREASE_M: Final = 0.0035
_CREASE: Final = 0.28
#: Width and length of a nail, m, on the back of the fingertip.
_NAIL_M: Final = (0.0055, 0.013)
_VARNISHED_SHARE: Final = 0.08


@dataclass(frozen=True, eq=False)
class Person:
    """A person as seen in photographs.

    Attributes:
        subject: shape and skin.
        darkness: of the skin, 0 to 1.
        nails_bgr: (3,) 0-255, nails in full light.
        cloth: of the sleeve.
    """

    subject: Subject
    darkness: float
    nails_bgr: FloatArray
    cloth: Cloth


@lru_cache(maxsize=64)
def person(seed: int, number: int) -> Person:
    """A person of the set."""
    rng = generator(seed, "person", number)
    darkness = rng.random() ** 1.4
    tone = skin_tone(darkness) * rng.uniform((0.85, 0.93, 0.95), (1.08, 1.04, 1.08)) * rng.uniform(0.85, 1.2)
    nails = np.clip(tone * rng.uniform(1.0, 1.25) + rng.uniform((0, -6, 0), (18, 8, 18)), 0, 255)
    if rng.random() < _VARNISHED_SHARE:
        nails = rng.uniform(10, 245, 3)
    subject = replace(make_subject(number, generator(seed, "subject", number)), skin_bgr=tone)
    return Person(subject, darkness, nails, make_cloth(generator(seed, "cloth", number)))


def skin_tone(darkness: float) -> FloatArray:
    """(3,) BGR 0-255 of skin in full light.

    Example:
        >>> bool((skin_tone(0.2) > skin_tone(0.8)).all())
        True
    """
    place = darkness * (len(_SKIN_BGR) - 1)
    return np.array([np.interp(place, np.arange(len(_SKIN_BGR)), channel) for channel in _SKIN_BGR.T])


@lru_cache(maxsize=8)
def skin_albedo(seed: int, number: int, side: Side) -> FloatArray:
    """(V,) factor on the skin's shade, of hand and arm: mottled, creased at the joints, lighter in the palm."""
    rng = generator(seed, "albedo", number)
    rest = hand_model("right").v_template
    albedo = np.ones(limb_surface(side)[0].face_to_vertex.shape[0])
    skin = albedo[: len(rest)]
    for per_metre, strength in _WAVES:
        waves = rng.normal(size=(16, 3)) * per_metre
        skin += np.sin(rest @ waves.T + rng.uniform(0, 2 * np.pi, 16)).mean(1) * strength * rng.random()
    darkness = person(seed, number).darkness
    skin *= 1 - _CREASE * rng.random() * _creases()
    skin *= 1 + _PALM_LIGHTER * rng.uniform(0.4, 1.0) * max(darkness - 0.35, 0.0) * _palmar()
    albedo += rng.normal(size=len(albedo)) * 0.02 * rng.random()
    # The left hand's vertices are the right one's, mirrored.
    return np.clip(albedo, 0.55, 1.6)


@cache
def nail_faces(side: Side) -> npt.NDArray[np.int64]:
    """The faces of the hand that are nails."""
    hand, right = hand_model(side), hand_model("right")
    rest = right.v_template
    width, length = _NAIL_M
    nail = np.zeros(len(rest), bool)
    for finger, tip in zip(("thumb", *LONG_FINGERS), EANET_TIP_VERTICES, strict=True):
        last = right.joints[MANO_JOINT_NAMES.index(f"{finger}3")]
        axis = rest[tip] - last
        reach = np.linalg.norm(axis)
        axis = axis / reach
        along = (rest - last) @ axis
        bend = right_articulation().fingers[finger].axis
        back = -np.cross(bend, axis)
        back /= np.linalg.norm(back)
        across = np.abs((rest - last) @ np.cross(axis, back))
        height = (rest - last) @ back
        nail |= (along > reach - length) & (along < reach + 0.004) & (across < width) & (height > 0.0025)
    return np.flatnonzero(nail[hand.faces].all(1))


@cache
def _palmar() -> FloatArray:
    """(V,) 1 for the skin of the palm's side, 0 for that of the back."""
    right = hand_model("right")
    corners = right.v_template[right.faces]
    normals = np.zeros_like(right.v_template)
    for corner in range(3):
        np.add.at(
            normals, right.faces[:, corner], np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    share = np.clip((normals @ right_articulation().palmar + 0.25) / 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


@cache
def _creases() -> FloatArray:
    """(V,) 1 in the creases of the finger joints, 0 elsewhere."""
    right = hand_model("right")
    depth = np.zeros(right.num_vertices)
    for place, name in enumerate(MANO_JOINT_NAMES):
        if name[-1] not in "23":
            continue
        joint, before = right.joints[place], right.joints[place - 1]
        axis = (joint - before) / np.linalg.norm(joint - before)
        offset = right.v_template - joint
        near = np.linalg.norm(offset, axis=1) < 0.016
        depth = np.maximum(depth, near * np.exp(-((offset @ axis / _CREASE_M) ** 2)))
    return depth
