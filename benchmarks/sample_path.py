"""Samples per second of one worker against decoding alone, decoding and warping, and a loader written the usual way.

    python benchmarks/sample_path.py [--image-size 256] [--samples 256] [--repeats 5]

One process with one thread reads JPEGs of 512 × 334 px from the open synthetic set in every way alternately; the best
round of each counts.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import default_collate

from gesturehand.data.crop import crop_affine
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import InterHandDataset, SampleKey, collate
from gesturehand.hand.load import open_hand
from gesturehand.hand.smplx_layer import SmplxLayer
from gesturehand.skeleton import SIDES
from gesturehand.synthetic.writer import write_synthetic_set

BATCH = 32


def batches(count: int) -> Iterator[range]:
    for start in range(0, count - BATCH + 1, BATCH):
        yield range(start, start + BATCH)


def decode_only(dataset: InterHandDataset) -> Callable[[int], None]:
    paths = [str(dataset.image_file(number)) for number in range(len(dataset))]

    def run(epoch: int) -> None:
        for numbers in batches(len(paths)):
            for number in numbers:
                cv2.imread(paths[number], cv2.IMREAD_COLOR_RGB)

    return run


def decode_and_warp(dataset: InterHandDataset) -> Callable[[int], None]:
    """The same maps as ours, made beforehand."""
    paths = [str(dataset.image_file(number)) for number in range(len(dataset))]
    boxes, side = np.asarray(dataset.boxes), dataset.image_size
    generator = np.random.default_rng(0)
    maps = []
    for box in boxes:
        angle = 0.0
        if dataset.augmentation is not None:
            box, angle, _ = dataset.augmentation.crop.draw(box, generator)
        maps.append(crop_affine(box, side, angle=angle))

    def run(epoch: int) -> None:
        for numbers in batches(len(paths)):
            for number in numbers:
                image = cv2.imread(paths[number], cv2.IMREAD_COLOR_RGB)
                cv2.warpAffine(image, maps[number], (side, side), flags=cv2.INTER_LINEAR)

    return run


def ours(dataset: InterHandDataset) -> Callable[[int], None]:
    def run(epoch: int) -> None:
        for numbers in batches(len(dataset)):
            collate(dataset.__getitems__([SampleKey(number, epoch) for number in numbers]))

    return run


class UsualDataset:
    """A list of dictionaries, which are copied, cropped, changed in floating point and posed by smplx one at a time."""

    def __init__(self, dataset: InterHandDataset) -> None:
        self.side = dataset.image_size
        self.augmented = dataset.augmentation is not None
        # smplx's layer as such loaders hold it: one per side, called with a batch of one.
        right, left = SmplxLayer([open_hand(side) for side in SIDES]).layers
        self.layers = {True: right, False: left}
        boxes, index, rows = np.asarray(dataset.boxes), dataset.index, dataset.selection.row
        self.records = []
        for number, row in enumerate(rows):
            frame, camera, hand = index.frame[row], index.camera[row], dataset.selection.hand[number, 0]
            self.records.append(
                {
                    "path": str(dataset.image_file(number)),
                    "box": boxes[number],
                    "right": hand == 0,
                    "joints": np.array(index.joints_world[frame, hand]),
                    "valid": np.array(index.joint_valid_image[row, hand]),
                    "rotation": np.array(index.camera_rotation[camera]),
                    "translation": np.array(index.camera_translation[camera]),
                    "intrinsics": np.array(index.intrinsics[camera]),
                    "pose": np.array(index.mano_pose[frame, hand]),
                    "betas": np.array(index.mano_betas[frame, hand]),
                    "trans": np.array(index.mano_trans[frame, hand]),
                }
            )

    def __getitem__(self, number: int) -> dict[str, Any]:
        record: dict[str, Any] = copy.deepcopy(self.records[number])
        image = cv2.imread(record["path"], cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32)
        box, angle = record["box"], 0.0
        if self.augmented:
            box = box * np.array([1, 1, 1 + 0.25 * np.clip(np.random.randn(), -1, 1)])  # noqa: NPY002
            if np.random.rand() < 0.6:  # noqa: NPY002
                angle = np.deg2rad(30) * float(np.clip(np.random.randn(), -2, 2))  # noqa: NPY002
        affine = crop_affine(box, self.side, angle=angle)
        image = cv2.warpAffine(np.ascontiguousarray(image), affine, (self.side, self.side))
        if self.augmented:
            image = np.clip(image * np.random.uniform(0.8, 1.2, 3)[None, None], 0, 255)  # noqa: NPY002
        image = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)) / 255
        image = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
            :, None, None
        ]
        pose = torch.from_numpy(record["pose"]).reshape(1, 48)
        angles = torch.stack([torch.eye(3)] * 16)[None]
        root, _ = cv2.Rodrigues(record["rotation"] @ cv2.Rodrigues(record["pose"][:3].astype(np.float64))[0])
        for joint in range(16):
            vector = root[:, 0] if joint == 0 else record["pose"][3 * joint : 3 * joint + 3]
            angles[0, joint] = torch.from_numpy(cv2.Rodrigues(np.asarray(vector, np.float64))[0]).float()
        with torch.no_grad():
            posed = self.layers[bool(record["right"])](
                betas=torch.from_numpy(record["betas"])[None],
                global_orient=angles[:, :1],
                hand_pose=angles[:, 1:],
                transl=torch.from_numpy(record["trans"])[None],
            )
        joints = record["joints"] @ record["rotation"].T + record["translation"]
        points = joints @ record["intrinsics"].T
        points = points[:, :2] / np.maximum(points[:, 2:], 1e-6) @ affine[:, :2].T + affine[:, 2]
        return {
            "image": image, "joints": joints - joints[:1], "points": points.astype(np.float32),
            "valid": record["valid"].astype(np.float32), "pose": pose[0], "betas": record["betas"],
            "vertices": posed.vertices[0], "mano_joints": posed.joints[0], "right": float(record["right"]),
            "intrinsics": record["intrinsics"], "affine": affine.astype(np.float32),
        }  # fmt: skip


def usual(dataset: InterHandDataset) -> Callable[[int], None]:
    loader = UsualDataset(dataset)

    def run(epoch: int) -> None:
        for numbers in batches(len(dataset)):
            default_collate([loader[number] for number in numbers])

    return run


def measure(image_size: int = 256, samples: int = 256, repeats: int = 5) -> dict[str, Any]:
    """Samples per second of each way, and our rate as a share of theirs, with and without augmentation."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    result: dict[str, Any] = {"image_size": image_size, "samples": samples, "repeats": repeats}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        write_synthetic_set(root, subjects=(1, 0, 0), frames=(samples, 0, 0), processes=1, progress=False)
        for augment in (True, False):
            data = InterHandDataModule(str(root), image_size=image_size, augment=augment, num_workers=0)
            dataset = data.dataset("train")
            count = len(dataset) // BATCH * BATCH
            ways = {way.__name__: way(dataset) for way in (decode_only, decode_and_warp, ours, usual)}
            best = dict.fromkeys(ways, float("inf"))
            for epoch in range(repeats + 1):  # the first round warms up
                for name, run in ways.items():
                    start = time.perf_counter()
                    run(epoch)
                    if epoch:
                        best[name] = min(best[name], time.perf_counter() - start)
            rates = {name: count / seconds for name, seconds in best.items()}
            result["augmented" if augment else "plain"] = {
                "samples_per_s": rates,
                "of_decode_only": rates["ours"] / rates["decode_only"],
                "of_decode_and_warp": rates["ours"] / rates["decode_and_warp"],
                "times_the_usual": rates["ours"] / rates["usual"],
            }
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.image_size, arguments.samples, arguments.repeats), indent=2))


if __name__ == "__main__":
    main()
