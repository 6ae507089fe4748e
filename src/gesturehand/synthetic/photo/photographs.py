"""The folder of photographs that a user names as backgrounds."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.data.image_file import IMAGE_FORMATS, IMAGE_SUFFIXES, look_at_image, read_image
from gesturehand.errors import UserError
from gesturehand.splits import Split

#: The shorter side of a photograph after it is scaled down; pieces of it fill pictures of half that side or less.
_SHORTER_PX: Final = 600
#: Smaller photographs would only give blurred backgrounds.
_SMALLEST_PX: Final = 64
#: With at least this many photographs every split has its own.
_ENOUGH_TO_SPLIT: Final = 10


@cache
def photographs_in(folder: str) -> tuple[str, ...]:
    """Names of the photographs in a folder, sorted; subfolders are not searched.

    Raises:
        UserError: it is not a folder, holds no photograph, or holds one that cannot be read or is too small.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"backgrounds: '{folder}' is not a folder: name one that holds photographs.")
    names = sorted(p.name for p in root.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    if not names:
        raise UserError(f"backgrounds: '{folder}' holds no photograph: put some {IMAGE_FORMATS} files into it.")
    for name in names:
        if min(look_at_image(root / name)) < _SMALLEST_PX:
            raise UserError(f"'{root / name}' is smaller than {_SMALLEST_PX} pixels: take it out of the backgrounds.")
    return tuple(names)


@cache
def photographs_digest(folder: str) -> dict[str, Any]:
    """How many photographs a folder holds, and a hash of their names and contents.

    Raises:
        UserError: as :func:`photographs_in`.
    """
    digest = hashlib.sha256()
    names = photographs_in(folder)
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        with (Path(folder) / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {"photographs": len(names), "sha256": digest.hexdigest()}


def photographs_of(folder: str, split: Split) -> tuple[str, ...]:
    """Names of the photographs that a split uses: each has its own, unless there are too few.

    Of every ten photographs the first is the test split's and the second the validation split's.
    """
    names = photographs_in(folder)
    if len(names) < _ENOUGH_TO_SPLIT:
        return names
    place = {"test": (0,), "val": (1,), "train": tuple(range(2, 10))}[split]
    return tuple(name for number, name in enumerate(names) if number % 10 in place)


def read_photograph(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, scaled down to a shorter side of 600 px if it is larger.

    Raises:
        UserError: it is missing or damaged.
    """
    image = np.ascontiguousarray(read_image(path, remedy="take it out of the backgrounds")[..., ::-1])
    scale = _SHORTER_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
