"""One picture of the photo-like set, and the mask of its hands."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.arm import limb_mesh, make_arm
from gesturehand.synthetic.capture import CapturedFrame, CapturedHand
from gesturehand.synthetic.photo.camera_effects import cast_shadow, take_picture
from gesturehand.synthetic.photo.hands import capture_photo
from gesturehand.synthetic.photo.people import Person, nail_faces, person, skin_albedo, skin_tone
from gesturehand.synthetic.photo.plan import PhotoSettings, photo_cameras
from gesturehand.synthetic.photo.surroundings import Solid, background, make_solid, put_before
from gesturehand.synthetic.placement import palm_centre
from gesturehand.synthetic.plan import PlannedFrame, generator
from gesturehand.synthetic.render import Light, Mesh, render_meshes
from gesturehand.synthetic.view import MASK_LEVELS

FloatArray = npt.NDArray[np.float64]

#: Anything nearer to the camera than this is cut off, m.
_NEAR_M: Final = 0.05
#: Share of objects that are held, if the pose has room for one.
_HELD_SHARE: Final = 0.65
#: Share of pictures in which the hands' shadow falls on what lies behind them.
_CAST_SHADOW_SHARE: Final = 0.3
#: Share of second hands that belong to somebody else.
_OTHER_PERSON_SHARE: Final = 0.15
#: Least share of the hull of a hand's joints within the picture that shows the hand: for a main hand, and for a second
#: one.
_VISIBLE: Final = (0.3, 0.1)
#: Least distance of any part of a limb from the middle of the camera, m: an arm does not pass through the camera.
_ROOM_M: Final = 0.06
#: Largest number of times that a picture is drawn; the last one is kept.
_TRIES: Final = 10


@dataclass(frozen=True, eq=False)
class Photo:
    """A drawn picture.

    Attributes:
        frame: the hands in numbers.
        main: place of the main hand among them.
        image: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8 (:data:`~gesturehand.synthetic.view.MASK_LEVELS`): the parts of the hands that nothing hides.
        elements: names of its elements.
        skin_bgr: (hands, 3) 0-255, each hand's skin in full light; a second hand may be somebody else's.
        possible: whether a camera could take it, as no limb passes through the camera.
        rng: the picture's generator, for the remaining random choices.
    """

    frame: CapturedFrame
    main: int
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    elements: list[str]
    skin_bgr: FloatArray
    possible: bool
    rng: np.random.Generator


def draw_photo(plan: PlannedFrame, settings: PhotoSettings) -> Photo:
    """Draws a planned picture, again if a hand is hardly visible; the result is the same for the same arguments."""
    for attempt in range(_TRIES):
        photo = _draw(plan, settings, generator(settings.seed, "photo", plan.capture, plan.frame_idx, attempt))
        if photo.possible and _is_visible(photo):
            break
    return photo


def _is_visible(photo: Photo) -> bool:
    """Whether enough of every hand is visible."""
    frame = photo.frame
    for place, (hand, valid) in enumerate(zip(frame.hands, frame.joint_valid_image[0], strict=True)):
        points = frame.cameras[0].project(hand.joints[valid]).astype(np.float32)
        hull = cv2.contourArea(cv2.convexHull(points)) if len(points) else 0.0
        seen = np.count_nonzero(photo.mask == MASK_LEVELS[hand.side])
        if not seen or seen < _VISIBLE[place != photo.main] * hull:
            return False
    return True


def _draw(plan: PlannedFrame, settings: PhotoSettings, rng: np.random.Generator) -> Photo:
    with_solid, held = rng.random() < settings.solid_share, rng.random() < _HELD_SHARE
    hands = capture_photo(plan, settings, rng, grip=with_solid and held)
    frame, elements = hands.frame, hands.elements
    image = background(settings, plan.split, plan.subject, rng)
    light = _light(rng)
    meshes, tones = _limbs(frame, settings.seed, rng)
    skin = np.stack(tones[: len(frame.hands)])
    possible = all(float(np.linalg.norm(mesh.vertices, axis=1).min()) > _ROOM_M for mesh in meshes)
    solid = make_solid(frame.hands[hands.main], rng, held=held) if with_solid else None
    if solid is not None:
        meshes.append(_solid_mesh(solid, len(tones), rng))
        tones.append(rng.uniform(5, 250, 3))
        elements.append(f"held {solid.shape}" if solid.held else f"{solid.shape} before or behind")
    meshes = [mesh for mesh in map(_in_front, meshes) if mesh is not None]
    labels = render_meshes(image, meshes, tones, photo_cameras(settings.image_px)[plan.cameras[0]].intrinsics, light)
    if rng.random() < _CAST_SHADOW_SHARE:
        towards = -light.direction[:2] * rng.uniform(2, 0.12 * settings.image_px)
        cast_shadow(image, labels > 0, towards, rng.uniform(1, 0.06 * settings.image_px), rng.uniform(0.15, 0.6))
        elements.append("cast shadow")
    if rng.random() < settings.occluder_share:
        labels[put_before(image, settings, plan.split, plan.subject, rng)] = 0
        elements.append("flat thing before")
    image, effects = take_picture(image, settings.seed, rng)
    return Photo(frame, hands.main, image, _mask(labels, frame), elements + effects, skin, possible, rng)


def _limbs(frame: CapturedFrame, seed: int, rng: np.random.Generator) -> tuple[list[Mesh], list[FloatArray]]:
    """Hands and arms, and tones of their materials: hands, arms' skin, sleeves, nails."""
    hands, somebody = frame.hands, person(seed, frame.plan.subject)
    tones = [somebody.subject.skin_bgr] * len(hands)
    if len(hands) == 2 and rng.random() < _OTHER_PERSON_SHARE:
        tones[int(rng.integers(2))] = skin_tone(rng.random())
    sleeve = np.clip(somebody.cloth.colour_bgr * rng.uniform(0.6, 1.5), 0, 255)
    nails = [_nails(tone, somebody) for tone in tones]
    meshes = [_limb(hand, place, frame, seed, rng) for place, hand in enumerate(hands)]
    return meshes, [*tones, *tones, sleeve, *nails]


def _nails(tone: FloatArray, somebody: Person) -> FloatArray:
    """The person's nails, in skin of any tone."""
    return np.clip(somebody.nails_bgr * (tone / somebody.subject.skin_bgr), 0, 255)


def _limb(hand: CapturedHand, place: int, frame: CapturedFrame, seed: int, rng: np.random.Generator) -> Mesh:
    palm, count = palm_centre(hand.joints), len(frame.hands)
    arm = make_arm(hand, -palm / np.linalg.norm(palm), rng)
    albedo = skin_albedo(seed, frame.plan.subject, hand.side)
    mesh = limb_mesh(hand, arm, place, count, frame.cameras[0], albedo, person(seed, frame.plan.subject).cloth)
    material = mesh.material.copy()
    material[nail_faces(hand.side)] = 2 * count + 1 + place
    return replace(mesh, material=material)


def _solid_mesh(solid: Solid, material: int, rng: np.random.Generator) -> Mesh:
    """An object with stripes or spots."""
    waves = rng.normal(size=(6, 3)) * rng.uniform(20, 200)
    pattern = np.sin(solid.vertices @ waves.T + rng.uniform(0, 2 * np.pi, 6)).mean(1) * rng.uniform(0, 1.2)
    return Mesh(
        solid.vertices, solid.surface, np.full(len(solid.surface.faces), material), np.clip(1 + pattern, 0.3, 1.7)
    )


def _in_front(mesh: Mesh) -> Mesh | None:
    """The part of a mesh that lies in front of the camera."""
    before = mesh.vertices[:, 2] > _NEAR_M
    if before.all():
        return mesh
    keep = before[mesh.surface.faces].all(1)
    if not keep.any():
        return None
    surface = replace(mesh.surface, faces=mesh.surface.faces[keep], face_to_vertex=mesh.surface.face_to_vertex[:, keep])
    vertices = np.where(before[:, None], mesh.vertices, [0.0, 0.0, 1.0])
    return Mesh(vertices, surface, mesh.material[keep], mesh.albedo)


def _light(rng: np.random.Generator) -> Light:
    """Light from a random direction, rather above and before the hands than below and behind; a point or half a sky."""
    direction = rng.normal(size=3) * [1, 0.8, 0.6] + [0, -0.5, -0.5]
    return Light(
        direction / np.linalg.norm(direction),
        diffuse=rng.uniform(0.2, 0.8),
        ambient=rng.uniform(0.22, 0.6),
        gloss=rng.uniform(0, 0.25),
        wrap=rng.uniform(0, 0.8) if rng.random() < 0.5 else 0.0,
    )


def _mask(labels: npt.NDArray[np.uint8], frame: CapturedFrame) -> npt.NDArray[np.uint8]:
    """Grey levels of the hands and their nails."""
    levels, count = np.zeros(256, np.uint8), len(frame.hands)
    for place, hand in enumerate(frame.hands):
        levels[[place + 1, 2 * count + 2 + place]] = MASK_LEVELS[hand.side]
    return levels[labels]
