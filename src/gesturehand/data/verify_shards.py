"""Compares the shards of a packed split with the sums that were written with them."""

import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from gesturehand.data.annotation_problems import Problem
from gesturehand.data.files import is_url
from gesturehand.data.index import read_index
from gesturehand.data.shards import ShardTable, name_hash, open_table, packed_folder
from gesturehand.errors import UserError

_BLOCK_BYTES: Final = 1 << 22


def verify_split(
    root: str | Path, split: str, *, progress: bool = True, set_format: str | None = None
) -> list[Problem]:
    """Reads the shards of a split from end to end and compares them with their sums.

    Args:
        root: The folder that holds ``packed/``.
        split: Its split.
        progress: Show a bar.
        set_format: Name of the set's format; None: it is recognised.

    Returns:
        What is wrong: shards that are missing or damaged, and the images of damaged ones that are.

    Raises:
        UserError: The split is not packed, or its table is damaged.
    """
    if is_url(root):
        raise UserError(f"'{root}' is not on this machine: verify the shards where they were packed, or a copy.")
    folder = packed_folder(Path(root), split)
    table = open_table(folder)
    if table is None:
        raise UserError(
            f"Split '{split}' of '{root}' is not packed, or not to its end: run `gesturehand data pack --root {root} "
            f"--split {split}`."
        )
    problems: list[Problem] = []
    damaged: set[int] = set()
    order = np.argsort(table.columns["shard"] * np.int64(1 << 32) + table.columns["start"])
    ends = np.searchsorted(table.columns["shard"][order], np.arange(len(table.shards) + 1))
    total = sum(shard["bytes"] for shard in table.shards)
    with tqdm(total=total, desc=f"{split} shards", unit="B", unit_scale=True, disable=not progress) as bar:
        for number, shard in enumerate(table.shards):
            rows = order[ends[number] : ends[number + 1]]
            problem, found = _verify_shard(table, number, rows, bar)
            damaged |= found
            problems += [Problem(problem, split, str(folder / shard["name"]))] if problem else []
    if damaged:
        index = read_index(root, split, mano_fits=False, set_format=set_format)
        names = {name.decode() for name in index.file_name if name_hash(name.decode()) in damaged}
        problems += [Problem("image damaged in its shard", split, name) for name in sorted(names)]
    return problems


def _verify_shard(table: ShardTable, number: int, rows: np.ndarray, bar: Any) -> tuple[str, set[int]]:
    """What is wrong with a shard, and the hashes of the names of its damaged images; rows by their place in it."""
    shard = table.shards[number]
    digest, damaged, at = sha256(), set(), 0
    try:
        with (table.folder / shard["name"]).open("rb") as file:
            for row in rows.tolist():
                place = table.place(row)
                digest.update(file.read(place.start - at))
                content = file.read(place.length)
                digest.update(content)
                if len(content) != place.length or zlib.crc32(content) != place.crc32:
                    damaged.add(int(table.columns["name_hash"][row]))
                bar.update(place.start + place.length - at)
                at = place.start + place.length
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                bar.update(len(block))
    except FileNotFoundError:
        return "shard missing", set()
    except OSError as error:
        return f"shard cannot be read ({error.strerror})", set()
    return ("shard damaged" if digest.hexdigest() != shard["sha256"] else ""), damaged
