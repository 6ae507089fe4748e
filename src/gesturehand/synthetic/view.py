"""One camera's picture of a captured frame, and the mask of its hands."""

from functools import cache, lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import Side
from gesturehand.synthetic.arm import Arm, hand_surface, limb_mesh, limb_surface, make_arm
from gesturehand.synthetic.articulation import hand_model
from gesturehand.synthetic.background import add_grain, draw_background, grain_of
from gesturehand.synthetic.cameras import CAMERA_NAMES, DOME_CENTRE, DomeCamera, is_grey
from gesturehand.synthetic.capture import CapturedFrame, cameras_of
from gesturehand.synthetic.clothes import Body, Cloth, draw_body, make_cloth
from gesturehand.synthetic.placement import palm_centre
from gesturehand.synthetic.plan import generator
from gesturehand.synthetic.render import Light, Mesh, label_meshes, render_meshes

FloatArray = npt.NDArray[np.float64]

#: Grey level of each hand in the mask file; 0 is everything else.
MASK_LEVELS: Final[dict[Side, int]] = {"right": 255, "left": 128}
#: Share of frames with a body behind the hands.
_BODY_SHARE: Final = 0.7
#: Least distance between the palm and the middle of the body behind it, m.
_BEHIND_M: Final = 0.3
#: Share of images that are not quite sharp.
_SOFT_SHARE: Final = 0.5


def draw_view(frame: CapturedFrame, number: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draws the view of one camera.

    Returns:
        Image (H, W, 3) uint8 BGR, grey cameras with three equal channels, and mask (H, W) uint8 (:data:`MASK_LEVELS`):
        the hands, except where one hides the other; arms hide nothing in it.
    """
    camera, capture = frame.cameras[number], frame.plan.capture
    rng = generator(seed, "view", capture, frame.plan.frame_idx, CAMERA_NAMES.index(camera.name))
    arms, body = _arms_and_body(frame, seed)
    cloth = _cloth(seed, frame.subject.number)
    tint = _tint(seed, capture, camera.name) * rng.uniform(0.9, 1.15)
    image = _background(seed, capture, camera.name).copy()
    if body is not None and _lies_behind(body, frame, camera):
        draw_body(image, camera, body, cloth, tint)
    sleeve = cloth.colour_bgr * 1.1
    tones = [frame.subject.skin_bgr * tint] * (2 * len(frame.hands)) + [sleeve * tint]
    meshes = [
        limb_mesh(hand, arm, place, len(frame.hands), camera, _albedo(seed, frame.subject.number, hand.side), cloth)
        for place, (hand, arm) in enumerate(zip(frame.hands, arms, strict=True))
    ]
    render_meshes(image, meshes, tones, camera.intrinsics, _light(rng))
    if rng.random() < _SOFT_SHARE:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9)), np.uint8)
    strength = rng.uniform(1.2, 3.0)
    if camera.is_grey:
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        image = np.repeat(add_grain(grey, grain_of(seed), strength, rng)[..., None], 3, axis=2)
    else:
        image = add_grain(image, grain_of(seed), strength, rng)
    return image, _mask(frame, camera)


def _mask(frame: CapturedFrame, camera: DomeCamera) -> npt.NDArray[np.uint8]:
    meshes = [
        Mesh(
            camera.to_camera(hand.vertices), hand_surface(hand.side), np.full(len(hand_surface(hand.side).faces), place)
        )
        for place, hand in enumerate(frame.hands)
    ]
    labels = label_meshes(meshes, camera.intrinsics, camera.width, camera.height)
    return np.array([0, *(MASK_LEVELS[hand.side] for hand in frame.hands)], np.uint8)[labels]


@lru_cache(maxsize=1)
def _arms_and_body(frame: CapturedFrame, seed: int) -> tuple[list[Arm], Body | None]:
    """The arms of all hands and perhaps a body, the same for every camera of a frame."""
    rng = generator(seed, "arms", frame.plan.capture, frame.plan.frame_idx)
    first = frame.cameras[0].position_mm.astype(np.float64) / 1000
    # Nothing here may depend on the fingers: a hand's surroundings must not reveal its gesture.
    palm = np.mean([palm_centre(hand.joints) for hand in frame.hands], axis=0)
    to_camera = first - palm
    to_camera /= np.linalg.norm(to_camera)
    arms = [make_arm(hand, to_camera, rng) for hand in frame.hands]
    has_body, turn, shift = rng.random() < _BODY_SHARE, rng.normal() * 0.5, rng.uniform(0.02, 0.16)
    if not has_body:
        return arms, None
    shoulder = np.mean([arm.shoulder for arm in arms], axis=0)
    level = np.array([-to_camera[2], 0.0, to_camera[0]])
    outwards = np.sign((np.array(DOME_CENTRE) - shoulder) @ level) or 1.0
    place = shoulder + level * shift * outwards * (len(arms) == 1)
    place = place - to_camera * max(0.0, (palm - place) @ -to_camera + _BEHIND_M)
    height = min(place[1], palm[1] - rng.uniform(0.12, 0.3))
    away = np.arctan2(-to_camera[0], -to_camera[2])
    return arms, Body(np.array([place[0], height, place[2]]), turn - away)


def _lies_behind(body: Body, frame: CapturedFrame, camera: DomeCamera) -> bool:
    palm = np.mean([palm_centre(hand.joints) for hand in frame.hands], axis=0)
    level = np.array([body.place[0], palm[1], body.place[2]])
    return bool(camera.to_camera(level)[2] - 0.25 > camera.to_camera(palm)[2])


def _light(rng: np.random.Generator) -> Light:
    """The light of the dome: from all around, and a little stronger from above on one side."""
    direction = np.array([0.0, -0.5, -0.6]) + rng.normal(size=3) * [0.5, 0.35, 0.2]
    return Light(
        direction / np.linalg.norm(direction),
        diffuse=rng.uniform(0.35, 0.55),
        ambient=rng.uniform(0.42, 0.55),
        gloss=rng.uniform(0.02, 0.1),
    )


@lru_cache(maxsize=64)
def _background(seed: int, capture: int, camera: str) -> npt.NDArray[np.uint8]:
    rng = generator(seed, "dome", capture)
    return draw_background(cameras_of(seed, capture)[camera], rng)


@cache
def _tint(seed: int, capture: int, camera: str) -> FloatArray:
    """(3,) exposure and colour cast of a camera: the real colour cameras have a green and yellow cast."""
    rng = generator(seed, "tint", capture, CAMERA_NAMES.index(camera))
    if is_grey(camera):
        return np.full(3, rng.uniform(0.85, 1.05))
    return np.array([rng.uniform(0.6, 0.9), rng.uniform(0.92, 1.0), rng.uniform(0.75, 0.95)]) * rng.uniform(0.95, 1.1)


@cache
def _cloth(seed: int, subject: int) -> Cloth:
    return make_cloth(generator(seed, "cloth", subject))


@cache
def _albedo(seed: int, subject: int, side: Side) -> FloatArray:
    """(V,) mottled skin, of hand and arm."""
    rng = generator(seed, "skin", subject)
    count = limb_surface(side)[0].face_to_vertex.shape[0]
    rest = hand_model(side).v_template
    waves = rng.normal(size=(24, 3)) * 160
    mottled = np.sin(rest @ waves.T + rng.uniform(0, 6.3, 24)).mean(1) * 0.35
    skin = 1 + np.concatenate([mottled, rng.normal(size=count - len(rest)) * 0.03])
    return np.clip(skin + rng.normal(size=count) * 0.015, 0.7, 1.25)
