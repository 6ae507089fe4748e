"""HEIC and AVIF, photos as phones keep them, through Pillow: AVIF by itself, HEIC with pillow-heif."""

from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, features

from gesturehand.data.image_header import ImageHeader

#: Names of such files end so.
HEIC_SUFFIXES: Final = (".heic", ".heif")
AVIF_SUFFIXES: Final = (".avif",)
#: As :func:`~gesturehand.data.image_header.format_name` calls them.
HEIF_FORMATS: Final = ("HEIC", "AVIF")
#: As Pillow calls them.
_PILLOW_FORMATS: Final = ("AVIF", "HEIF")


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
    """Suffixes of the files that are read here with what is installed."""
    return (*(HEIC_SUFFIXES if heic_is_read() else ()), *(AVIF_SUFFIXES if avif_is_read() else ()))


def is_read(name: str) -> bool:
    """Whether a format of :data:`HEIF_FORMATS` is read with what is installed."""
    return avif_is_read() if name == "AVIF" else heic_is_read()


def heif_header(file: BinaryIO) -> ImageHeader | None:
    """The header of a HEIC or AVIF; no pixel is decoded.

    Args:
        file: Open for reading, anywhere.

    Returns:
        The header, or None: damaged. A HEIC's size is the one that is shown, and its orientation 1: files of this kind
        hold the turn beside the Exif data, which a viewer does not ask for it.
    """
    file.seek(0)
    try:
        with Image.open(file, formats=_PILLOW_FORMATS) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return ImageHeader(image.size, orientation if orientation in range(1, 9) else 1, 0)
    except Exception:  # damaged data fails in any way
        return None


def decode_heif(content: bytes) -> npt.NDArray[np.uint8] | None:
    """Decodes a HEIC or AVIF whose header has been looked at.

    Args:
        content: Of the file.

    Returns:
        (height, width, 3) uint8 RGB as stored; the first picture, 16 bits as 8, transparency left out; None: damaged.
    """
    try:
        with Image.open(BytesIO(content), formats=_PILLOW_FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:
        return None
