"""A contact sheet of all gestures' poses, each with its name."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from gesturehand.gestures import vocabulary
from gesturehand.hand.open_hand import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.synthetic.articulation import articulation_of, rotations_from_angles
from gesturehand.synthetic.poses import gesture_poses
from gesturehand.synthetic.render import Light, draw_hands, surface_of

_COLUMNS: Final = 7
_DISTANCE_M: Final = 0.8
_BACKGROUND: Final = 38
_TONE_BGR: Final = (140.0, 180.0, 230.0)
_LIGHT: Final = Light(direction=np.array([-0.35, -0.6, -0.72]), diffuse=0.7, ambient=0.3)


def draw_gallery(tile_px: int = 220, turn_deg: tuple[float, float] = (8.0, -14.0)) -> npt.NDArray[np.uint8]:
    """Draws the 35 poses on right hands whose palms face the viewer, fingers up.

    Args:
        tile_px: width and height of one picture.
        turn_deg: how far the hand is turned from there, about the image's x and then y axis.

    Returns:
        (5 rows × tile, 7 columns × tile, 3) uint8 BGR.
    """
    hand = open_hand("right")
    articulation = articulation_of(hand)
    rotations = rotations_from_angles(gesture_poses(), articulation)
    palm = np.stack([articulation.radial, -articulation.forward, -articulation.palmar])
    rotations[:, 0] = Rotation.from_euler("xy", turn_deg, degrees=True).as_matrix() @ palm
    count = len(rotations)
    vertices, joints = skin(hand, rotations, np.zeros((count, 10)), np.zeros((count, 3)))
    # The palm's middle, not the hand's, stays in place: curled fingers do not move the hand.
    vertices += [0.0, 0.02, _DISTANCE_M] - joints[:, [0, 1, 4, 7]].mean(1, keepdims=True)

    focal = tile_px * _DISTANCE_M / 0.27
    intrinsics = np.array([[focal, 0, tile_px / 2], [0, focal, tile_px * 0.58], [0, 0, 1]])
    surface = surface_of(hand.faces, hand.num_vertices)
    tiles = []
    for name, points in zip(vocabulary().fine, vertices, strict=True):
        tile = np.full((tile_px, tile_px, 3), _BACKGROUND, np.uint8)
        draw_hands(tile, [points], [surface], [np.array(_TONE_BGR)], intrinsics, _LIGHT)
        scale = min(0.45, 0.45 * tile_px / 220)
        cv2.putText(tile, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, scale, (230, 230, 230), 1, cv2.LINE_AA)
        tiles.append(tile)
    rows = [np.concatenate(tiles[k : k + _COLUMNS], axis=1) for k in range(0, count, _COLUMNS)]
    return np.concatenate(rows, axis=0)
