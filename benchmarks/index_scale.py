"""The index at the size of the real train split, against the plain way: json.load and a list of dictionaries of arrays.

    python benchmarks/index_scale.py [--images 1361062] [--frames 18718] [--out FILE]

Every measurement is a fresh process. Linux only: memory is read from /proc. The plain way takes 10 GB and minutes.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from made_up_split import FRAMES, IMAGES, write_split


def memory_mb(field: str, file: str = "status") -> float:
    """A number of /proc/self: ``VmRSS``, ``VmHWM``; of ``smaps_rollup``: ``Pss``, ``Private_Dirty`` …"""
    line = next(row for row in Path(f"/proc/self/{file}").read_text().splitlines() if row.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def private_mb() -> float:
    """Memory that only this process holds (unique set size), MB."""
    return sum(memory_mb(f"Private_{kind}", "smaps_rollup") for kind in ("Clean", "Dirty"))


def build(root: Path) -> dict[str, float]:
    """Builds the index; the peak also counts the JSON's mapped pages."""
    from gesturehand.data.index import read_index

    before, start = memory_mb("VmRSS"), time.perf_counter()
    index = read_index(root, "train")
    return {
        "build_s": time.perf_counter() - start,
        "build_peak_mb": memory_mb("VmHWM"),
        "imports_mb": before,
        "disk_mb": index.path.stat().st_size / 1e6,
    }


def opened(root: Path) -> dict[str, float]:
    """Opens the index, chooses samples as the DataModule does, and reads 20,000 of them at random."""
    from gesturehand.data.boxes import CropBoxes
    from gesturehand.data.dataset import InterHandDataset
    from gesturehand.data.index import read_index
    from gesturehand.data.selection import select

    read_index(root, "train")  # imports at the first use are not part of opening
    before, start = private_mb(), time.perf_counter()
    index = read_index(root, "train")
    seconds = time.perf_counter() - start
    row, hand = int(index.hand_type.argmax()), 0
    _ = (index.bbox_px[row], index.joints_world[index.frame[row], hand], index.file_name[row])
    held = private_mb() - before
    start = time.perf_counter()
    selection = select(index, hands="all")
    dataset = InterHandDataset(index, selection, CropBoxes(index, selection, "joints"), read_images=False, image_size=8)
    select_s = time.perf_counter() - start
    result = {"open_s": seconds, "open_mb": held, "select_s": select_s, "samples": len(selection)}
    one = InterHandDataset(
        index, selection.part(np.arange(1)), CropBoxes(index, selection.part(np.arange(1)), "joints")
    )
    one.read_images, one.image_size = False, 8
    for method in ("spawn", "fork"):
        result[f"worker_{method}_mb"] = workers_mb(method, dataset) - workers_mb(method, one)
    return result


def workers_mb(method: str, dataset: Any) -> float:
    """Private memory (USS) of the second of two workers that have read 20,000 random samples' annotations each."""
    context = multiprocessing.get_context(method)
    queue, barrier = context.Queue(), context.Barrier(2)
    processes = [context.Process(target=worker, args=(queue, barrier, dataset)) for _ in range(2)]
    for process in processes:
        process.start()
    held = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return held[1]


def worker(queue: Any, barrier: Any, dataset: Any) -> None:
    """Reads samples, and reports the memory that it holds while the other worker is still alive."""
    random = np.random.default_rng(0)
    for _ in range(625):
        dataset.__getitems__(random.integers(0, len(dataset), 32).tolist())
    barrier.wait()
    queue.put(private_mb())
    barrier.wait()


def plain(root: Path) -> dict[str, float]:
    """The start of a usual loader: json.load, dictionaries by id, and one dictionary of arrays per annotation."""
    before, start = memory_mb("VmRSS"), time.perf_counter()
    folder = root / "annotations" / "train"
    data, camera, joint_3d, mano = (
        json.loads((folder / f"InterHand2.6M_train_{kind}.json").read_text())
        for kind in ("data", "camera", "joint_3d", "MANO_NeuralAnnot")
    )
    images = {image["id"]: image for image in data["images"]}
    records = []
    for annotation in data["annotations"]:
        image = images[annotation["image_id"]]
        capture, name, frame = str(image["capture"]), image["camera"], str(image["frame_idx"])
        position, rotation = (np.array(camera[capture][kind][name], np.float32) for kind in ("campos", "camrot"))
        world = np.array(joint_3d[capture][frame]["world_coord"], np.float32)
        records.append(
            {
                "img_path": str(root / "images" / "train" / image["file_name"]),
                "bbox": np.array(annotation["bbox"], np.float32),
                "joint_cam": (world - position) @ rotation.T,
                "joint_valid": np.array(annotation["joint_valid"], np.float32).reshape(42),
                "hand_type": annotation["hand_type"],
                "cam_param": {"focal": camera[capture]["focal"][name], "princpt": camera[capture]["princpt"][name]},
                "mano_param": mano[capture].get(frame),
            }
        )
    return {"plain_s": time.perf_counter() - start, "plain_mb": memory_mb("VmHWM") - before, "records": len(records)}


def fresh(part: str, root: Path) -> dict[str, float]:
    """One part in a separate process."""
    command = [sys.executable, __file__, "--part", part, "--root", str(root)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def measure(images: int, frames: int, *, with_plain: bool = True) -> dict[str, float]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        write_split(root, images, frames)
        size = (root / "annotations/train/InterHand2.6M_train_data.json").stat().st_size / 1e6
        result: dict[str, float] = {"images": images, "frames": frames, "data_json_mb": size}
        for part in ("build", "opened", *(("plain",) if with_plain else ())):
            result |= fresh(part, root)
            sys.stderr.write(f"{part}: {result}\n")
    if with_plain:
        result["faster_to_open"] = result["plain_s"] / result["open_s"]
        result["less_memory"] = result["plain_mb"] / max(result["open_mb"], 1.0)
        # With everything that a worker's dataset keeps for its samples.
        result["less_memory_in_use"] = result["plain_mb"] / max(result["worker_spawn_mb"], 1.0)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--without-plain", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part")
    parser.add_argument("--root", type=Path)
    arguments = parser.parse_args()
    if arguments.part:
        parts = {"build": build, "opened": opened, "plain": plain}
        print(json.dumps(parts[arguments.part](arguments.root)))
        return
    result = measure(arguments.images, arguments.frames, with_plain=not arguments.without_plain)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
