"""Writes the dome's set, and its data card, in InterHand2.6M's files."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from gesturehand import __version__
from gesturehand.gestures import vocabulary
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import CAMERA_NAMES, is_grey
from gesturehand.synthetic.capture import cameras_of, capture_frame
from gesturehand.synthetic.interhand_files import FrameEntries, entries_of, image_name
from gesturehand.synthetic.plan import BENCHMARK, OPENHAND_V1, PlannedFrame, SetSettings, make_plan
from gesturehand.synthetic.set_writer import TITLE, PlannedSet, WrittenSet, save_picture, write_set
from gesturehand.synthetic.view import draw_view

_JPEG_QUALITY: Final = 92


def write_synthetic_set(
    out: str | Path,
    *,
    processes: int | None = None,
    cluster: str = "local",
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth",
    **settings: Any,
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in InterHand2.6M's layout.

    An interrupted run continues where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        processes: number of processes; all cores if not given.
        cluster: the cluster whose workers draw, see :class:`~gesturehand.cluster.client.Cluster`.
        overwrite: replace an existing synthetic set, or the remains of an interrupted run with other settings.
        progress: show a progress bar.
        command: noted in the data card.
        **settings: of the set, see :class:`~gesturehand.synthetic.plan.SetSettings`.

    Raises:
        UserError: an argument is out of range, a gesture is unknown, ``out`` is not empty, or another process writes
            it.
    """
    of_set = SetSettings(**settings)
    plan = make_plan(of_set)
    planned = PlannedSet(
        frames=plan,
        settings=of_set.as_json(),
        write_frame=partial(write_frame, settings=of_set),
        cameras_of=partial(cameras_of, of_set.seed),
        card=lambda entries: data_card(plan, of_set, command=command),
    )
    return write_set(out, planned, processes=processes, cluster=cluster, overwrite=overwrite, progress=progress)


def write_frame(plan: PlannedFrame, folder: Path, settings: SetSettings) -> tuple[FrameEntries, float]:
    """Draws and saves the pictures of one captured frame; returns its annotations, and the seconds that saving took."""
    frame = capture_frame(plan, settings.seed, settings.wrist_cone_deg)
    saving = 0.0
    for number, camera in enumerate(frame.cameras):
        image, mask = draw_view(frame, number, settings.seed)
        saving += save_picture(folder, plan.split, image_name(frame, camera), image, mask, _JPEG_QUALITY)
    return entries_of(frame), saving


def data_card(plan: Sequence[PlannedFrame], settings: SetSettings, *, command: str) -> str:
    """Markdown text: what the set is, its licence, how it was made, and counts."""
    rows = [_row(split, [frame for frame in plan if frame.split == split]) for split in SPLITS]
    is_benchmark = settings.as_json() == OPENHAND_V1.as_json()
    version = BENCHMARK if is_benchmark else f"none, settings differ from {BENCHMARK}"
    lines = [
        TITLE,
        "",
        "Rendered pictures of the open hand (MakeHuman's, CC0) with joints, MANO parameters and gesture names, in the",
        "file layout of InterHand2.6M v1.0. No picture or annotation of InterHand2.6M is in it.",
        "",
        f"- Version: {version}.",
        "- Licence: CC0 1.0 (public domain).",
        f"- Written by gesturehand {__version__}: `{command}`",
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
