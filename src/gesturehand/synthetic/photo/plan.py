"""What a photo-like set consists of: the dome's plan with lenses in place of the dome's cameras."""

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np

from gesturehand.gestures import NO_GESTURE
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.photo.settings import PhotoSettings
from gesturehand.synthetic.plan import PlannedFrame, make_plan
from gesturehand.synthetic.seeds import generator

#: Focal lengths in sides of the picture: from a phone at arm's length (field of view 56°) over webcams to long
#: lenses and small pieces of large pictures (12°).
LENSES: Final = {
    "400000": 0.94,
    "400001": 1.25,
    "400002": 1.67,
    "400003": 2.24,
    "400004": 3.1,
    "400005": 4.7,
}
#: InterHand2.6M's name of a sequence in which two hands touch each other.
_TWO_HAND_NAME: Final = "0390_dh_touchROM"


def make_photo_plan(settings: PhotoSettings) -> list[PlannedFrame]:
    """Plans all pictures of a set; a picture's phase is its place among its gesture's pictures by one person."""
    return [_with_lens(frame, settings.seed) for frame in make_plan(settings.of_the_plan())]


def _with_lens(frame: PlannedFrame, seed: int) -> PlannedFrame:
    lens = str(generator(seed, "lens", frame.capture, frame.frame_idx).choice(list(LENSES)))
    if len(frame.sides) == 1:
        return replace(frame, cameras=(lens,))
    return replace(frame, cameras=(lens,), seq_name=_TWO_HAND_NAME, fine=(NO_GESTURE,) * 2)


@cache
def photo_cameras(image_px: int) -> dict[str, DomeCamera]:
    """The lenses as cameras by name; the world is their camera frame.

    Args:
        image_px: side of the square pictures.
    """
    middle = np.full(2, (image_px - 1) / 2, np.float32)
    return {
        name: DomeCamera(
            name=name,
            width=image_px,
            height=image_px,
            focal_px=np.full(2, sides * image_px, np.float32),
            princpt_px=middle,
            rotation=np.eye(3, dtype=np.float32),
            position_mm=np.zeros(3, np.float32),
        )
        for name, sides in LENSES.items()
    }
