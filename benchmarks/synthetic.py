"""The speed at which the open synthetic set is written, and the share of encoding and writing image files.

    python benchmarks/synthetic.py [--frames 1500] [--processes 2] [--out docs/results/synthetic_speed.json]

Writes frames with the settings of the benchmark openhand-v1 at full resolution into a temporary folder. The share is
that of the time for which all processes were busy; encoding is measured in the same run.
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import cv2

from gesturehand.synthetic.plan import BENCHMARK, OPENHAND_V1
from gesturehand.synthetic.writer import write_synthetic_set
from gesturehand.text_file import write_json


def measure(frames: int, processes: int) -> dict[str, float | int | str]:
    """Seconds and shares of one run."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        settings = {**OPENHAND_V1.as_json(), "subjects": (8, 0, 0), "frames": (frames, 0, 0)}
        written = write_synthetic_set(Path(folder) / "set", **settings, processes=processes)
        seconds = time.perf_counter() - start
    busy = written.seconds_drawing + written.seconds_saving
    return {
        "settings": BENCHMARK,
        "frames": frames,
        "processes": processes,
        "cores": os.cpu_count() or 0,
        "seconds": round(seconds, 2),
        "frames_per_s": round(frames / seconds, 1),
        "ms_per_frame_of_one_core": round(1000 * busy / frames, 2),
        "share_encoding_and_writing": round(written.seconds_saving / busy, 4),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = measure(options.frames, options.processes)
    for name, value in result.items():
        print(f"{name:>28}  {value}")
    if options.out:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
