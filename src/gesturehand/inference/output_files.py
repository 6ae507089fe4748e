"""Writes predictions: each file in one step, so that none is ever half there."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import cv2
import numpy as np

from gesturehand.draw.prediction import DrawnHand, PredictionPainter, fitted
from gesturehand.errors import UserError
from gesturehand.inference.result import HandResult

#: Beside the results' names, so that no picture that is given can have the name of one that is written.
OVERLAY_SUFFIX: Final = "_overlay"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one step; an existing one is replaced."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def overlay_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG file."""
    return cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def draw_hands(
    painter: PredictionPainter, image: np.ndarray, hands: Sequence[HandResult], intrinsics: np.ndarray
) -> np.ndarray:
    """The overlay picture of an image, (H', W', 3) uint8 RGB."""
    drawn = [DrawnHand(hand.vertices, hand.joints_2d, hand.box, hand.side, label_of(hand)) for hand in hands]
    return painter(image, drawn, intrinsics)


def label_of(hand: HandResult) -> str:
    """A hand in a few words: its side, and its gesture with the probability."""
    gesture = hand.gesture_fine
    return hand.side if gesture is None else f"{hand.side}: {gesture.name} {100 * gesture.probability:.0f} %"


class VideoWriter:
    """An MP4 file that appears when it is complete; a context manager.

    Args:
        path: The file.
        fps: Frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self._temporary = path.with_name(f".{os.getpid()}-{path.name}")
        self._writer: cv2.VideoWriter | None = None
        self._shape = (0, 0)

    def add(self, picture: np.ndarray) -> None:
        """Adds a frame (H, W, 3) uint8 RGB; the first one's size is the video's, others are fitted into it.

        Raises:
            UserError: This build of OpenCV writes no MP4.
        """
        if self._writer is None:
            self._shape = height, width = picture.shape[:2]
            code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined, unused-ignore]
            self._writer = cv2.VideoWriter(str(self._temporary), code, self.fps, (width, height))
            if not self._writer.isOpened():
                raise UserError(f"OpenCV cannot write '{self.path}' here: go without with --overlay=false.")
        self._writer.write(fitted(picture, *self._shape)[..., ::-1])

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if kind is None and self._writer is not None:
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink(missing_ok=True)
