"""Locks between processes, which the system releases when the process that holds one ends, in whatever way."""

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from gesturehand.errors import UserError


def try_lock(path: Path) -> BaseFileLock | None:
    """Locks a file for this process and not for its children; the file is made and may stay.

    Args:
        path: A file that serves the lock alone.

    Returns:
        The lock, which is held until its ``release`` or until the process ends; None if another one holds it.

    Raises:
        UserError: The file cannot be made.
    """
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    except OSError as error:
        raise UserError(f"'{path}' could not be written ({error.strerror or error}): choose another folder.") from error
    return lock
