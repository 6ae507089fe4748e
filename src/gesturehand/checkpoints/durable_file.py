"""Files that are there whole or not at all, also after a kill, a crash of the machine or a full disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from gesturehand.errors import UserError

#: Ends the name of a file that is being written.
PART_SUFFIX: Final = ".part"


@contextmanager
def durable_file(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under its name only when it is complete and on the disk.

    The bytes go to a hidden file beside it, are synced, and take its place in one step; then the folder is synced. What
    was there before stays until then, and for good if writing fails.

    Args:
        path: The file; its folder is made.

    Raises:
        UserError: It cannot be written: the disk is full, or the folder is read-only.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 (as the other calls that matter here)
        _sync_folder(path.parent)
    except OSError as error:
        _remove(temporary)
        raise UserError(
            f"'{path}' could not be written ({error.strerror or error}): make room or choose another folder; what was "
            "there before is unharmed."
        ) from error
    except BaseException:
        _remove(temporary)
        raise


def remove_parts(folder: Path) -> None:
    """Removes what killed processes left half-written in a folder."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        _remove(part)


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder last; not every file system can, and then there is nothing to do."""
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
    with suppress(OSError):  # the disk may be read-only by now; the error that led here is the one to tell
        path.unlink(missing_ok=True)
