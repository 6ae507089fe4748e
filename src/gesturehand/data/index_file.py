"""The index on disk: one memory-mapped safetensors file per split, built once and rebuilt when the JSON changes."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from gesturehand.data.column_file import Columns, map_columns, read_column_header, write_columns
from gesturehand.data.formats.set_format import SetFormat, Sources
from gesturehand.errors import UserError

#: Version of the columns and their meaning. A file of another version is rebuilt.
FORMAT_VERSION: Final = 2
#: Folder for indices of datasets that cannot be written to.
CACHE_VARIABLE: Final = "GESTUREHAND_CACHE"


def cache_folder() -> Path:
    """``$GESTUREHAND_CACHE``, or ``gesturehand`` in the user's cache folder (``~/.cache``)."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gesturehand"


def index_places(set_format: SetFormat, root: Path, split: str) -> tuple[Path, Path]:
    """The possible places of a split's index: beside its annotations, or in the cache folder."""
    beside = set_format.index_path(root, split)
    identity = sha256(str(beside.parent.resolve()).encode()).hexdigest()[:16]
    return beside, cache_folder() / "index" / identity / beside.name


def current_index(
    set_format: SetFormat, root: Path, split: str, *, mano_fits: bool, rebuild: bool = False
) -> tuple[Path, bool]:
    """The file of a split's index, made now if there is none for the annotation files as they are.

    It is kept beside the annotations if that folder can be written to, otherwise in :func:`cache_folder`. One of
    several processes builds it while the others wait; none of them sees half a file.

    Args:
        set_format: The set's.
        root: The dataset's folder.
        split: "train", "val" or "test".
        mano_fits: The index must have the MANO fits.
        rebuild: Build it even if there is one.

    Returns:
        The file, and whether it was made now.

    Raises:
        UserError: The annotation files are missing or broken, or neither place can be written to.
    """
    sources = set_format.sources(root, split, mano_fits=mano_fits)
    places = index_places(set_format, root, split)
    if not rebuild:
        for path in places:
            if _serves(path, sources):
                return path, False
    reasons = []
    for path in places:
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            _check_writable(path.parent, create=path is places[1])
            lock.acquire()
        except OSError as error:
            reasons.append(f"'{path.parent}': {error.strerror or error}")
            continue
        try:
            if rebuild or not _serves(path, sources):  # else another process was faster
                _write(path, set_format.build(root, split, mano_fits=mano_fits), sources)
                return path, True
            return path, False
        finally:
            lock.release()
    raise UserError(
        f"The index of split '{split}' of '{root}' {_state(places)} and can be kept nowhere ({'; '.join(reasons)}): "
        f"set {CACHE_VARIABLE} to a folder that you can write to."
    )


def open_columns(path: Path) -> Columns:
    """The columns of an index file, mapped into memory: processes that open one file share its pages.

    Raises:
        UserError: The file is gone or of another version.
    """
    header = read_column_header(path)
    if header is None or header.note.get("version") != FORMAT_VERSION:
        raise UserError(f"The index '{path}' is missing, damaged or of another version: run `gesturehand data index`.")
    return map_columns(path, header)


def read_header(path: Path) -> dict[str, Any] | None:
    """``version``, ``sources`` and ``columns`` (dtype, shape, first and last byte); None if there is no whole index."""
    header = read_column_header(path)
    if header is None or not {"version", "sources"} <= header.note.keys():
        return None
    return {"version": header.note["version"], "sources": header.note["sources"], "columns": header.places}


def _serves(path: Path, sources: Sources) -> bool:
    """Whether it is of this version and was built from these files; fits that are not asked for do not matter."""
    header = read_header(path)
    if header is None or header["version"] != FORMAT_VERSION:
        return False
    return all(header["sources"].get(kind) == state for kind, state in sources.items())


def _state(places: tuple[Path, Path]) -> str:
    for path in places:
        header = read_header(path)
        if header is not None and header["version"] != FORMAT_VERSION:
            return f"is of version {header['version']}, this library's is {FORMAT_VERSION},"
    return "is out of date" if any(path.exists() for path in places) else "is not made yet"


def _check_writable(folder: Path, *, create: bool) -> None:
    """Raises OSError if a folder cannot be written to; without a write bit it is not meant to be, even by root."""
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.stat().st_mode & 0o222 or not os.access(folder, os.W_OK):
        raise PermissionError(0, "it cannot be written to")


def _write(path: Path, columns: Columns, sources: Sources) -> None:
    remedy = f"make room there, or set {CACHE_VARIABLE} to another folder"
    write_columns(path, columns, {"version": FORMAT_VERSION, "sources": sources}, remedy)
