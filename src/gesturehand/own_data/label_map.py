"""Which labels of a set's own vocabulary are fine gesture classes: a JSON file ``{set: {label: class}}``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gesturehand.errors import UserError
from gesturehand.json_files import read_json
from gesturehand.own_data.entries import HandEntry, sequence_of_gesture


def with_gestures(entries: Sequence[HandEntry], path: Path) -> list[HandEntry]:
    """Hands with a label and without a gesture get the class that the map gives their label, if it gives one.

    Args:
        entries: The hands; the set '' is of those whose set has no name.
        path: The map; null leaves a label without a class.

    Raises:
        UserError: The file cannot be read or is no such map, or a class is unknown.
    """
    content = read_json(path, "The label map", "write {set: {label: class}}")
    if not isinstance(content, dict) or not all(isinstance(labels, dict) for labels in content.values()):
        raise UserError(f"The label map '{path}' is no object of objects: write {{set: {{label: class}}}}.")
    sequences: dict[tuple[str, str], str | None] = {}
    for name, labels in content.items():
        for label, gesture in labels.items():
            where = f"The label '{label}' of the set '{name}' in '{path}'"
            if gesture is not None and not isinstance(gesture, str):
                raise UserError(f"{where} is {gesture!r}: give the name of a fine class, or null.")
            sequences[name, label] = sequence_of_gesture(where, gesture)
    return [
        entry
        if entry.label is None or entry.sequence is not None
        else replace(entry, sequence=sequences.get((entry.label_set or "", entry.label)))
        for entry in entries
    ]
