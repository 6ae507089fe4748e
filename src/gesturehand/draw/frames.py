"""Whole frames of a data set side by side."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.data.image_file import read_image
from gesturehand.data.index import read_index
from gesturehand.errors import UserError

_GAP_PX = 6


def frame_sheet(
    root: str | Path, split: str, count: int, columns: int, height_px: int, set_format: str | None = None
) -> npt.NDArray[np.uint8]:
    """Pictures of a split in rows of one height; frames in portrait and landscape format keep their shapes.

    Args:
        root: a set's folder.
        split: which split.
        count: number of frames, drawn at random, always the same ones.
        columns: frames in a row.
        height_px: of a row.
        set_format: name of the set's format; None: it is recognised.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        UserError: a number is not positive, the split has fewer frames, or an image is missing.
    """
    index = read_index(root, split, mano_fits=False, set_format=set_format)
    if min(count, columns, height_px) < 1 or count > len(index):
        raise UserError(f"count, columns and height_px must be at least 1, and count at most {len(index)}.")
    chosen = np.random.default_rng(0).permutation(len(index))[:count]
    pictures = []
    for row in chosen:
        picture = read_image(index.image_file(int(row)), remedy="write or download the set again")[..., ::-1]
        width = round(picture.shape[1] * height_px / picture.shape[0])
        pictures.append(cv2.resize(picture, (width, height_px), interpolation=cv2.INTER_AREA))
    rows = [np.concatenate([_framed(p) for p in pictures[k : k + columns]], 1) for k in range(0, count, columns)]
    widest = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(r, 0, 0, 0, widest - r.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3) for r in rows]
    return np.concatenate(padded, 0)


def _framed(picture: cv2.typing.MatLike) -> npt.NDArray[np.uint8]:
    half = _GAP_PX // 2
    return np.asarray(
        cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_CONSTANT, value=(255,) * 3), np.uint8
    )
