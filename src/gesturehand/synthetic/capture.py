"""One captured frame in numbers: MANO parameters, meshes and joints in the world, and what counts as valid."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, cKDTree

from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.open_hand import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, NUM_JOINTS, Side
from gesturehand.synthetic.articulation import Articulation, articulation_of, mirror_rotations, rotations_from_angles
from gesturehand.synthetic.cameras import DOME_CENTRE, DomeCamera, dome_cameras
from gesturehand.synthetic.mano_pose import pose_from_rotations, rotations_from_pose
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.poses import pose_table
from gesturehand.synthetic.seeds import generator
from gesturehand.synthetic.sequence import sequence_angles, wrist_rotation
from gesturehand.synthetic.subjects import Subject, make_subject

FloatArray = npt.NDArray[np.float64]

#: How far hands are held from the camera, m.
_DEPTH_M: Final = (0.98, 1.12)
#: Joints stay this far from the image's border.
_MARGIN_PX: Final = 6.0
#: Of two hands, one is held before the other: smallest and largest half of the distance between them, m, camera frame.
_APART_M: Final = ((0.02, -0.03, 0.02), (0.07, 0.03, 0.06))
#: Two hands come no nearer to each other than this, m.
_CLEARANCE_M: Final = 0.006
#: Tried in turn until every joint lies inside every image: depths, and for each of them nearer to the dome's centre.
_FARTHER: Final = (1.0, 1.15, 1.3)
_PULL: Final = (1.0, 0.6, 0.3, 0.0)
#: The palm's middle of a hand that is to be partly outside stays this far within the first camera's image.
_BORDER_PX: Final = (12.0, 40.0)
#: Wrist and knuckles in the papers' order.
_PALM: Final = (0, 5, 9, 13, 17)
#: For shapes and poses that reach farther than the table's.
_ROOM: Final = 1.06
#: In a frame without a fit, at most this many joints are missing, and as many again in one image only.
_MOST_MISSING: Final = 3


@dataclass(frozen=True, eq=False)
class CapturedHand:
    """One hand of a captured frame. What files hold is float32, and everything else is computed from that.

    Attributes:
        side: which hand.
        pose: (48,) float32 axis-angle, world, relative to the mean pose.
        betas: (10,) float32.
        trans: (3,) float32 m, world.
        vertices: (V, 3) m, world.
        joints: (21, 3) m, world, the papers' order.
        joint_valid: (21,) bool, the papers' order: of the captured frame.
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
        plan: what it was to be.
        subject: whose hands they are.
        hands: one or two, right before left.
        cameras: in the plan's order.
        joint_valid_image: per camera and hand (21,) bool, the papers' order; only joints inside the image are valid.
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
        rotations = rotations_from_angles(angles[None], _articulation())[0]
        if side == "left":
            rotations = mirror_rotations(rotations)
        rotations[0] = to_world @ orientation[side]
        pose = pose_from_rotations(rotations, hand_model(side).hands_mean).astype(np.float32)
        meshes.append(_mesh(side, pose, subject.betas))
        poses.append(pose)
        reaches.append(_reach(side) @ rotations[0].T)
    apart = _apart(meshes, to_world, rng)
    palms = [palm_centre(joints) for _, joints in meshes]
    places = _places(palms, reaches, apart, cameras, plan.partly_outside, rng)
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
def hand_model(side: Side) -> ManoData:
    """The open hand, read once per process."""
    return open_hand(side)


@cache
def subject_of(seed: int, number: int) -> Subject:
    """A person of the set."""
    return make_subject(number, generator(seed, "subject", number))


@cache
def cameras_of(seed: int, capture: int) -> dict[str, DomeCamera]:
    """The cameras of one capture by name."""
    return dome_cameras(generator(seed, "cameras", capture))


@cache
def _articulation() -> Articulation:
    return articulation_of(hand_model("right"))


def _mesh(side: Side, pose: npt.NDArray[np.float32], betas: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Vertices and the 21 joints of a hand that is not moved yet."""
    data = hand_model(side)
    rotations = rotations_from_pose(pose.astype(np.float64), data.hands_mean)
    vertices, joints = skin(data, rotations[None], betas[None].astype(np.float64), np.zeros((1, 3)))
    with_tips = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])
    return vertices[0], with_tips[list(JOINTS_FROM_MANO_AND_TIPS)]


def _apart(
    meshes: list[tuple[FloatArray, FloatArray]], to_world: FloatArray, rng: np.random.Generator
) -> list[FloatArray]:
    """How far each hand is held from the middle of all, (3,) m, world: two hands do not touch each other."""
    if len(meshes) == 1:
        return [np.zeros(3)]
    half = to_world @ rng.uniform(*_APART_M)
    (right, right_joints), (left, left_joints) = meshes
    right, left = right - palm_centre(right_joints), left - palm_centre(left_joints)
    tree, factor = cKDTree(right), 1.0
    while tree.query(left + 2 * factor * half, distance_upper_bound=2 * _CLEARANCE_M)[0].min() < _CLEARANCE_M or (
        _entangled(right, left + 2 * factor * half, half)
    ):
        factor *= 1.1
    return [-factor * half, factor * half]


def _entangled(first: FloatArray, second: FloatArray, direction: FloatArray) -> bool:
    """Whether one hand could not be drawn away from the other: their middles are too near for the meshes' overlap."""
    axis = direction / np.linalg.norm(direction)
    return bool((second @ axis).mean() - (first @ axis).mean() < 0.5 * ((first @ axis).std() + (second @ axis).std()))


def _places(
    palms: list[FloatArray],
    reaches: list[FloatArray],
    apart: list[FloatArray],
    cameras: tuple[DomeCamera, ...],
    partly_outside: bool,
    rng: np.random.Generator,
) -> list[npt.NDArray[np.float32]]:
    """Translation of each hand, (3,) m, world: somewhere in the first camera's image and inside every camera's.

    What has to be inside is all that any gesture reaches, so that the place says nothing about the gesture. Where that
    is not possible the hands are drawn towards the dome's centre, at which all cameras look, or held farther away; of
    two hands, joints can still lie outside an image.
    """
    around = np.concatenate([reach + shift for reach, shift in zip(reaches, apart, strict=True)])
    depth, fraction = rng.uniform(*_DEPTH_M), rng.random(2)
    middle = np.array(DOME_CENTRE)
    for farther in _FARTHER:
        target = _aim(cameras[0], around, depth * farther, fraction)
        places = [middle + pull * (target - middle) for pull in _PULL]
        inside = [place for place in places if all(_sees(camera, around + place) for camera in cameras)]
        if inside:
            break
    place = inside[0] if inside else target if len(cameras) == 1 else middle
    if partly_outside:
        moved = _at_the_border(cameras[0], place, rng)
        # Other cameras must still see the palm.
        place = moved if all(inside_image(camera, moved) for camera in cameras) else place
    return [(place - palm + shift).astype(np.float32) for palm, shift in zip(palms, apart, strict=True)]


def _at_the_border(camera: DomeCamera, place: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The place, moved sideways until the palm's middle is near one of the image's borders."""
    x, y, depth = camera.to_camera(place)
    pixel = camera.focal_px * np.array([x, y]) / depth + camera.princpt_px
    axis, end = rng.integers(2), rng.integers(2)
    within = rng.uniform(*_BORDER_PX)
    pixel[axis] = within if end == 0 else (camera.width, camera.height)[axis] - 1 - within
    return camera.to_world(np.append((pixel - camera.princpt_px) / camera.focal_px, 1.0) * depth)


def palm_centre(joints: FloatArray) -> FloatArray:
    """The middle of the palm, (..., 3), from joints (..., 21, 3): wrist and knuckles, which no gesture moves."""
    return np.asarray(joints[..., list(_PALM), :].mean(-2))


@cache
def _reach(side: Side) -> FloatArray:
    """(N, 3) m, relative to the palm's middle: hull of all joints of all gestures, global rotation removed."""
    rotations = rotations_from_angles(np.stack(list(pose_table().values())), _articulation())
    data = hand_model("right")
    vertices, joints = skin(data, rotations, np.zeros((len(rotations), 10)), np.zeros((len(rotations), 3)))
    every = np.concatenate([joints, vertices[:, list(EANET_TIP_VERTICES)]], 1)[:, list(JOINTS_FROM_MANO_AND_TIPS)]
    points = (every - palm_centre(every)[:, None]).reshape(-1, 3)
    hull = points[ConvexHull(points).vertices] * _ROOM
    return hull if side == "right" else hull * [-1.0, 1.0, 1.0]


def _aim(camera: DomeCamera, around: FloatArray, depth: float, fraction: FloatArray) -> FloatArray:
    """A point, (3,) m, world, about which the given offsets, (N, 3) m, lie inside the camera's image."""
    offsets = around @ camera.rotation.astype(np.float64).T
    reach = camera.focal_px * offsets[:, :2] / (depth + offsets[:, 2:])
    low = _MARGIN_PX - reach.min(0)
    high = np.array([camera.width, camera.height]) - 1 - _MARGIN_PX - reach.max(0)
    pixel = np.where(low < high, low + fraction * (high - low), (low + high) / 2)
    ray = np.append((pixel - camera.princpt_px) / camera.focal_px, 1.0)
    return camera.to_world(ray * depth)


def inside_image(camera: DomeCamera, points: FloatArray) -> npt.NDArray[np.bool_]:
    """(..., 3) m, world → (...) bool, whether a point lies within the camera's picture."""
    pixels = camera.project(points)
    return np.asarray(((pixels >= 0) & (pixels <= np.array([camera.width, camera.height]) - 1)).all(-1))


def _sees(camera: DomeCamera, points: FloatArray) -> bool:
    pixels = camera.project(points)
    limit = np.array([camera.width, camera.height]) - 1 - _MARGIN_PX
    return bool((pixels >= _MARGIN_PX).all() and (pixels <= limit).all())


def _validity(
    hands: int, views: int, has_fit: bool, rng: np.random.Generator
) -> tuple[list[npt.NDArray[np.bool_]], tuple[tuple[npt.NDArray[np.bool_], ...], ...]]:
    """Valid joints of the captured frame, by hand, and of each image, by camera and hand.

    In a frame without a fit some joints are missing, and some more in each image, so that the two flags differ.
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
