"""Does anything but the hand tell the gesture? A classifier on images with the hand masked out must stay at chance.

    python benchmarks/leak_control.py --data data/openhand [--epochs 12] [--out docs/results/leak_control.json]

A disc of one size around the palm's middle, which no gesture moves, is painted grey, in a window of one size around the
same place (left hands mirrored): neither the hole's shape nor the crop can follow the fingers. The same classifier
without the disc is the positive control. Chance is the binomial's 95 % interval for the number of test images. All
labelled images with a fit are used.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from scipy.stats import binom
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from gesturehand.data.files import image_path
from gesturehand.data.index import HAND_TYPES, InterHandIndex, read_index
from gesturehand.synthetic.placement import palm_centre
from gesturehand.synthetic.set_writer import mask_path
from gesturehand.text_file import write_json

RADIUS_PX = 185
#: The window holds the disc and its surroundings: arm, sleeve, body, lamps.
SIDE_PX = 440
GREY = 60


def load(root: Path, split: str, size: int) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Windows with and without the disc, (N, size, size, 3) uint8, labels, and the share of images with a hand outside
    the disc.
    """
    index = read_index(root, split)
    rows = [row for row in range(len(index)) if index.gesture[row, 1] >= 0 and index.mano_valid[index.frame[row]].any()]
    pictures: dict[str, list[np.ndarray]] = {"masked": [], "unmasked": []}
    outside = 0
    for row in tqdm(rows, desc=f"{split} images", mininterval=10):
        name = index.file_name[row].decode()
        whole = cv2.imread(str(image_path(root, split, name)))
        hand = cv2.imread(str(mask_path(root, split, name)), cv2.IMREAD_UNCHANGED) > 0
        middle = tuple(round(float(x)) for x in _palm_pixel(index, row))
        disc = np.zeros(hand.shape, np.uint8)
        cv2.circle(disc, middle, RADIUS_PX, 1, -1)
        outside += bool((hand & (disc == 0)).any())
        masked = np.where(disc[..., None] > 0, np.uint8(GREY), whole)
        for kind, picture in (("masked", masked), ("unmasked", whole)):
            half = SIDE_PX // 2
            padded = cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_CONSTANT)
            window = padded[middle[1] : middle[1] + SIDE_PX, middle[0] : middle[0] + SIDE_PX]
            if index.hand_type[row] == HAND_TYPES["left"]:
                window = window[:, ::-1]
            pictures[kind].append(cv2.resize(window, (size, size), interpolation=cv2.INTER_AREA))
    labels = index.gesture[rows, 1].astype(np.int64)
    return {kind: np.stack(images) for kind, images in pictures.items()}, labels, outside / len(rows)


def _palm_pixel(index: InterHandIndex, row: int) -> np.ndarray:
    frame, camera = index.frame[row], index.camera[row]
    hand = int(index.mano_valid[frame, 1])
    point = index.camera_rotation[camera] @ palm_centre(index.joints_world[frame, hand].astype(np.float64))
    image = index.intrinsics[camera] @ (point + index.camera_translation[camera])
    return image[:2] / image[2]


def accuracy(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, epochs: int
) -> float:
    """Top-1 accuracy on the test images of a small network trained from scratch."""
    torch.manual_seed(0)
    model = timm.create_model("mobilenetv3_small_100", num_classes=int(train_labels.max()) + 1)
    steps = epochs * (len(train) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.15)
    for _ in tqdm(range(epochs), desc="epochs", mininterval=10):
        for chosen in torch.randperm(len(train))[: steps // epochs * 32].split(32):
            loss = cross_entropy(model(_tensor(train[chosen.numpy()])), torch.from_numpy(train_labels[chosen.numpy()]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        said = torch.cat([model(_tensor(part)).argmax(1) for part in np.array_split(test, 1 + len(test) // 256)])
    return float((said.numpy() == test_labels).mean())


def _tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 128 - 1


def main() -> None:
    """Trains both classifiers and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    train, train_labels, train_outside = load(options.data, "train", options.size)
    test, test_labels, test_outside = load(options.data, "test", options.size)
    # The accuracy of always naming the most frequent class of the training set.
    chance = float((test_labels == np.bincount(train_labels).argmax()).mean())
    count = len(test_labels)
    low, high = (float(k) / count for k in binom.interval(0.95, count, 1 / len(np.unique(train_labels))))
    result = {
        "data": str(options.data),
        "network": f"mobilenetv3_small_100, {options.size} px, {options.epochs} epochs",
        "train_images": len(train_labels),
        "test_images": count,
        "chance": 1 / len(np.unique(train_labels)),
        "chance_interval_95": [low, high],
        "most_frequent_class": chance,
        "images_with_hand_outside_the_disc": max(train_outside, test_outside),
        "hand_masked_out_top1": accuracy(train["masked"], train_labels, test["masked"], test_labels, options.epochs),
        "unmasked_top1": accuracy(train["unmasked"], train_labels, test["unmasked"], test_labels, options.epochs),
    }
    for name, value in result.items():
        print(f"{name:>34}  {value}")
    if options.out:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
