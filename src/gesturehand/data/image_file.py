"""The one reader of images that may be damaged or hostile: the header is checked first, and the size is limited.

Import, loader, check and prediction all use it, so that they accept the same images. Pixels are as a viewer shows them,
rotated by the Exif orientation. OpenCV decodes everything except HEIC and AVIF, the formats of phones, which Pillow
decodes: AVIF by itself, HEIC with pillow-heif.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, features

from gesturehand.data.image_header import ImageHeader, format_name, read_header
from gesturehand.data.spelling import find_file, similar_name
from gesturehand.errors import UserError
from gesturehand.extras import install

#: Suffixes of HEIC's and AVIF's file names.
HEIC_SUFFIXES: Final = (".heic", ".heif")
AVIF_SUFFIXES: Final = (".avif",)
#: The names of their formats in :func:`~gesturehand.data.image_header.format_name`.
HEIF_FORMATS: Final = ("HEIC", "AVIF")
#: The names of their formats in Pillow.
_PILLOW_FORMATS: Final = ("AVIF", "HEIF")
#: The formats that are always read, for messages.
IMAGE_FORMATS: Final = "JPEG, PNG, WebP or BMP"
#: What HEIC requires, and AVIF if Pillow was built without it.
HEIC_EXTRA: Final = install("heic")
#: Usual suffixes of these files; the content decides, not the name.
IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp")
#: Far more than any capture camera has; a small file can claim more, and decoding it would fill the memory.
MAX_IMAGE_PIXELS: Final = 8192 * 8192
#: More bytes per pixel than any of the formats needs.
_MAX_FILE_BYTES: Final = 16 * MAX_IMAGE_PIXELS
_JPEG_END: Final = b"\xff\xd9"
#: The rotation of stored pixels for display, by Exif orientation.
_TURNS: Final[dict[int, Callable[[Any], Any]]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


#: ``error`` ends at an image that cannot be read, ``skip`` leaves it out.
Unreadable = Literal["error", "skip"]


def heic_is_read() -> bool:
    """Whether pillow-heif is installed; Pillow opens HEIC from then on."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def avif_is_read() -> bool:
    """Whether Pillow can decode AVIF."""
    return bool(features.check("avif"))


def heif_suffixes() -> tuple[str, ...]:
    """Suffixes of the HEIC and AVIF files that can be read with the installed packages."""
    return (*(HEIC_SUFFIXES if heic_is_read() else ()), *(AVIF_SUFFIXES if avif_is_read() else ()))


def is_read(name: str) -> bool:
    """Whether a format of :data:`HEIF_FORMATS` can be read with the installed packages."""
    return avif_is_read() if name == "AVIF" else heic_is_read()


def heif_header(file: BinaryIO) -> ImageHeader | None:
    """The header of a HEIC or AVIF; no pixel is decoded.

    Args:
        file: Open for reading, anywhere.

    Returns:
        The header, or None: damaged. A HEIC's size is the one that is shown, and its orientation 1: files of this kind
        store the rotation outside the Exif data, whose orientation viewers ignore.
    """
    file.seek(0)
    try:
        with Image.open(file, formats=_PILLOW_FORMATS) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return ImageHeader(image.size, orientation if orientation in range(1, 9) else 1, 0)
    except Exception:  # damaged data fails in any way
        return None


def decode_heif(content: bytes) -> npt.NDArray[np.uint8] | None:
    """Decodes a HEIC or AVIF whose header has been checked.

    Args:
        content: Content of the file.

    Returns:
        (height, width, 3) uint8 RGB as stored; the first picture, 16 bits as 8, transparency left out; None: damaged.
    """
    try:
        with Image.open(BytesIO(content), formats=_PILLOW_FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:
        return None


class UnreadableImageError(UserError):
    """An image is missing, damaged, too large, of another format or of another size than announced.

    Attributes:
        kind: The problem, always in the same words.
        detail: The problem of this image, as the end of a sentence.
    """

    # Not arguments: a worker process's error is rebuilt from its text alone.
    kind = "image unreadable"
    detail = ""


@dataclass(frozen=True)
class StoredImage:
    """An image that is not a separate file: part of a shard, or behind a URL.

    Attributes:
        place: Its name in messages.
        content: Reads its bytes; raises OSError.
        remedy: What to do if it is missing or damaged, for messages.
    """

    place: str
    content: Callable[[], bytes]
    remedy: str

    def __str__(self) -> str:
        return self.place


def image_suffixes() -> tuple[str, ...]:
    """Suffixes of all files that are read with the installed packages, including HEIC's and AVIF's."""
    return (*IMAGE_SUFFIXES, *heif_suffixes())


def read_image(
    path: str | Path | StoredImage, announced: tuple[int, int] | None = None, *, remedy: str = "get it again"
) -> npt.NDArray[np.uint8]:
    """Decodes an image after checking its header.

    Args:
        path: A JPEG, PNG, WebP or BMP file, or a HEIC or AVIF if the packages for them are installed; if it does not
            exist, other spellings of the name are tried (:func:`gesturehand.data.spelling.find_file`). Or an image that
            is not a separate file.
        announced: Width and height that it should have when shown, px; None for any.
        remedy: What to do about an image that is missing or damaged, for the message; a stored image has its own.

    Returns:
        (height, width, 3) uint8 RGB as a viewer shows it: rotated as its Exif orientation says; the first picture of an
        animation; 16 bits as 8; transparency left out.

    Raises:
        UnreadableImageError: It is missing, not a regular file, not an image of these formats, damaged, cut short, of
            another size, or has more than :data:`MAX_IMAGE_PIXELS`.
    """
    remedy = path.remedy if isinstance(path, StoredImage) else remedy
    content, header = _read(path, announced, remedy)
    image = decode_heif(content) if format_name(content[:16]) in HEIF_FORMATS else _decoded(content)
    if image is None or image.shape[1::-1] != header.size:
        raise _refused(path, "image unreadable", "is not a readable image", remedy)
    if header.orientation != 1:
        image = _TURNS[header.orientation](image)
    return np.asarray(image, np.uint8)


def rgb_array(image: Any, name: str = "the image") -> npt.NDArray[np.uint8]:
    """An image that was given as an array.

    Args:
        image: (H, W, 3) uint8 RGB, of NumPy or of something that NumPy converts.
        name: Names it in the message.

    Raises:
        UserError: It is something else.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise UserError(
            f"{name} is an array of shape {array.shape} and type {array.dtype}: give (height, width, 3) uint8 in RGB."
        )
    return array


def read_image_bytes(
    path: str | Path | StoredImage, announced: tuple[int, int] | None = None, *, remedy: str = "get it again"
) -> bytes:
    """An image's bytes as they are, with those checks of :func:`read_image` that need no decoding.

    Raises:
        UnreadableImageError: As for :func:`read_image`.
    """
    return _read(path, announced, path.remedy if isinstance(path, StoredImage) else remedy)[0]


def _read(path: str | Path | StoredImage, announced: tuple[int, int] | None, remedy: str) -> tuple[bytes, ImageHeader]:
    with _opened(path, announced, remedy) as (file, header):
        file.seek(0)
        content = file.read()
    if content[:2] == b"\xff\xd8" and content.rfind(_JPEG_END, header.pixels_at) < 0:
        # Some decoders fill missing parts with grey without an error.
        raise _refused(path, "image cut short", "is cut short, the end of the JPEG is missing", remedy)
    return content, header


def _decoded(content: bytes) -> npt.NDArray[np.uint8] | None:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def look_at_image(path: str | Path | StoredImage, announced: tuple[int, int] | None = None) -> tuple[int, int]:
    """Width and height of an image as it is shown, px, from its header alone.

    Raises:
        UnreadableImageError: As for :func:`read_image`, if the header shows it.
    """
    remedy = path.remedy if isinstance(path, StoredImage) else "get it again"
    with _opened(path, announced, remedy) as (_, header):
        return header.shown


@contextmanager
def _opened(
    path: str | Path | StoredImage, announced: tuple[int, int] | None, remedy: str
) -> Iterator[tuple[BinaryIO, ImageHeader]]:
    """The open file and its header, once the header has passed all checks."""
    try:
        file = _open(path)
    except (FileNotFoundError, NotADirectoryError):
        if not isinstance(path, StoredImage) and os.path.islink(path):  # noqa: PTH114 - no error for what is no name
            raise _refused(path, "image missing", "is a link to a file that is missing", remedy) from None
        similar = None if isinstance(path, StoredImage) else similar_name(Path(path))
        there = f" ('{similar}' exists)" if similar else ""
        raise _refused(path, "image missing", f"is missing{there}", remedy) from None
    except IsADirectoryError:
        raise _refused(path, *_NO_FILE) from None
    except (OSError, ValueError) as error:  # a name may hold characters that no file name can
        reason = getattr(error, "strerror", None) or error
        raise _refused(path, "image unreadable", f"cannot be read ({reason})", remedy) from None
    with file:
        try:
            size = _size(file)
            header = None if size is None else read_header(file, size)
        except OSError as error:
            raise _refused(path, "image unreadable", f"cannot be read ({error.strerror})", remedy) from None
        if size is None:
            raise _refused(path, *_NO_FILE)
        if header is None:
            file.seek(0)
            name = format_name(file.read(16))
            if name in HEIF_FORMATS and is_read(name):
                header, name = heif_header(file), None
            if header is None and name is None:
                raise _refused(path, "image unreadable", "is not a readable image", remedy)
        if header is None:
            install = f"read it after {HEIC_EXTRA}, or " if name in HEIF_FORMATS else ""
            raise _refused(
                path,
                "image of another format",
                f"is not a readable image but {name}",
                f"{install}convert it to {IMAGE_FORMATS}",
            )
        width, height = header.shown
        if width * height > MAX_IMAGE_PIXELS:
            text = f"claims {width} x {height} pixels, more than {MAX_IMAGE_PIXELS} in all"
            raise _refused(path, "image too large", text, "scale it down")
        if size > _MAX_FILE_BYTES:
            text = f"has {size} bytes, more than any image of {MAX_IMAGE_PIXELS} pixels"
            raise _refused(path, "image too large", text, "save it again")
        if announced is not None and header.shown != tuple(announced):
            turned = f" (turned as its Exif orientation {header.orientation} says)" if header.orientation > 1 else ""
            text = f"is {width} x {height}{turned} and not {announced[0]} x {announced[1]} as announced"
            raise _refused(path, "image size other than announced", text, _RESIZED)
        if not header.whole:
            raise _refused(path, "image cut short", "is cut short, its end is missing", remedy)
        yield file, header


_NO_FILE: Final = ("image unreadable", "is not a regular file", "give an image file in its place")
_RESIZED: Final = "put back the image that was annotated, or correct its width and height and the joints that lie in it"


def _size(file: BinaryIO) -> int | None:
    """Number of bytes of an open file; None: it is not a regular file."""
    if isinstance(file, BytesIO):
        return file.getbuffer().nbytes
    state = os.fstat(file.fileno())
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def _open(path: str | Path | StoredImage) -> BinaryIO:
    if isinstance(path, StoredImage):
        return BytesIO(path.content())
    try:
        return open(path, "rb", opener=_without_waiting)
    except (FileNotFoundError, NotADirectoryError):
        found = find_file(Path(path))
        if found is None:
            raise
        return open(found, "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    """Opens without waiting for somebody to write to a pipe; files are opened as always."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refused(path: str | Path | StoredImage, kind: str, detail: str, remedy: str) -> UnreadableImageError:
    error = UnreadableImageError(f"The image '{path}' {detail}: {remedy}.")
    error.kind, error.detail = kind, detail
    return error
