"""A split's images packed into shards, and the table of each image's position in them.

``<root>/packed/<split>/`` holds ``images_0000.zip``, ``images_0001.zip`` and so on: plain ZIP files whose members are
stored, not compressed, so that each image is a range of bytes. ``images.safetensors`` is the table, by a hash of the
images' names: it stays valid if annotations change. ``index.safetensors`` is the split's index, so that the folder is
self-contained, and ``SHA256SUMS`` lists the shards' checksums for ``sha256sum -c``.
"""

import os
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from gesturehand.data.column_file import Columns, map_columns, read_column_header
from gesturehand.data.spelling import spelled
from gesturehand.errors import UserError

#: Version of the table and of the folder's layout.
TABLE_VERSION: Final = 1
TABLE_NAME: Final = "images.safetensors"
INDEX_NAME: Final = "index.safetensors"
SUMS_NAME: Final = "SHA256SUMS"
#: Files that a process holds open at a time.
_MOST_OPEN: Final = 256


class Place(NamedTuple):
    """The position of an image.

    Attributes:
        shard: Number of the shard.
        start: Its first byte in the shard.
        length: Bytes.
        crc32: CRC-32 of its bytes.
    """

    shard: int
    start: int
    length: int
    crc32: int


def packed_folder(root: Path, split: str) -> Path:
    """``<root>/packed/<split>``."""
    return root / "packed" / split


def shard_name(number: int) -> str:
    """``images_0000.zip`` for 0."""
    return f"images_{number:04d}.zip"


def name_hash(name: str) -> int:
    """64 bits of a name relative to the images' folder, however spelled (:mod:`gesturehand.data.spelling`)."""
    plain = name.isascii() and "\\" not in name and "//" not in name and "./" not in name
    return int.from_bytes(blake2b((name if plain else spelled(name)).encode(), digest_size=8).digest())


class ShardTable:
    """The table of a packed split; its columns are a file's pages, which processes share.

    Args:
        folder: :func:`packed_folder`.
        columns: ``name_hash`` (N,) uint64, ascending, and for each ``shard``, ``start``, ``length`` and ``crc32``.
        note: ``format``, ``mano_fits`` and ``shards``: name, bytes, SHA-256 and number of images of each.
    """

    def __init__(self, folder: Path, columns: Columns, note: dict[str, Any]) -> None:
        self.folder = folder
        self.columns = columns
        self._hashes = columns["name_hash"]
        self._places = tuple(columns[name] for name in Place._fields)
        self.note = note
        self.shards: list[dict[str, Any]] = note["shards"]

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str) -> Place | None:
        """The position of an image; None: it is in no shard."""
        wanted = np.uint64(name_hash(name))
        row = int(self._hashes.searchsorted(wanted))
        if row == len(self._hashes) or self._hashes[row] != wanted:
            return None
        return self.place(row)

    def place(self, row: int) -> Place:
        """The content of a row of the table."""
        return Place._make([column.item(row) for column in self._places])


def open_table(folder: Path) -> ShardTable | None:
    """Opens the table of a packed split; None if the split is not packed, or not completely.

    Raises:
        UserError: The table is damaged or of another version.
    """
    path = folder / TABLE_NAME
    if not path.is_file():
        return None
    header = read_column_header(path)
    note = {} if header is None else header.note
    if header is None or note.get("version") != TABLE_VERSION or not _is_whole(note, header.places):
        raise UserError(
            f"The table of shards '{path}' is damaged or of another version: copy it again, pack the split again with "
            f"`gesturehand data pack`, or remove '{folder}' to read single images."
        )
    return ShardTable(folder, map_columns(path, header), note)


def _is_whole(note: dict[str, Any], places: dict[str, Any]) -> bool:
    """Whether the table is complete, and no shard lies outside the folder."""
    shards = note.get("shards")
    if not isinstance(shards, list) or not {"name_hash", *Place._fields} <= places.keys():
        return False
    names = [shard.get("name") if isinstance(shard, dict) else None for shard in shards]
    return all(isinstance(name, str) and name.startswith("images_") and "/" not in name for name in names)


class LocalShards:
    """Reads byte ranges of files, each of which is opened once per process.

    The position of a handle is not used, so forked processes and threads may share it.

    Args:
        paths: The files, by number.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._files: OrderedDict[int, BinaryIO] = OrderedDict()
        self._lock = Lock()

    def read(self, place: Place) -> bytes:
        """The bytes of an image.

        Raises:
            OSError: The file is missing or cannot be read, ends too early, or holds other bytes than were written.
        """
        return checked(place, _read_range(self._file(place.shard), place, self._lock))

    def _file(self, number: int) -> BinaryIO:
        with self._lock:
            file = self._files.get(number)
            if file is None:
                file = self._paths[number].open("rb", buffering=0)
                self._files[number] = file
                if len(self._files) > _MOST_OPEN:
                    self._files.popitem(last=False)  # the last thread that reads it closes it
            return file


def checked(place: Place, content: bytes) -> bytes:
    """An image's bytes, if they are those that were written.

    Raises:
        OSError: The bytes are different, or fewer.
    """
    if len(content) != place.length:
        raise OSError(None, "its shard ends too early")
    if zlib.crc32(content) != place.crc32:
        raise OSError(None, "its bytes are not those that were packed")
    return content


def _read_range(file: BinaryIO, place: Place, lock: Lock) -> bytes:
    """Reads a range, which may end early at the end of the file."""
    if not hasattr(os, "pread"):
        with lock:
            file.seek(place.start)
            return file.read(place.length)
    content = os.pread(file.fileno(), place.length, place.start)
    while len(content) < place.length:  # a read may be interrupted, especially from a network
        more = os.pread(file.fileno(), place.length - len(content), place.start + len(content))
        if not more:
            break
        content += more
    return content
