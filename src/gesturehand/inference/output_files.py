"""What is written of predictions beside the numbers: pictures and videos."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from gesturehand.draw.prediction import DrawnHand, fitted
from gesturehand.errors import UserError
from gesturehand.file_writing import new_file
from gesturehand.inference.result import HandResult

#: Beside the results' names, so that no picture that is given can have the name of one that is written.
OVERLAY_SUFFIX: Final = "_overlay"
#: Encoders of videos with their options, the best first.
_CODECS: Final = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}


def overlay_png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG file."""
    return cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def drawn_hands(hands: Sequence[HandResult], tracks: Sequence[int] | None = None) -> list[DrawnHand]:
    """What is drawn of hands; of a video's with the numbers of their tracks."""
    labels = [label_of(hand) for hand in hands]
    if tracks is not None:
        labels = [f"{track} {label}" for track, label in zip(tracks, labels, strict=True)]
    return [
        DrawnHand(hand.vertices, hand.joints_2d, hand.box, hand.side, label)
        for hand, label in zip(hands, labels, strict=True)
    ]


def label_of(hand: HandResult) -> str:
    """A hand in a few words: its side, and its gesture with the probability."""
    gesture = hand.gesture_fine
    return hand.side if gesture is None else f"{hand.side}: {gesture.name} {100 * gesture.probability:.0f} %"


class VideoWriter:
    """An MP4 file that is being written; :func:`new_video` makes one.

    It is H.264 with 4:2:0 colours, which browsers and players show; MPEG-4 where FFmpeg has no encoder for that.

    Args:
        path: The file, for messages.
        part: Where it is written.
        fps: Frames per second.
    """

    def __init__(self, path: Path, part: Path, fps: float) -> None:
        self.path = path
        self.part = part
        self.fps = fps
        self._container: Any = None
        self._stream: Any = None
        self._shape = (0, 0)

    def add(self, picture: np.ndarray) -> None:
        """Adds a frame (H, W, 3) uint8 RGB; the first one's size, made even, is the video's, others are fitted into it.

        Raises:
            UserError: FFmpeg writes no MP4 here.
        """
        if self._container is None:
            self._open(*(max(2, size // 2 * 2) for size in picture.shape[:2]))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(fitted(picture, *self._shape)), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def _open(self, height: int, width: int) -> None:
        self._shape = height, width
        # The index in front, so that a browser plays it before it has all of it.
        self._container = av.open(str(self.part), "w", format="mp4", options={"movflags": "faststart"})
        codec = next((name for name in _CODECS if name in av.codecs_available), None)
        if codec is None:
            raise UserError(f"FFmpeg cannot write '{self.path}' here: go without with --overlay=false.")
        self._stream = self._container.add_stream(codec, rate=Fraction(self.fps).limit_denominator(1001))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.options = _CODECS[codec]

    def close(self) -> None:
        """Ends the video.

        Raises:
            OSError: Not all of it could be written.
        """
        if self._container is not None:
            container, self._container = self._container, None
            with container:
                container.mux(self._stream.encode(None))


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
