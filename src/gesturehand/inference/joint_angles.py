"""Flexion and abduction of a hand's joints, in degrees, from its MANO pose."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.transform import Rotation

from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import NUM_MANO_JOINTS, Side
from gesturehand.synthetic.articulation import (
    LONG_FINGERS,
    Articulation,
    Finger,
    articulation_of_joints,
    mirror_rotations,
)

FloatArray = npt.NDArray[np.float64]

#: Names of a finger's three rotating joints, from the wrist outwards.
_LONG_FINGER_JOINTS: Final = ("MCP", "PIP", "DIP")
_THUMB_JOINTS: Final = ("CMC", "MCP", "IP")


class JointAngles(NamedTuple):
    """The angles of one joint.

    Attributes:
        finger: "thumb", "index", "middle", "ring" or "pinky".
        joint: "CMC", "MCP", "PIP", "DIP" or "IP".
        flexion_deg: See :func:`joint_angles`.
        abduction_deg: Likewise.
    """

    finger: str
    joint: str
    flexion_deg: float
    abduction_deg: float


def joint_angles(hand_pose: npt.ArrayLike, side: Side, articulation: Articulation) -> list[JointAngles]:
    """Flexion and abduction of the fifteen joints, from the direction of each bone relative to the one before it.

    A bone's direction is split into the angle within the plane in which its finger bends (flexion) and the angle out of
    that plane (abduction), as Spurr et al. do (Weakly Supervised 3D Hand Pose Estimation via Biomechanical Constraints,
    ECCV 2020, section 3.1). It agrees with the first two angles of the joint coordinate system of the International
    Society of Biomechanics (Wu et al., J. Biomech. 38, 2005, part II, section 4), in which a bone first bends about an
    axis across the palm. The twist about the bone itself is left out. In detail:

    - **MCP** of a finger: the bone from MCP to PIP against the palm. Flexion is 0 along the hand's axis (wrist to the
      knuckle of the middle finger) and positive towards the palm; abduction is positive towards the thumb's side.
    - **PIP, DIP** of a finger, **MCP, IP** of the thumb: the bone behind the joint against the bone before it. Flexion
      is 0 if the two are in line and positive towards the palm; abduction is the sideways angle, which these joints
      hardly have, positive towards the thumb's side.
    - **CMC** of the thumb: the metacarpal bone against the palm. Flexion is what hand surgeons call palmar abduction,
      the angle out of the palm's plane; abduction is radial abduction, the angle within that plane from the hand's axis
      towards the thumb's side.

    The axes are those of the model's mean shape at rest (:mod:`gesturehand.synthetic.articulation`); the sideways lean
    of a finger's second and third bone there counts as zero.

    Args:
        hand_pose: (15, 3, 3) rotations relative to the parents, MANO's order, the mean pose included
            (``hand_pose`` of :class:`~gesturehand.inference.result.HandResult`).
        side: Side of the hand; a left one's angles are those of its mirror image.
        articulation: The axes (:func:`articulation_of_model`).

    Returns:
        Thumb, index, middle, ring, pinky, each from the wrist outwards.
    """
    rotations = np.asarray(hand_pose, np.float64)
    if side == "left":
        rotations = mirror_rotations(rotations)
    found = []
    for name in ("thumb", *LONG_FINGERS):
        finger = articulation.fingers[name]
        first, *others = (rotations[number - 1] for number in finger.joints)  # the wrist is not among them
        direction = first @ finger.direction
        base = _thumb_base(direction, articulation) if name == "thumb" else _finger_base(direction, articulation)
        angles = [base, *_further(others, finger)]
        joints = _THUMB_JOINTS if name == "thumb" else _LONG_FINGER_JOINTS
        found += [JointAngles(name, joint, *pair) for joint, pair in zip(joints, angles, strict=True)]
    return found


@torch.inference_mode()
def articulation_of_model(hand_model: HandModel) -> Articulation:
    """The axes of a model's right hand, mean shape, at rest."""
    device = hand_model.faces.device
    rest = torch.eye(3, device=device).expand(NUM_MANO_JOINTS, 3, 3)
    _, joints = hand_model(rest, torch.zeros(10, device=device), None, torch.tensor(True, device=device))
    return articulation_of_joints(joints.cpu().numpy().astype(np.float64))


def _finger_base(direction: FloatArray, hand: Articulation) -> tuple[float, float]:
    return _degrees(direction @ hand.forward, direction @ hand.palmar, direction @ hand.radial)


def _thumb_base(direction: FloatArray, hand: Articulation) -> tuple[float, float]:
    """Angles of the thumb's base, first within the palm's plane: the thumb may point straight away from the hand."""
    radial, palmar = _degrees(direction @ hand.forward, direction @ hand.radial, direction @ hand.palmar)
    return palmar, radial


def _further(rotations: list[FloatArray], finger: Finger) -> list[tuple[float, float]]:
    """Flexion and abduction of the second and third joint, degrees."""
    # Directions of the three bones at rest, in the plane in which the finger bends.
    turns = Rotation.from_rotvec(np.outer(np.radians([0.0, *np.cumsum(finger.bends_deg)]), finger.axis))
    bones = turns.apply(finger.direction)
    angles = []
    for rotation, before, behind in zip(rotations, bones[:-1], bones[1:], strict=True):
        direction = rotation @ behind
        inwards = np.cross(finger.axis, before)
        angles.append(_degrees(direction @ before, direction @ inwards, direction @ finger.axis))
    return angles


def _degrees(along: Any, within: Any, out: Any) -> tuple[float, float]:
    """The angle within a plane from its first axis to its second, and the angle out of it."""
    return float(np.degrees(np.arctan2(within, along))), float(np.degrees(np.arctan2(out, np.hypot(along, within))))
