"""What `predict` is given: images, folders of images, videos."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from gesturehand.errors import UserError

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclass(frozen=True)
class Sources:
    """Files to predict.

    Attributes:
        images: In order.
        videos: In order.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...]

    def output_names(self) -> dict[Path, str]:
        """What each file's results are called: its name without the suffix, with it where two would be the same."""
        files = (*self.images, *self.videos)
        count = Counter(path.stem for path in files)
        return {path: path.stem if count[path.stem] == 1 else path.name for path in files}


def find_sources(inputs: Sequence[str | Path]) -> Sources:
    """Images and videos that are named; of a folder its images (not those of its folders).

    Raises:
        UserError: A file is missing, a folder has no images, or two files have the same name.
    """
    images: list[Path] = []
    videos: list[Path] = []
    for entry in map(Path, inputs):
        if entry.is_dir():
            found = sorted(path for path in entry.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise UserError(
                    f"The folder '{entry}' holds no images ({', '.join(IMAGE_SUFFIXES[:4])}, …): give a folder that "
                    "does; videos are named one by one."
                )
            images += found
        elif not entry.exists():
            raise UserError(f"'{entry}' does not exist: give an image, a folder of images, or a video.")
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            videos.append(entry)
        else:
            images.append(entry)
    images, videos = list(dict.fromkeys(images)), list(dict.fromkeys(videos))
    name, times = Counter(path.name for path in (*images, *videos)).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} inputs are named '{name}' and would share their results: predict them one by one.")
    return Sources(tuple(images), tuple(videos))


class Video:
    """A video's frames.

    Args:
        path: The file.

    Attributes:
        frames: How many it says it has; 0 where it does not say.
        fps: Frames per second.

    Raises:
        UserError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        capture = cv2.VideoCapture(str(path))
        if not capture.isOpened():
            raise UserError(f"'{path}' is not a video that OpenCV reads: convert it to MP4 (H.264), for instance.")
        self.frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.fps = float(capture.get(cv2.CAP_PROP_FPS)) or 25.0
        capture.release()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames, (H, W, 3) uint8 RGB."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while True:
                good, frame = capture.read()
                if not good:
                    return
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            capture.release()
