"""What is written of predictions beside the numbers: pictures and videos."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from gesturehand.draw.prediction import DrawnHand, PredictionPainter, fitted
from gesturehand.errors import UserError
from gesturehand.file_writing import new_file
from gesturehand.inference.result import HandResult

#: Beside the results' names, so that no picture that is given can have the name of one that is written.
OVERLAY_SUFFIX: Final = "_overlay"


def overlay_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG file."""
    return cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def draw_hands(
    painter: PredictionPainter,
    image: np.ndarray,
    hands: Sequence[HandResult],
    intrinsics: np.ndarray,
    tracks: Sequence[int] | None = None,
) -> np.ndarray:
    """The overlay picture of an image, (H', W', 3) uint8 RGB; hands of a video with the numbers of their tracks."""
    labels = [label_of(hand) for hand in hands]
    if tracks is not None:
        labels = [f"{track} {label}" for track, label in zip(tracks, labels, strict=True)]
    drawn = [
        DrawnHand(hand.vertices, hand.joints_2d, hand.box, hand.side, label)
        for hand, label in zip(hands, labels, strict=True)
    ]
    return painter(image, drawn, intrinsics)


def label_of(hand: HandResult) -> str:
    """A hand in a few words: its side, and its gesture with the probability."""
    gesture = hand.gesture_fine
    return hand.side if gesture is None else f"{hand.side}: {gesture.name} {100 * gesture.probability:.0f} %"


class VideoWriter:
    """An MP4 file that is being written; :func:`new_video` makes one.

    Args:
        path: The file, for messages.
        part: Where it is written.
        fps: Frames per second.
    """

    def __init__(self, path: Path, part: Path, fps: float) -> None:
        self.path = path
        self.part = part
        self.fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._shape = (0, 0)
        self._frames = 0

    def add(self, picture: np.ndarray) -> None:
        """Adds a frame (H, W, 3) uint8 RGB; the first one's size is the video's, others are fitted into it.

        Raises:
            UserError: This build of OpenCV writes no MP4.
        """
        if self._writer is None:
            self._shape = height, width = picture.shape[:2]
            code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined, unused-ignore]
            self._writer = cv2.VideoWriter(str(self.part), code, self.fps, (width, height))
            if not self._writer.isOpened():
                raise UserError(f"OpenCV cannot write '{self.path}' here: go without with --overlay=false.")
        self._writer.write(fitted(picture, *self._shape)[..., ::-1])
        self._frames += 1

    def close(self) -> None:
        """Ends the video.

        Raises:
            OSError: Not all of it was written, of which OpenCV says nothing.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            written = cv2.VideoCapture(str(self.part))
            complete = int(written.get(cv2.CAP_PROP_FRAME_COUNT)) == self._frames
            written.release()
            if not complete:
                raise OSError(None, "OpenCV has not written all frames")


@contextmanager
def new_video(path: Path, fps: float) -> Iterator[VideoWriter]:
    """An MP4 file that appears as :func:`~gesturehand.file_writing.new_file` says, at the latest when the block ends.

    Args:
        path: The file.
        fps: Frames per second.

    Raises:
        UserError: It cannot be written.
    """
    with new_file(path) as part:
        writer = VideoWriter(path, part, fps)
        try:
            yield writer
        except BaseException:
            with suppress(OSError):
                writer.close()
            raise
        writer.close()
