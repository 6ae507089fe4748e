"""From anatomical angles, in degrees, to the 16 rotations of MANO's joints, its pose vector and the posed mesh.

Angles are measured on the right hand against the palm and the bones, not against a model's rest pose. The table of
gesture poses, ``assets/gesture_poses.csv``, therefore serves every model in MANO's layout:

- **spread** of a finger: direction of its first bone within the plane of the palm; 0 is the hand's axis (wrist to
  middle-finger MCP), positive towards the thumb.
- **mcp**: elevation of a finger's first bone over that plane, positive towards the palm; **pip**, **dip**: bend of
  each further bone against the one before it. 0 is straight.
- **radial**, **palmar** of the thumb: direction of its first bone, within the plane of the palm (0 along the hand's
  axis, 90 at a right angle, negative across the palm) and over it. **roll** turns the thumb about that bone, positive
  as in opposition, 0 as at rest. **thumb_mcp**, **ip**: bend of the further bones.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.gestures import vocabulary
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    JOINT_NAMES,
    JOINTS_FROM_MANO_AND_TIPS,
    MANO_JOINT_NAMES,
    NUM_MANO_JOINTS,
    Side,
)

FloatArray = npt.NDArray[np.float64]

LONG_FINGERS: Final = ("index", "middle", "ring", "pinky")
#: The angles of a hand pose, in the order of every array of angles.
ANGLE_NAMES: Final = (
    *(f"{finger}_{angle}" for finger in LONG_FINGERS for angle in ("spread", "mcp", "pip", "dip")),
    *("thumb_radial", "thumb_palmar", "thumb_roll", "thumb_mcp", "thumb_ip"),
)
NUM_ANGLES: Final = len(ANGLE_NAMES)
_FINGER_LIMITS: Final = ((-40, 40), (-30, 100), (-10, 115), (-10, 90))
_THUMB_LIMITS: Final = ((-40, 100), (-20, 90), (-40, 90), (-30, 80), (-30, 90))
#: (21, 2) smallest and largest value of each angle, degrees: an adult's active ranges of motion, a little wider.
ANGLE_LIMITS_DEG: Final = np.array([*_FINGER_LIMITS * len(LONG_FINGERS), *_THUMB_LIMITS], np.float64)


@dataclass(frozen=True)
class Finger:
    """A finger of a right hand at rest, mean shape.

    Attributes:
        joints: its three rotations in MANO's order.
        direction: (3,) unit vector along its first bone.
        axis: (3,) unit vector about which its joints bend, right-handed towards the palm.
        bends_deg: (2,) bend of the second and third bone at rest.
    """

    joints: tuple[int, int, int]
    direction: FloatArray
    axis: FloatArray
    bends_deg: FloatArray


@dataclass(frozen=True)
class Articulation:
    """Axes of a right hand at rest, mean shape.

    Attributes:
        forward: (3,) unit vector, wrist to middle-finger MCP.
        radial: (3,) unit vector in the palm's plane, towards the thumb.
        palmar: (3,) unit vector out of the palm.
        fingers: the five fingers by name.
    """

    forward: FloatArray
    radial: FloatArray
    palmar: FloatArray
    fingers: dict[str, Finger]


def articulation_of(data: ManoData) -> Articulation:
    """Measures the axes on a right hand's mean shape at rest."""
    joints = np.concatenate([data.joints, data.v_template[list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
    return articulation_of_joints(joints)


def articulation_of_joints(joints: FloatArray) -> Articulation:
    """Measures the axes on the joints of a right hand at rest.

    A long finger bends within the plane of its first bone and the palm's normal; the thumb bends towards the base of
    the little finger.

    Args:
        joints: (21, 3) m, the papers' order.
    """
    at = dict(zip(JOINT_NAMES, joints, strict=True))
    forward = _unit(at["middle1"] - at["wrist"])
    across = at["index1"] - at["pinky1"]
    radial = _unit(across - forward * (across @ forward))
    palmar = np.cross(radial, forward)

    fingers = {}
    for name in (*LONG_FINGERS, "thumb"):
        bones = [_unit(at[f"{name}{k + 1}"] - at[f"{name}{k}"]) for k in (1, 2, 3)]
        towards = at["pinky1"] - at["thumb2"] if name == "thumb" else palmar
        axis = _unit(np.cross(bones[0], towards))
        bends = [_signed_angle_deg(a, b, axis) for a, b in pairwise(bones)]
        first, second, third = (MANO_JOINT_NAMES.index(f"{name}{k}") for k in (1, 2, 3))
        fingers[name] = Finger((first, second, third), bones[0], axis, np.array(bends))
    return Articulation(forward, radial, palmar, fingers)


def rotations_from_angles(angles_deg: FloatArray, articulation: Articulation) -> FloatArray:
    """Rotations of a right hand's joints.

    Args:
        angles_deg: (N, 21) in the order of :data:`ANGLE_NAMES`.
        articulation: the axes of the hand model.

    Returns:
        (N, 16, 3, 3) rotation of each joint relative to its parent, mean pose included, as
        :func:`gesturehand.hand.skinning.skin` takes them; the root's is the identity.
    """
    column = dict(zip(ANGLE_NAMES, np.asarray(angles_deg, np.float64).T, strict=True))
    # Every joint bends first, within its finger's plane; then the fingers' first joints spread and the thumb's rolls.
    bend, sideways = np.zeros((2, len(angles_deg), NUM_MANO_JOINTS, 3))
    for name, finger in articulation.fingers.items():
        first, second, third = finger.joints
        if name == "thumb":
            direction = _thumb_direction(column["thumb_radial"], column["thumb_palmar"], articulation)
            bend[:, first] = _shortest_way(finger.direction, direction)
            sideways[:, first] = direction * np.radians(column["thumb_roll"])[:, None]
            bends = column["thumb_mcp"], column["thumb_ip"]
        else:
            spread_at_rest = np.arctan2(finger.direction @ articulation.radial, finger.direction @ articulation.forward)
            mcp_at_rest = np.arcsin(finger.direction @ articulation.palmar)
            bend[:, first] = np.outer(np.radians(column[f"{name}_mcp"]) - mcp_at_rest, finger.axis)
            sideways[:, first] = np.outer(np.radians(column[f"{name}_spread"]) - spread_at_rest, -articulation.palmar)
            bends = column[f"{name}_pip"], column[f"{name}_dip"]
        bend[:, second], bend[:, third] = (
            np.outer(np.radians(angle - at_rest), finger.axis)
            for angle, at_rest in zip(bends, finger.bends_deg, strict=True)
        )
    rotation = Rotation.from_rotvec(sideways.reshape(-1, 3)) * Rotation.from_rotvec(bend.reshape(-1, 3))
    return rotation.as_matrix().reshape(-1, NUM_MANO_JOINTS, 3, 3)


def mirror_rotations(rotations: FloatArray) -> FloatArray:
    """The same rotations of the other hand: M R M with M = diag(-1, 1, 1).

    Args:
        rotations: (..., 3, 3).

    Returns:
        (..., 3, 3).
    """
    mirror = np.diag([-1.0, 1.0, 1.0])
    return mirror @ rotations @ mirror


def _thumb_direction(radial_deg: FloatArray, palmar_deg: FloatArray, hand: Articulation) -> FloatArray:
    """(N, 3) unit vectors along the thumb's first bone."""
    radial, palmar = np.radians(radial_deg), np.radians(palmar_deg)
    return (
        np.outer(np.cos(palmar) * np.cos(radial), hand.forward)
        + np.outer(np.cos(palmar) * np.sin(radial), hand.radial)
        + np.outer(np.sin(palmar), hand.palmar)
    )


def _shortest_way(start: FloatArray, ends: FloatArray) -> FloatArray:
    """(N, 3) rotation vectors that turn one unit vector (3,) into others (N, 3)."""
    normal = np.cross(start, ends)
    sine = np.linalg.norm(normal, axis=1, keepdims=True)
    return normal / np.maximum(sine, 1e-12) * np.arctan2(sine, ends @ start[:, None])


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)


def _signed_angle_deg(a: FloatArray, b: FloatArray, axis: FloatArray) -> float:
    return float(np.degrees(np.arctan2(np.cross(a, b) @ axis, a @ b)))


NEUTRAL: Final = "neutral"


@cache
def pose_table() -> dict[str, npt.NDArray[np.float64]]:
    """Angles of every pose by name, (21,) degrees each in the order of ``ANGLE_NAMES``.

    Example:
        >>> table = pose_table()
        >>> len(table), table["fist"][ANGLE_NAMES.index("ring_mcp")] > 60
        (36, np.True_)
    """
    table = (files("gesturehand.assets") / "gesture_poses.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.replace(" ", "").splitlines())
    poses = {row["gesture"]: np.array([float(row[name]) for name in ANGLE_NAMES]) for row in rows}
    for angles in poses.values():
        angles.setflags(write=False)
    return poses


def gesture_poses() -> npt.NDArray[np.float64]:
    """(35, 21) degrees: the pose of each fine class, by class index."""
    return np.stack([pose_table()[name] for name in vocabulary().fine])


def neutral_pose() -> npt.NDArray[np.float64]:
    """(21,) degrees: the relaxed hand."""
    return pose_table()[NEUTRAL]


@cache
def hand_model(side: Side) -> ManoData:
    """The open hand, read once per process."""
    return open_hand(side)


@cache
def right_articulation() -> Articulation:
    """Axes of the right hand, measured once per process."""
    return articulation_of(hand_model("right"))


def posed_mesh(
    side: Side, pose: npt.NDArray[np.float32], betas: npt.NDArray[np.float32]
) -> tuple[FloatArray, FloatArray]:
    """Vertices and the 21 joints of a hand before it is moved to its place."""
    data = hand_model(side)
    rotations = rotations_from_pose(pose.astype(np.float64), data.hands_mean)
    vertices, joints = skin(data, rotations[None], betas[None].astype(np.float64), np.zeros((1, 3)))
    with_tips = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])
    return vertices[0], with_tips[list(JOINTS_FROM_MANO_AND_TIPS)]


def pose_from_rotations(rotations: FloatArray, hands_mean: FloatArray) -> FloatArray:
    """The pose vector of joint rotations: the mean is subtracted from the fingers' axis-angle vectors.

    Args:
        rotations: (16, 3, 3), mean pose included.
        hands_mean: (45,) axis-angle, of the same hand.

    Returns:
        (48,) axis-angle.
    """
    pose = Rotation.from_matrix(rotations).as_rotvec().reshape(-1)
    pose[3:] -= hands_mean
    return pose


def rotations_from_pose(pose: FloatArray, hands_mean: FloatArray) -> FloatArray:
    """Joint rotations of a pose vector: R(pose + mean), added as axis-angle vectors.

    Args:
        pose: (48,) axis-angle.
        hands_mean: (45,) axis-angle, of the same hand.

    Returns:
        (16, 3, 3), mean pose included.
    """
    rotvec = np.array(pose, np.float64)
    rotvec[3:] += hands_mean
    return Rotation.from_rotvec(rotvec.reshape(NUM_MANO_JOINTS, 3)).as_matrix()
