"""Builds the indices of a data set and says what is in them."""

import time
from pathlib import Path

import numpy as np
from rich.table import Table

from gesturehand.data.files import annotation_path, check_root
from gesturehand.data.index import HAND_TYPES, open_index
from gesturehand.data.index_build import build_columns
from gesturehand.data.index_file import current_index
from gesturehand.errors import UserError
from gesturehand.splits import SPLITS


def index_table(root: Path, split: str | None = None, *, mano_fits: bool = True, rebuild: bool = False) -> Table:
    """Builds what is missing and summarises every index.

    Args:
        root: The data set's folder.
        split: One split, or None for all that are there.
        mano_fits: Read the MANO fits.
        rebuild: Build also what is up to date.

    Returns:
        A table with a column for every split.

    Raises:
        UserError: There is no split, or a file of one is missing or broken.
    """
    check_root(root)
    folders = sorted(path.name for path in (root / "annotations").iterdir() if path.is_dir())
    splits = [split] if split else [name for name in folders if annotation_path(root, name, "data").is_file()]
    if not splits:
        raise UserError(f"'{root / 'annotations'}' has no split's annotation files: download them first.")
    splits.sort(key=lambda name: (SPLITS.index(name) if name in SPLITS else len(SPLITS), name))
    columns = [_column(root, name, mano_fits, rebuild) for name in splits]
    table = Table(title=f"Index of {root}")
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right", overflow="fold")
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    return table


def _column(root: Path, split: str, mano_fits: bool, rebuild: bool) -> dict[str, str]:
    start = time.perf_counter()
    path, built = current_index(
        root,
        split,
        mano_fits=mano_fits,
        rebuild=rebuild,
        build=lambda: build_columns(root, split, mano_fits=mano_fits),
    )
    seconds = time.perf_counter() - start
    index = open_index(path, root, split, mano_fits)
    hands = np.bincount(index.hand_type, minlength=4)
    numbers = {
        "images": len(index),
        "right hands": hands[HAND_TYPES["right"]],
        "left hands": hands[HAND_TYPES["left"]],
        "two hands": hands[HAND_TYPES["interacting"]],
        "with a gesture label": np.count_nonzero(index.gesture[:, 1] >= 0),
        "with a label of their own": np.count_nonzero(index.own_label >= 0),
        "captured frames": len(index.depth_known),
        "of them with a fit": np.count_nonzero(index.mano_valid.any(-1)),
        "cameras": len(index.intrinsics),
    }
    beside = path.is_relative_to(root)
    return {name: f"{number:,}" for name, number in numbers.items()} | {
        "on disk, MB": f"{path.stat().st_size / 1e6:.1f}",
        "built in, s": f"{seconds:.1f}" if built else "was there",
        "kept in": f"annotations/{split}" if beside else str(path.parent),
    }
