"""Frames in chunks, drawn by one process or several."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final, NamedTuple

import cv2

from gesturehand.synthetic.interhand_files import FrameEntries
from gesturehand.synthetic.plan import PlannedFrame

#: Frames that a process takes at a time.
CHUNK: Final = 16
#: Draws a planned frame into a folder: its annotations, and the seconds that saving took. Other processes load it.
WriteFrame = Callable[[PlannedFrame, Path], tuple[FrameEntries, float]]


class Chunk(NamedTuple):
    """Frames that one process takes at a time."""

    number: int
    frames: list[PlannedFrame]
    write_frame: WriteFrame


class WrittenChunk(NamedTuple):
    """What came of a chunk.

    Attributes:
        entries: annotations of its frames.
        seconds_drawing: spent on posing and drawing.
        seconds_saving: spent on encoding and writing.
    """

    entries: list[FrameEntries]
    seconds_drawing: float
    seconds_saving: float


def write_chunks(folder: Path, chunks: list[Chunk], processes: int) -> Iterator[tuple[Chunk, WrittenChunk]]:
    """Writes chunks in their order; each comes when its pictures are all written."""
    folders = [folder] * len(chunks)
    if processes == 1:
        yield from zip(chunks, map(_write_chunk, chunks, folders), strict=True)
        return
    # A forked process would inherit OpenCV's thread pool without its threads and wait for them for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_start_process) as pool:
        yield from zip(chunks, pool.map(_write_chunk, chunks, folders), strict=True)


def _write_chunk(chunk: Chunk, folder: Path) -> WrittenChunk:
    """A chunk's annotations, and the seconds for drawing and for saving."""
    start, entries, saving = time.perf_counter(), [], 0.0
    for planned in chunk.frames:
        entry, seconds = chunk.write_frame(planned, folder)
        entries.append(entry)
        saving += seconds
    return WrittenChunk(entries, time.perf_counter() - start - saving, saving)


def _start_process() -> None:
    """An interrupt is the parent's to handle, and a process uses one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot end its processes, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
