"""The open hand of either side, and its mesh in a pose of the files."""

from functools import cache

import numpy as np
import numpy.typing as npt

from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.open_hand import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, Side
from gesturehand.synthetic.articulation import Articulation, articulation_of
from gesturehand.synthetic.mano_pose import rotations_from_pose

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
