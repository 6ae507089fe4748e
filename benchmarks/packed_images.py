"""Images in shards against single files: samples per second of one worker, warm and cold, size on disk, and packing.

    python benchmarks/packed_images.py [--images 4096] [--entries 1361062] [--frames 18718] [--repeats 5] [--out FILE]

Reading: made-up annotations, whose images are photographs of 512 × 334 px, each in a separate file. One process with
one thread reads single files and shards alternately. *Cold* drops the files from the page cache before each round,
which needs no special rights on Linux; the disk's own cache stays. Packing: as many entries as the real train split
has, whose files are hard links to a few tiny JPEGs, in a separate process. Linux only: memory is read from /proc.
"""

import argparse
import itertools
import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from index_scale import memory_mb
from made_up_split import FRAMES, IMAGES, write_split

from gesturehand.data.check import verify_split
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import InterHandDataset, SampleKey, collate
from gesturehand.data.index import InterHandIndex, read_index
from gesturehand.data.pack import pack_split

BATCH = 32
#: ext4 allows 65,000 links to a file.
LINKS = 20_000
QUALITY = 90
SIZES = ((512, 334), (334, 512))


def write_images(root: Path, index: InterHandIndex) -> None:
    """Writes crops of the package's four photographs, none of them twice."""
    random = np.random.default_rng(0)
    photos = [
        cv2.imdecode(np.frombuffer(files("gesturehand.assets").joinpath(f"example_{k}.jpg").read_bytes(), np.uint8), 1)
        for k in range(1, 5)
    ]
    for row in range(len(index)):
        width, height = index.image_size_px[row].tolist()
        photo = photos[int(random.integers(len(photos)))]
        scale = max(width / photo.shape[1], height / photo.shape[0]) * random.uniform(1.05, 1.5)
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x, y = (int(random.integers(photo.shape[axis] - size + 1)) for axis, size in ((1, width), (0, height)))
        path = index.image_file(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), photo[y : y + height, x : x + width], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def drop_from_cache(paths: list[Path]) -> None:
    """Asks the system to drop files from its page cache."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def samples(dataset: InterHandDataset, order: np.ndarray, epoch: int) -> None:
    """Reads samples as a worker does."""
    for start in range(0, len(order) - BATCH + 1, BATCH):
        collate(dataset.__getitems__([SampleKey(int(number), epoch) for number in order[start : start + BATCH]]))


def read_bytes(dataset: InterHandDataset, order: np.ndarray, epoch: int) -> None:
    """Reads only the bytes of the images."""
    for row in dataset.selection.row[order].tolist():
        source = dataset.index.image(row)
        _ = source.read_bytes() if isinstance(source, Path) else source.content()


def reading(images: int, repeats: int) -> dict[str, Any]:
    """Rates and sizes of single files and of shards."""
    result: dict[str, Any] = {"images": images, "repeats": repeats}
    with tempfile.TemporaryDirectory() as folder:
        loose, packed = Path(folder) / "loose", Path(folder) / "packed"
        write_split(loose, images, max(1, images // 8))
        index = read_index(loose, "train")
        write_images(loose, index)
        report = pack_split(loose, "train", out=packed, progress=False)
        os.sync()
        result |= {
            "image_mb": report.image_bytes / 1e6,
            "shards_and_table_mb": report.disk_bytes / 1e6,
            "index_mb": (report.folder / "index.safetensors").stat().st_size / 1e6,
            "larger_by": report.disk_bytes / report.image_bytes - 1,
            "blocks_of_files_mb": blocks_mb([index.image_file(row) for row in range(len(index))]),
            "blocks_of_shards_mb": blocks_mb(sorted(report.folder.iterdir())),
        }
        paths = {
            "loose": [index.image_file(row) for row in range(len(index))],
            "packed": sorted(report.folder.glob("images_*.zip")),
        }
        sets = {
            name: InterHandDataModule(str(root), image_size=256, hands="all", num_workers=0).dataset("train")
            for name, root in (("loose", loose), ("packed", packed))
        }
        for what, run in (("samples", samples), ("bytes", read_bytes)):
            for state in ("warm", "cold"):
                rates = turns(sets, paths, run, cold=state == "cold", repeats=repeats)
                result[f"{what}_{state}"] = {**rates, "ratio": rates["packed"] / rates["loose"]}
        result["ways"] = ways_of_reading(sets["packed"].index, repeats)
    return result


def turns(
    sets: dict[str, InterHandDataset],
    paths: dict[str, list[Path]],
    run: Callable[[InterHandDataset, np.ndarray, int], None],
    *,
    cold: bool,
    repeats: int,
) -> dict[str, float]:
    """Samples per second of each, alternately and in random order; the best round counts.

    Warm rounds are timed by the processor's clock, which other processes do not disturb, and cold ones by the wall
    clock.
    """
    clock = time.perf_counter if cold else time.process_time
    best = dict.fromkeys(sets, float("inf"))
    count = min(len(dataset) for dataset in sets.values()) // BATCH * BATCH
    for epoch in range(repeats + 1):  # the first round warms up
        order = np.random.default_rng(epoch).permutation(count)
        for name, dataset in sets.items():
            if cold:
                drop_from_cache(paths[name])
            start = clock()
            run(dataset, order, epoch)
            if epoch:
                best[name] = min(best[name], clock() - start)
    return {name: count / seconds for name, seconds in best.items()}


def ways_of_reading(index: InterHandIndex, repeats: int) -> dict[str, Any]:
    """A random sixteenth of the images by ``pread`` and by a map, cold: seconds, and bytes read per byte wanted."""
    table = index.images.table
    assert table is not None
    path = table.folder / table.shards[0]["name"]
    result: dict[str, Any] = {}
    rows = np.flatnonzero(table.columns["shard"] == 0)
    for repeat, way in itertools.product(range(repeats), ("pread", "mmap")):
        chosen = np.random.default_rng(repeat).permutation(rows)[: max(1, len(rows) // 16)]
        places = [table.place(int(row)) for row in chosen]
        drop_from_cache([path])
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if way == "mmap" else None
            before, start = disk_bytes(), time.perf_counter()
            for place in places:
                if content is None:
                    os.pread(file.fileno(), place.length, place.start)
                else:
                    _ = content[place.start : place.start + place.length]
            seconds = time.perf_counter() - start
            read = (disk_bytes() - before) / sum(place.length for place in places)
            if content is not None:
                content.close()
        known = result.get(way)
        if known is None or seconds < known["seconds"]:
            result[way] = {"seconds": seconds, "bytes_read_of_wanted": read, "images": len(places)}
    return result


def disk_bytes() -> int:
    """Number of bytes that were read from the disk for this process."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))


def blocks_mb(paths: list[Path]) -> float:
    """Space that files take on the disk, MB, whose blocks they do not fill."""
    return sum(path.stat().st_blocks for path in paths) * 512 / 1e6


def write_links(root: Path, index: InterHandIndex) -> None:
    """An entry for each image: a hard link to a tiny JPEG of its size."""
    originals: dict[tuple[int, int], Path] = {}
    given = dict.fromkeys(SIZES, 0)
    made: set[Path] = set()
    folder = root / "originals"
    folder.mkdir()
    for row in range(len(index)):
        width, height = size = tuple(index.image_size_px[row].tolist())
        if given[size] % LINKS == 0:
            grey = np.full((height, width, 3), 100 + given[size] // LINKS, np.uint8)
            originals[size] = folder / f"{width}_{given[size]}.jpg"
            cv2.imwrite(str(originals[size]), grey, [cv2.IMWRITE_JPEG_QUALITY, 10])
        given[size] += 1
        path = index.image_file(row)
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        os.link(originals[size], path)


def packed(root: Path) -> dict[str, Any]:
    """Packs a split and returns what it took."""
    index = read_index(root, "train")
    before, start, start_cpu = memory_mb("VmRSS"), time.perf_counter(), time.process_time()
    report = pack_split(root, "train", workers=4)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "entries": len(index),
        "images": report.images,
        "shards": report.shards,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "before_mb": before,
        "peak_mb": memory_mb("VmHWM"),
        "image_mb": report.image_bytes / 1e6,
        "table_mb": (report.folder / "images.safetensors").stat().st_size / 1e6,
    }


def packing(entries: int, frames: int) -> dict[str, Any]:
    """Packs made-up entries in a separate process."""
    folder = Path(tempfile.mkdtemp())
    try:
        root = folder / "set"
        write_split(root, entries, frames)
        start = time.perf_counter()
        write_links(root, read_index(root, "train"))
        sys.stderr.write(f"{entries:,} links in {time.perf_counter() - start:.0f} s\n")
        command = [sys.executable, __file__, "--root", str(root)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        result = json.loads(output.splitlines()[-1])
        assert verify_split(root, "train", progress=False) == []
        return result
    finally:
        shutil.rmtree(folder)


def measure(images: int = 4096, entries: int = IMAGES, frames: int = FRAMES, repeats: int = 5) -> dict[str, Any]:
    """All figures."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    result = {"reading": reading(images, repeats)}
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])
    return result | {"packing": packing(entries, frames)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--entries", type=int, default=IMAGES)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--root", type=Path, help="for the process that packs")
    arguments = parser.parse_args()
    if arguments.root:
        print(json.dumps(packed(arguments.root)))
        return
    text = json.dumps(measure(arguments.images, arguments.entries, arguments.frames, arguments.repeats), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
