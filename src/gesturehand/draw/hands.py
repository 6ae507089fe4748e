"""Hands over images and crops: the 21 joints, one colour per finger, and meshes."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor

from gesturehand.camera import normalised_to_px
from gesturehand.draw.style import FINGER_COLOURS
from gesturehand.skeleton import BONES
from gesturehand.synthetic.render import Light, Surface, render_hands, surface_of

#: Sub-pixel bits of OpenCV's drawing functions.
_SHIFT: Final = 4
_SKIN_BGR = np.array([190.0, 200.0, 240.0])
_LIGHT = Light(direction=np.array([0.25, -0.45, -0.86]), diffuse=0.75, ambient=0.35)


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


def place_in_camera(camera: Tensor, crop_intrinsics: Tensor, size_px: int) -> Tensor:
    """Where a weak-perspective hand stands in front of the crop's pinhole camera.

    It lies on the ray through the wrist, at the depth at which the pinhole camera shows the hand at the same scale.

    Args:
        camera: (..., 3) weak perspective: scale and shift in normalised crop units.
        crop_intrinsics: (..., 3, 3) px of the crop.
        size_px: Side of the crop.

    Returns:
        (..., 3) m, the wrist in the crop's frame.
    """
    focal = crop_intrinsics[..., (0, 1), (0, 1)].abs().mean(-1)
    depth = focal / (camera[..., 0] * size_px / 2)
    wrist = normalised_to_px(camera[..., 1:], size_px)
    ray = torch.linalg.solve(crop_intrinsics, torch.cat([wrist, torch.ones_like(wrist[..., :1])], -1)[..., None])
    return ray[..., 0] * depth[..., None]


def draw_mesh(
    image: np.ndarray, vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a mesh over an image.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        vertices: (V, 3) m, in front of the camera.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        intrinsics: (3, 3) px of the image.

    Returns:
        The picture, (H, W, 3) uint8 RGB, and the mesh's mask, (H, W) bool.
    """
    return draw_meshes(image, [vertices], [surface_of(faces, len(vertices))], [_SKIN_BGR[::-1]], intrinsics)


def draw_meshes(
    image: np.ndarray,
    vertices: Sequence[np.ndarray],
    surfaces: Sequence[Surface],
    tones: Sequence[np.ndarray],
    intrinsics: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws several meshes over an image, each hiding what lies behind it.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        vertices: Vertices (V, 3) of each mesh, m, in front of the camera.
        surfaces: Surface of each mesh (:func:`gesturehand.synthetic.render.surface_of`).
        tones: Colour of each mesh in full light, (3,) RGB 0-255.
        intrinsics: (3, 3) px of the image.

    Returns:
        The picture, (H, W, 3) uint8 RGB, and the meshes' mask, (H, W) bool.
    """
    canvas = np.ascontiguousarray(image[..., ::-1])
    points = [np.asarray(mesh, np.float64) for mesh in vertices]
    bgr = [np.asarray(tone, np.float64)[::-1] for tone in tones]
    mask = render_hands(canvas, points, list(surfaces), bgr, np.asarray(intrinsics, np.float64), _LIGHT)
    return np.ascontiguousarray(canvas[..., ::-1]), mask > 0
