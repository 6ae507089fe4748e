"""What is filmed while it is predicted: a camera of this machine, and addresses on the network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import cv2
import numpy as np

from gesturehand.errors import UserError
from gesturehand.inference.video import ASSUMED_FPS, Video

#: Addresses that are opened, and what FFmpeg may use for each: never a file of this machine.
_PROTOCOLS: Final = {
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tcp,tls,crypto",
}
#: A server that says nothing for so long is given up.
_TIMEOUT_S: Final = 15.0
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class Stream:
    """A camera or an address.

    Attributes:
        source: The camera's number, or the address.
        name: What it is called in messages and results; without the address's user and password.
        stem: What its results are called.
    """

    source: int | str
    name: str
    stem: str

    def open(self) -> "Camera | AddressVideo":
        """Its frames.

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
        number: Of the camera, from 0.

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
