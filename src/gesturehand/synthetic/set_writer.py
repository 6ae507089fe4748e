"""Writes a planned set in InterHand2.6M's files: frames by a cluster's workers, annotations, data card.

A seed gives the same annotations and pixels whichever worker draws them. An interrupted run continues where it stopped
(:class:`GrowingSet`); a folder of the target's name is complete.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2

from gesturehand import __version__
from gesturehand.cluster import Cluster, Task
from gesturehand.data.files import annotation_path, image_path
from gesturehand.errors import UserError
from gesturehand.file_writing import file_of_new_folder, make_folder, remove_parts, try_lock, write_text
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.interhand_files import FrameEntries, merge_split
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.text_file import read_json, write_json

_CARD: Final = "README.md"
_SETTINGS: Final = "settings.json"
#: First line of every data card; a folder that has it was written by this package and may be replaced by it.
TITLE: Final = "# Open synthetic hands in InterHand2.6M's format"
#: Little effort for the encoder, since masks are flat.
_MASK_OPTIONS: Final = [cv2.IMWRITE_PNG_COMPRESSION, 1]
#: Frames that a worker takes at a time.
CHUNK: Final = 16
#: Draws a planned frame into a folder: its annotations, and the seconds that saving took. Workers import it.
WriteFrame = Callable[[PlannedFrame, Path], tuple[FrameEntries, float]]


class WrittenChunk(NamedTuple):
    """The result of the frames that a worker drew together.

    Attributes:
        entries: annotations of its frames.
        seconds_drawing: spent on posing and drawing.
        seconds_saving: spent on encoding and writing.
    """

    entries: list[FrameEntries]
    seconds_drawing: float
    seconds_saving: float


@dataclass(frozen=True)
class WrittenSet:
    """The written set.

    Attributes:
        root: the set's folder.
        frames: captured frames per split.
        images: images per split.
        resumed: captured frames that an interrupted run had already written.
        seconds_drawing: spent by all workers on posing and drawing.
        seconds_saving: spent by all workers on encoding and writing JPEG and PNG files.
    """

    root: Path
    frames: dict[str, int]
    images: dict[str, int]
    resumed: int
    seconds_drawing: float
    seconds_saving: float


@dataclass(frozen=True)
class PlannedSet:
    """Everything from which a set is written.

    Attributes:
        frames: all captured frames, in the order of the files.
        settings: all settings on which the output depends, as plain values.
        write_frame: draws one of the frames.
        cameras_of: cameras of a capture by name.
        card: text of the data card, from the entries of all frames.
    """

    frames: Sequence[PlannedFrame]
    settings: dict[str, Any]
    write_frame: WriteFrame
    cameras_of: Callable[[int], dict[str, DomeCamera]]
    card: Callable[[Sequence[FrameEntries]], str]


class GrowingSet:
    """A set that is being written: a folder beside the target, which a later run can continue and which takes its place
    at the end.

    While ``set`` is being written, ``.set.partial`` (images and masks, and the annotations last) and ``.set.progress``
    (the settings, and the entries of every finished chunk of frames) lie beside it. Neither loads as a set.

    Attributes:
        root: the target folder.
        folder: the folder in which the set grows.
        progress: the finished part.
    """

    def __init__(self, root: Path) -> None:
        # Links are resolved to the folder itself, so that the set stays on the intended disk.
        self.root = root.resolve()
        self.folder = self.root.with_name(f".{self.root.name}.partial")
        self.progress = self.root.with_name(f".{self.root.name}.progress")
        self._replaced = self.root.with_name(f".{self.root.name}.replaced")

    def begin(self, settings: dict[str, Any], *, anew: bool) -> int:
        """Continues where an interrupted run with the same settings stopped, or starts.

        Args:
            settings: all settings on which the output depends.
            anew: discard the remains of a run with other settings.

        Returns:
            Number of chunks that are done.

        Raises:
            UserError: a run with other settings was interrupted here and ``anew`` is False.
        """
        path = self.progress / _SETTINGS
        if path.is_file():
            if read_json(path, "The note", "remove it to start the set again") == settings:
                make_folder(self.folder)
                return sum(1 for _ in self.progress.glob("chunk*.json"))
            if not anew:
                raise UserError(
                    f"'{self.folder}' is left over from an interrupted run with other settings or another version: run "
                    "that command again to finish it, or pass --overwrite=true to start again."
                )
        for leftover in (self.folder, self.progress):
            shutil.rmtree(leftover, ignore_errors=True)
            make_folder(leftover)
        write_json(path, settings, indent=None)
        return 0

    def is_done(self, chunk: int) -> bool:
        """Whether a chunk of frames is written."""
        return self._chunk(chunk).is_file()

    def finish_chunk(self, chunk: int, entries: list[Any]) -> None:
        """Notes the annotations of a chunk whose pictures are all written."""
        write_json(self._chunk(chunk), entries, indent=None)

    def entries(self, chunks: int) -> list[Any]:
        """Annotations of all chunks, in their order."""
        return [entry for chunk in range(chunks) for entry in self._noted(chunk)]

    def move_into_place(self) -> None:
        """Gives the finished set its name, in place of an older one."""
        if self.root.exists():
            shutil.rmtree(self._replaced, ignore_errors=True)
            self.root.rename(self._replaced)
        try:
            self.folder.rename(self.root)
        except OSError:
            if self._replaced.exists():
                self._replaced.rename(self.root)
            raise
        for leftover in (self.progress, self._replaced):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second writer of the same set away.

        Raises:
            UserError: another process is writing it.
        """
        path = self.root.with_name(f".{self.root.name}.lock")
        make_folder(path.parent)
        lock = try_lock(path)
        if lock is None:
            raise UserError(f"Another process is writing '{self.root}': wait for it or end it.")
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no file that is open
                path.unlink()
            lock.release()

    def _noted(self, chunk: int) -> list[Any]:
        return read_json(self._chunk(chunk), "The note", "remove it, and its frames are drawn again")

    def _chunk(self, chunk: int) -> Path:
        return self.progress / f"chunk{chunk:06d}.json"


def write_set(
    out: str | Path,
    planned: PlannedSet,
    *,
    processes: int | None = None,
    cluster: str = "local",
    overwrite: bool = False,
    progress: bool = True,
) -> WrittenSet:
    """Writes images, masks, annotations and the data card.

    Args:
        out: folder of the set.
        planned: the set to write.
        processes: number of processes; all cores if not given.
        cluster: the cluster whose workers draw, see :class:`~gesturehand.cluster.client.Cluster`.
        overwrite: replace an existing synthetic set, or the remains of an interrupted run with other settings.
        progress: show a progress bar.

    Raises:
        UserError: the number of processes is not positive, ``out`` is not empty, another process writes it, a run with
            other settings was interrupted here, or the cluster cannot be used.
    """
    root, plan = Path(out), list(planned.frames)
    growing = GrowingSet(root)
    workers = Cluster(cluster, workers=processes, folder=growing.progress)
    _check_target(root, overwrite)
    with growing.locked():
        done = growing.begin({"settings": planned.settings, "code": _code()}, anew=overwrite)
        with workers:
            drawing, saving = _write_frames(growing, plan, planned.write_frame, workers, progress)
        entries = growing.entries(-(-len(plan) // CHUNK))
        _write_annotations(growing.folder, plan, entries, planned.cameras_of)
        write_text(growing.folder / _CARD, planned.card(entries))
        for folder, _, _ in os.walk(growing.folder):
            remove_parts(Path(folder))  # of workers that were killed
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
    """Saves an image (H, W, 3) uint8 BGR, ``name`` in ``data.json``, and its mask (H, W); returns the seconds taken."""
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


def _write_frames(
    growing: GrowingSet, plan: list[PlannedFrame], write_frame: WriteFrame, workers: Cluster, progress: bool
) -> tuple[float, float]:
    """Writes the remaining frames; returns the seconds that all workers spent on drawing and on saving."""
    chunks = [plan[begin : begin + CHUNK] for begin in range(0, len(plan), CHUNK)]
    rest = {number: chunk for number, chunk in enumerate(chunks) if not growing.is_done(number)}
    tasks = (
        Task(f"frames from {number * CHUNK}", write_chunk, (chunk, write_frame, growing.folder), weight=len(chunk))
        for number, chunk in rest.items()
    )
    done = len(plan) - sum(map(len, rest.values()))
    drawing = saving = 0.0
    results = workers.stream(tasks, title="synthetic set", unit="frame", total=len(plan), done=done, progress=progress)
    for number, (_, written) in zip(rest, results, strict=True):
        growing.finish_chunk(number, written.entries)
        drawing, saving = drawing + written.seconds_drawing, saving + written.seconds_saving
    return drawing, saving


def write_chunk(frames: Sequence[PlannedFrame], write_frame: WriteFrame, folder: Path) -> WrittenChunk:
    """Draws and saves some frames, as a worker does; it may do so twice, since the files will be the same."""
    start, entries, saving = time.perf_counter(), [], 0.0
    for planned in frames:
        entry, seconds = write_frame(planned, folder)
        entries.append(entry)
        saving += seconds
    return WrittenChunk(entries, time.perf_counter() - start - saving, saving)


@cache
def _code() -> str:
    """A hash of the code and tables on which the output depends, so that no set mixes two versions."""
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
