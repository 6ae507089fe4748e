"""The open hand of either side, MANO's pose vector as files hold it, and the mesh in such a pose."""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, NUM_MANO_JOINTS, Side
from gesturehand.synthetic.articulation import Articulation, articulation_of

FloatArray = npt.NDArray[np.float64]


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
    """Vertices and the 21 joints of a hand that is not moved yet."""
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
