"""The people of the synthetic set, and the movement of their hands through a sequence, into the gesture and back."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.gestures import NO_GESTURE
from gesturehand.hand.mano_file import NUM_BETAS
from gesturehand.skeleton import Side
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    ANGLE_NAMES,
    NUM_ANGLES,
    gesture_poses,
    mirror_rotations,
    neutral_pose,
)

FloatArray = npt.NDArray[np.float64]

#: Betas of the open hand are N(0, 1); EANet does not take shapes beyond 3 to be credible, so subjects stay well inside.
_LARGEST_BETA: Final = 2.5
#: Deviation of a subject's way of holding the hand from the table's poses, degrees.
_HABIT_DEG: Final = 3.0
#: From light to dark skin in full light, BGR.
_SKIN_BGR: Final = ((170, 200, 238), (140, 178, 228), (115, 155, 212), (92, 130, 186), (74, 105, 155), (60, 86, 130))
#: Share of a sequence in which the gesture is formed, and in which it is released.
_TRANSITION: Final = 0.25
#: Deviation of one person's version of a gesture from the table, degrees.
_STYLE_DEG: Final = 4.0
#: Deviation between frames of a sequence, degrees.
_FRAME_DEG: Final = 4.0
#: Spread and roll vary less than flexion.
_SIDEWAYS: Final = np.array([0.6 if name.endswith(("spread", "roll", "radial")) else 1.0 for name in ANGLE_NAMES])
#: The rows are the directions of a right hand's rest axes x, y, z in the camera frame, with palm to the camera and
#: fingers up.
_PALM_TO_CAMERA: Final = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class Subject:
    """One person.

    Attributes:
        number: as in ``data.json``.
        betas: (10,) float32 hand shape, of both hands.
        habit_deg: (21,) offset of all of this person's poses, in the order of ``ANGLE_NAMES``.
        skin_bgr: (3,) 0-255, skin in full light.
    """

    number: int
    betas: npt.NDArray[np.float32]
    habit_deg: FloatArray
    skin_bgr: FloatArray


def make_subject(number: int, rng: np.random.Generator) -> Subject:
    """Draws a person at random."""
    betas = np.clip(rng.normal(size=NUM_BETAS), -_LARGEST_BETA, _LARGEST_BETA).astype(np.float32)
    habit = rng.normal(size=NUM_ANGLES) * _HABIT_DEG
    tone = rng.uniform(0, len(_SKIN_BGR) - 1)
    below = min(int(tone), len(_SKIN_BGR) - 2)
    light, dark = np.array(_SKIN_BGR[below], np.float64), np.array(_SKIN_BGR[below + 1], np.float64)
    return Subject(number, betas, habit, light + (tone - below) * (dark - light))


def amplitude(phase: float) -> float:
    """The degree to which the gesture is formed, 0 (neutral) to 1, at a place of the sequence, 0 to 1.

    Example:
        >>> [round(amplitude(phase), 2) for phase in (0.0, 0.125, 0.25, 0.5, 0.875, 1.0)]
        [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    ramp = min(1.0, phase / _TRANSITION, (1.0 - phase) / _TRANSITION)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def sequence_angles(
    fine: int, phase: float, subject: Subject, style: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Joint angles of one hand in one frame.

    Args:
        fine: class of the gesture; -1 for a range-of-motion frame, which mixes two gestures at random.
        phase: place within the sequence, 0 to 1.
        subject: the person whose habit is added.
        style: (21,) standard normal, of this subject and gesture.
        rng: of the frame.

    Returns:
        (21,) degrees, within the joints' limits.
    """
    if fine == NO_GESTURE:
        first, second = rng.choice(len(gesture_poses()), 2, replace=False)
        goal = gesture_poses()[first] + rng.random() * (gesture_poses()[second] - gesture_poses()[first])
        formed = rng.random()
    else:
        goal, formed = gesture_poses()[fine] + style * _STYLE_DEG * _SIDEWAYS, amplitude(phase)
    angles = neutral_pose() + formed * (goal - neutral_pose()) + subject.habit_deg * _SIDEWAYS
    angles = angles + rng.normal(size=NUM_ANGLES) * _FRAME_DEG * _SIDEWAYS
    return np.clip(angles, *ANGLE_LIMITS_DEG.T)


def wrist_rotation(cone_deg: float, sides: tuple[Side, ...], rng: np.random.Generator) -> dict[Side, FloatArray]:
    """Orientation of the hands before the camera, from the same distribution for every gesture.

    Palm or back faces the camera, fingers up, and is then turned by a rotation drawn uniformly from all rotations by at
    most ``cone_deg``. The left hand's orientation is mirrored.

    Args:
        cone_deg: 0 to 180; at 180 every orientation is equally likely.
        sides: the hands; two hands turn the same side to the camera.
        rng: of the frame.

    Returns:
        For each side (3, 3), root rotation in the camera frame.
    """
    back = Rotation.from_euler("y", 180.0 * float(rng.random() < 0.5), degrees=True)
    rotations = {}
    for side in sides:
        axis = rng.normal(size=3)
        tilt = Rotation.from_rotvec(axis / np.linalg.norm(axis) * _angle(cone_deg, rng.random()))
        right = (tilt * back).as_matrix() @ _PALM_TO_CAMERA
        rotations[side] = right if side == "right" else mirror_rotations(right)
    return rotations


def _angle(cone_deg: float, share: float) -> float:
    """The angle, radians, below which the given share of uniform rotations within the cone lies.

    A uniform rotation's angle has the density 1 − cos(angle), so its distribution is angle − sin(angle).
    """
    angles = np.linspace(0, np.radians(cone_deg), 721)
    distribution = angles - np.sin(angles)
    return float(np.interp(share * distribution[-1], distribution, angles))
