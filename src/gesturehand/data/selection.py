"""Selects a dataset's samples: hands, labels, captures, cameras, people, gestures, subsets, and number of MANO fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gesturehand.data.flags import count_flags, pack_flags
from gesturehand.data.index import HAND_TYPES, InterHandIndex
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, fine_index
from gesturehand.skeleton import NUM_JOINTS
from gesturehand.text_file import read_json, read_text

#: Which annotations: one hand of either side, one of the sides, two hands, or all.
Hands = Literal["single", "right", "left", "interacting", "all"]
#: ``per_hand``: a sample is one hand (H = 1), two-hand annotations give two samples. ``two_hand``: a sample is an
#: annotation (H = 2: right, left).
Layout = Literal["per_hand", "two_hand"]
#: Where crops come from. ``joints``: EANet's, from the valid joints. ``annotation``: InterNet's, from the annotated
#: box. ``rootnet``: EANet's test, from RootNet's file.
BoxSource = Literal["joints", "annotation", "rootnet"]

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
        row: (M,) int32, row of the annotation.
        hand: (M, H) int8, which of the annotation's hands (0 right, 1 left) the sample's H hands are.
    """

    row: np.ndarray
    hand: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def part(self, numbers: np.ndarray) -> "Selection":
        """Some of the samples."""
        return Selection(self.row[numbers], self.hand[numbers])


def select(
    index: InterHandIndex,
    *,
    hands: Hands = "single",
    layout: Layout = "per_hand",
    labelled_only: bool = False,
    subset: str | Path | None = None,
    captures: Sequence[int | str] | None = None,
    cameras: Sequence[int | str] | None = None,
    subjects: Sequence[int] | None = None,
    gestures: Sequence[str] | None = None,
    min_valid_joints: int = 1,
) -> Selection:
    """Chooses a split's samples, in the order of its annotation file.

    A hand with fewer valid joints, by image and by frame, than ``min_valid_joints`` is not a sample. With 0, hands with
    only an annotated box are samples too, cropped by it.

    Args:
        index: The split.
        hands: Kind of annotations.
        layout: One hand per sample, or both.
        labelled_only: Leave out sequences without a gesture label.
        subset: A list of annotation ids or image file names: a text file with one per line, or a JSON list.
        captures: Keep only these captures.
        cameras: Keep only images of these cameras, by name, such as 400002.
        subjects: Keep only these people.
        gestures: Keep only sequences of these fine classes.
        min_valid_joints: Fewest valid joints of a hand, 0 to 21.

    Raises:
        UserError: The list cannot be read or names something this split does not have, a capture, camera, person or
            gesture is unknown, or nothing is left.
    """
    keep = np.isin(index.hand_type, _MASKS[hands])
    if labelled_only:
        keep &= index.gesture[:, 1] != NO_GESTURE
    if subset is not None:
        keep &= _in_subset(index, Path(subset))
    if captures is not None:
        keep &= _among("captures", index, [str(capture) for capture in captures], index.capture)
    if cameras is not None:
        keep &= _among("cameras", index, [str(camera) for camera in cameras], index.camera_name)
    if subjects is not None:
        keep &= _among("subjects", index, list(subjects), index.subject)
    if gestures is not None:
        keep &= np.isin(index.gesture[:, 1], [fine_index(name) for name in gestures])
    if not 0 <= min_valid_joints <= NUM_JOINTS:
        raise UserError(f"data.min_valid_joints={min_valid_joints} must be between 0 and {NUM_JOINTS}.")
    row = np.flatnonzero(keep).astype(np.int32)
    present = index.hand_type[row, None] & np.array([1, 2], np.uint8) > 0
    valid = index.joint_valid_image.words[row] & pack_flags(index.joint_valid_frame)[index.frame[row]]
    usable = present & (valid != 0 if min_valid_joints == 1 else count_flags(valid) >= min_valid_joints)
    if layout == "per_hand":
        place, hand = np.nonzero(usable)
        selection = Selection(row[place], hand[:, None].astype(np.int8))
    else:
        row = row[usable.any(-1)]
        selection = Selection(row, np.tile(np.array([0, 1], np.int8), (len(row), 1)))
    if not len(selection):
        further = {
            "subset": subset,
            "captures": captures,
            "cameras": cameras,
            "subjects": subjects,
            "gestures": gestures,
            "min_valid_joints": min_valid_joints if min_valid_joints > 1 else None,
        }
        if min_valid_joints and (present & ~valid.astype(bool)).any() and not valid.any():
            raise UserError(
                f"The hands of '{index.root}', split '{index.split}', have no valid joint: set data.min_valid_joints "
                "to 0 to train on the gestures of hands with only a box."
            )
        raise UserError(
            f"Nothing of '{index.address}', split '{index.split}', is left by hands={hands}, "
            f"labelled_only={labelled_only}"
            f"{''.join(f', {name}={value}' for name, value in further.items() if value)}: loosen one of these settings."
        )
    return selection


def _among(setting: str, index: InterHandIndex, wanted: list[Any], column: np.ndarray) -> np.ndarray:
    known = set(np.unique(column).tolist())
    if column.dtype.kind == "S":
        wanted = [value.encode() for value in wanted]
    unknown = [value for value in wanted if value not in known]
    if unknown:
        listed = ", ".join(sorted(_shown(value) for value in known))
        raise UserError(
            f"data.{setting} names '{_shown(unknown[0])}', which split '{index.split}' of '{index.address}' does not "
            f"have: choose from {listed}."
        )
    return np.isin(column, wanted)


def _shown(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _in_subset(index: InterHandIndex, path: Path) -> np.ndarray:
    try:
        wanted = (
            read_json(path, "The subset list", "give ids or file names")
            if path.suffix == ".json"
            else read_text(path).split()
        )
    except OSError as error:
        raise UserError(f"The subset list '{path}' cannot be read ({error.strerror}): check the path.") from None
    except ValueError as error:
        raise UserError(f"The subset list '{path}' is not valid ({error}): give ids or file names.") from None
    if not isinstance(wanted, list):
        raise UserError(f"The subset list '{path}' is not a list: give annotation ids or image file names.")
    names = {str(entry) for entry in wanted}
    ids = {int(name): name for name in names if name.isascii() and name.isdecimal() and len(name) < 19}
    chosen = np.isin(index.annotation_id, np.fromiter(ids, np.int64, len(ids)))
    unknown = names - {ids[number] for number in index.annotation_id[chosen].tolist()}
    in_files, unknown = index.file_name.find(unknown)
    chosen |= in_files
    if unknown:
        raise UserError(
            f"The subset list '{path}' names {len(unknown)} entries that split '{index.split}' of '{index.address}' "
            f"does not have (the first: {min(unknown)}): check that list and split belong together."
        )
    return chosen


def shuffled_labels(index: InterHandIndex, selection: Selection, order: np.ndarray) -> np.ndarray:
    """(M,) int64, the sample whose gesture and label each sample has in the control with shuffled labels.

    Labels are exchanged only within their own set of labels. Hands with a gesture class but no label, and hands with
    neither, count as separate sets. Every set thus keeps the number of each of its labels, and hands without a label
    stay without one.

    Args:
        index: The split.
        selection: Its samples.
        order: (M,) int64, a permutation of the samples, from which the order within each set is taken.
    """
    names = [name for name, _ in index.own_label_names]
    # By the index's number of a label; its -1 for none takes the last entry.
    set_of_label = np.array([*(names.index(name) for name in names), -1])
    # A sample that shows two hands has no label from a set: its gesture is that of the picture.
    one_hand = selection.hand.shape[1] == 1
    own = index.own_label[selection.row, selection.hand[:, 0].astype(np.int64)] if one_hand else NO_GESTURE
    has_gesture = (index.gesture[selection.row] != NO_GESTURE).any(-1)
    label_set = np.broadcast_to(set_of_label[own], len(selection))
    group = np.where(label_set >= 0, label_set, np.where(has_gesture, -1, -2))
    label_of = np.empty(len(selection), np.int64)
    for number in np.unique(group):
        label_of[group == number] = order[group[order] == number]
    return label_of


def kept_fits(index: InterHandIndex, share: float, seed: int) -> np.ndarray:
    """(F,) bool, the captured frames that keep their MANO fits: a random share of those that have any.

    With the same seed, a smaller share's frames are among those of a larger share.

    Args:
        index: The split.
        share: Between 0 and 1; at least one frame keeps its fits.
        seed: Seed of the choice.
    """
    fitted = np.flatnonzero(index.mano_valid.any(-1))
    chosen = np.random.default_rng((seed, 1)).permutation(fitted)[: max(1, round(share * len(fitted)))]
    kept = np.zeros(len(index.mano_valid), bool)
    kept[chosen] = True
    return kept


def fitted_samples(index: InterHandIndex, selection: Selection, kept: np.ndarray | None) -> Selection:
    """The samples that show a hand with a MANO fit.

    Args:
        index: The split.
        selection: Its samples.
        kept: (F,) bool, the captured frames that keep their fits, or None for all.

    Raises:
        UserError: There is no such sample.
    """
    frame, hand = index.frame[selection.row], selection.hand.astype(np.int64)
    present = (index.hand_type[selection.row][:, None] & np.array([1, 2])[hand]) > 0
    fitted = (index.mano_valid[frame[:, None], hand] & present).any(-1)
    if kept is not None:
        fitted &= kept[frame]
    if not fitted.any():
        raise UserError(
            f"No sample of '{index.address}', split '{index.split}', has a MANO fit: set data.fitted_only to false."
        )
    return Selection(selection.row[fitted], selection.hand[fitted])
