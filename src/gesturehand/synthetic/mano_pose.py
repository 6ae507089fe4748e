"""MANO's pose vector as InterHand2.6M's files hold it: axis-angle, root first, fingers relative to the mean pose."""

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.skeleton import NUM_MANO_JOINTS

FloatArray = npt.NDArray[np.float64]


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
