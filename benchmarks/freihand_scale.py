"""Reading FreiHAND at its full size, 32,560 samples on four backgrounds or 130,240 images, from made-up JSON files.

    python benchmarks/freihand_scale.py [--samples 32560] [--out FILE]

Images and ``training_verts.json``, which the index does not need, are left out. Every measurement is a fresh process.
Linux only: memory is read from /proc.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from index_scale import memory_mb

SAMPLES = 32_560


def write_annotations(root: Path, samples: int) -> float:
    """``training_K.json``, ``training_xyz.json`` and ``training_mano.json``; returns their size in MB."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    hand = rng.uniform(-0.08, 0.08, (samples, 21, 3)) + np.array([0, 0, 0.7])
    cameras = np.tile(np.array([[480.0, 0, 112], [0, 480.0, 112], [0, 0, 1]]), (samples, 1, 1))
    cameras[:, 0, 0] += rng.uniform(0, 40, samples)
    contents = {"K": cameras, "xyz": hand, "mano": rng.normal(0, 0.5, (samples, 1, 61))}
    for kind, array in contents.items():
        (root / f"training_{kind}.json").write_text(json.dumps(array.tolist()), encoding="utf-8")
    return sum(path.stat().st_size for path in root.iterdir()) / 1e6


def read(root: Path) -> dict[str, float]:
    """Builds the index if it does not exist, or opens it, and chooses all samples as a training does."""
    from gesturehand.data.index import read_index
    from gesturehand.data.selection import select

    before, start, start_cpu = memory_mb("VmRSS"), time.perf_counter(), time.process_time()
    index = read_index(root, "train")
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    selection = select(index)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "imports_mb": before,
        "peak_mb": memory_mb("VmHWM"),
        "images": len(selection),
        "disk_mb": index.path.stat().st_size / 1e6,
    }


def fresh(root: Path) -> dict[str, float]:
    """:func:`read` in a separate process."""
    command = [sys.executable, __file__, "--root", str(root)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure(samples: int) -> dict[str, float]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "FreiHAND"
        size = write_annotations(root, samples)
        built, opened = fresh(root), fresh(root)
    return {
        "images": built["images"],
        "json_mb": size,
        "build_s": built["seconds"],
        "build_cpu_s": built["cpu_seconds"],
        "build_peak_mb": built["peak_mb"],
        "open_s": opened["seconds"],
        "open_peak_mb": opened["peak_mb"],
        "imports_mb": built["imports_mb"],
        "disk_mb": built["disk_mb"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--root", type=Path)
    arguments = parser.parse_args()
    if arguments.root:
        print(json.dumps(read(arguments.root)))
        return
    text = json.dumps(measure(arguments.samples), indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
