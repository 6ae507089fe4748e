"""The data card: README.md of a written set."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gesturehand.gestures import vocabulary
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import CAMERA_NAMES, is_grey
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.settings import BENCHMARK, OPENHAND_V1, SetSettings

#: First line of every data card; a folder that has it was written by this package and may be replaced by it.
TITLE: Final = "# Open synthetic hands in InterHand2.6M's format"


def data_card(plan: Sequence[PlannedFrame], settings: SetSettings, *, command: str, version: str) -> str:
    """Markdown text: what the set is, its licence, how it was made, and counts."""
    rows = [_row(split, [frame for frame in plan if frame.split == split]) for split in SPLITS]
    lines = [
        TITLE,
        "",
        "Rendered pictures of the open hand (MakeHuman's, CC0) with joints, MANO parameters and gesture names, in the",
        "file layout of InterHand2.6M v1.0. No picture or annotation of InterHand2.6M is in it.",
        "",
        f"- Version: {BENCHMARK if settings == OPENHAND_V1 else f'none, settings differ from {BENCHMARK}'}.",
        "- Licence: CC0 1.0 (public domain).",
        f"- Written by gesturehand {version}: `{command}`",
        "- `annotations/`, `images/`: as in InterHand2.6M. MANO parameters are of the open hand, not of MANO's.",
        "- `masks/`: beside each image a PNG of its size: 255 right hand, 128 left hand, 0 neither; arms hide none.",
        "- Subjects (and with them captures) belong to one split. A sequence moves from neutral into its gesture and",
        "  back; every frame carries the sequence's label.",
        "",
        "| split | subjects | sequences | captured frames | images | grey images | right | left | two hands | labelled "
        "| without fit |",
        "|---|" + "---:|" * 10,
        *rows,
        "",
        *gesture_table(plan),
    ]
    lines += ["", *_subjects(plan), "", *_cameras(plan, settings), "", "Settings:", "", "```json"]
    lines += [json.dumps(settings.as_json(), indent=2), "```"]
    return "\n".join([*lines, ""])


def gesture_table(plan: Sequence[PlannedFrame]) -> list[str]:
    """Lines of a table: labelled frames of each gesture, by split."""
    gestures = Counter((frame.split, frame.fine[0]) for frame in plan if frame.labelled)
    lines = [
        "Labelled frames by gesture (fine class):",
        "",
        f"| gesture | {' | '.join(SPLITS)} |",
        "|---|" + "---:|" * len(SPLITS),
    ]
    for fine, name in enumerate(vocabulary().fine):
        counts = [gestures[split, fine] for split in SPLITS]
        if any(counts):
            lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return lines


def _subjects(plan: Sequence[PlannedFrame]) -> list[str]:
    frames = Counter((frame.subject, frame.capture, frame.split) for frame in plan)
    rows = [f"| {subject} | {capture} | {split} | {count} |" for (subject, capture, split), count in frames.items()]
    return ["Captured frames by subject:", "", "| subject | capture | split | frames |", "|---:|---:|---|---:|", *rows]


def _cameras(plan: Sequence[PlannedFrame], settings: SetSettings) -> list[str]:
    images = Counter((frame.split, camera) for frame in plan for camera in frame.cameras)
    rows = []
    for camera in CAMERA_NAMES:
        kind = ("grey" if is_grey(camera) else "colour") + (", test only" * (camera in settings.test_only_cameras))
        rows.append(f"| {camera} | {kind} | {' | '.join(str(images[split, camera]) for split in SPLITS)} |")
    for group, held_out in (("seen in training", False), ("test only", True)):
        counts = [
            sum(
                n
                for (of, camera), n in images.items()
                if of == split and (camera in settings.test_only_cameras) == held_out
            )
            for split in SPLITS
        ]
        rows.append(f"| **all** | {group} | {' | '.join(map(str, counts))} |")
    head = f"| camera | | {' | '.join(SPLITS)} |"
    return ["Images by camera:", "", head, "|---|---|" + "---:|" * len(SPLITS), *rows]


def _row(split: str, frames: Sequence[PlannedFrame]) -> str:
    hands = Counter(frame.sides for frame in frames)
    cameras = [camera for frame in frames for camera in frame.cameras]
    counts = (
        len({frame.subject for frame in frames}),
        len({(frame.subject, frame.seq_name) for frame in frames}),
        len(frames),
        len(cameras),
        sum(is_grey(camera) for camera in cameras),
        hands["right",],
        hands["left",],
        hands["right", "left"],
        sum(frame.labelled for frame in frames),
        sum(not frame.has_fit for frame in frames),
    )
    return f"| {split} | {' | '.join(map(str, counts))} |"
