"""Writes a synthetic set in InterHand2.6M's files: plan, frames in parallel, annotations, data card.

A seed gives the same annotations and pixels whatever the number of processes. An interrupted run goes on where it
stopped (:mod:`gesturehand.synthetic.storage`); what has the target's name is complete.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Final

from tqdm import tqdm

from gesturehand import __version__
from gesturehand.cores import available_cores
from gesturehand.data.files import annotation_path
from gesturehand.errors import UserError
from gesturehand.file_writing import write_text
from gesturehand.splits import SPLITS
from gesturehand.synthetic.annotations import FrameEntries, merge_split
from gesturehand.synthetic.capture import cameras_of
from gesturehand.synthetic.data_card import TITLE, data_card
from gesturehand.synthetic.plan import PlannedFrame, make_plan
from gesturehand.synthetic.pool import CHUNK, Chunk, write_chunks
from gesturehand.synthetic.settings import SetSettings
from gesturehand.synthetic.storage import GrowingSet

_CARD: Final = "README.md"


@dataclass(frozen=True)
class WrittenSet:
    """What was written.

    Attributes:
        root: the set's folder.
        frames: captured frames per split.
        images: images per split.
        resumed: captured frames that an interrupted run had already written.
        seconds_drawing: spent by all processes on posing and drawing.
        seconds_saving: spent by all processes on encoding and writing JPEG and PNG files.
    """

    root: Path
    frames: dict[str, int]
    images: dict[str, int]
    resumed: int
    seconds_drawing: float
    seconds_saving: float


def write_synthetic_set(
    out: str | Path,
    *,
    subjects: Sequence[int] = (8, 2, 4),
    frames: Sequence[int] = (5600, 350, 1120),
    views: int = 1,
    wrist_cone_deg: float = 35.0,
    gestures: Sequence[str] | None = None,
    left_share: float = 0.5,
    two_hand_share: float = 0.0,
    without_fit_share: float = 0.02,
    rom_share: float = 0.0,
    outside_share: float = 0.0,
    test_only_cameras: Sequence[str] = (),
    seed: int = 0,
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth",
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in InterHand2.6M's layout.

    A run that was interrupted goes on where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        subjects: this and the next eleven as in :class:`~gesturehand.synthetic.settings.SetSettings`.
        frames: captured frames in train, val and test.
        views: cameras of each captured frame.
        wrist_cone_deg: largest turn of the wrist.
        gestures: fine classes; all 35 if not given.
        left_share: of the one-hand frames.
        two_hand_share: frames with both hands.
        without_fit_share: frames without a MANO fit.
        rom_share: range-of-motion frames.
        outside_share: one-hand frames with a hand partly outside.
        test_only_cameras: cameras of the test split alone.
        seed: not negative.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there, or what an interrupted run with other settings left.
        progress: show a progress bar.
        command: noted in the data card.

    Raises:
        UserError: an argument is out of range, a gesture is unknown, ``out`` is not empty, or another process writes
            it.
    """
    settings = SetSettings(
        subjects=tuple(subjects),
        frames=tuple(frames),
        views=views,
        wrist_cone_deg=wrist_cone_deg,
        gestures=None if gestures is None else tuple(gestures),
        left_share=left_share,
        two_hand_share=two_hand_share,
        rom_share=rom_share,
        without_fit_share=without_fit_share,
        outside_share=outside_share,
        test_only_cameras=tuple(test_only_cameras),
        seed=seed,
    )
    processes = available_cores() if processes is None else processes
    if processes < 1:
        raise UserError(f"processes must be at least 1 and is {processes}.")
    root = Path(out)
    _check_target(root, overwrite)
    plan = make_plan(settings)
    growing = GrowingSet(root)
    with growing.locked():
        done = growing.begin({"settings": settings.as_json(), "code": _code()}, anew=overwrite)
        chunks = [Chunk(k, plan[k * CHUNK : (k + 1) * CHUNK], settings) for k in range(-(-len(plan) // CHUNK))]
        drawing, saving = _write_frames(growing, chunks, processes, progress)
        _write_annotations(growing.folder, plan, growing.entries(len(chunks)), settings.seed)
        card = data_card(plan, settings, command=command, version=__version__)
        write_text(growing.folder / _CARD, card)
        growing.move_into_place()
    counts = {split: [frame for frame in plan if frame.split == split] for split in SPLITS}
    return WrittenSet(
        root=root,
        frames={split: len(planned) for split, planned in counts.items()},
        images={split: sum(len(frame.cameras) for frame in planned) for split, planned in counts.items()},
        resumed=min(done * CHUNK, len(plan)),
        seconds_drawing=drawing,
        seconds_saving=saving,
    )


def _write_frames(growing: GrowingSet, chunks: list[Chunk], processes: int, progress: bool) -> tuple[float, float]:
    """Writes what is not yet done; seconds of all processes for drawing and for saving."""
    rest = [chunk for chunk in chunks if not growing.is_done(chunk.number)]
    # In a log file every update is a line.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    total = sum(len(chunk.frames) for chunk in chunks)
    drawing = saving = 0.0
    with tqdm(
        total=total,
        initial=total - sum(len(chunk.frames) for chunk in rest),
        desc="synthetic set",
        unit="frame",
        disable=not progress,
        mininterval=interval,
    ) as bar:
        for chunk, written in write_chunks(growing.folder, rest, processes):
            growing.finish_chunk(chunk.number, written.entries)
            drawing, saving = drawing + written.seconds_drawing, saving + written.seconds_saving
            bar.update(len(chunk.frames))
    return drawing, saving


@cache
def _code() -> str:
    """A hash of the code and tables that decide what is written, so that no set is half of another version's."""
    digest = hashlib.sha256(__version__.encode())
    package = Path(__file__).parents[1]
    for path in sorted([*package.glob("synthetic/*.py"), *package.glob("hand/*.py"), *package.glob("*.py")]):
        digest.update(path.read_bytes())
    for name in ("gesture_poses.csv", "gestures.csv", "sequence_numbers.csv", "open_hand_right.npz"):
        digest.update((package_files("gesturehand.assets") / name).read_bytes())
    return digest.hexdigest()


def _write_annotations(folder: Path, plan: list[PlannedFrame], entries: list[FrameEntries], seed: int) -> None:
    for split in SPLITS:
        rows = [entry for frame, entry in zip(plan, entries, strict=True) if frame.split == split]
        if not rows:
            continue
        captures = sorted({frame.capture for frame in plan if frame.split == split})
        cameras = {str(capture): cameras_of(seed, capture) for capture in captures}
        for kind, content in merge_split(rows, cameras).items():
            write_text(annotation_path(folder, split, kind), json.dumps(content))


def _check_target(root: Path, overwrite: bool) -> None:
    if root.is_file():
        raise UserError(f"'{root}' is a file: give a folder.")
    if not root.is_dir() or not any(root.iterdir()):
        return
    if not overwrite:
        raise UserError(f"'{root}' is not empty: give another folder, or --overwrite=true to replace the set in it.")
    card = root / _CARD
    if not card.is_file() or not card.read_text(encoding="utf-8", errors="replace").startswith(TITLE):
        raise UserError(f"'{root}' does not hold a synthetic set and is not replaced: give another folder.")
