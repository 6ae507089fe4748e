"""Different spellings of a file name: backslashes for slashes, accented letters as one character or as two."""

import os
import unicodedata
from functools import lru_cache
from pathlib import Path, PurePosixPath


def spelled(name: str) -> str:
    """A single spelling for all names, with or without folders, that mean the same file.

    Windows separates folders by backslashes; macOS writes an accented letter as two characters (NFD) where others write
    one (NFC).

    Returns:
        In NFC, with single slashes and without ``./``.
    """
    return str(PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")))


def find_file(path: Path) -> Path | None:
    """The file or folder that a path means, whatever its spelling (:func:`spelled`); None if there is none."""
    if os.path.exists(path):  # noqa: PTH110 - False, and no error, for what can be no name
        return path
    wanted = PurePosixPath(spelled(str(path)))
    place = Path(wanted.anchor)
    for part in wanted.relative_to(wanted.anchor).parts:
        name = part if os.path.exists(place / part) else _names(place)[0].get(part)  # noqa: PTH110
        if name is None:
            return None
        place /= name
    return place


def similar_name(path: Path) -> str | None:
    """A name beside a missing file that differs from it only in case, and may be another file; or None."""
    wanted = PurePosixPath(spelled(str(path)))
    folder = find_file(Path(wanted.parent))
    return None if folder is None else _names(folder)[1].get(wanted.name.casefold())


def _names(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """A folder's names by their NFC, and by that without case."""
    try:
        return _listed(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return {}, {}


@lru_cache(maxsize=32)
def _listed(folder: str, changed_ns: int) -> tuple[dict[str, str], dict[str, str]]:
    """Lists a folder once, even if thousands of images are missing, and again when it has changed."""
    names = sorted((path.name for path in Path(folder).iterdir()), reverse=True)
    return (
        {unicodedata.normalize("NFC", name): name for name in names},
        {unicodedata.normalize("NFC", name).casefold(): name for name in names},
    )
