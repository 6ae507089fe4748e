"""Writes a photo-like set, and its data card, in InterHand2.6M's files."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gesturehand import __version__
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.interhand_files import FrameEntries, entries_of, image_name
from gesturehand.synthetic.photo.camera_effects import jpeg_quality
from gesturehand.synthetic.photo.picture import draw_photo
from gesturehand.synthetic.photo.plan import (
    LENSES,
    OPENPHOTO,
    OPENPHOTO_V1,
    PhotoSettings,
    make_photo_plan,
    photo_cameras,
)
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.set_writer import TITLE, PlannedSet, WrittenSet, save_picture, write_set
from gesturehand.synthetic.writer import gesture_table


def write_photo_set(
    out: str | Path, settings: PhotoSettings, *, command: str = "gesturehand data synth_photo", **how: Any
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in front of photographs, in InterHand2.6M's layout.

    An interrupted run continues where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        settings: of the set.
        command: noted in the data card.
        **how: see :func:`~gesturehand.synthetic.set_writer.write_set`.

    Raises:
        UserError: ``out`` is not empty, or another process writes it.
    """
    plan = make_photo_plan(settings)
    planned = PlannedSet(
        frames=plan,
        settings=settings.as_json(),
        write_frame=partial(write_photo, settings=settings),
        cameras_of=partial(_cameras_of, settings.image_px),
        card=lambda entries: photo_card(plan, entries, settings, command=command),
    )
    return write_set(out, planned, **how)


def write_photo(plan: PlannedFrame, folder: Path, settings: PhotoSettings) -> tuple[FrameEntries, float]:
    """Draws and saves a planned picture and its mask; returns its annotations, and the seconds that saving took."""
    photo = draw_photo(plan, settings)
    name = image_name(photo.frame, photo.frame.cameras[0])
    saving = save_picture(folder, plan.split, name, photo.image, photo.mask, jpeg_quality(photo.rng))
    entries = entries_of(photo.frame)
    entries["elements"] = photo.elements
    return entries, saving


def _cameras_of(image_px: int, capture: int) -> dict[str, DomeCamera]:
    """The same lenses for every capture."""
    del capture
    return photo_cameras(image_px)


def photo_card(
    plan: Sequence[PlannedFrame],
    entries: Sequence[FrameEntries],
    settings: PhotoSettings,
    *,
    command: str,
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
        f"- Written by gesturehand {__version__}: `{command}`",
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
