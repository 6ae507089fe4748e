"""Which samples a data set has: hands, labels and published subsets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gesturehand.data.index import HAND_TYPES, InterHandIndex
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE

#: Which annotations: one hand of either side, one of the sides, two hands, or all.
Hands = Literal["single", "right", "left", "interacting", "all"]
#: ``per_hand``: a sample is one hand (H = 1), two-hand annotations give two samples. ``two_hand``: a sample is an
#: annotation (H = 2: right, left).
Layout = Literal["per_hand", "two_hand"]

_MASKS = {
    "single": (HAND_TYPES["right"], HAND_TYPES["left"]),
    "right": (HAND_TYPES["right"],),
    "left": (HAND_TYPES["left"],),
    "interacting": (HAND_TYPES["interacting"],),
    "all": tuple(HAND_TYPES.values()),
}


@dataclass(frozen=True)
class Selection:
    """Samples as rows of an index.

    Attributes:
        row: (M,) int64, row of the annotation.
        hand: (M, H) int64, which of the annotation's hands (0 right, 1 left) fill the sample's H slots.
    """

    row: np.ndarray
    hand: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def select(
    index: InterHandIndex,
    *,
    hands: Hands = "single",
    layout: Layout = "per_hand",
    labelled_only: bool = False,
    subset: str | Path | None = None,
) -> Selection:
    """Chooses a split's samples, in the order of its annotation file.

    A hand none of whose joints is valid, per image and per frame, is no sample.

    Args:
        index: The split.
        hands: Kind of annotations.
        layout: One hand a sample, or both.
        labelled_only: Leave out sequences without a gesture label.
        subset: A list of annotation ids or image file names: a text file with one a line, or a JSON list.

    Raises:
        UserError: The list cannot be read or names something this split does not have, or nothing is left.
    """
    keep = np.isin(index.hand_type, _MASKS[hands])
    if labelled_only:
        keep &= index.gesture[:, 1] != NO_GESTURE
    if subset is not None:
        keep &= _in_subset(index, Path(subset))
    present = index.hand_type[:, None] & np.array([1, 2]) > 0
    usable = present & (index.joint_valid_image & index.joint_valid_frame[index.frame]).any(-1)
    usable &= keep[:, None]
    if layout == "per_hand":
        row, hand = np.nonzero(usable)
        selection = Selection(row, hand[:, None])
    else:
        row = np.flatnonzero(usable.any(-1))
        selection = Selection(row, np.tile([0, 1], (len(row), 1)))
    if not len(selection):
        raise UserError(
            f"Nothing of '{index.root}', split '{index.split}', is left by hands={hands}, labelled_only={labelled_only}"
            f"{f', subset={subset}' if subset else ''}: loosen one of these settings."
        )
    return selection


def _in_subset(index: InterHandIndex, path: Path) -> np.ndarray:
    try:
        text = path.read_text(encoding="utf-8")
        wanted = json.loads(text) if path.suffix == ".json" else text.split()
    except OSError as error:
        raise UserError(f"The subset list '{path}' cannot be read ({error.strerror}): check the path.") from None
    except ValueError as error:
        raise UserError(f"The subset list '{path}' is not valid ({error}): give ids or file names.") from None
    if not isinstance(wanted, list):
        raise UserError(f"The subset list '{path}' holds no list: give annotation ids or image file names.")
    names = {str(entry) for entry in wanted}
    ids = index.annotation_id.astype(str)
    files = np.char.decode(index.file_name, "utf-8")
    chosen = np.fromiter((i in names or f in names for i, f in zip(ids, files, strict=True)), bool, len(index))
    unknown = names - set(ids) - set(files)
    if unknown:
        raise UserError(
            f"The subset list '{path}' names {len(unknown)} entries that split '{index.split}' of '{index.root}' does "
            f"not have (the first: {min(unknown)}): check that list and split belong together."
        )
    return chosen
