"""The hands of one picture: a main hand in the middle, and sometimes a second one that crosses or holds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from gesturehand.gestures import NO_GESTURE
from gesturehand.skeleton import NUM_JOINTS, SIDES, Side
from gesturehand.synthetic.arm import hand_surface
from gesturehand.synthetic.articulation import (
    hand_model,
    mirror_rotations,
    pose_from_rotations,
    posed_mesh,
    right_articulation,
    rotations_from_angles,
)
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.capture import CapturedFrame, CapturedHand
from gesturehand.synthetic.photo.people import person
from gesturehand.synthetic.photo.plan import PhotoSettings, photo_cameras
from gesturehand.synthetic.photo.pose_sampling import amplitude, any_pose, clasp_partner, hand_angles
from gesturehand.synthetic.placement import inside_image
from gesturehand.synthetic.plan import PlannedFrame

FloatArray = npt.NDArray[np.float64]

#: Longer side of the box around the main hand's joints, and offset of their middle from the picture's, in sides of the
#: picture.
_SIZE: Final = (0.5, 0.82)
_OFF_CENTRE: Final = 0.08
#: The same for a hand that should be partly outside, along one axis.
_FAR_OFF_CENTRE: Final = (0.3, 0.48)
#: How far an upright hand's axis, wrist to middle knuckle, leans to the side: standard deviation, degrees.
_LEAN_DEG: Final = 14.0
#: Least distance from the camera to the middle of a hand, and to any part of a second one, m.
_NEAREST_M: Final = 0.16
_NEAREST_PART_M: Final = 0.07
#: Wrist, index and little knuckle in the papers' order.
_PALM: Final = (0, 5, 17)
#: Greatest depth to which two hands overlap, m.
_DEEPEST_M: Final = 0.006
#: Least number of a second hand's joints that lie in the picture.
_SEEN_JOINTS: Final = 11
_TRIES: Final = 12
#: Rotation of clasped hands about the palms' normal, standard deviation, rad: little or much.
_CLASP_TURN: Final = (0.25, 0.8)
#: Share of fists that are seen end on, and the least cosine between such a hand's axis and the line of sight.
_END_ON_SHARE: Final = 0.5
_END_ON: Final = 0.7


@dataclass(frozen=True, eq=False)
class PhotoHands:
    """The hands of a picture.

    Attributes:
        frame: the captured frame, right hand before left.
        main: index of the main hand.
        elements: names of the picture's elements.
    """

    frame: CapturedFrame
    main: int
    elements: list[str]


def capture_photo(plan: PlannedFrame, settings: PhotoSettings, rng: np.random.Generator, *, grip: bool) -> PhotoHands:
    """Poses and places the hands of a planned picture.

    Args:
        plan: the picture's.
        settings: the set's.
        rng: the picture's.
        grip: close the main hand around something, unless it shows a labelled gesture.
    """
    camera = photo_cameras(settings.image_px)[plan.cameras[0]]
    betas = person(settings.seed, plan.subject).subject.betas
    two = len(plan.sides) == 2
    # No random number is drawn if the share is 0, so that older sets stay the same.
    clasped = two and settings.clasped_share > 0 and rng.random() < settings.clasped_share
    fist = not (two or plan.labelled or grip) and settings.fist_share > 0 and rng.random() < settings.fist_share
    if plan.labelled:
        kind, angles = "gesture", hand_angles("gesture", plan.fine[0], amplitude(plan.phase), rng)
    elif grip:
        kind, angles = "grip", hand_angles("grip", NO_GESTURE, 1.0, rng)
    elif clasped:
        kind, angles = "clasp", hand_angles("clasp", NO_GESTURE, 1.0, rng)
    elif fist:
        kind, angles = "fist", hand_angles("fist", NO_GESTURE, 1.0, rng)
    else:
        kind, angles = any_pose(rng, gestures=two)
    rotations = rotations_from_angles(angles[None], right_articulation())[0]
    upright = rng.random() < settings.upright_share
    rotations[0] = _root_rotation(upright, rng, end_on=fist and rng.random() < _END_ON_SHARE)
    other, direction = None, ""
    if clasped:
        other, direction = _clasping_rotations(rotations, angles, rng), "clasping the first"
    elif two:
        other, facing = _second_rotations(rotations, rng)
        direction = "facing the first" if facing else "any direction"
    side: Side = plan.sides[0]
    if two:
        side = SIDES[rng.random() < settings.left_share]
    main = _hand(side, rotations, betas)
    main = _moved(main, _place(main.joints, camera, plan.partly_outside, rng))
    hands = [main]
    elements = [f"{kind} pose", "upright" if upright else "any turn"]
    if other is not None:
        second = _hand("left" if side == "right" else "right", other, betas)
        place = _clasping_place if clasped else _touching_place
        hands.append(_moved(second, _second_place(main, second, camera, place, rng)))
        elements.append(f"second hand, {direction}")
    hands.sort(key=lambda hand: SIDES.index(hand.side))
    if plan.partly_outside:
        elements.append("partly outside")
    valid = tuple(inside_image(camera, hand.joints) for hand in hands)
    frame = CapturedFrame(plan, person(settings.seed, plan.subject).subject, tuple(hands), (camera,), (valid,))
    return PhotoHands(frame, hands.index(main), elements)


def _hand(side: Side, right_rotations: FloatArray, betas: npt.NDArray[np.float32]) -> CapturedHand:
    """A hand before it is moved to its place, from the rotations of a right one."""
    rotations = right_rotations if side == "right" else mirror_rotations(right_rotations)
    pose = pose_from_rotations(rotations, hand_model(side).hands_mean).astype(np.float32)
    vertices, joints = posed_mesh(side, pose, betas)
    return CapturedHand(side, pose, betas, np.zeros(3, np.float32), vertices, joints, np.ones(NUM_JOINTS, bool))


def _moved(hand: CapturedHand, place: FloatArray) -> CapturedHand:
    trans = place.astype(np.float32)
    return CapturedHand(
        hand.side, hand.pose, hand.betas, trans, hand.vertices + trans, hand.joints + trans, hand.joint_valid
    )


def _root_rotation(upright: bool, rng: np.random.Generator, *, end_on: bool = False) -> FloatArray:
    """(3, 3), any orientation of a right hand; if upright, turned in the image so that the middle knuckle is up.

    If it is seen end on, the axis from wrist to middle knuckle lies near the line of sight.
    """
    while True:
        quaternion = rng.normal(size=4)
        root = Rotation.from_quat(quaternion / np.linalg.norm(quaternion)).as_matrix()
        forward = root @ right_articulation().forward
        if not end_on or abs(forward[2]) >= _END_ON:
            break
    lean = rng.normal() * np.radians(_LEAN_DEG)
    if not upright:
        return root
    turn = -np.pi / 2 + lean - np.arctan2(forward[1], forward[0])
    return np.asarray(Rotation.from_euler("z", turn).as_matrix() @ root)


def _second_rotations(first: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, bool]:
    """A second hand's rotations, as a right one's, and whether it faces the first, as clasped and crossing hands do."""
    _, angles = any_pose(rng, gestures=True)
    rotations = rotations_from_angles(angles[None], right_articulation())[0]
    facing = bool(rng.random() < 0.5)
    if not facing:
        rotations[0] = _root_rotation(False, rng)
        return rotations, False
    # The other hand is made by mirroring these rotations. The code below rotates its final form, so it is mirrored
    # here.
    own = mirror_rotations(first[0])
    if rng.random() < 0.5:
        normal = first[0] @ right_articulation().palmar
        own = Rotation.from_rotvec(normal * rng.uniform(-1.6, 1.6)).as_matrix() @ own
    rotations[0] = mirror_rotations(Rotation.from_rotvec(rng.normal(size=3) * 0.5).as_matrix() @ own)
    return rotations, True


def _clasping_rotations(first: FloatArray, angles: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A clasping hand's rotations, as a right one's: the first hand in a mirror before its palm, and turned a little.

    If the fingers are straight, the palms touch; if they are bent, the fingers can be interlaced.
    """
    rotations = rotations_from_angles(clasp_partner(angles, rng)[None], right_articulation())[0]
    normal = first[0] @ right_articulation().palmar
    mirror = np.eye(3) - 2 * np.outer(normal, normal)
    spread = _CLASP_TURN[int(rng.random() < 0.5)]
    turn = Rotation.from_rotvec(normal * rng.normal() * spread) * Rotation.from_rotvec(rng.normal(size=3) * 0.18)
    # A left hand is a right one mirrored in x; since this one will be mirrored when it is made, it is mirrored here
    # too.
    rotations[0] = mirror_rotations(turn.as_matrix() @ mirror @ first[0] @ np.diag([-1.0, 1.0, 1.0]))
    return rotations


def _place(joints: FloatArray, camera: DomeCamera, partly_outside: bool, rng: np.random.Generator) -> FloatArray:
    """Translation, (3,) m, that gives the hand's joints their size and place in the picture."""
    side, focal = camera.width, float(camera.focal_px[0])
    target = rng.uniform(*_SIZE) * side
    shift = rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, 2) * side
    if partly_outside:
        shift[rng.integers(2)] = rng.choice([-1, 1]) * rng.uniform(*_FAR_OFF_CENTRE) * side
    middle = (joints.max(0) + joints.min(0)) / 2
    depth = max(focal * float(np.ptp(joints[:, :2], axis=0).max()) / target, _NEAREST_M)
    for _ in range(3):
        place = np.array([*(shift * depth / focal), depth]) - middle
        moved = joints + place
        pixels = moved[:, :2] / np.maximum(moved[:, 2:], _NEAREST_PART_M) * focal
        depth = max(depth * float(np.ptp(pixels, axis=0).max()) / target, _NEAREST_M)
    return place


def _palm(hand: CapturedHand) -> tuple[FloatArray, FloatArray]:
    """The middle of a palm, (3,) m, and its unit normal: out of a right hand's palm, out of the back of a left one."""
    wrist, index, pinky = hand.joints[list(_PALM)]
    normal = np.cross(index - wrist, pinky - wrist)
    return hand.joints[list(_PALM)].mean(0), normal / np.linalg.norm(normal)


def _touching_place(
    first: CapturedHand, second: CapturedHand, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """A random place at the first hand, as a translation of the second, and the direction to pull them apart in."""
    middle, normal = _palm(first)
    gap = normal * rng.choice([-1, 1]) * rng.uniform(0.018, 0.06)
    if rng.random() < 0.4:
        gap = rng.normal(size=3) * 0.03
    own = _palm(second)[0] if rng.random() < 0.5 else second.joints.mean(0)
    goal = middle if rng.random() < 0.5 else first.joints.mean(0)
    return goal + gap + rng.normal(size=3) * [0.045, 0.045, 0.02] - own, gap / np.linalg.norm(gap)


def _clasping_place(
    first: CapturedHand, second: CapturedHand, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """A place in front of the first hand's palm, half a finger to the side, so that fingers come between fingers."""
    middle, normal = _palm(first)
    palmar = normal if first.side == "right" else -normal
    wrist, knuckle = first.joints[[0, 9]]
    across = first.joints[5] - first.joints[17]
    across /= np.linalg.norm(across)
    along = (knuckle - wrist) / np.linalg.norm(knuckle - wrist)
    sideways = rng.choice([-1, 1]) * rng.uniform(0.006, 0.013) + rng.normal() * 0.006
    gap = palmar * rng.uniform(0.02, 0.06)
    place = middle + gap + across * sideways + along * rng.normal() * 0.015 - _palm(second)[0]
    return place, palmar


def _second_place(
    first: CapturedHand,
    second: CapturedHand,
    camera: DomeCamera,
    place_at: Callable[..., tuple[FloatArray, FloatArray]],
    rng: np.random.Generator,
) -> FloatArray:
    """Translation, (3,) m, of a second hand that touches the first and presses in no deeper than skin gives way.

    If none is found, the second hand is held beside the first.
    """
    depth_into = _DepthInto(first)
    # A fingertip that pierces a palm has few vertices of the palm in it, so clasped hands are looked at from both.
    depth_into_second = _DepthInto(second) if place_at is _clasping_place else lambda _: 0.0
    for _ in range(_TRIES):
        place, away = place_at(first, second, rng)
        for _ in range(4):
            deep = max(depth_into(second.vertices + place), depth_into_second(first.vertices - place))
            if deep <= _DEEPEST_M:
                break
            place = place + away * (deep + 0.002)
        else:
            continue
        moved = second.joints + place
        if (second.vertices + place)[:, 2].min() < _NEAREST_PART_M:
            continue
        if inside_image(camera, moved).sum() >= _SEEN_JOINTS:
            return place
    beside = np.zeros(3)
    outwards = 1.0 if rng.random() < 0.5 else -1.0
    beside[0] = outwards * (np.ptp(first.vertices[:, 0]) + np.ptp(second.vertices[:, 0])) / 2
    low, high = second.vertices.min(0), second.vertices.max(0)
    return (first.vertices.min(0) + first.vertices.max(0)) / 2 + beside - (low + high) / 2


class _DepthInto:
    """The depth of points inside a hand."""

    def __init__(self, hand: CapturedHand) -> None:
        self._vertices, surface = hand.vertices, hand_surface(hand.side)
        corners = hand.vertices[surface.faces]
        normals = surface.face_to_vertex @ np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12)
        self._tree = cKDTree(hand.vertices)

    def __call__(self, points: FloatArray) -> float:
        """Depth, m, of the deepest of points (N, 3) m, along the nearest vertex's normal; 0 if all are outside."""
        low, high = self._vertices.min(0), self._vertices.max(0)
        points = points[((points > low) & (points < high)).all(1)]
        if not len(points):
            return 0.0
        _, nearest = self._tree.query(points)
        along = ((points - self._vertices[nearest]) * self._normals[nearest]).sum(1)
        return max(0.0, float(-along.min()))
