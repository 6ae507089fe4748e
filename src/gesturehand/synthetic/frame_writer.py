"""Draws one captured frame and saves its images and masks."""

import time
from pathlib import Path
from typing import Final

import cv2

from gesturehand.data.files import image_path
from gesturehand.file_writing import file_of_new_folder
from gesturehand.synthetic.annotations import FrameEntries, entries_of, image_name
from gesturehand.synthetic.capture import capture_frame
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.settings import SetSettings
from gesturehand.synthetic.view import draw_view

_JPEG_QUALITY: Final = 92
#: Little work for the encoder: masks are flat.
_MASK_OPTIONS: Final = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def write_frame(plan: PlannedFrame, folder: Path, settings: SetSettings) -> tuple[FrameEntries, float]:
    """Draws and saves the images and masks of one captured frame; its annotations, and the seconds that saving took."""
    frame = capture_frame(plan, settings.seed, settings.wrist_cone_deg)
    saving = 0.0
    for number, camera in enumerate(frame.cameras):
        image, mask = draw_view(frame, number, settings.seed)
        saving += save_picture(folder, plan.split, image_name(frame, camera), image, mask, _JPEG_QUALITY)
    return entries_of(frame), saving


def save_picture(
    folder: Path, split: str, name: str, image: cv2.typing.MatLike, mask: cv2.typing.MatLike, jpeg_quality: int
) -> float:
    """Saves an image and its mask; the seconds that took.

    Args:
        folder: of the set.
        split: train, val or test.
        name: ``file_name`` in ``data.json``.
        image: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8.
        jpeg_quality: 0 to 100.
    """
    start = time.perf_counter()
    _save(image_path(folder, split, name), image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    _save(mask_path(folder, split, name), mask, _MASK_OPTIONS)
    return time.perf_counter() - start


def mask_path(root: Path, split: str, file_name: str) -> Path:
    """``<root>/masks/{split}/{file_name}`` with the suffix ``.png``, ``file_name`` as in ``data.json``."""
    return (root / "masks" / split / file_name).with_suffix(".png")


def _save(path: Path, image: cv2.typing.MatLike, options: list[int]) -> None:
    encoded, data = cv2.imencode(path.suffix, image, options)
    if not encoded:
        raise RuntimeError(f"OpenCV cannot encode {path.suffix}")
    with file_of_new_folder(path) as file:
        file.write(data.tobytes())
