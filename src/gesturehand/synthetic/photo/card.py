"""The data card of a photo-like set."""

import json
from collections import Counter
from collections.abc import Sequence

from gesturehand.splits import SPLITS
from gesturehand.synthetic.data_card import TITLE, gesture_table
from gesturehand.synthetic.interhand_files import FrameEntries
from gesturehand.synthetic.photo.plan import LENSES, OPENPHOTO, OPENPHOTO_V1, PhotoSettings
from gesturehand.synthetic.plan import PlannedFrame


def photo_card(
    plan: Sequence[PlannedFrame],
    entries: Sequence[FrameEntries],
    settings: PhotoSettings,
    *,
    command: str,
    version: str,
) -> str:
    """Markdown text: what the set is, its licences, how it was made, and counts."""
    lines = [
        TITLE,
        "",
        "Rendered pictures of the open hand (MakeHuman's, CC0) before photographs or made-up ones, with joints, MANO",
        "parameters and gesture names, in the file layout of InterHand2.6M v1.0. None of its pictures is here.",
        "",
        f"- Version: {_version(settings)}.",
        *_licence(settings),
        f"- Written by gesturehand {version}: `{command}`",
        "- `annotations/`, `images/`: as in InterHand2.6M; the world is the frame of the one camera of each picture.",
        "  MANO parameters are of the open hand, not of MANO's.",
        "- `masks/`: beside each image a PNG of its size: 255 right hand, 128 left hand, each as far as",
        "  nothing hides it; 0 all else.",
        "- People belong to one split. A gesture is formed more or less; a label says what it was to be.",
        "",
        "| split | people | pictures | right | left | two hands | labelled | partly outside |",
        "|---|" + "---:|" * 7,
        *(_row(split, [frame for frame in plan if frame.split == split]) for split in SPLITS),
        "",
        *element_table(plan, entries),
        "",
        *_lenses(plan),
        "",
        *gesture_table(plan),
        "",
        "Settings:",
        "",
        "```json",
        json.dumps(settings.as_json(), indent=2),
        "```",
    ]
    return "\n".join([*lines, ""])


def element_table(plan: Sequence[PlannedFrame], entries: Sequence[FrameEntries]) -> list[str]:
    """Lines of a table: the share of pictures with each element, by split."""
    count, total = Counter[tuple[str, str]](), Counter(frame.split for frame in plan)
    for frame, entry in zip(plan, entries, strict=True):
        count.update((frame.split, element) for element in entry["elements"])
    rows = []
    for element in sorted({element for _, element in count}):
        shares = [f"{count[split, element] / total[split]:.1%}" if total[split] else "" for split in SPLITS]
        rows.append(f"| {element} | {' | '.join(shares)} |")
    return ["Share of pictures with:", "", f"| | {' | '.join(SPLITS)} |", "|---|" + "---:|" * len(SPLITS), *rows]


def _version(settings: PhotoSettings) -> str:
    if all(getattr(settings, name) == value for name, value in vars(OPENPHOTO_V1).items() if "background" not in name):
        return OPENPHOTO if settings.backgrounds is None else f"{OPENPHOTO} with photographs as backgrounds"
    return f"none, settings differ from {OPENPHOTO}"


def _licence(settings: PhotoSettings) -> list[str]:
    if settings.backgrounds is None:
        return ["- Licence: CC0 1.0 (public domain); the backgrounds are made up."]
    count = settings.as_json()["backgrounds"]["photographs"]
    terms = " ".join((settings.backgrounds_licence or "").split())
    return [
        "- Licence of hands, annotations and masks: CC0 1.0 (public domain).",
        f"- Backgrounds: pieces of {count} photographs, under these terms: {terms}",
    ]


def _row(split: str, frames: Sequence[PlannedFrame]) -> str:
    hands = Counter(frame.sides for frame in frames)
    counts = (
        len({frame.subject for frame in frames}),
        len(frames),
        hands["right",],
        hands["left",],
        hands["right", "left"],
        sum(frame.labelled for frame in frames),
        sum(frame.partly_outside for frame in frames),
    )
    return f"| {split} | {' | '.join(map(str, counts))} |"


def _lenses(plan: Sequence[PlannedFrame]) -> list[str]:
    count = Counter((frame.split, camera) for frame in plan for camera in frame.cameras)
    rows = [
        f"| {name} | {sides} | {' | '.join(str(count[split, name]) for split in SPLITS)} |"
        for name, sides in LENSES.items()
    ]
    head = f"| lens | focal length in sides of the picture | {' | '.join(SPLITS)} |"
    return ["Pictures by lens:", "", head, "|---|---:|" + "---:|" * len(SPLITS), *rows]
