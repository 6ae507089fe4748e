"""Columns in a safetensors file, mapped into memory: the index and the table of shards."""

import json
import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from gesturehand.file_writing import new_file

Columns = dict[str, np.ndarray]

_DTYPES: Final = {
    **{"BOOL": "?", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8"},
    "F32": "<f4",
}
_DTYPES_HELD: Final = {np.dtype(name) for name in _DTYPES.values()}


class ColumnHeader(NamedTuple):
    """The header of a file of columns.

    Attributes:
        note: The note that was written with the columns.
        places: Dtype, shape, first and last byte of each column.
    """

    note: dict[str, Any]
    places: dict[str, tuple[np.dtype[Any], list[int], int, int]]


def read_column_header(path: Path) -> ColumnHeader | None:
    """The header; None if there is no whole file of columns."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length < size else {}
        note = json.loads(header.pop("__metadata__")["gesturehand"])
        places = {}
        for name, entry in header.items():
            start, end = (8 + length + offset for offset in entry["data_offsets"])
            places[name] = (np.dtype(_DTYPES[entry["dtype"]]), entry["shape"], start, end)
        whole = max(end for _, _, _, end in places.values()) == size
        return ColumnHeader(dict(note), places) if whole else None
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def map_columns(path: Path, header: ColumnHeader) -> Columns:
    """The columns as a file's pages, read-only: processes that open one file share them."""
    content = np.asarray(np.memmap(path, np.uint8, "r"))
    return {
        name: content[start:end].view(dtype).reshape(shape)
        for name, (dtype, shape, start, end) in header.places.items()
    }


def write_columns(path: Path, columns: Columns, note: dict[str, Any], remedy: str) -> None:
    """Writes a file of columns as :func:`~gesturehand.file_writing.new_file` says.

    Args:
        path: The file; its folder is created.
        columns: Arrays of the types that an index has.
        note: Further content, as JSON.
        remedy: What the user can do if it cannot be written; the end of the sentence.

    Raises:
        UserError: It cannot be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in columns.items()}
    for name, array in arrays.items():
        if array.dtype not in _DTYPES_HELD:
            raise TypeError(f"column {name} is {array.dtype}")
    with new_file(path, remedy) as part:
        part.touch()
        mode = part.stat().st_mode
        try:
            save_file(arrays, part, {"gesturehand": json.dumps(note)})
            part.chmod(mode)  # safetensors would make it readable only by its owner
        except SafetensorError as error:  # which hides the file system's message
            raise OSError(None, str(error)) from error
