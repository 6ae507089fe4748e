"""Image file names that are assembled on demand, and found without assembling all of them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from gesturehand.data.spelling import spelled

#: How InterHand2.6M names its images.
_PATTERN: Final = re.compile(r"Capture([^/]*)/([^/]*)/cam([^/]*)/image([^/]*)\.jpg")


class FileNames:
    """(N,) bytes as a virtual array: names are made from the index's tables; the few that cannot be made are stored."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self._rows = {name: columns[name] for name in ("sequence", "frame", "camera")}
        self._tables = {
            name: words(columns[name]) for name in ("sequence_name", "frame_capture", "frame_name", "camera_name")
        }
        self._other_row, self._other_name = columns["other_row"], words(columns["other_name"])

    @property
    def frame_capture(self) -> np.ndarray:
        """(F,) bytes, the capture of every captured frame."""
        return self._tables["frame_capture"]

    @property
    def camera_name(self) -> np.ndarray:
        """(C,) bytes, the name of every camera of every capture."""
        return self._tables["camera_name"]

    def __len__(self) -> int:
        return len(self._rows["frame"])

    def __iter__(self) -> Iterator[bytes]:
        return (self._name(row) for row in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """The name of one row as bytes, or of several as an array of bytes."""
        if isinstance(index, int | np.integer):
            return self._name(int(index) % len(self))
        return np.array([self._name(int(row)) for row in np.arange(len(self))[index]], np.bytes_)

    def _name(self, row: int) -> bytes:
        place = int(np.searchsorted(self._other_row, row))
        if place < len(self._other_row) and self._other_row[place] == row:
            return bytes(self._other_name[place])
        tables, frame = self._tables, self._rows["frame"][row]
        return b"Capture%b/%b/cam%b/image%b.jpg" % (
            tables["frame_capture"][frame],
            tables["sequence_name"][self._rows["sequence"][row]],
            tables["camera_name"][self._rows["camera"][row]],
            tables["frame_name"][frame],
        )

    def find(self, names: set[str]) -> tuple[np.ndarray, set[str]]:
        """Which rows have one of the names in ``data.json``'s form, however spelled (:mod:`gesturehand.data.spelling`).

        Returns:
            (N,) bool, and the names that no row has.
        """
        given: dict[str, list[str]] = {}
        for name in names:
            given.setdefault(spelled(name), []).append(name)
        chosen, unknown = self._find(set(given))
        return chosen, {name for meant in unknown for name in given[meant]}

    def _find(self, names: set[str]) -> tuple[np.ndarray, set[str]]:
        chosen = np.zeros(len(self), bool)
        found = set()
        for place, row in enumerate(self._other_row):
            name = spelled(bytes(self._other_name[place]).decode())
            if name in names:
                chosen[row] = True
                found.add(name)
        names = names - found
        # A name of the usual form is a triple of numbers, and rows are compared as numbers.
        tables = self._tables
        sequences = {name.decode(): row for row, name in enumerate(tables["sequence_name"].tolist())}
        pairs = zip(tables["frame_capture"].tolist(), tables["frame_name"].tolist(), strict=True)
        frames = {(capture.decode(), name.decode()): row for row, (capture, name) in enumerate(pairs)}
        cameras: dict[str, list[int]] = {}
        for row, name in enumerate(tables["camera_name"].tolist()):
            cameras.setdefault(name.decode(), []).append(row)
        wanted: dict[int, str] = {}
        for name in names:
            match = _PATTERN.fullmatch(name)
            if match is None:
                continue
            capture, sequence, camera, frame = match.groups()
            if sequence in sequences and (capture, frame) in frames:
                for row in cameras.get(camera, ()):  # one camera's name in several captures
                    wanted[self._key(frames[capture, frame], sequences[sequence], row)] = name
        if not wanted:
            return chosen, names
        keys = self._key(*(self._rows[name].astype(np.int64) for name in ("frame", "sequence", "camera")))
        usual = np.isin(keys, np.fromiter(wanted, np.int64, len(wanted)))
        usual[self._other_row] = False
        chosen |= usual
        return chosen, names - {wanted[key] for key in np.unique(keys[usual]).tolist()}

    def _key(self, frame: Any, sequence: Any, camera: Any) -> Any:
        tables = self._tables
        return (frame * len(tables["sequence_name"]) + sequence) * len(tables["camera_name"]) + camera


def words(table: np.ndarray) -> np.ndarray:
    """A table of the index's names, (N, width) uint8, as (N,) bytes."""
    return np.ascontiguousarray(table).view(f"S{table.shape[1]}")[:, 0]
