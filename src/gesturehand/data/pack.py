"""Packs a split's images into shards (:mod:`gesturehand.data.shards`), and continues after a kill."""

import shutil
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from gesturehand.data.column_file import read_column_header, write_columns
from gesturehand.data.files import is_url
from gesturehand.data.image_file import Unreadable, UnreadableImageError, read_image_bytes
from gesturehand.data.index import InterHandIndex, read_index
from gesturehand.data.shards import (
    INDEX_NAME,
    SUMS_NAME,
    TABLE_NAME,
    TABLE_VERSION,
    Place,
    name_hash,
    packed_folder,
    shard_name,
)
from gesturehand.data.spelling import find_file, spelled
from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, new_file, remove_parts, try_lock, write_text

#: Limits of a plain ZIP file, without the extension for larger ones.
MOST_SHARD_MB: Final = 4000
_MOST_IMAGES: Final = 65_535
#: Bytes of a member in front of its name, and of its entry in the directory at the end without the name (APPNOTE, 4.3).
_LOCAL_BYTES: Final = 30
_DIRECTORY_BYTES: Final = 46
#: Images that are read ahead per worker.
_AHEAD: Final = 4
#: ZIP's earliest date, so that the same images give the same shards.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644
_ROWS: Final = np.dtype([("name_hash", "<u8"), ("shard", "<u2"), ("start", "<u4"), ("length", "<u4"), ("crc32", "<u4")])
_MOST_SHARDS: Final = 1 << 16


@dataclass(frozen=True)
class PackSettings:
    """Settings for packing a split.

    Attributes:
        shard_mb: Size of a shard, MB, up to 4000.
        workers: Number of images read at a time.
        unreadable: What to do if an image cannot be read: error ends the command, skip names the image and leaves it
            out.
        unreadable_limit: How many images may be left out before the command ends.
        mano_fits: Include the MANO fits in the index beside the shards.
        overwrite: Pack all images again, even those already in shards, for instance after they have changed.

    Raises:
        UserError: A number is out of range.
    """

    shard_mb: float = 1000
    workers: int = 8
    unreadable: Unreadable = "error"
    unreadable_limit: int = 100
    mano_fits: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.shard_mb <= MOST_SHARD_MB:
            raise UserError(f"shard_mb is {self.shard_mb}: give a number above 0 and up to {MOST_SHARD_MB}.")
        if self.workers < 1:
            raise UserError(f"workers is {self.workers}: give a whole number from 1 upwards.")


@dataclass(frozen=True)
class PackReport:
    """The result of packing.

    Attributes:
        folder: Folder of the shards.
        images: Images in the shards.
        kept: Number of those that had been packed before.
        image_bytes: Sum of the images' sizes.
        shards: Number of shards.
        disk_bytes: Sizes of the shards and the table.
        left_out: Messages about the images that could not be read.
    """

    folder: Path
    images: int
    kept: int
    image_bytes: int
    shards: int
    disk_bytes: int
    left_out: list[str]


def pack_split(
    root: str | Path,
    split: str,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    set_format: str | None = None,
    **settings: Any,
) -> PackReport:
    """Packs those images of a split that are not yet in a shard, and writes the table of all.

    Images are packed as they are, byte for byte, in the order of their sequence, camera and frame. A shard gets its
    name once it is complete and on the disk, and the table is written last; until then loaders read single files.

    Args:
        root: The set, in any format, or its URL.
        split: Its split.
        out: Folder under which ``packed/`` is written; ``root`` if not given.
        progress: Show a bar.
        set_format: Name of the set's format; None: it is recognised.
        **settings: See :class:`PackSettings`.

    Raises:
        UserError: A setting is out of range, the set is broken, images cannot be read, there is no room, or another
            process packs the split. Everything packed until then is kept.
    """
    how = PackSettings(**settings)
    if out is None and is_url(root):
        raise UserError(f"'{root}' cannot be packed where it is: name a folder of this machine with --out.")
    index = read_index(root, split, mano_fits=how.mano_fits, set_format=set_format)
    folder = packed_folder(index.root if out is None else Path(out), split)
    make_folder(folder)
    lock = try_lock(folder / ".lock")
    if lock is None:
        raise UserError(f"Another process packs into '{folder}': wait for it, or give another --out.")
    try:
        remove_parts(folder)
        if how.overwrite:
            _clear(folder, index)
        done = _Packed(folder)
        pending = _Pending(index, done.rows()["name_hash"])
        images = _Images(index, pending, how)
        words = {"desc": f"{split} images", "unit": "image", "disable": not progress}
        with tqdm(total=len(pending.all), initial=len(pending.all) - len(pending.rows), **words) as bar:
            done.add(images.read(bar), int(1e6 * how.shard_mb))
        if not len(done.rows()):
            raise UserError(f"No image of split '{split}' of '{index.address}' can be read: {images.left_out[0]}")
        _copy_index(index, folder / INDEX_NAME)
        done.write_table({"format": index.set_format.name, "mano_fits": how.mano_fits})
    finally:
        lock.release()
    rows = done.rows()
    return PackReport(
        folder,
        images=len(rows),
        kept=len(rows) - images.packed,
        image_bytes=int(rows["length"].sum(dtype=np.int64)),
        shards=len(done.numbers),
        disk_bytes=sum(path.stat().st_size for path in (*folder.glob("images_*.zip"), folder / TABLE_NAME)),
        left_out=images.left_out,
    )


class _Packed:
    """The shards of a folder: existing ones, and those that are added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sums = _read_sums(folder)
        self._parts: list[np.ndarray] = []
        self._all: np.ndarray | None = None
        self.numbers: list[int] = []
        for path in sorted(folder.glob("images_*.zip")):
            self._parts.append(self._rows_of(path, len(self.numbers)))
            self.numbers.append(int(path.stem.partition("_")[2]))

    def rows(self) -> np.ndarray:
        """One row per image, in the order of the shards."""
        if self._all is None:
            self._all = np.concatenate([np.zeros(0, _ROWS), *self._parts])
        return self._all

    def add(self, images: Iterator[tuple[str, bytes]], limit: int) -> None:
        """Writes images into new shards of up to ``limit`` bytes, or one image."""
        following = next(images, None)
        while following is not None:
            number = max(self.numbers, default=-1) + 1
            if number >= _MOST_SHARDS:
                raise UserError(f"'{self.folder}' would have more than {_MOST_SHARDS} shards: give a larger shard_mb.")
            path = self.folder / shard_name(number)
            with new_file(path) as part:
                rows, following, interruption = _write_shard(part, following, images, limit, len(self.numbers))
                with part.open("rb") as file:
                    digest = file_digest(file, "sha256").hexdigest()
            self._parts.append(rows)
            self._all = None
            self.numbers.append(number)
            self._sums[path.name] = digest
            self._write_sums()
            if interruption is not None:
                raise interruption

    def write_table(self, note: dict[str, Any]) -> None:
        """Writes the table, by which loaders find the images."""
        self._write_sums()
        rows = self.rows()
        rows = rows[np.argsort(rows["name_hash"], kind="stable")]
        shards = []
        for name, part in zip(map(shard_name, self.numbers), self._parts, strict=True):
            size = (self.folder / name).stat().st_size
            shards.append({"name": name, "bytes": size, "sha256": self._sums[name], "images": len(part)})
        columns = {name: rows[name] for name in _ROWS.names or ()}
        remedy = "make room or choose another folder"
        write_columns(self.folder / TABLE_NAME, columns, {"version": TABLE_VERSION, "shards": shards, **note}, remedy)

    def _write_sums(self) -> None:
        lines = [f"{self._sums[name]}  {name}\n" for name in map(shard_name, self.numbers)]
        write_text(self.folder / SUMS_NAME, "".join(lines))

    def _rows_of(self, path: Path, number: int) -> np.ndarray:
        """The images of a shard by its directory; if a kill left it without a checksum, all of it is checked."""
        try:
            with zipfile.ZipFile(path) as archive:
                rows = np.zeros(len(archive.infolist()), _ROWS)
                for row, entry in enumerate(archive.infolist()):
                    place = Place(number, _start(entry), entry.file_size, entry.CRC)
                    rows[row] = (name_hash(entry.filename), *place)
                damaged = None if path.name in self._sums else archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"'{damaged}' is damaged")
            if path.name not in self._sums:
                with path.open("rb") as file:
                    self._sums[path.name] = file_digest(file, "sha256").hexdigest()
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise UserError(f"The shard '{path}' is damaged ({error}): remove it and pack again.") from None
        return rows


class _Pending:
    """The images of a split that are in no shard.

    Attributes:
        all: Rows of the index, one for each image, in the order in which they are packed.
        rows: Those that are in no shard.
    """

    def __init__(self, index: InterHandIndex, done: np.ndarray) -> None:
        hashes = np.fromiter((name_hash(name.decode()) for name in index.file_name), np.uint64, len(index))
        order = np.lexsort((np.arange(len(index)), index.frame, index.camera, _sequence(index)))
        _, first = np.unique(hashes[order], return_index=True)
        self.all = order[np.sort(first)]
        self.rows = self.all[~np.isin(hashes[self.all], done)]
        _check_hashes(index, hashes, self.all)


class _Images:
    """Reads the pending images in their order, several at a time."""

    def __init__(self, index: InterHandIndex, pending: _Pending, how: PackSettings) -> None:
        self._index = index
        self._rows = pending.rows
        self._how = how
        self.packed = 0
        self.left_out: list[str] = []

    def read(self, bar: Any) -> Iterator[tuple[str, bytes]]:
        """Names and bytes.

        Raises:
            UnreadableImageError: An image cannot be read, and none may be left out.
            UserError: More images cannot be read than may be left out.
        """
        waiting: deque[tuple[str, Future[bytes]]] = deque()
        with ThreadPoolExecutor(self._how.workers) as pool:
            try:
                for row in self._rows.tolist():
                    waiting.append((self._index.file_name[row].decode(), pool.submit(self._content, row)))
                    if len(waiting) >= _AHEAD * self._how.workers:
                        yield from self._next(waiting, bar)
                while waiting:
                    yield from self._next(waiting, bar)
            finally:
                for _, future in waiting:
                    future.cancel()

    def _next(self, waiting: deque[tuple[str, Future[bytes]]], bar: Any) -> Iterator[tuple[str, bytes]]:
        name, future = waiting.popleft()
        try:
            content = future.result()
        except UnreadableImageError as error:
            if self._how.unreadable == "error":
                raise
            self.left_out.append(str(error))
            bar.write(f"Left out: {error}")
            if len(self.left_out) > self._how.unreadable_limit:
                raise UserError(
                    f"{len(self.left_out)} images of split '{self._index.split}' cannot be read, more than "
                    "unreadable_limit allows: list them with `gesturehand data check`."
                ) from None
        else:
            self.packed += 1
            yield name, content
        bar.update()

    def _content(self, row: int) -> bytes:
        index = self._index
        remedy = f"complete the download of split '{index.split}', or give --unreadable skip"
        width, height = index.image_size_px[row].tolist()
        return read_image_bytes(index.image(row), (width, height), remedy=remedy)


def _write_shard(
    part: Path, first: tuple[str, bytes], images: Iterator[tuple[str, bytes]], limit: int, number: int
) -> tuple[np.ndarray, tuple[str, bytes] | None, BaseException | None]:
    """Writes a shard until it is full.

    Returns:
        A row for each of its images; the image that is the next shard's first; and the error that ended the reading, if
        any: images that were read before it are whole, and kept.
    """
    rows: list[tuple[int, ...]] = []
    interruption: BaseException | None = None
    following: tuple[str, bytes] | None = first
    size = 0
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        while following is not None:
            name, content = following
            taken = len(content) + _LOCAL_BYTES + _DIRECTORY_BYTES + 2 * len(name.encode())
            if rows and (size + taken > limit or len(rows) >= _MOST_IMAGES):
                break
            size += taken
            entry = zipfile.ZipInfo(name.replace("\\", "/"), _DATE)
            entry.external_attr = _MODE << 16
            archive.writestr(entry, content)
            rows.append((name_hash(name), number, _start(entry), len(content), entry.CRC))
            try:
                following = next(images, None)
            except (UserError, KeyboardInterrupt) as error:
                following, interruption = None, error
    return np.array(rows, _ROWS), following, interruption


def _start(entry: zipfile.ZipInfo) -> int:
    """First byte of a member's content, as this module writes them: without extra fields."""
    return entry.header_offset + _LOCAL_BYTES + len(entry.filename.encode())


def _sequence(index: InterHandIndex) -> np.ndarray:
    """(N,) the number of each row's sequence; in sets without sequences, that of its image's folder."""
    folders: dict[bytes, int] = {}
    names = (name.rpartition(b"/")[0].partition(b"/cam")[0] for name in index.file_name)
    return np.fromiter((folders.setdefault(name, len(folders)) for name in names), np.int32, len(index))


def _check_hashes(index: InterHandIndex, hashes: np.ndarray, chosen: np.ndarray) -> None:
    """Refuses two names with one hash: with 64 bits, one set of this size in twenty million has them."""
    if len(chosen) == len(hashes):
        return
    of = dict(zip(hashes[chosen].tolist(), chosen.tolist(), strict=True))
    repeated = np.ones(len(hashes), bool)
    repeated[chosen] = False
    for row in np.flatnonzero(repeated).tolist():
        name, other = index.file_name[row].decode(), index.file_name[of[int(hashes[row])]].decode()
        if spelled(name) != spelled(other):
            raise UserError(f"The names '{name}' and '{other}' cannot be told apart in a table: rename one of them.")


def _copy_index(index: InterHandIndex, target: Path) -> None:
    if target.exists() and target.samefile(index.path):
        return
    ours, theirs = read_column_header(target), read_column_header(index.path)
    if ours is not None and ours == theirs and target.stat().st_mtime_ns >= index.path.stat().st_mtime_ns:
        return
    with new_file(target) as part:
        shutil.copyfile(index.path, part)


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS_NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if len(digest) == 64}


def _clear(folder: Path, index: InterHandIndex) -> None:
    """Removes shards and table; the index too, unless it is the one that is read."""
    if index.images.table is not None and index.images.table.folder.resolve() == folder.resolve():
        only = next((row for row in range(len(index)) if find_file(index.image_file(row)) is None), None)
        if only is not None:
            raise UserError(
                f"'{folder}' holds the only copy of '{index.file_name[only].decode()}': give another --out, or pack "
                "without overwrite."
            )
        index.images.table = None
    for path in (folder / TABLE_NAME, folder / SUMS_NAME, *folder.glob("images_*.zip")):
        path.unlink(missing_ok=True)
