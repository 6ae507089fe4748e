"""How a person's hand moves through a sequence: from neutral into the gesture and back, and how it is turned."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.gestures import NO_GESTURE
from gesturehand.skeleton import Side
from gesturehand.synthetic.articulation import (
    ANGLE_LIMITS_DEG,
    ANGLE_NAMES,
    NUM_ANGLES,
    gesture_poses,
    mirror_rotations,
    neutral_pose,
)
from gesturehand.synthetic.subjects import Subject

FloatArray = npt.NDArray[np.float64]

#: Share of a sequence in which the gesture is formed, and in which it is released.
_TRANSITION: Final = 0.25
#: How one person's version of a gesture differs from the table, degrees.
_STYLE_DEG: Final = 4.0
#: How frames of a sequence differ from each other, degrees.
_FRAME_DEG: Final = 4.0
#: Spread and roll vary less than flexion.
_SIDEWAYS: Final = np.array([0.6 if name.endswith(("spread", "roll", "radial")) else 1.0 for name in ANGLE_NAMES])
#: Rows: where a right hand's rest axes x, y, z point in the camera frame; palm to the camera, fingers up.
_PALM_TO_CAMERA: Final = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def amplitude(phase: float) -> float:
    """How far the gesture is formed, 0 (neutral) to 1, at a place of the sequence, 0 to 1.

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
        subject: whose habit is added.
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
    """The angle, radians, below which that share of the uniform rotations within the cone lies.

    A uniform rotation's angle has the density 1 − cos(angle), so its distribution is angle − sin(angle).
    """
    angles = np.linspace(0, np.radians(cone_deg), 721)
    distribution = angles - np.sin(angles)
    return float(np.interp(share * distribution[-1], distribution, angles))
