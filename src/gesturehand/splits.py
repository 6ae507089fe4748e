"""The splits of a data set."""

from typing import Final, Literal

Split = Literal["train", "val", "test"]
#: In the order in which people list them.
SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")
