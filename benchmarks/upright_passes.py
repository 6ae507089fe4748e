"""The accuracy with which a network of upright crops finds a hand's turn by itself, on photos turned at random.

    python benchmarks/upright_passes.py PHOTOS [--checkpoint latest] [--hands 200]

PHOTOS holds ``labels.json`` and ``more/labels.json``: hands with ``image``, ``hand`` and ``joints_2d``. Hands of the
test people in the first list and of the training sets in the second are taken, equally many of each, evenly spread.
Prints a table for each list: mean 2D distance of the joints over the longer side of their box, in per cent.
"""

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from gesturehand.camera import normalised_to_px, transform_affine
from gesturehand.data.crop import crop_affine, upright_turns
from gesturehand.data.image_file import read_image
from gesturehand.inference.assemble import seen_joints
from gesturehand.inference.boxes import BOX_SCALE, box_around_joints, square_of
from gesturehand.inference.crop import crop_image
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.upright import PASSES, Crop, FreeHand, Row, upright_looks
from gesturehand.markdown import markdown_table

#: A hand whose joints are further off than this, over its box, counts as not found.
FAILURE = 0.2
#: Limits of the table's groups: how far a hand must be turned, degrees.
TURNS = (0, 45, 90, 135, 180)
KNOWN, PLAIN = "turn known", "as the picture is, one pass"
WAYS = (KNOWN, PLAIN, "four tries", *(f"… and {n} more pass{'es' if n > 1 else ''}" for n in range(1, PASSES + 1)))


class Photo(NamedTuple):
    """A turned picture of a hand: pixels, the joints' pixels (21, 2), its side, and the longer side of its box, px."""

    image: np.ndarray
    joints: np.ndarray
    side: str
    length: float


def turned_photos(folder: Path, entries: list[dict[str, Any]], rng: np.random.Generator) -> Iterator[Photo]:
    """Each picture turned by a random angle, with its border repeated around it."""
    for entry in entries:
        image, joints = read_image(folder / entry["image"]), np.array(entry["joints_2d"])
        height, width = image.shape[:2]
        size = math.ceil(math.hypot(height, width))
        square = np.array([(width - 1) / 2, (height - 1) / 2, size])
        affine = crop_affine(square, size, angle=rng.uniform(-math.pi, math.pi))
        turned = cv2.warpAffine(image, affine, (size, size), borderMode=cv2.BORDER_REPLICATE)
        yield Photo(turned, transform_affine(joints, affine), entry["hand"], float(np.ptp(joints, 0).max()))


class Remembering:
    """A network that remembers its crops and looks at none twice."""

    def __init__(self, predictor: HandPredictor) -> None:
        self.predictor = predictor
        self.known: dict[bytes, Row] = {}
        self.asked = 0

    def __call__(self, crops: Sequence[Crop], is_right: Sequence[bool]) -> list[Row]:
        self.asked += len(crops)
        new = [i for i, crop in enumerate(crops) if crop[0].tobytes() not in self.known]
        if new:
            arrays = self.predictor.run_crops([crops[i] for i in new], [is_right[i] for i in new])
            for place, i in enumerate(new):
                self.known[crops[i][0].tobytes()] = {name: array[place] for name, array in arrays.items()}
        return [self.known[pixels.tobytes()] for pixels, _, _ in crops]


def errors_of(predictor: HandPredictor, photo: Photo) -> tuple[list[float], list[int]]:
    """For each of :data:`WAYS`, the error over the box, and the number of crops looked at."""
    size, run = predictor.image_size, Remembering(predictor)
    square = square_of(box_around_joints(photo.joints), 0, 0, BOX_SCALE)
    mirror, is_right = predictor.mirror_left and photo.side == "left", photo.side == "right"
    crops = [
        (*crop_image(photo.image, square, size, mirror, turn), mirror)
        for turn in (float(upright_turns(photo.joints)), 0.0)
    ]
    known, plain = run(crops, [is_right] * 2)
    found, looked = [(crops[0], known), (crops[1], plain)], [1, 1]
    hand = FreeHand.of(photo.image, square, size, mirror, is_right)
    for passes in range(PASSES + 1):
        run.asked = 1
        found += upright_looks(run, [hand], [(crops[1], plain)], size, passes)
        looked.append(run.asked)
    errors = []
    for (_, affine, _), row in found:
        back = np.linalg.inv(np.vstack([affine, [0, 0, 1]]))[:2]
        seen = transform_affine(normalised_to_px(seen_joints(row, [0])[0], size), back)
        errors.append(float(np.linalg.norm(seen - photo.joints, axis=-1).mean() / photo.length))
    return errors, looked


def table(predictor: HandPredictor, photos: Iterator[Photo]) -> list[tuple[str, ...]]:
    """One row for each of the ways, for :func:`markdown_table`."""
    errors, looked, turns = [], [], []
    for photo in photos:
        own, looks = errors_of(predictor, photo)
        errors.append(own)
        looked.append(looks)
        turns.append(abs(math.degrees(upright_turns(photo.joints))))
    error, degrees = np.array(errors), np.array(turns)
    parts = [(low, high, (low <= degrees) & (degrees < high)) for low, high in pairwise(TURNS)]
    head = ("", f"2D of {len(error)}", "median", f"> {100 * FAILURE:.0f} %", "crops a hand")
    rows = [(*head, *(f"{low}–{high}° ({part.sum()})" for low, high, part in parts))]
    for place, way in enumerate(WAYS):
        own = 100 * error[:, place]
        numbers = (f"{own.mean():.1f} %", f"{np.median(own):.1f} %", f"{(own > 100 * FAILURE).sum()}")
        by_turn = (f"{own[part].mean():.1f} %" if part.any() else "–" for _, _, part in parts)
        rows.append((way, *numbers, f"{np.mean(looked, 0)[place]:.1f}", *by_turn))
    return rows


def evenly(entries: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The given number of a list's items, evenly spread, in its order."""
    return [
        entries[i] for i in np.unique(np.linspace(0, len(entries) - 1, min(count, len(entries))).round().astype(int))
    ]


def measure(predictor: HandPredictor, folder: Path, count: int) -> dict[str, list[tuple[str, ...]]]:
    """A table for each list of photos."""
    lists = {"digits, test people": (folder, "test"), "many scenes": (folder / "more", "train")}
    tables = {}
    for name, (place, split) in lists.items():
        entries = json.loads((place / "labels.json").read_text(encoding="utf-8"))
        chosen = evenly([entry for entry in entries if entry["split"] == split], count)
        tables[name] = table(predictor, turned_photos(place, chosen, np.random.default_rng(0)))
    return tables


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("--hands", type=int, default=200, help="of each list")
    options = parser.parse_args()
    predictor = HandPredictor.from_checkpoint(options.checkpoint)
    for name, rows in measure(predictor, options.photos, options.hands).items():
        print(f"{name}\n\n{markdown_table(rows)}")


if __name__ == "__main__":
    main()
