"""Writes a planned set in InterHand2.6M's files: frames in parallel, annotations, data card.

A seed gives the same annotations and pixels whatever the number of processes. An interrupted run continues where it
stopped (:mod:`gesturehand.synthetic.storage`); a folder of the target's name is complete.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Final

import cv2
from tqdm import tqdm

from gesturehand import __version__
from gesturehand.cores import available_cores
from gesturehand.data.files import annotation_path, image_path
from gesturehand.errors import UserError
from gesturehand.file_writing import file_of_new_folder, write_text
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.interhand_files import FrameEntries, merge_split
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.pool import CHUNK, Chunk, WriteFrame, write_chunks
from gesturehand.synthetic.storage import GrowingSet

_CARD: Final = "README.md"
#: First line of every data card; a folder that has it was written by this package and may be replaced by it.
TITLE: Final = "# Open synthetic hands in InterHand2.6M's format"
#: Little work for the encoder: masks are flat.
_MASK_OPTIONS: Final = [cv2.IMWRITE_PNG_COMPRESSION, 1]


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


@dataclass(frozen=True)
class PlannedSet:
    """What a set is written from.

    Attributes:
        frames: all captured frames, in the order of the files.
        settings: whatever decides what is written, as plain values.
        write_frame: draws one of the frames.
        cameras_of: cameras of a capture by name.
        card: text of the data card, from the entries of all frames.
    """

    frames: Sequence[PlannedFrame]
    settings: dict[str, Any]
    write_frame: WriteFrame
    cameras_of: Callable[[int], dict[str, DomeCamera]]
    card: Callable[[Sequence[FrameEntries]], str]


def write_set(
    out: str | Path,
    planned: PlannedSet,
    *,
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> WrittenSet:
    """Writes images, masks, annotations and the data card.

    Args:
        out: folder of the set.
        planned: what is to be written.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there, or what an interrupted run with other settings left.
        progress: show a progress bar.

    Raises:
        UserError: the number of processes is not positive, ``out`` is not empty, another process writes it, or a run
            with other settings was interrupted here.
    """
    processes = available_cores() if processes is None else processes
    if processes < 1:
        raise UserError(f"processes must be at least 1 and is {processes}.")
    root, plan = Path(out), list(planned.frames)
    _check_target(root, overwrite)
    growing = GrowingSet(root)
    with growing.locked():
        done = growing.begin({"settings": planned.settings, "code": _code()}, anew=overwrite)
        chunks = [
            Chunk(k, plan[k * CHUNK : (k + 1) * CHUNK], planned.write_frame) for k in range(-(-len(plan) // CHUNK))
        ]
        drawing, saving = _write_frames(growing, chunks, processes, progress)
        entries = growing.entries(len(chunks))
        _write_annotations(growing.folder, plan, entries, planned.cameras_of)
        write_text(growing.folder / _CARD, planned.card(entries))
        growing.move_into_place()
    counts = {split: [frame for frame in plan if frame.split == split] for split in SPLITS}
    return WrittenSet(
        root=root,
        frames={split: len(frames) for split, frames in counts.items()},
        images={split: sum(len(frame.cameras) for frame in frames) for split, frames in counts.items()},
        resumed=min(done * CHUNK, len(plan)),
        seconds_drawing=drawing,
        seconds_saving=saving,
    )


def save_picture(
    folder: Path, split: str, name: str, image: cv2.typing.MatLike, mask: cv2.typing.MatLike, jpeg_quality: int
) -> float:
    """Saves an image (H, W, 3) uint8 BGR, ``name`` in ``data.json``, and its mask (H, W); the seconds that took."""
    start = time.perf_counter()
    _save(image_path(folder, split, name), image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    _save(mask_path(folder, split, name), mask, _MASK_OPTIONS)
    return time.perf_counter() - start


def mask_path(root: Path, split: str, file_name: str) -> Path:
    """``<root>/masks/{split}/{file_name}`` with the suffix ``.png``, ``file_name`` as in ``data.json``."""
    return (root / "masks" / split / file_name).with_suffix(".png")


def _save(path: Path, image: cv2.typing.MatLike, options: list[int]) -> None:
    encoded, data = cv2.imencode(path.suffix, image, options)
    if not encoded:
        raise RuntimeError(f"OpenCV cannot encode {path.suffix}")
    with file_of_new_folder(path) as file:
        file.write(data.tobytes())


def _write_frames(growing: GrowingSet, chunks: list[Chunk], processes: int, progress: bool) -> tuple[float, float]:
    """Writes what is not done yet; the seconds that all processes spent on drawing and on saving."""
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
    for path in sorted([*package.glob("synthetic/**/*.py"), *package.glob("hand/*.py"), *package.glob("*.py")]):
        digest.update(path.read_bytes())
    for name in ("gesture_poses.csv", "gestures.csv", "sequence_numbers.csv", "open_hand_right.npz"):
        digest.update((package_files("gesturehand.assets") / name).read_bytes())
    return digest.hexdigest()


def _write_annotations(
    folder: Path,
    plan: list[PlannedFrame],
    entries: list[FrameEntries],
    cameras_of: Callable[[int], dict[str, DomeCamera]],
) -> None:
    for split in SPLITS:
        rows = [entry for frame, entry in zip(plan, entries, strict=True) if frame.split == split]
        if not rows:
            continue
        captures = sorted({frame.capture for frame in plan if frame.split == split})
        cameras = {str(capture): cameras_of(capture) for capture in captures}
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
