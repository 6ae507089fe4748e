"""The shared part of the readers of other tools' files: a hand as given, and the image to which it belongs."""

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from gesturehand.data.image_file import IMAGE_SUFFIXES
from gesturehand.data.spelling import find_file, spelled
from gesturehand.errors import UserError

_ADDRESS: Final = re.compile(r"[a-zA-Z][a-zA-Z+.\-]+://")
_DRIVE: Final = re.compile(r"^[a-zA-Z]:")


class Row(NamedTuple):
    """One hand as given in a file, before any check.

    Attributes:
        where: Its place in the file, as the beginning of a sentence: "Entry 3 of 'joints.json'".
        values: Its values, by the keys of docs/own_data.md.
    """

    where: str
    values: dict[str, Any]


class ImageNames:
    """Finds images by a tool's names for them.

    A tool names an image by its former location: ``/home/me/photos/1.jpg``, ``labeled-data/film/img01.png``, a URL. The
    longest trailing part of such a name that is a file in the folder counts. A name without an image's suffix means the
    only file whose name begins with it.

    Args:
        folder: Folder of the images.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._meant: dict[str, str] = {}

    def find(self, where: str, name: str) -> str:
        """The image that is meant, relative to the folder.

        Args:
            where: The entry that names it, as the beginning of a sentence.
            name: As the tool wrote it.

        Raises:
            UserError: There is no such image, there are several, or another name means the same file.
        """
        parts = _parts(name)
        for start in range(len(parts)):
            found = self._file(where, name, "/".join(parts[start:]))
            if found is not None:
                return self._once(where, name, found)
        raise UserError(
            f"{where} names the image '{name}', and '{self._folder}' has no file that matches this name or its "
            "end: give the folder with the annotated images as --images."
        )

    def _file(self, where: str, name: str, end: str) -> str | None:
        if find_file(self._folder / end) is not None and not (self._folder / end).is_dir():
            return end
        files = self._by_stem.get(end, ())
        if len(files) > 1:
            raise UserError(
                f"{where} names the image '{name}', which may be '{files[0]}' or '{files[1]}' of '{self._folder}': "
                "add the suffix to the name."
            )
        return files[0] if files else None

    def _once(self, where: str, name: str, found: str) -> str:
        other = self._meant.setdefault(found, name)
        if _without_ending(other) != _without_ending(name):
            raise UserError(
                f"{where} names the image '{name}', and another one is '{other}': both would be '{found}' in "
                f"'{self._folder}'; give the folder above as --images, or import one folder at a time."
            )
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        files: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._folder.rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                name = path.relative_to(self._folder)
                files[spelled(str(name.with_suffix("")))].append(str(name))
        return files


def _parts(name: str) -> list[str]:
    if _ADDRESS.match(name):
        name = unquote(urlsplit(name).path)
    path = PurePosixPath(spelled(_DRIVE.sub("", name)))
    return [part for part in path.parts if part not in ("/", "..", ".")]


def _without_ending(name: str) -> str:
    path = PurePosixPath(spelled(name))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)
