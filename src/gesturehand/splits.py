"""The splits of a dataset."""

from collections.abc import Iterable
from typing import Final, Literal

Split = Literal["train", "val", "test"]
#: In the order in which people list them.
SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")


def in_usual_order(names: Iterable[str]) -> list[str]:
    """Splits in the order in which people list them, followed by others by name.

    Example:
        >>> in_usual_order(["extra", "test", "train"])
        ['train', 'test', 'extra']
    """
    known: list[str] = list(SPLITS)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))
