"""Hands over images and crops: the 21 joints, one colour per finger, and meshes; and predicted hands with
skeletons, boxes, labels and a view from the side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor

from gesturehand.camera import normalised_to_px
from gesturehand.draw.style import FINGER_COLOURS
from gesturehand.skeleton import BONES, SIDES, Side
from gesturehand.synthetic.render import Light, Surface, render_hands, surface_of

#: Sub-pixel bits of OpenCV's drawing functions.
_SHIFT: Final = 4
_SKIN_BGR = np.array([190.0, 200.0, 240.0])
_LIGHT = Light(direction=np.array([0.25, -0.45, -0.86]), diffuse=0.75, ambient=0.35)
#: RGB of right and left hands: warm and cool, easy to tell apart.
SIDE_TONES: Final = {"right": np.array([245.0, 205.0, 190.0]), "left": np.array([180.0, 210.0, 250.0])}
#: Least and greatest height of a picture, px, so that labels of small images stay legible and files of large ones
#: small.
_HEIGHT_PX: Final = (360, 720)
_PAPER: Final = (246, 246, 246)
_INK: Final = (20, 20, 20)
#: A mesh nearer than this is not drawn: it would fill the picture.
_NEAREST_M: Final = 0.02


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
    """The position of a weak-perspective hand in front of the crop's pinhole camera.

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
    """Draws several meshes over an image, each hiding everything behind it.

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


@dataclass(frozen=True)
class DrawnHand:
    """The parts of a predicted hand that are drawn.

    Attributes:
        vertices: (V, 3) m, camera frame.
        joints_px: (21, 2) px of the image.
        box: (4,) x, y, width, height px, or None.
        side: The hand's side.
        label: Its text.
    """

    vertices: np.ndarray
    joints_px: np.ndarray
    box: np.ndarray | None
    side: Side
    label: str


class PredictionPainter:
    """Draws predictions over images.

    Args:
        faces: (2, F, 3) triangles of the right and the left hand.
        num_vertices: Number of vertices of a mesh.
    """

    def __init__(self, faces: np.ndarray, num_vertices: int) -> None:
        self._surfaces: dict[Side, Surface] = {side: surface_of(faces[i], num_vertices) for i, side in enumerate(SIDES)}

    def __call__(self, image: np.ndarray, hands: Sequence[DrawnHand], intrinsics: np.ndarray) -> np.ndarray:
        """Three pictures side by side: meshes, skeletons, and the meshes from the side.

        Args:
            image: (H, W, 3) uint8 RGB.
            hands: The hands to draw.
            intrinsics: (3, 3) px of the image.

        Returns:
            (H', W', 3) uint8 RGB, of even sizes, as videos need.
        """
        meshes, joints = self.over_image(image, hands, intrinsics)
        side = self._from_the_side(hands, meshes.shape[0])
        for panel, caption in ((meshes, "mesh"), (joints, "joints")):
            _label(panel, caption, (6, panel.shape[0] - 8))
        gap = np.full((meshes.shape[0], 4, 3), 255, np.uint8)
        picture = np.hstack([meshes, gap, joints, gap, side])
        return np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])

    def over_image(
        self, image: np.ndarray, hands: Sequence[DrawnHand], intrinsics: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first two of the three pictures, without captions.

        Args:
            image: (H, W, 3) uint8 RGB.
            hands: The hands to draw.
            intrinsics: (3, 3) px of the image.

        Returns:
            Meshes with labels, and skeletons with boxes, both (H', W', 3) uint8 RGB.
        """
        height, width = image.shape[:2]
        scale = float(np.clip(height, *_HEIGHT_PX)) / height
        size = (round(width * scale), round(height * scale))
        shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        # Pixel centres: (x + 0.5) · scale − 0.5.
        zoom = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
        meshes = self._meshes(shown, hands, zoom @ intrinsics)
        joints = shown.copy()
        for hand in hands:
            joints = draw_skeleton(joints, hand.joints_px * scale + (scale - 1) / 2)
            if hand.box is not None:
                _draw_box(joints, hand.box * scale, hand.side)
        _label_hands(meshes, hands, scale)
        return meshes, joints

    def _meshes(self, image: np.ndarray, hands: Sequence[DrawnHand], intrinsics: np.ndarray) -> np.ndarray:
        drawn = [hand for hand in hands if hand.vertices[:, 2].min() > _NEAREST_M]
        if not drawn:
            return image.copy()
        vertices, sides = [hand.vertices for hand in drawn], [hand.side for hand in drawn]
        surfaces, tones = [self._surfaces[side] for side in sides], [SIDE_TONES[side] for side in sides]
        return draw_meshes(image, vertices, surfaces, tones, intrinsics)[0]

    def _from_the_side(self, hands: Sequence[DrawnHand], size: int) -> np.ndarray:
        """The view from the image's right side: depth runs to the right, and the camera stands on the left."""
        paper = np.full((size, size, 3), _PAPER, np.uint8)
        if hands:
            points = np.concatenate([hand.vertices for hand in hands]).astype(np.float64)
            low, high = points.min(0), points.max(0)
            centre, extent = (low + high) / 2, float((high - low)[1:].max())
            distance = 20 * max(extent, float((high - low)[0]))
            turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
            focal = 0.84 * size * distance / extent
            intrinsics = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
            turned = [
                DrawnHand(
                    (hand.vertices - centre) @ turn.T + [0, 0, distance], hand.joints_px, None, hand.side, hand.label
                )
                for hand in hands
            ]
            paper = self._meshes(paper, turned, intrinsics)
        _label(paper, "from the side (camera on the left)", (6, size - 8))
        return paper


def _draw_box(canvas: np.ndarray, box: np.ndarray, side: Side) -> None:
    x, y, width, height = (round(float(value)) for value in box)
    colour = tuple(int(value) for value in SIDE_TONES[side])
    thickness = max(1, round(canvas.shape[0] / 300))
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), colour, thickness, cv2.LINE_AA)


def _label_hands(canvas: np.ndarray, hands: Sequence[DrawnHand], scale: float) -> None:
    """A label above every hand's joints; if labels would overlap, each moves below the previous one."""
    taken: list[tuple[int, int, int, int]] = []
    for hand in hands:
        low = hand.joints_px.min(0) * scale
        width, height = _text_size(canvas, hand.label)
        x = int(np.clip(low[0], 2, max(2, canvas.shape[1] - width - 8)))
        y = int(np.clip(low[1] - 10, height + 6, canvas.shape[0] - 30))
        while any(x < a + w + 8 and a < x + width + 8 and abs(y - b) < height + 8 for a, b, w, _ in taken):
            y += height + 9
        taken.append((x, y, width, height))
        _label(canvas, hand.label, (x, y), SIDE_TONES[hand.side])


def _text_size(canvas: np.ndarray, text: str) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, _font_scale(canvas), 1)
    return width, height


def _font_scale(canvas: np.ndarray) -> float:
    return 0.45 * max(1.0, canvas.shape[0] / 480)


def _label(canvas: np.ndarray, text: str, place: tuple[int, int], paper: np.ndarray | None = None) -> None:
    """Writes text on a dark background, with its lower left corner at a given place."""
    width, height = _text_size(canvas, text)
    x, y = place
    ground = (255, 255, 255) if paper is None else tuple(int(value) for value in paper)
    cv2.rectangle(canvas, (x - 3, y - height - 4), (x + width + 4, y + 5), ground, -1)
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, _font_scale(canvas), _INK, 1, cv2.LINE_AA)


def fitted(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture in a frame of another shape: as large as it can be with its proportions, in the middle.

    Args:
        picture: (H, W, 3) uint8.
        height: Height of the frame, px.
        width: Width of the frame, px.

    Returns:
        (height, width, 3) uint8; the picture itself if it has this shape.
    """
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    shown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    frame = np.full((height, width, 3), _PAPER, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    frame[top : top + size[1], left : left + size[0]] = shown
    return frame
