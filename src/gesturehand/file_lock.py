"""Locks between processes, which the system releases when the process that holds one ends, however it ends."""

from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, Timeout

from gesturehand.errors import UserError

_PATIENCE_S: Final = 0.2


def try_lock(path: Path) -> BaseFileLock | None:
    """Locks a file for this process and not for its children; the file is made and may stay.

    It waits a moment, since a command that only looks whether a run is going on holds the run's lock for an instant.

    Args:
        path: A file that serves the lock alone.

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
