"""The inputs of `predict`: images, folders of images, videos, cameras and addresses."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import cv2
import numpy as np

from gesturehand.data.image_file import HEIC_EXTRA, IMAGE_FORMATS, image_suffixes
from gesturehand.data.spelling import find_file, similar_name
from gesturehand.errors import UserError
from gesturehand.inference.video import ASSUMED_FPS, Video
from gesturehand.suggestions import did_you_mean_path

#: Addresses that are opened, and what FFmpeg may use for each: never a file of this machine.
_PROTOCOLS: Final = {
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tcp,tls,crypto",
}
#: A server that does not answer for this long is given up.
_TIMEOUT_S: Final = 15.0
_NO_SUFFIX: Final = "file without a suffix"
_MANY: Final = {"folder": "folders", _NO_SUFFIX: "files without a suffix"}
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
VIDEO_SUFFIXES: Final = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".3gp", ".mjpeg"
)  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """A camera or an address.

    Attributes:
        source: The camera's number, or the address.
        name: Its name in messages and results, without the address's user and password.
        stem: The stem of its results' names.
    """

    source: int | str
    name: str
    stem: str

    def open(self) -> "Camera | AddressVideo":
        """Opens its frames.

        Raises:
            UserError: There is no such camera, or nothing can be read from the address.
        """
        return Camera(self.source) if isinstance(self.source, int) else AddressVideo(self.source, self.name)


def stream_of(text: str) -> Stream | None:
    """The stream that an input names: "0" the first camera, "rtsp://…" an address; None for anything else.

    Raises:
        UserError: It is an address that is not opened.
    """
    if text.isascii() and text.isdecimal() and len(text) < 4:
        return Stream(int(text), f"camera{int(text)}", f"camera{int(text)}")
    scheme = _ADDRESS.match(text)
    if scheme is None:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if scheme[1].lower() not in _PROTOCOLS or not host:
        raise UserError(
            f"The address '{_without_user(text)}' is not opened: give one that begins with "
            f"{', '.join(f'{name}://' for name in _PROTOCOLS)} and names a host."
        )
    place = re.sub(r"[^\w.-]+", "_", parts.path.rstrip("/").rpartition("/")[2]).strip("._")
    stem = place.rpartition(".")[0] or place or host.replace(":", "_")
    shown: SplitResult = parts._replace(netloc=host if port is None else f"{host}:{port}", query="", fragment="")
    return Stream(text, shown.geturl(), stem)


def _without_user(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//", text)


class Camera:
    """A camera's frames, until it is stopped.

    Args:
        number: Number of the camera, counted from 0.

    Attributes:
        frames: 0: it does not say how many there will be.
        fps: Frames per second.
        damaged: 0.

    Raises:
        UserError: There is no such camera, or it gives no picture.
    """

    frames = 0
    damaged = 0

    def __init__(self, number: int) -> None:
        self._number = number
        self._stopped = False
        # OpenCV would report a missing camera on the error stream as well.
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(number)
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened() or not self._capture.read()[0]:
            self._capture.release()
            raise UserError(
                f"There is no camera {number} that can be read: plug one in, allow its use, or give another."
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else float(ASSUMED_FPS)

    def stop(self) -> None:
        """No frame comes after the next one."""
        self._stopped = True

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames, (H, W, 3) uint8 RGB."""
        try:
            while not self._stopped:
                there, picture = self._capture.read()
                if not there:
                    return
                yield np.ascontiguousarray(picture[..., ::-1])
        finally:
            self._capture.release()


class AddressVideo(Video):
    """A video at an address, until it ends or is stopped.

    Args:
        address: As :func:`stream_of` allows it.
        name: For messages.

    Raises:
        UserError: Nothing can be read from it.
    """

    def __init__(self, address: str, name: str) -> None:
        protocols = _PROTOCOLS[urlsplit(address).scheme.lower()]
        self._stopped = False
        self._probe(address, name, {"protocol_whitelist": protocols}, _TIMEOUT_S)

    def stop(self) -> None:
        """No frame comes after the next one."""
        self._stopped = True

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames, as :class:`Video` gives them."""
        for frame in super().__iter__():
            if self._stopped:
                return
            yield frame

    def _no_video(self) -> UserError:
        return UserError(f"No video can be read from '{self._name}': try it in a player on this machine.")


@dataclass(frozen=True)
class Sources:
    """The inputs of a prediction.

    Attributes:
        images: Image files, in order.
        videos: Video files, in order.
        left_out: A sentence for each folder with files that were left out.
        streams: Cameras and addresses, in order.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()

    @property
    def every(self) -> tuple[Path | Stream, ...]:
        """All images and videos."""
        return (*self.images, *self.videos, *self.streams)

    def output_names(self) -> dict[Path | Stream, str]:
        """The names of the results: each input's name without the suffix, or with it if two would be the same."""
        count = Counter(one.stem for one in self.every)
        return {one: one.stem if count[one.stem] == 1 else Path(one.name).name for one in self.every}


def find_sources(inputs: Sequence[str | Path]) -> Sources:
    """Images and videos that are named; from a folder, its images (not those of its folders, and no hidden files).

    A number is a camera and text with ``://`` an address, unless a file or folder is called so.

    Raises:
        UserError: A file is missing, a folder has no images, two files have the same name, or an address is not opened.
    """
    images: list[Path] = []
    videos: list[Path] = []
    streams: list[Stream] = []
    left_out: dict[Path, Counter[str]] = {}
    for given in inputs:
        if not str(given):
            raise UserError("An input is empty (''): give an image, a folder of images, or a video.")
        named = Path(given)
        entry = find_file(named)
        stream = stream_of(given) if entry is None and isinstance(given, str) else None
        if stream is not None:
            streams.append(stream)
            continue
        if entry is None:
            similar = similar_name(named)
            remedy = "give an image, a folder of images, or a video."
            hint = f"is '{similar}' meant? {remedy}" if similar else did_you_mean_path(named, remedy)
            raise UserError(f"'{named}' does not exist: {hint}")
        if entry.is_dir():
            found, left_out[entry] = _inside(entry)
            if not found:
                others = f" but {_counted(left_out[entry])}" if left_out[entry] else ""
                raise UserError(
                    f"The folder '{entry}' holds no images ({', '.join(image_suffixes())}){others}: give a folder that "
                    f"does, convert other formats to {IMAGE_FORMATS}, and name videos one by one."
                )
            images += found
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            videos.append(entry)
        else:
            images.append(entry)
    images, videos, streams = list(dict.fromkeys(images)), list(dict.fromkeys(videos)), list(dict.fromkeys(streams))
    sources = Sources(tuple(images), tuple(videos), _notes(left_out), tuple(streams))
    name, times = Counter(Path(one.name).name for one in sources.every).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} inputs are named '{name}' and would share their results: predict them one by one.")
    return sources


def _notes(left_out: dict[Path, Counter[str]]) -> tuple[str, ...]:
    """A sentence for each folder with files that were left out."""
    return tuple(
        f"Left out of '{folder}': {_counted(kinds)}. Images have to be {IMAGE_FORMATS}{_after_install(kinds)}; name "
        "videos and folders one by one."
        for folder, kinds in left_out.items()
        if kinds
    )


def _after_install(kinds: Counter[str]) -> str:
    """The package to install so that more of the files are images."""
    names = {".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF"}
    missing = dict.fromkeys(names[kind] for kind in kinds if kind in names)
    return f" (after {HEIC_EXTRA} also {' and '.join(missing)})" if missing else ""


def _inside(folder: Path) -> tuple[list[Path], Counter[str]]:
    """A folder's images, and how many other things of each kind it holds; hidden files are not photos."""
    images: list[Path] = []
    others: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        suffix = path.suffix.lower()
        if path.is_dir():
            others["folder"] += 1
        elif suffix in image_suffixes():
            images.append(path)
        else:
            others[suffix or _NO_SUFFIX] += 1
    return images, others


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {_MANY.get(kind, kind) if count > 1 else kind}" for kind, count in kinds.most_common())
