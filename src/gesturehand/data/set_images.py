"""The only source of a set's images: single files, shards, or either behind a URL.

The rule: an image that the table of the split's shards lists (:mod:`gesturehand.data.shards`) is read from its shard.
Any other image is a single file, as are all images if the split has no table.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gesturehand.data.files import path_inside
from gesturehand.data.image_file import StoredImage
from gesturehand.data.remote import RemoteSet, remote_set
from gesturehand.data.shards import LocalShards, Place, ShardTable, checked, open_table, packed_folder

#: Sources that :func:`gesturehand.data.image_file.read_image` accepts.
ImageSource = Path | StoredImage


class SetImages:
    """The images of a split, by their names in the annotations.

    Handles are created on first use, and forked processes may keep using them.

    Args:
        root: The set's folder.
        split: Its split.
        folder: The folder to which names are relative.
    """

    def __init__(self, root: Path, split: str, folder: Path) -> None:
        self.folder = folder
        self.table: ShardTable | None = open_table(packed_folder(root, split))
        self.remote: RemoteSet | None = remote_set(root)
        self._root = root
        packed = packed_folder(root, split)
        self._paths = [packed / shard["name"] for shard in self.table.shards] if self.table is not None else []
        self._shards = LocalShards(self._paths)
        self._remedy = f"copy that shard again, or remove '{packed}' to read single images"

    def of(self, name: str) -> ImageSource:
        """The location of an image; nothing is read yet.

        Raises:
            UserError: It is in no shard, and its name would lead out of the images' folder.
        """
        place = None if self.table is None else self.table.find(name)
        if self.remote is not None:
            where = self._remote_path(name, place)
            return self._stored(self.remote, where, name, place, partial(self.remote.read, where, *_range(place)))
        if place is None:
            return path_inside(self.folder, name)
        return StoredImage(f"{self._paths[place.shard]}/{name}", partial(self._shards.read, place), self._remedy)

    def of_all(self, names: Sequence[str]) -> list[ImageSource]:
        """The locations of several images; those behind a URL are read now, all at once.

        Raises:
            UserError: One is in no shard, and its name would lead out of the images' folder.
        """
        if self.remote is None:
            return [self.of(name) for name in names]
        places = [None if self.table is None else self.table.find(name) for name in names]
        wanted = [self._remote_path(name, place) for name, place in zip(names, places, strict=True)]
        found = self.remote.read_all(wanted, [_range(place) for place in places])
        return [
            self._stored(self.remote, where, name, place, partial(_given, content))
            for where, name, place, content in zip(wanted, names, places, found, strict=True)
        ]

    def _remote_path(self, name: str, place: Place | None) -> str:
        path = path_inside(self.folder, name) if place is None else self._paths[place.shard]
        return path.relative_to(self._root).as_posix()

    def _stored(
        self, remote: RemoteSet, where: str, name: str, place: Place | None, content: Callable[[], bytes]
    ) -> StoredImage:
        if place is None:
            return StoredImage(f"{remote.url}/{where}", content, "copy it there, or pack the set again")
        remedy = "copy that shard there again"
        return StoredImage(f"{remote.url}/{where}/{name}", lambda: checked(place, content()), remedy)


def _range(place: Place | None) -> tuple[int | None, int | None]:
    """First byte and the one after the last; None: the whole file."""
    return (None, None) if place is None else (place.start, place.start + place.length)


def _given(content: bytes | OSError) -> bytes:
    if isinstance(content, OSError):
        raise content
    return content
