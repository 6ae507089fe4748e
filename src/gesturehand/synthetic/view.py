"""One camera's picture of a captured frame, and the mask of its hands."""

from functools import cache, lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import Side
from gesturehand.synthetic.background import add_grain, draw_background, make_grain
from gesturehand.synthetic.cameras import CAMERA_NAMES
from gesturehand.synthetic.capture import CapturedFrame, cameras_of, hand_model
from gesturehand.synthetic.render import Light, Surface, draw_hands, surface_of
from gesturehand.synthetic.seeds import generator

#: Grey level of each hand in the mask file; 0 is everything else.
MASK_LEVELS: Final[dict[Side, int]] = {"right": 255, "left": 128}


def draw_view(frame: CapturedFrame, number: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draws what one camera saw.

    Args:
        frame: the hands.
        number: of the camera within ``frame.cameras``.
        seed: of the set.

    Returns:
        Image (H, W, 3) uint8 BGR, grey cameras with three equal channels, and mask (H, W) uint8 (:data:`MASK_LEVELS`).
    """
    camera = frame.cameras[number]
    rng = generator(seed, "view", frame.plan.capture, frame.plan.frame_idx, CAMERA_NAMES.index(camera.name))
    image = _background(seed, frame.plan.capture, camera.name).copy()
    labels = draw_hands(
        image,
        [camera.to_camera(hand.vertices) for hand in frame.hands],
        [_surface(hand.side) for hand in frame.hands],
        [frame.subject.skin_bgr] * len(frame.hands),
        camera.intrinsics,
        _light(rng),
    )
    strength = rng.uniform(1.5, 3.5)
    if camera.is_grey:
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        image = np.repeat(add_grain(grey, _grain(seed), strength, rng)[..., None], 3, axis=2)
    else:
        image = add_grain(image, _grain(seed), strength, rng)
    levels = np.array([0, *(MASK_LEVELS[hand.side] for hand in frame.hands)], np.uint8)
    return image, levels[labels]


def _light(rng: np.random.Generator) -> Light:
    """The dome is lit from all around, a little stronger from one side above."""
    direction = np.array([0.0, -0.35, -0.8]) + rng.normal(size=3) * [0.4, 0.3, 0.15]
    return Light(direction / np.linalg.norm(direction), diffuse=rng.uniform(0.5, 0.7), ambient=rng.uniform(0.32, 0.45))


@lru_cache(maxsize=64)
def _background(seed: int, capture: int, camera: str) -> npt.NDArray[np.uint8]:
    rng = generator(seed, "dome", capture)
    return draw_background(cameras_of(seed, capture)[camera], rng)


@cache
def _grain(seed: int) -> npt.NDArray[np.float32]:
    return make_grain(generator(seed, "grain"))


@cache
def _surface(side: Side) -> Surface:
    hand = hand_model(side)
    return surface_of(hand.faces, hand.num_vertices)
