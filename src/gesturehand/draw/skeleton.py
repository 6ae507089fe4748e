"""The 21 joints over an image, one colour per finger."""

from typing import Final

import cv2
import numpy as np

from gesturehand.skeleton import BONES, FINGERS

#: RGB of the fingers, thumb … pinky (Okabe and Ito's palette, which also works for the colour-blind).
FINGER_COLOURS: Final = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
#: Sub-pixel bits of OpenCV's drawing functions.
_SHIFT: Final = 4


def draw_skeleton(image: np.ndarray, joints_px: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Draws bones and joints.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        joints_px: (21, 2) px of the image.
        valid: (21,) bool; an invalid joint and its bones are left out.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = np.ascontiguousarray(image)
    canvas = canvas.copy()
    shown = np.isfinite(joints_px).all(-1) & (np.ones(len(joints_px), bool) if valid is None else valid)
    points = np.round(np.where(shown[:, None], joints_px, 0) * (1 << _SHIFT)).astype(int)
    thickness = max(1, round(min(image.shape[:2]) / 110))
    for parent, child in BONES:
        if shown[parent] and shown[child]:
            colour = FINGER_COLOURS[(child - 1) // 4]
            cv2.line(canvas, points[parent].tolist(), points[child].tolist(), colour, thickness, cv2.LINE_AA, _SHIFT)
    for joint, point in enumerate(points):
        if shown[joint]:
            colour = (255, 255, 255) if joint == 0 else FINGER_COLOURS[(joint - 1) // 4]
            radius = (thickness + 1) << (_SHIFT - 1)
            cv2.circle(canvas, point.tolist(), radius, colour, -1, cv2.LINE_AA, _SHIFT)
    return canvas


def finger_legend() -> list[tuple[str, tuple[int, int, int]]]:
    """Finger names with their colours, for a legend."""
    return list(zip(FINGERS, FINGER_COLOURS, strict=True))
