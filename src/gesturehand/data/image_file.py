"""Reading one image file from a source that is not trusted: by its header first, within a size, or an error."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from gesturehand.errors import UserError

#: No camera of a capture comes near it; a small file can claim more, and decoding would fill the memory.
MAX_IMAGE_PIXELS: Final = 8192 * 8192
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP")
_JPEG_END: Final = b"\xff\xd9"
#: Markers that start a frame (baseline, extended, progressive), and of what may come before (ITU-T T.81, B.1.1.3).
_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_JPEG_TABLES: Final = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_HEAD_BYTES: Final = 4096


class UnreadableImageError(UserError):
    """An image is missing, damaged, too large or not the announced one."""


def read_image(
    path: str | Path, announced: tuple[int, int] | None = None, *, remedy: str = "get it again"
) -> np.ndarray:
    """Decodes an image after a look at its header.

    Args:
        path: A JPEG, PNG, WebP or BMP file.
        announced: Width and height that it should have, px; None for any.
        remedy: What to do about an error, for the sentence.

    Returns:
        (height, width, 3) uint8 RGB, in the orientation in which it is stored.

    Raises:
        UnreadableImageError: It is missing, no image, damaged, of another size, or has more than
            :data:`MAX_IMAGE_PIXELS`.
    """
    problem, content = _examined(path, announced, whole=True)
    image = None
    if content is not None:
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            image = None
    if image is None:
        raise UnreadableImageError(f"The image '{path}' {problem or 'is not a readable image'}: {remedy}.")
    return image


def problem_of_header(path: str | Path, announced: tuple[int, int] | None = None) -> str | None:
    """What is wrong with an image as far as its header tells, as the rest of a sentence; None for nothing."""
    return _examined(path, announced, whole=False)[0]


def _examined(path: str | Path, announced: tuple[int, int] | None, *, whole: bool) -> tuple[str | None, bytes | None]:
    """What the header tells is wrong, or nothing and, if wanted, the content: read once, and only of an image."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
            size = _jpeg_size(head)
            if size is None:
                with Image.open(path, formats=_FORMATS) as image:
                    size = image.size
            problem = _problem_of_size(size, announced)
            return problem, head + file.read() if whole and problem is None else None
    except FileNotFoundError:
        return "is missing", None
    except Image.DecompressionBombError:
        return f"claims more than {MAX_IMAGE_PIXELS} pixels", None
    except Exception:  # a damaged header can fail in any way
        return "is not a readable image", None


def _problem_of_size(size: tuple[int, int], announced: tuple[int, int] | None) -> str | None:
    if size[0] * size[1] > MAX_IMAGE_PIXELS:
        return f"claims {size[0]} x {size[1]} pixels, more than {MAX_IMAGE_PIXELS} in all"
    if announced is not None and size != tuple(announced):
        return f"is {size[0]} x {size[1]} and not {announced[0]} x {announced[1]} as announced"
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a plain JPEG, from its first bytes; None where they do not tell, and Pillow has to.

    Pillow reads every table of the header, a tenth of the time that decoding takes; this only steps over them.
    """
    if head[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4])
        if marker in _JPEG_FRAMES:
            height, width = (int.from_bytes(head[place + at : place + at + 2]) for at in (5, 7))
            return (width, height) if width and height else None
        if length < 2 or marker not in _JPEG_TABLES:
            return None
        place += 2 + length
    return None


def is_cut_short(path: Path) -> bool:
    """Whether a JPEG lacks its end; some decoders fill in what is missing with grey and say nothing."""
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 64))
        return _JPEG_END not in file.read()
