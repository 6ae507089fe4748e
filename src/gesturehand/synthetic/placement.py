"""The places of hands: in view of the cameras, clear of each other, and independent of what the fingers do."""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, cKDTree

from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, Side
from gesturehand.synthetic.articulation import hand_model, pose_table, right_articulation, rotations_from_angles
from gesturehand.synthetic.cameras import DOME_CENTRE, DomeCamera

FloatArray = npt.NDArray[np.float64]

#: Distances of hands from the camera, m.
_DEPTH_M: Final = (0.98, 1.12)
#: Least distance of joints from the image's border, px.
_MARGIN_PX: Final = 6.0
#: Two hands are held one in front of the other: least and greatest half distance between them, m, camera frame.
_APART_M: Final = ((0.02, -0.03, 0.02), (0.07, 0.03, 0.06))
#: Least distance between two hands, m.
_CLEARANCE_M: Final = 0.006
#: Tried in turn until every joint lies inside every image: factors on the depth, and for each of them shares of the
#: way from the dome's centre.
_FARTHER: Final = (1.0, 1.15, 1.3)
_PULL: Final = (1.0, 0.6, 0.3, 0.0)
#: Distance from the border of the first camera's image at which the palm's middle stays if the hand is to be partly
#: outside.
_BORDER_PX: Final = (12.0, 40.0)
#: Wrist and knuckles in the papers' order.
_PALM: Final = (0, 5, 9, 13, 17)
#: Allowance for shapes and poses that reach farther than the table's.
_ROOM: Final = 1.06


def hands_apart(
    meshes: list[tuple[FloatArray, FloatArray]], to_world: FloatArray, rng: np.random.Generator
) -> list[FloatArray]:
    """Offset of each hand from the middle of all, (3,) m, world, so that two hands do not touch."""
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
    """Whether one hand cannot be pulled away from the other: their middles are too close for the meshes' extent."""
    axis = direction / np.linalg.norm(direction)
    return bool((second @ axis).mean() - (first @ axis).mean() < 0.5 * ((first @ axis).std() + (second @ axis).std()))


def place_hands(
    palms: list[FloatArray],
    reaches: list[FloatArray],
    apart: list[FloatArray],
    cameras: tuple[DomeCamera, ...],
    partly_outside: bool,
    rng: np.random.Generator,
) -> list[npt.NDArray[np.float32]]:
    """Translation of each hand, (3,) m, world: somewhere in the first camera's image and inside every camera's.

    Everything that any gesture reaches has to be inside, so that the place says nothing about the gesture. If that is
    impossible, the hands move towards the dome's centre, at which all cameras look, or farther away; some joints of two
    hands can still lie outside an image.
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
    """The place, moved sideways until the middle of the palm is near a border of the image."""
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
def reach_of(side: Side) -> FloatArray:
    """(N, 3) m, relative to the palm's middle: hull of all joints of all gestures, global rotation removed."""
    rotations = rotations_from_angles(np.stack(list(pose_table().values())), right_articulation())
    data = hand_model("right")
    vertices, joints = skin(data, rotations, np.zeros((len(rotations), 10)), np.zeros((len(rotations), 3)))
    every = np.concatenate([joints, vertices[:, list(EANET_TIP_VERTICES)]], 1)[:, list(JOINTS_FROM_MANO_AND_TIPS)]
    points = (every - palm_centre(every)[:, None]).reshape(-1, 3)
    hull = points[ConvexHull(points).vertices] * _ROOM
    return hull if side == "right" else hull * [-1.0, 1.0, 1.0]


def _aim(camera: DomeCamera, around: FloatArray, depth: float, fraction: FloatArray) -> FloatArray:
    """A point, (3,) m, world, around which the given offsets, (N, 3) m, lie inside the camera's image."""
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
