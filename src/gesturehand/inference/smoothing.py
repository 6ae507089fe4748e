"""Predicted hands of a video, smoothed along their tracks: pose, shape and place."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.transform import Rotation

from gesturehand.camera import project
from gesturehand.hand.layer import HandModel
from gesturehand.inference.one_euro import OneEuro, rotation_difference, rotation_move
from gesturehand.inference.result import HandResult
from gesturehand.skeleton import BONES

FloatArray = npt.NDArray[np.float64]

#: Cutoffs at rest, Hz, and their slopes, Hz per unit and second (docs/predict.md has what they do): of rotations (rad),
#: of the place in the image (hand sizes) and of the logarithm of the depth.
_ROTATION: Final = (1.2, 0.6)
_DIRECTION: Final = (8.0, 1.0)
_DEPTH: Final = (0.8, 1.0)
#: A hand is never placed nearer.
_NEAREST_M: Final = 0.01


@dataclass
class _TrackState:
    """A track so far.

    Attributes:
        frame: Number of the last frame in which it was seen.
        count: Of such frames.
        betas: (10,) mean shape.
        unit: Of directions: the hand's size over its distance, in the first frame.
    """

    frame: int
    count: int
    betas: FloatArray
    unit: float = 0.0
    rotations: OneEuro = field(default_factory=lambda: OneEuro(*_ROTATION, rotation_difference, rotation_move))
    direction: OneEuro = field(default_factory=lambda: OneEuro(*_DIRECTION, leading=True))
    depth: OneEuro = field(default_factory=lambda: OneEuro(*_DEPTH))


class HandSmoother:
    """Smooths hands over a video's frames, which are given in order.

    Rotations are filtered on the manifold, and shapes averaged. Of the place, the direction to the joints' mean and the
    logarithm of its distance over the hand's size are filtered, since a picture tells the first well and the second
    badly. Everything that follows from these is computed anew: vertices, joints and their projections. What the network
    says of the image (``joints_2d_image``, ``camera``, gestures) stays each frame's own.

    Args:
        hand_model: The network's.
        fps: Frames per second.
    """

    def __init__(self, hand_model: HandModel, fps: float) -> None:
        self._hand_model = hand_model
        self._fps = fps
        self._tracks: dict[int, _TrackState] = {}

    def __call__(self, frame: int, tracks: Sequence[int], hands: Sequence[HandResult]) -> list[HandResult]:
        """The hands of a frame.

        Args:
            frame: Its number.
            tracks: Of each hand, the number of its track; a track has one side.
            hands: Predicted.
        """
        if not hands:
            return []
        states = [self._state(frame, track, hand) for track, hand in zip(tracks, hands, strict=True)]
        passed = [max(frame - state.frame, 1) / self._fps for state in states]
        rotations = np.stack(
            [
                state.rotations(np.concatenate([hand.global_orient[None], hand.hand_pose]).astype(np.float64), time)
                for state, hand, time in zip(states, hands, passed, strict=True)
            ]
        )
        vertices, joints = self._posed(rotations, states, hands)
        smooth = []
        for i, (state, hand, time) in enumerate(zip(states, hands, passed, strict=True)):
            place = _placed(state, hand, joints[i], time)
            state.frame = frame
            rotvec = Rotation.from_matrix(rotations[i]).as_rotvec()
            moved = joints[i] + place
            smooth.append(
                replace(
                    hand,
                    global_orient=_float32(rotations[i, 0]),
                    hand_pose=_float32(rotations[i, 1:]),
                    betas=_float32(state.betas),
                    cam_t=_float32(place),
                    vertices=_float32(vertices[i] + place),
                    joints=_float32(moved),
                    joints_2d=_float32(project(moved, hand.intrinsics.astype(np.float64))),
                    global_orient_axis_angle=_float32(rotvec[0]),
                    hand_pose_axis_angle_flat=_float32(rotvec[1:].reshape(-1)),
                    hand_pose_axis_angle=_float32(rotvec[1:].reshape(-1) - hand.hands_mean),
                )
            )
        return smooth

    def _state(self, frame: int, track: int, hand: HandResult) -> _TrackState:
        """A track's state, its shape with this hand's."""
        state = self._tracks.setdefault(track, _TrackState(frame, 0, np.zeros(len(hand.betas))))
        state.count += 1
        state.betas = state.betas + (hand.betas - state.betas) / state.count
        return state

    @torch.inference_mode()
    def _posed(
        self, rotations: FloatArray, states: Sequence[_TrackState], hands: Sequence[HandResult]
    ) -> tuple[FloatArray, FloatArray]:
        """Vertices (N, V, 3) and joints (N, 21, 3), m, of hands that are not moved."""
        device = self._hand_model.faces.device
        betas = np.stack([state.betas for state in states])
        vertices, joints = self._hand_model(
            torch.from_numpy(rotations).float().to(device),
            torch.from_numpy(betas).float().to(device),
            None,
            torch.tensor([hand.side == "right" for hand in hands], device=device),
        )
        return vertices.cpu().numpy().astype(np.float64), joints.cpu().numpy().astype(np.float64)


def _placed(state: _TrackState, hand: HandResult, joints: FloatArray, passed_s: float) -> FloatArray:
    """The translation (3,), m, of joints (21, 3) of the smoothed hand."""
    seen = hand.joints.astype(np.float64)
    middle = np.maximum(seen.mean(0), [-np.inf, -np.inf, _NEAREST_M])
    size, nearness = _bone_length(joints), _bone_length(seen) / middle[2]
    # In the hand's sizes, so that hands far away are not smoothed more.
    state.unit = state.unit or nearness
    direction = state.direction(middle[None, :2] / middle[2] / state.unit, passed_s)[0] * state.unit
    depth = size * float(np.exp(state.depth(np.array([[-np.log(nearness)]]), passed_s)[0, 0]))
    return np.array([*(direction * depth), depth]) - joints.mean(0)


def _bone_length(joints: FloatArray) -> float:
    """Length of all bones together, m: a hand's size, whatever its pose."""
    parents, children = np.array(BONES).T
    return float(np.linalg.norm(joints[children] - joints[parents], axis=-1).sum())


def _float32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)
