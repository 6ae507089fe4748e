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
    path = Path(path)
    problem = problem_of_header(path, announced)
    image = None
    if problem is None:
        try:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            image = None
    if image is None:
        raise UnreadableImageError(f"The image '{path}' {problem or 'is not a readable image'}: {remedy}.")
    return image


def problem_of_header(path: Path, announced: tuple[int, int] | None = None) -> str | None:
    """What is wrong with an image as far as its header tells, as the rest of a sentence; None for nothing."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            size = image.size
    except FileNotFoundError:
        return "is missing"
    except Image.DecompressionBombError:
        return f"claims more than {MAX_IMAGE_PIXELS} pixels"
    except Exception:  # a damaged header can fail in any way
        return "is not a readable image"
    if size[0] * size[1] > MAX_IMAGE_PIXELS:
        return f"claims {size[0]} x {size[1]} pixels, more than {MAX_IMAGE_PIXELS} in all"
    if announced is not None and size != tuple(announced):
        return f"is {size[0]} x {size[1]} and not {announced[0]} x {announced[1]} as announced"
    return None


def is_cut_short(path: Path) -> bool:
    """Whether a JPEG lacks its end; decoders fill in what is missing with grey and say nothing."""
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return False
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 64))
        return _JPEG_END not in file.read()
