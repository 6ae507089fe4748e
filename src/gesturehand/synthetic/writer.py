"""Writes a synthetic set in InterHand2.6M's files: plan, frames in parallel, annotations, data card.

Everything is written into a folder beside the target and moved into place at the end, so that what has the target's
name is complete. A seed gives the same annotations and pixels whatever the number of processes.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
from tqdm import tqdm

from gesturehand import __version__
from gesturehand.data.files import annotation_path, image_path
from gesturehand.errors import UserError
from gesturehand.synthetic.annotations import FrameEntries, entries_of, image_name, merge_split
from gesturehand.synthetic.capture import cameras_of, capture_frame
from gesturehand.synthetic.data_card import TITLE, data_card
from gesturehand.synthetic.plan import SPLITS, PlannedFrame, make_plan
from gesturehand.synthetic.view import draw_view

_JPEG_QUALITY: Final = 92
#: Frames that a process takes at a time.
_CHUNK: Final = 16
_CARD: Final = "README.md"


@dataclass(frozen=True)
class WrittenSet:
    """What was written.

    Attributes:
        root: the set's folder.
        frames: captured frames per split.
        images: images per split.
    """

    root: Path
    frames: dict[str, int]
    images: dict[str, int]


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
    seed: int = 0,
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth",
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in InterHand2.6M's layout.

    Args:
        out: folder of the set.
        subjects: numbers of people in train, val and test; nobody is in two.
        frames: captured frames in train, val and test; a split without frames is left out.
        views: cameras that see each captured frame.
        wrist_cone_deg: how far the wrist is turned at most from palm or back facing the (first) camera.
        gestures: fine classes to show; all 35 if not given.
        left_share: share of left hands among one-hand frames.
        two_hand_share: share of frames with both hands, which have no gesture label.
        without_fit_share: share of frames without a MANO fit and with some invalid joints.
        rom_share: share of range-of-motion frames, which have no gesture label.
        seed: not negative.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there.
        progress: show a progress bar.
        command: noted in the data card.

    Raises:
        UserError: an argument is out of range, a gesture is unknown, or ``out`` is not empty.
    """
    root = Path(out)
    processes = _cores() if processes is None else processes
    _check(root, wrist_cone_deg, seed, processes, overwrite)
    plan = make_plan(
        subjects=subjects,
        frames=frames,
        views=views,
        gestures=gestures,
        left_share=left_share,
        two_hand_share=two_hand_share,
        without_fit_share=without_fit_share,
        rom_share=rom_share,
        seed=seed,
    )
    if not plan:
        raise UserError("frames asks for no frame at all: give at least one split some.")
    with _moved_into_place(root) as folder:
        entries = _write_frames(folder, plan, seed, wrist_cone_deg, processes, progress)
        _write_annotations(folder, plan, entries, seed)
        (folder / _CARD).write_text(data_card(plan, command=command, version=__version__), encoding="utf-8")
    counts = {split: [frame for frame in plan if frame.split == split] for split in SPLITS}
    return WrittenSet(
        root=root,
        frames={split: len(planned) for split, planned in counts.items()},
        images={split: sum(len(frame.cameras) for frame in planned) for split, planned in counts.items()},
    )


def write_frame(plan: PlannedFrame, folder: Path, seed: int, wrist_cone_deg: float) -> FrameEntries:
    """Draws and saves the images and masks of one captured frame and returns its annotations."""
    frame = capture_frame(plan, seed, wrist_cone_deg)
    for number, camera in enumerate(frame.cameras):
        image, mask = draw_view(frame, number, seed)
        name = image_name(frame, camera)
        _save(image_path(folder, plan.split, name), image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        _save(mask_path(folder, plan.split, name), mask, [])
    return entries_of(frame)


def mask_path(root: Path, split: str, file_name: str) -> Path:
    """``<root>/masks/{split}/{file_name}`` with the suffix ``.png``, ``file_name`` as in ``data.json``."""
    return (root / "masks" / split / file_name).with_suffix(".png")


def _write_frames(
    folder: Path, plan: list[PlannedFrame], seed: int, wrist_cone_deg: float, processes: int, progress: bool
) -> list[FrameEntries]:
    work = partial(write_frame, folder=folder, seed=seed, wrist_cone_deg=wrist_cone_deg)
    # In a log file every update is a line.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    bar = partial(tqdm, total=len(plan), desc="synthetic set", unit="frame", disable=not progress, mininterval=interval)
    if processes == 1:
        return list(bar(map(work, plan)))
    # A forked process would inherit OpenCV's thread pool without its threads and wait for them for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_start_process) as pool:
        return list(bar(pool.map(work, plan, chunksize=_CHUNK)))


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_process() -> None:
    """An interrupt is the parent's to handle, and a process uses one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _write_annotations(folder: Path, plan: list[PlannedFrame], entries: list[FrameEntries], seed: int) -> None:
    for split in SPLITS:
        rows = [entry for frame, entry in zip(plan, entries, strict=True) if frame.split == split]
        if not rows:
            continue
        captures = sorted({frame.capture for frame in plan if frame.split == split})
        cameras = {str(capture): cameras_of(seed, capture) for capture in captures}
        for kind, content in merge_split(rows, cameras).items():
            path = annotation_path(folder, split, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")


def _save(path: Path, image: cv2.typing.MatLike, options: list[int]) -> None:
    encoded, data = cv2.imencode(path.suffix, image, options)
    if not encoded:
        raise RuntimeError(f"OpenCV cannot encode {path.suffix}")
    try:
        path.write_bytes(data.tobytes())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())


@contextmanager
def _moved_into_place(root: Path) -> Iterator[Path]:
    """A new folder beside the target that takes its place if nothing goes wrong, and is removed otherwise."""
    # Through a link to the folder itself, so that a set stays on the disk where it was to be.
    root = root.resolve()
    folder, replaced = (root.with_name(f".{root.name}.{word}") for word in ("partial", "replaced"))
    for leftover in (folder, replaced):
        shutil.rmtree(leftover, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        if root.exists():
            root.rename(replaced)
        try:
            folder.rename(root)
        except OSError:
            if replaced.exists():
                replaced.rename(root)
            raise
    finally:
        for leftover in (folder, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def _check(root: Path, wrist_cone_deg: float, seed: int, processes: int, overwrite: bool) -> None:
    if not 0 <= wrist_cone_deg <= 180:
        raise UserError(f"wrist_cone_deg must lie between 0 and 180 and is {wrist_cone_deg}.")
    if seed < 0:
        raise UserError(f"seed must not be negative and is {seed}.")
    if processes < 1:
        raise UserError(f"processes must be at least 1 and is {processes}.")
    if root.is_file():
        raise UserError(f"'{root}' is a file: give a folder.")
    if not root.is_dir() or not any(root.iterdir()):
        return
    if not overwrite:
        raise UserError(f"'{root}' is not empty: give another folder, or --overwrite=true to replace the set in it.")
    card = root / _CARD
    if not card.is_file() or not card.read_text(encoding="utf-8", errors="replace").startswith(TITLE):
        raise UserError(f"'{root}' does not hold a synthetic set and is not replaced: give another folder.")
