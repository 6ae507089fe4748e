"""The card of an imported set, ``card.json``: what its hands are, whose labels they have, under which licences."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from gesturehand.gestures import vocabulary
from gesturehand.own_data.entries import HandEntry

CARD_FILE: Final = "card.json"


def count_hands(hands: Iterable[HandEntry]) -> dict[str, int]:
    """How many hands have what: ``2D`` joints only, ``3D`` joints, a ``MANO`` fit, a ``box`` only, ``pseudo_labels``,
    a fine ``gesture`` class, a ``label`` of their set.
    """
    counts = Counter(dict.fromkeys(("2D", "3D", "MANO", "box", "pseudo_labels", "gesture", "label"), 0))
    for hand in hands:
        counts["3D" if hand.has_depth else "2D" if hand.joints_2d is not None else "box"] += 1
        counts["MANO"] += hand.mano is not None
        counts["pseudo_labels"] += hand.pseudo_label and hand.has_joints
        counts["gesture"] += hand.sequence is not None
        counts["label"] += hand.label is not None
    return dict(counts)


def import_card(groups: Mapping[str, Sequence[HandEntry]], split_of: Mapping[str, str]) -> dict[str, Any]:
    """The card's content.

    Args:
        groups: The hands of each image.
        split_of: The split of each image.

    Returns:
        ``splits``: images and :func:`count_hands` of each; ``licences``: hands under each, '' where none was said;
        ``label_sets``: of each set of labels, '' where it has no name, every label's hands by split and by the fine
        class that it was given, '' for none.
    """
    splits: dict[str, Any] = {}
    labels: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    for split in dict.fromkeys(split_of.values()):
        names = [name for name in groups if split_of[name] == split]
        hands = list(chain.from_iterable(groups[name] for name in names))
        splits[split] = {"images": len(names), "hands": count_hands(hands)}
        for hand in hands:
            if hand.label is None:
                continue
            of_set = labels.setdefault(hand.label_set or "", {})
            entry = of_set.setdefault(hand.label, {"hands": Counter(), "gestures": Counter()})
            entry["hands"][split] += 1
            entry["gestures"][_fine_name(hand)] += 1
    licences = Counter(str(hand.notes.get("licence", "")) for hand in chain.from_iterable(groups.values()))
    return {"splits": splits, "licences": licences, "label_sets": labels}


def _fine_name(hand: HandEntry) -> str:
    if hand.sequence is None:
        return ""
    words = vocabulary()
    return words.fine[words.fine_of_sequence[hand.sequence]]
