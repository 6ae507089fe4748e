"""One captured frame in numbers: MANO parameters, meshes and joints in the world frame, and their validity."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import NUM_JOINTS, Side
from gesturehand.synthetic.articulation import (
    hand_model,
    mirror_rotations,
    pose_from_rotations,
    posed_mesh,
    right_articulation,
    rotations_from_angles,
)
from gesturehand.synthetic.cameras import DomeCamera, dome_cameras
from gesturehand.synthetic.placement import hands_apart, inside_image, palm_centre, place_hands, reach_of
from gesturehand.synthetic.plan import PlannedFrame, generator
from gesturehand.synthetic.sequence import Subject, make_subject, sequence_angles, wrist_rotation

FloatArray = npt.NDArray[np.float64]

#: In a frame without a fit, at most this many joints are missing, and at most as many more in a single image.
_MOST_MISSING: Final = 3


@dataclass(frozen=True, eq=False)
class CapturedHand:
    """One hand of a captured frame. Values for files are float32, and everything else is computed from them.

    Attributes:
        side: which hand.
        pose: (48,) float32 axis-angle, world, relative to the mean pose.
        betas: (10,) float32.
        trans: (3,) float32 m, world.
        vertices: (V, 3) m, world.
        joints: (21, 3) m, world, the papers' order.
        joint_valid: (21,) bool, the papers' order, for the captured frame.
    """

    side: Side
    pose: npt.NDArray[np.float32]
    betas: npt.NDArray[np.float32]
    trans: npt.NDArray[np.float32]
    vertices: FloatArray
    joints: FloatArray
    joint_valid: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CapturedFrame:
    """A captured frame and the cameras that saw it.

    Attributes:
        plan: its plan.
        subject: whose hands they are.
        hands: one or two, right before left.
        cameras: in the plan's order.
        joint_valid_image: (21,) bool by camera and hand, the papers' order; only joints inside the image are valid.
    """

    plan: PlannedFrame
    subject: Subject
    hands: tuple[CapturedHand, ...]
    cameras: tuple[DomeCamera, ...]
    joint_valid_image: tuple[tuple[npt.NDArray[np.bool_], ...], ...]


def capture_frame(plan: PlannedFrame, seed: int, wrist_cone_deg: float) -> CapturedFrame:
    """Poses and places the hands of a planned frame; the same for the same arguments."""
    rng = generator(seed, "frame", plan.capture, plan.frame_idx)
    subject = subject_of(seed, plan.subject)
    cameras = tuple(cameras_of(seed, plan.capture)[name] for name in plan.cameras)
    orientation = wrist_rotation(wrist_cone_deg, plan.sides, rng)
    to_world = cameras[0].rotation.astype(np.float64).T
    poses, meshes, reaches = [], [], []
    for side, fine in zip(plan.sides, plan.fine, strict=True):
        style = generator(seed, "style", plan.subject, fine + 1).normal(size=len(subject.habit_deg))
        angles = sequence_angles(fine, plan.phase, subject, style, rng)
        rotations = rotations_from_angles(angles[None], right_articulation())[0]
        if side == "left":
            rotations = mirror_rotations(rotations)
        rotations[0] = to_world @ orientation[side]
        pose = pose_from_rotations(rotations, hand_model(side).hands_mean).astype(np.float32)
        meshes.append(posed_mesh(side, pose, subject.betas))
        poses.append(pose)
        reaches.append(reach_of(side) @ rotations[0].T)
    apart = hands_apart(meshes, to_world, rng)
    palms = [palm_centre(joints) for _, joints in meshes]
    places = place_hands(palms, reaches, apart, cameras, plan.partly_outside, rng)
    valid_frame, valid_image = _validity(len(plan.sides), len(cameras), plan.has_fit, rng)
    everywhere = [joints + trans for (_, joints), trans in zip(meshes, places, strict=True)]
    valid_image = tuple(
        tuple(valid & inside_image(camera, joints) for valid, joints in zip(hands_valid, everywhere, strict=True))
        for camera, hands_valid in zip(cameras, valid_image, strict=True)
    )
    hands = tuple(
        CapturedHand(side, pose, subject.betas, trans, vertices + trans, joints + trans, valid)
        for side, pose, (vertices, joints), trans, valid in zip(
            plan.sides, poses, meshes, places, valid_frame, strict=True
        )
    )
    return CapturedFrame(plan, subject, hands, cameras, valid_image)


@cache
def subject_of(seed: int, number: int) -> Subject:
    """A person of the set."""
    return make_subject(number, generator(seed, "subject", number))


@cache
def cameras_of(seed: int, capture: int) -> dict[str, DomeCamera]:
    """The cameras of one capture by name."""
    return dome_cameras(generator(seed, "cameras", capture))


def _validity(
    hands: int, views: int, has_fit: bool, rng: np.random.Generator
) -> tuple[list[npt.NDArray[np.bool_]], tuple[tuple[npt.NDArray[np.bool_], ...], ...]]:
    """Valid joints of the captured frame, by hand, and of each image, by camera and hand.

    In a frame without a fit some joints are missing, and further ones in each image, so that the two flags differ.
    """

    def missing(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        out = valid.copy()
        out[rng.choice(NUM_JOINTS, rng.integers(1, _MOST_MISSING + 1), replace=False)] = False
        return out

    complete = [np.ones(NUM_JOINTS, bool) for _ in range(hands)]
    if has_fit:
        return complete, tuple(tuple(complete) for _ in range(views))
    frame = [missing(valid) for valid in complete]
    return frame, tuple(tuple(missing(valid) for valid in frame) for _ in range(views))
