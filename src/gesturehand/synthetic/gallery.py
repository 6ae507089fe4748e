"""A contact sheet of all gestures' poses, each with its name, seen from the palm and from the thumb's side."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.gestures import vocabulary
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.synthetic.articulation import articulation_of, gesture_poses, rotations_from_angles
from gesturehand.synthetic.render import Light, render_hands, surface_of

_COLUMNS: Final = 5
_DISTANCE_M: Final = 0.8
_BACKGROUND: Final = 38
_TONE_BGR: Final = (150.0, 188.0, 235.0)
_LIGHT: Final = Light(direction=np.array([-0.5, -0.62, -0.6]), diffuse=0.6, ambient=0.36, gloss=0.05)
_PLACE_M: Final = np.array([0.0, 0.02, _DISTANCE_M])
#: Rotations about the image's x and then y axis that show the palm, and the thumb's side, to the viewer.
_VIEWS_DEG: Final = ((8.0, -12.0), (6.0, 68.0))


def draw_gallery(tile_px: int = 220) -> npt.NDArray[np.uint8]:
    """Draws the 35 poses on right hands, fingers up, each twice: palm to the viewer, and from the thumb's side.

    Args:
        tile_px: height of a tile, which is 1.5 times as wide.

    Returns:
        (7 rows × tile, 5 columns × 1.5 tiles, 3) uint8 BGR.
    """
    hand = open_hand("right")
    articulation = articulation_of(hand)
    rotations = rotations_from_angles(gesture_poses(), articulation)
    palm = np.stack([articulation.radial, -articulation.forward, -articulation.palmar])
    count = len(rotations)
    views = []
    for turn in _VIEWS_DEG:
        rotations[:, 0] = Rotation.from_euler("xy", turn, degrees=True).as_matrix() @ palm
        vertices, joints = skin(hand, rotations, np.zeros((count, 10)), np.zeros((count, 3)))
        # The middle of the palm stays in place, so that curled fingers do not move the hand.
        views.append(vertices + _PLACE_M - joints[:, [0, 1, 4, 7]].mean(1, keepdims=True))

    width = round(1.5 * tile_px)
    focal = tile_px * _DISTANCE_M / 0.25
    surface = surface_of(hand.faces, hand.num_vertices)
    scale = 0.5 * tile_px / 220
    tiles = []
    for name, *both in zip(vocabulary().fine, *views, strict=True):
        tile = np.full((tile_px, width, 3), _BACKGROUND, np.uint8)
        for points, place in zip(both, (0.29, 0.77), strict=True):
            intrinsics = np.array([[focal, 0, place * width], [0, focal, tile_px * 0.6], [0, 0, 1]])
            render_hands(tile, [points], [surface], [np.array(_TONE_BGR)], intrinsics, _LIGHT)
        cv2.putText(
            tile, name, (6, round(32 * scale)), cv2.FONT_HERSHEY_SIMPLEX, scale, (235, 235, 235), 1, cv2.LINE_AA
        )
        tiles.append(tile)
    rows = [np.concatenate(tiles[k : k + _COLUMNS], axis=1) for k in range(0, count, _COLUMNS)]
    return np.concatenate(rows, axis=0)
