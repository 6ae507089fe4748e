"""A photo's focal length from its Exif data."""

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from gesturehand.data.heif_image import heic_is_read

#: Diagonal of 35 mm film (36 × 24 mm), which equivalent focal lengths refer to (CIPA DCG-001).
_FILM_DIAGONAL_MM: Final = math.hypot(36, 24)
#: Millimetres in a unit of the sensor's resolution, by the tag's number: inch, centimetre, millimetre, micrometre.
_UNITS_MM: Final = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
#: Focal lengths over the image's longer side that a camera may have: a fisheye has 0.2, a long telephoto lens 60.
_PLAUSIBLE: Final = (0.1, 100.0)
#: Orientations that exchange width and height.
_SIDEWAYS: Final = (5, 6, 7, 8)


def exif_intrinsics(path: str | Path, width: int, height: int) -> npt.NDArray[np.float64] | None:
    """Intrinsics of a photo whose Exif data say the focal length.

    ``FocalLengthIn35mmFilm`` is the focal length that gives the same field of view, along the diagonal, on film; it
    holds whatever the photo was scaled to. Without it, ``FocalLength`` in millimetres and ``FocalPlaneXResolution``
    (and Y) in pixels of the photo as it was taken, whose size ``ExifImageWidth`` and ``ExifImageHeight`` say. A photo
    that was cropped afterwards does not tell so, and its focal length comes out wrong.

    Args:
        path: The image file.
        width: Of the image as it is shown, px.
        height: Likewise.

    Returns:
        (3, 3) px, with the principal point in the middle; None where the tags are missing or make no sense.
    """
    heic_is_read()
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            tags = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # damaged data can fail in any way, and the photo is fine without
        return None
    focal = _from_film(tags, width, height) or _from_sensor(tags, exif.get(ExifTags.Base.Orientation), width, height)
    if focal is None or not all(_PLAUSIBLE[0] <= value / max(width, height) <= _PLAUSIBLE[1] for value in focal):
        return None
    return np.array([[focal[0], 0, (width - 1) / 2], [0, focal[1], (height - 1) / 2], [0, 0, 1]], np.float64)


def _from_film(tags: Any, width: int, height: int) -> tuple[float, float] | None:
    equivalent_mm = _positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    if equivalent_mm is None:
        return None
    focal = equivalent_mm / _FILM_DIAGONAL_MM * math.hypot(width, height)
    return focal, focal


def _from_sensor(tags: Any, orientation: Any, width: int, height: int) -> tuple[float, float] | None:
    focal_mm = _positive(tags.get(ExifTags.Base.FocalLength))
    unit_mm = _UNITS_MM.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
    along_x = _positive(tags.get(ExifTags.Base.FocalPlaneXResolution))
    along_y = _positive(tags.get(ExifTags.Base.FocalPlaneYResolution)) or along_x
    if focal_mm is None or unit_mm is None or along_x is None or along_y is None:
        return None
    sideways = orientation in _SIDEWAYS
    stored = (height, width) if sideways else (width, height)
    taken = [
        _positive(tags.get(tag)) or float(size)
        for tag, size in zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), stored, strict=True)
    ]
    x, y = (
        focal_mm * resolution / unit_mm * size / of_taken
        for resolution, size, of_taken in zip((along_x, along_y), stored, taken, strict=True)
    )
    return (y, x) if sideways else (x, y)


def _positive(value: Any) -> float | None:
    """A tag's number, or None where it is missing, 0 (which means unknown) or no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None
