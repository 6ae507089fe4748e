"""Builds the indices of a dataset and summarises them."""

import time
from pathlib import Path

import numpy as np
from rich.table import Table

from gesturehand.data.formats.registry import format_of
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.index import HAND_TYPES, open_index
from gesturehand.data.index_file import current_index
from gesturehand.data.remote import local_folder
from gesturehand.errors import UserError
from gesturehand.splits import SPLITS


def index_table(
    root: str | Path,
    split: str | None = None,
    *,
    mano_fits: bool = True,
    rebuild: bool = False,
    set_format: str | None = None,
) -> Table:
    """Builds what is missing and summarises every index.

    Args:
        root: The dataset's folder.
        split: One split, or None for all that exist.
        mano_fits: Read the MANO fits.
        rebuild: Build even those that are up to date.
        set_format: Name of the set's format; None: it is recognised.

    Returns:
        A table with a column for every split.

    Raises:
        UserError: There is no split, or a file of one is missing or broken.
    """
    folder = local_folder(root, [split] if split else SPLITS)
    known = format_of(folder, set_format)
    splits = [split] if split else known.splits(folder)
    if not splits:
        raise UserError(f"'{root}' has no split's annotation files: download them first.")
    columns = [_column(known, folder, name, mano_fits, rebuild) for name in splits]
    table = Table(title=f"Index of {root}")
    table.add_column("")
    for name in splits:
        table.add_column(name, justify="right", overflow="fold")
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    return table


def _column(known: SetFormat, root: Path, split: str, mano_fits: bool, rebuild: bool) -> dict[str, str]:
    start = time.perf_counter()
    path, built = current_index(known, root, split, mano_fits=mano_fits, rebuild=rebuild)
    seconds = time.perf_counter() - start
    index = open_index(path, root, split, mano_fits, known.name)
    hands = np.bincount(index.hand_type, minlength=4)
    rows = {"format": known.title}
    numbers = {
        "images": len(index),
        "right hands": hands[HAND_TYPES["right"]],
        "left hands": hands[HAND_TYPES["left"]],
        "two hands": hands[HAND_TYPES["interacting"]],
        "with a gesture label": np.count_nonzero(index.gesture[:, 1] >= 0),
        "with a label of their set": np.count_nonzero(index.own_label >= 0),
        "captured frames": len(index.depth_known),
        "of them with a fit": np.count_nonzero(index.mano_valid.any(-1)),
        "cameras": len(index.intrinsics),
    }
    folder = path.parent
    return (
        rows
        | {name: f"{number:,}" for name, number in numbers.items()}
        | {
            "on disk, MB": f"{path.stat().st_size / 1e6:.1f}",
            "built in, s": f"{seconds:.1f}" if built else "was there",
            "kept in": str(folder.relative_to(root) if folder.is_relative_to(root) else folder),
        }
    )
