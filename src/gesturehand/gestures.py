"""The gesture vocabulary of InterHand2.6M's single-hand sequences: 46 names, 27 coarse and 35 fine classes.

Every fine class has exactly one coarse parent. The table is package data (``assets/gestures.csv``); class indices
follow the order in which the classes first appear there, so they never change unless the table does.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, TypeAlias

from gesturehand.errors import UserError
from gesturehand.skeleton import SIDES
from gesturehand.suggestions import did_you_mean

Level = Literal["coarse", "fine"]
#: ``shared``: a gesture of the left and of the right hand is one class. ``per_hand``: it is two (EANet's fork: 54, 70).
GestureClasses = Literal["shared", "per_hand"]
#: Labels outside InterHand2.6M's vocabulary: pairs of a set of labels and a label.
OwnLabels: TypeAlias = list[tuple[str, str]]

#: The label of a frame whose sequence shows no gesture of the vocabulary.
NO_GESTURE: Final = -1


@dataclass(frozen=True)
class Vocabulary:
    """Sequence names and the classes for which they stand.

    Attributes:
        coarse: Names of the 27 coarse classes, by index.
        fine: Names of the 35 fine classes, by index.
        parent: For each fine class, the index of its coarse class.
        fine_of_sequence: For each of the 46 sequence names (without number), the index of its fine class.
    """

    coarse: tuple[str, ...]
    fine: tuple[str, ...]
    parent: tuple[int, ...]
    fine_of_sequence: dict[str, int]


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read once from the package's table."""
    with (files("gesturehand.assets") / "gestures.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    coarse = tuple(dict.fromkeys(row["coarse"] for row in rows))
    parent_name = {row["fine"]: row["coarse"] for row in rows}
    fine = tuple(parent_name)
    return Vocabulary(
        coarse=coarse,
        fine=fine,
        parent=tuple(coarse.index(parent_name[name]) for name in fine),
        fine_of_sequence={row["sequence"]: fine.index(row["fine"]) for row in rows},
    )


def gesture_of_sequence(seq_name: str) -> tuple[int, int]:
    """The (coarse, fine) class of an InterHand2.6M sequence; (-1, -1) if it has none.

    Args:
        seq_name: The sequence's folder name: four digits, an underscore, a name. Only the name is a key, as numbers
            are ambiguous (0014 is both ``rocker`` and ``rocker_frontside``).

    Example:
        >>> coarse, fine = gesture_of_sequence("0007_thumbup_normal")
        >>> vocabulary().coarse[coarse], vocabulary().fine[fine]
        ('thumb_up', 'thumb_up')
        >>> gesture_of_sequence("ROM03_RT_No_Occlusion")
        (-1, -1)
    """
    _, _, name = seq_name.partition("_")
    fine = vocabulary().fine_of_sequence.get(name, NO_GESTURE)
    return (NO_GESTURE, NO_GESTURE) if fine == NO_GESTURE else (vocabulary().parent[fine], fine)


def class_names(level: Level, classes: GestureClasses = "shared") -> tuple[str, ...]:
    """Names of the classes by index; ``per_hand`` classes carry the hand's name.

    Example:
        >>> len(class_names("coarse")), len(class_names("fine")), len(class_names("fine", "per_hand"))
        (27, 35, 70)
    """
    names: tuple[str, ...] = getattr(vocabulary(), level)
    return names if classes == "shared" else tuple(f"{side}_{name}" for side in SIDES for name in names)


def class_parents(classes: GestureClasses = "shared") -> tuple[int, ...]:
    """For each fine class of :func:`class_names`, the index of its coarse class."""
    parent = vocabulary().parent
    if classes == "shared":
        return parent
    return tuple(p + hand * len(vocabulary().coarse) for hand in range(len(SIDES)) for p in parent)


def fine_index(name: str) -> int:
    """The index of a fine class by its name.

    Raises:
        UserError: The vocabulary has no fine class of that name.
    """
    fine = vocabulary().fine
    if name in fine:
        return fine.index(name)
    meant = did_you_mean(name, fine, f"choose from {', '.join(fine)}.")
    raise UserError(f"Unknown gesture '{name}': {meant}")
