"""What `predict` is given: images, folders of images, videos."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from gesturehand.data.image_file import IMAGE_FORMATS, IMAGE_SUFFIXES, MAX_IMAGE_PIXELS
from gesturehand.data.spelling import find_file, similar_name
from gesturehand.errors import UserError

VIDEO_SUFFIXES: Final = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".3gp", ".mjpeg"
)  # fmt: skip
#: Of a video that does not say how fast it is.
_ASSUMED_FPS: Final = 25


@dataclass(frozen=True)
class Sources:
    """Files to predict.

    Attributes:
        images: In order.
        videos: In order.
        left_out: A sentence for each folder of which something was left out.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...]
    left_out: tuple[str, ...] = ()

    def output_names(self) -> dict[Path, str]:
        """What each file's results are called: its name without the suffix, with it where two would be the same."""
        files = (*self.images, *self.videos)
        count = Counter(path.stem for path in files)
        return {path: path.stem if count[path.stem] == 1 else path.name for path in files}


def find_sources(inputs: Sequence[str | Path]) -> Sources:
    """Images and videos that are named; of a folder its images (not those of its folders, no hidden files).

    Raises:
        UserError: A file is missing, a folder has no images, or two files have the same name.
    """
    images: list[Path] = []
    videos: list[Path] = []
    left_out: dict[Path, Counter[str]] = {}
    for named in map(Path, inputs):
        entry = find_file(named)
        if entry is None:
            similar = similar_name(named)
            hint = f"is '{similar}' meant? " if similar else ""
            raise UserError(f"'{named}' does not exist: {hint}give an image, a folder of images, or a video.")
        if entry.is_dir():
            found, left_out[entry] = _inside(entry)
            if not found:
                others = f" but {_counted(left_out[entry])}" if left_out[entry] else ""
                raise UserError(
                    f"The folder '{entry}' holds no images ({', '.join(IMAGE_SUFFIXES)}){others}: give a folder that "
                    f"does, convert other formats to {IMAGE_FORMATS}, and name videos one by one."
                )
            images += found
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            videos.append(entry)
        else:
            images.append(entry)
    images, videos = list(dict.fromkeys(images)), list(dict.fromkeys(videos))
    name, times = Counter(path.name for path in (*images, *videos)).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} inputs are named '{name}' and would share their results: predict them one by one.")
    notes = tuple(
        f"Left out of '{folder}': {_counted(kinds)}. Images have to be {IMAGE_FORMATS}; name videos and folders one by "
        "one."
        for folder, kinds in left_out.items()
        if kinds
    )
    return Sources(tuple(images), tuple(videos), notes)


def _inside(folder: Path) -> tuple[list[Path], Counter[str]]:
    """A folder's images, and how many other things of each kind it holds; what is hidden is nobody's photo."""
    images: list[Path] = []
    others: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        suffix = path.suffix.lower()
        if path.is_dir():
            others["folder"] += 1
        elif suffix in IMAGE_SUFFIXES:
            images.append(path)
        else:
            others[suffix or "file without a suffix"] += 1
    return images, others


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(
        f"{count} {kind}{'s' if count > 1 and kind == 'folder' else ''}" for kind, count in kinds.most_common()
    )


class Video:
    """A video's frames, each in its own size, turned as the camera was held.

    Args:
        path: The file.

    Attributes:
        frames: How many it says it has; 0 where it does not say.
        fps: Frames per second.
        damaged: Pieces that could not be decoded and were left out, so far.

    Raises:
        UserError: It is no regular file, no video, or its frames are larger than images may be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UserError(f"'{path}' is no regular file: give a video file.")
        with self._opened() as (_, stream):
            self.frames = stream.frames
            self.fps = float(stream.average_rate or stream.guessed_rate or _ASSUMED_FPS)
        self.damaged = 0

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
            except av.FFmpegError:  # it ends in the middle of a piece
                self.damaged += 1

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        try:
            # A playlist in a video's place may name no address.
            container = av.open(f"file:{self.path}", options={"protocol_whitelist": "file"})
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
                    f"'{self.path}' claims frames of {width} x {height} pixels, more than {MAX_IMAGE_PIXELS} in all: "
                    "scale it down."
                )
            # For frames that turn out larger than what the file says of itself.
            stream.codec_context.options = {"max_pixels": str(MAX_IMAGE_PIXELS)}
            yield container, stream

    def _no_video(self) -> UserError:
        return UserError(f"'{self.path}' is not a video that FFmpeg reads: convert it to MP4 (H.264), for instance.")
