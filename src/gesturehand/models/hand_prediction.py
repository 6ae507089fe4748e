"""From MANO's parameters to everything a hand network returns, for every architecture."""

from torch import Tensor

from gesturehand.batch import HandPrediction
from gesturehand.camera import weak_perspective
from gesturehand.hand.layer import HandModel
from gesturehand.models.mano_head import ManoParameters
from gesturehand.skeleton import WRIST


def predicted_hands(
    joints_25d: Tensor, mano: ManoParameters, hand_model: HandModel, is_right: Tensor
) -> HandPrediction:
    """Poses the hand model; mesh and joints are relative to the wrist.

    Args:
        joints_25d: (B, H, 21, 3) normalised 2.5D coordinates.
        mano: Of every hand, (B, H, …).
        hand_model: MANO's layer.
        is_right: (B, H) bool.
    """
    vertices, joints = hand_model(mano.rotations, mano.betas, None, is_right)
    wrist = joints[..., WRIST : WRIST + 1, :]
    joints, vertices = joints - wrist, vertices - wrist
    return HandPrediction(
        joints_25d=joints_25d,
        rotations=mano.rotations,
        betas=mano.betas,
        camera=mano.camera,
        vertices=vertices,
        joints=joints,
        joints_2d=weak_perspective(joints, mano.camera),
    )
