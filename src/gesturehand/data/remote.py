"""Sets behind URLs, such as ``s3://bucket/set``, read by fsspec, which PyTorch and Lightning use too.

Annotations, or the index and the table of a packed set, are copied once into the cache folder, and again when their
size or time (or ETag) changes. All other code uses that copy as the set's folder. Images stay where they are: only byte
ranges of shards are read.
"""

import errno
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from gesturehand.data.files import KINDS, annotation_path, is_url
from gesturehand.data.index_file import CACHE_VARIABLE, cache_folder
from gesturehand.data.shards import INDEX_NAME, TABLE_NAME, packed_folder
from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, new_file
from gesturehand.splits import SPLITS
from gesturehand.text_file import write_json

#: The note in a copy's folder: the URL, and each file's size and state when it was copied.
_NOTE: Final = "remote.json"
#: File systems' names for the state of a file that changes with its content, the most specific first.
_STATES: Final = (
    *("ETag", "etag", "md5Hash", "content_md5"),
    *("LastModified", "last_modified", "mtime", "updated", "created"),
)
#: A read over a network is tried again, after 0.5 and 1 s.
_TRIES: Final = 3
_PAUSE_S: Final = 0.5
_NOT_THERE: Final = (401, 403, 404, 410)
_BAR_FROM_BYTES: Final = 20_000_000


def local_folder(root: str | Path, splits: Iterable[str] = SPLITS) -> Path:
    """The folder of a set on this machine: for a URL, annotations, or the index and table of shards, are copied now.

    Args:
        root: A folder, or a URL that fsspec reads.
        splits: The splits that are needed; missing ones are left out.

    Raises:
        UserError: The URL cannot be read, or holds no set; or there is no room for the copy.
    """
    if not is_url(root):
        return Path(root)
    url = str(root).rstrip("/")
    remote = RemoteSet(url)
    folder = _copy_of(url)
    make_folder(folder)
    with FileLock(folder / ".lock"):
        note = {"url": url, "files": _note(folder)["files"]}
        for split in dict.fromkeys(splits):
            _copy_split(remote, folder, split, note["files"])
            write_json(folder / _NOTE, note)
    if not note["files"]:
        named = "', '".join(dict.fromkeys(splits))
        raise UserError(
            f"'{url}' has neither packed/ nor annotations/ of split '{named}': pack the set with `gesturehand data "
            "pack` and copy its folder packed/ there, or check the URL and your access to it."
        )
    return folder


def remote_set(root: Path) -> "RemoteSet | None":
    """The set behind the URL whose copy a folder is; None for any other folder."""
    if root.parent != cache_folder() / "remote" or not (root / _NOTE).is_file():
        return None
    return RemoteSet(str(_note(root)["url"]))


class RemoteSet:
    """The files of a set behind a URL. Every process, even a forked one, has its own connection.

    Args:
        url: URL of the set's folder.

    Raises:
        UserError: The package that reads such URLs is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._connected: tuple[int, Any, str] | None = None
        self._connection()

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """A file or a range of its bytes; the read is repeated if the network fails.

        Args:
            name: Relative to the set's folder.
            start: The first byte.
            end: The byte after the last.

        Raises:
            OSError: It is missing or cannot be read.
        """
        system, folder = self._connection()
        for attempt in range(1, _TRIES + 1):
            try:
                return _of_length(system.cat_file(f"{folder}/{name}", start=start, end=end), start, end)
            except (FileNotFoundError, PermissionError, _NoRanges):
                raise
            except Exception as error:  # every file system has its own
                if attempt == _TRIES:
                    raise OSError(None, _reason(error)) from error
                time.sleep(_PAUSE_S * attempt)
        raise AssertionError

    def read_all(self, names: Sequence[str], ranges: Sequence[tuple[int | None, int | None]]) -> list[bytes | OSError]:
        """Several files or ranges at once, which over a network takes little longer than one; errors take their place.

        Args:
            names: Relative to the set's folder.
            ranges: For each of them, the first byte and the one after the last.
        """
        system, folder = self._connection()
        starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
        try:
            found = system.cat_ranges([f"{folder}/{name}" for name in names], starts, ends, on_error="return")
        except Exception:  # retried one by one
            found = [None] * len(names)
        result: list[bytes | OSError] = []
        for content, name, (start, end) in zip(found, names, ranges, strict=True):
            try:
                good = isinstance(content, bytes)
                result.append(_of_length(content, start, end) if good else self.read(name, start, end))
            except OSError as error:
                result.append(error)
        return result

    def state(self, name: str) -> list[Any] | None:
        """Size of a file, and its ETag or time; None if it does not exist.

        Raises:
            UserError: The URL cannot be read.
        """
        system, folder = self._connection()
        with self._explained():
            try:
                info = system.info(f"{folder}/{name}")
            except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                # HTTP's file system reports every failure this way. Buckets may also forbid missing files.
                cause = error.__cause__
                told = cause is None or isinstance(cause, FileNotFoundError | PermissionError)
                if told or getattr(cause, "status", None) in _NOT_THERE:
                    return None
                raise
        return [info.get("size"), str(next((info[key] for key in _STATES if info.get(key)), ""))]

    def copy(self, name: str, target: Path, size: int | None) -> None:
        """Copies a file to this machine, with a progress bar if it takes long.

        Raises:
            UserError: It cannot be read, or there is no room for it.
        """
        from fsspec.callbacks import NoOpCallback, TqdmCallback

        system, folder = self._connection()
        words = {"desc": name.rpartition("/")[2], "unit": "B", "unit_scale": True}
        bar = TqdmCallback(tqdm_kwargs=words) if (size or 0) > _BAR_FROM_BYTES else NoOpCallback()
        remedy = f"make room there, or set {CACHE_VARIABLE} to another folder"
        with new_file(target, remedy) as part, self._explained():
            system.get_file(f"{folder}/{name}", str(part), callback=bar)

    def _connection(self) -> tuple[Any, str]:
        if self._connected is None or self._connected[0] != os.getpid():
            if self._connected is not None:
                _forget_threads()
            self._connected = (os.getpid(), *_file_system(self.url))
        return self._connected[1:]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise
            raise UserError(
                f"'{self.url}' cannot be read ({_reason(error)}): check the URL, the network and your access to it."
            ) from error


class _NoRanges(OSError):
    """A server that ignores range requests; repeating them is pointless."""


def _of_length(content: bytes, start: int | None, end: int | None) -> bytes:
    if start is not None and end is not None and len(content) > end - start:
        raise _NoRanges(None, "the server sends the whole file in place of a range of bytes")
    return content


def _reason(error: Exception) -> str:
    error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")


def _forget_threads() -> None:
    """Lets fsspec start a thread of its own in a forked process, where the parent's thread does not run.

    Recent versions do so themselves; older ones would wait for it forever.
    """
    from fsspec import asyn

    if not hasattr(asyn, "reset_after_fork"):
        asyn.loop[0] = asyn.iothread[0] = None
        asyn.reset_lock()


def _file_system(url: str) -> tuple[Any, str]:
    """Fsspec's file system of a URL and the path in it."""
    import fsspec
    from fsspec.registry import known_implementations

    protocol = url.partition("://")[0]
    if "::" in url:
        raise UserError(f"'{url}' chains file systems, which is not supported: give the URL of the set's folder alone.")
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        remedy = f"pip install {package}" if package != "fsspec" else _reason(error)
        raise UserError(f"'{url}' cannot be read without a package for {protocol}://: {remedy}.") from None
    except ValueError as error:
        raise UserError(f"'{url}' cannot be read ({_reason(error)}): check the URL.") from None
    except Exception as error:
        raise UserError(f"'{url}' cannot be read ({_reason(error)}): check the URL and your access to it.") from error
    return system, str(path).rstrip("/")


def _copy_of(url: str) -> Path:
    return cache_folder() / "remote" / sha256(url.encode()).hexdigest()[:16]


def _note(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, KeyError):
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        return {"url": note["url"], "files": dict(note["files"])}
    return {"url": "", "files": {}}


def _copy_split(remote: RemoteSet, folder: Path, split: str, files: dict[str, Any]) -> None:
    """Brings the copy of a split up to date: its index and table if it is packed, otherwise its annotations."""
    packed = [packed_folder(Path(), split) / name for name in (INDEX_NAME, TABLE_NAME)]
    loose = [annotation_path(Path(), split, kind) for kind in KINDS]
    states = {path: remote.state(path.as_posix()) for path in packed}
    if None in states.values():
        states |= {path: remote.state(path.as_posix()) for path in loose}
    for path in (*packed, *loose):
        name, state = path.as_posix(), states.get(path)
        if state is None:
            files.pop(name, None)
            with suppress(OSError):
                (folder / path).unlink(missing_ok=True)
        elif files.get(name) != state or not (folder / path).is_file():
            remote.copy(name, folder / path, state[0])
            files[name] = state
