"""Files that appear whole or not at all, even after a kill, a crash or on a full disk; and locks between processes."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from filelock import BaseFileLock, FileLock, Timeout

from gesturehand.errors import UserError

#: Part of the name of a file that is being written.
_PART: Final = ".part"
#: Characters of a file's name in the name of its part: names are limited to 255 bytes, and a character may take four.
_KEPT_CHARACTERS: Final = 40
_REMEDY: Final = "make room or choose another folder"
_PATIENCE_S: Final = 0.2


@contextmanager
def new_file(path: str | Path, remedy: str = _REMEDY, *, one_of_many: bool = False) -> Iterator[Path]:
    """A hidden path to write to; the file appears under its name when it is complete and on the disk.

    This is for libraries that write to a path themselves; the hidden path has the same suffix. The file is synced and
    takes its place in one step; then the folder is synced. An existing file stays until then, and remains if writing
    fails. A link is followed; anything that is neither file nor folder, such as ``/dev/stdout``, is written to
    directly.

    Args:
        path: The file; its folder is created.
        remedy: What the user can do if it cannot be written; the end of the sentence.
        one_of_many: The folder is not synced: :func:`sync_folder` does it once for all files.

    Raises:
        UserError: It cannot be written: the disk is full, the folder is read-only or cannot be made, or a folder has
            this name.
    """
    existed = False
    part: Path | None = None
    try:
        target, existing = _target(Path(path))
        existed = existing is not None
        if existing is not None and stat.S_ISDIR(existing):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if existing is not None and not stat.S_ISREG(existing):
            yield target
            return
        if not existed:
            target.parent.mkdir(parents=True, exist_ok=True)
        part = _part_of(target)
        yield part
        _sync_file(part)
        os.replace(part, target)  # noqa: PTH105 (as the other calls that matter here)
        part = None
        if not one_of_many:
            sync_folder(target.parent)
    except OSError as error:
        if not _is_about(error, part, Path(path)):
            raise  # of a file that was read meanwhile
        kept = "; what was there before is unharmed" if existed else ""
        raise UserError(f"'{path}' could not be written ({_reason(error)}): {remedy}{kept}.") from error
    finally:
        if part is not None:
            _remove(part)


@contextmanager
def durable_file(path: str | Path, *, one_of_many: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing bytes that appears under its name as :func:`new_file` says.

    Args:
        path: The file; its folder is made.
        one_of_many: As for :func:`new_file`.

    Raises:
        UserError: It cannot be written.
    """
    with new_file(path, one_of_many=one_of_many) as part, part.open("wb") as file:
        yield file


@contextmanager
def file_of_new_folder(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing bytes in a folder that itself gets its name only when it is complete.

    The file appears when it is whole, so that two processes may write the same one, but it is not synced by itself.

    Args:
        path: The file; its folder is created.

    Raises:
        UserError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part_of(path)
        try:
            with part.open("wb") as file:
                yield file
            part.replace(path)
        except BaseException:
            _remove(part)
            raise
    except OSError as error:
        raise UserError(f"'{path}' could not be written ({_reason(error)}): {_REMEDY}.") from error


@contextmanager
def new_folder(path: Path, last: str) -> Iterator[Path]:
    """A hidden folder to write to, which gets its name when it is complete.

    If two processes make the same folder, that of the first one stays. If writing fails, no folder stays.

    Args:
        path: The folder.
        last: A file in it, by which a complete one is known. One without it is replaced.

    Raises:
        UserError: The folder cannot be made.
    """
    part = _part_of(path)
    make_folder(part)
    try:
        yield part
        try:
            part.rename(path)  # unchecked: a folder that another process makes meanwhile must not be removed
        except OSError:
            if not (path / last).is_file():
                _remove(path)
                part.rename(path)
    except OSError:
        if not (path / last).is_file():  # another process was faster
            raise
    finally:
        _remove(part)


def write_bytes(path: str | Path, content: bytes, *, one_of_many: bool = False) -> None:
    """Writes a file as :func:`new_file` says.

    Args:
        path: The file; its folder is created.
        content: The file's new content.
        one_of_many: As for :func:`new_file`.

    Raises:
        UserError: It cannot be written.
    """
    with durable_file(path, one_of_many=one_of_many) as file:
        file.write(content)


def write_text(path: str | Path, content: str) -> None:
    """Writes a text file in UTF-8 as :func:`new_file` says; its line ends are written as they are.

    Raises:
        UserError: It cannot be written.
    """
    write_bytes(path, content.encode())


def make_folder(path: str | Path) -> None:
    """Makes a folder and those above it, if they do not exist.

    Raises:
        UserError: It cannot be made, or a file has its name.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise UserError(f"The folder '{path}' cannot be made ({_reason(error)}): choose another one.") from error


def remove_parts(folder: Path, names: Iterable[str] | None = None) -> None:
    """Removes the files and folders that killed processes left half-written in a folder.

    Args:
        folder: The folder.
        names: Names of the files whose parts to take; another process may be writing others. All, if not given.
    """
    own = None if names is None else {_beginning(Path(name)) for name in names}
    for part in (*folder.glob(f".*{_PART}"), *folder.glob(f".*{_PART}.*")):
        if own is None or part.name.rpartition(_PART)[0].rpartition(".")[0] in own:
            _remove(part)


def _target(path: Path) -> tuple[Path, int | None]:
    """The absolute path that a path leads to, and the mode of an existing file; only a link at its end is followed."""
    target = path.absolute()
    try:
        mode = target.lstat().st_mode
        if stat.S_ISLNK(mode):
            target = Path(os.path.realpath(target))
            mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target, None
    return target, mode


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _part_of(path: Path) -> Path:
    """A hidden name beside a file or folder, which no other process takes."""
    return path.with_name(f"{_beginning(path)}.{secrets.token_hex(4)}{_PART}{path.suffix}")


def _beginning(path: Path) -> str:
    return f".{path.stem[:_KEPT_CHARACTERS]}"


def _is_about(error: OSError, part: Path | None, path: Path) -> bool:
    """Whether an error concerns the file that is written; the errors of a full disk name no file."""
    if part is None or not isinstance(error.filename, str | os.PathLike):
        return True
    return Path(error.filename) in (part, path, *part.parents)


def _reason(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return f"'{error.filename}' is a file"
    return getattr(error, "strerror", None) or str(error)


def sync_folder(folder: Path) -> None:
    """Makes a new name in a folder durable; not every file system can, and then there is nothing to do."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the disk may be read-only by now; the error that led here is the one to report
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def try_lock(path: Path) -> BaseFileLock | None:
    """Locks a file for this process and not for its children; the file is made and may stay.

    It waits a moment, since a command that only checks whether a run is in progress holds the run's lock for an
    instant.

    Args:
        path: A file that serves only as the lock.

    Returns:
        The lock, which is held until its ``release`` or until the process ends; None if another one holds it.

    Raises:
        UserError: The file cannot be made.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=_PATIENCE_S, poll_interval=_PATIENCE_S / 4)
    except Timeout:
        return None
    except OSError as error:
        raise UserError(f"'{path}' could not be written ({error.strerror or error}): choose another folder.") from error
    return lock
