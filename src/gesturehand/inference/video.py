"""A video's frames, decoded by FFmpeg."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import numpy as np

from gesturehand.data.image_file import MAX_IMAGE_PIXELS
from gesturehand.errors import UserError

#: Frame rate of a video that does not state its own.
ASSUMED_FPS: Final = 25


class VideoLength(NamedTuple):
    """A video's length.

    Attributes:
        frames: Number of its frames.
        seconds: Time from the first frame's beginning to the last one's end.
    """

    frames: int
    seconds: float


class Video:
    """A video's frames, each in its own size, turned as the camera was held.

    Args:
        path: The file.

    Attributes:
        frames: Number of frames that the file states; 0 if it states none.
        fps: Frames per second.
        damaged: Number of pieces that could not be decoded and were left out so far.

    Raises:
        UserError: It is not a regular file or not a video, or its frames are larger than images may be.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UserError(f"'{path}' is not a regular file: give a video file.")
        # A playlist in place of a video may not name any address.
        self._probe(f"file:{path}", str(path), {"protocol_whitelist": "file"})

    def _probe(self, address: str, name: str, options: dict[str, str], timeout_s: float | None = None) -> None:
        """Finds what is to be opened, as FFmpeg names it, and reads what the file states about itself."""
        self._address, self._name, self._options, self._timeout_s = address, name, options, timeout_s
        self.damaged = 0
        with self._opened() as (_, stream):
            self.frames = stream.frames
            self.fps = float(stream.average_rate or stream.guessed_rate or ASSUMED_FPS)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames, (H, W, 3) uint8 RGB; H and W may change from one to the next."""
        self.damaged = 0
        with self._opened() as (container, stream):
            try:
                for packet in container.demux(stream):
                    try:
                        frames = packet.decode()
                    except av.FFmpegError:
                        self.damaged += 1
                        continue
                    for frame in frames:
                        # Quarter turns against the clock, as the file asks a player for.
                        yield np.ascontiguousarray(
                            np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                        )
            except av.FFmpegError:  # the file ends in the middle of a piece
                self.damaged += 1

    def length(self) -> VideoLength:
        """The length according to the packets; nothing is decoded, and what the file states about itself is ignored."""
        packets, first, last = 0, None, 0
        with self._opened() as (container, stream):
            try:
                for packet in container.demux(stream):
                    if packet.size:
                        packets += 1
                    if packet.pts is not None:
                        first = packet.pts if first is None else min(first, packet.pts)
                        last = max(last, packet.pts + (packet.duration or 0))
            except av.FFmpegError:  # the file ends in the middle of a piece
                pass
            timed = 0.0 if first is None else float((last - first) * stream.time_base)
        return VideoLength(packets, timed or packets / self.fps)

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        try:
            container = av.open(self._address, options=self._options, timeout=self._timeout_s)
        except (av.FFmpegError, ValueError):
            raise self._no_video() from None
        with container:
            if not container.streams.video:
                raise self._no_video()
            stream = container.streams.video[0]
            if stream.codec_context is None:  # of a kind that FFmpeg has no decoder for
                raise self._no_video()
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > MAX_IMAGE_PIXELS:
                raise UserError(
                    f"'{self._name}' claims frames of {width} x {height} pixels, more than {MAX_IMAGE_PIXELS} in all: "
                    "scale it down."
                )
            # For frames that turn out larger than the file states.
            stream.codec_context.options = {"max_pixels": str(MAX_IMAGE_PIXELS)}
            yield container, stream

    def _no_video(self) -> UserError:
        return UserError(f"'{self._name}' is not a video that FFmpeg reads: convert it to MP4 (H.264), for instance.")
