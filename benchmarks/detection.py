"""The detector's finds in labelled photos: the table in docs/predict.md.

    python benchmarks/detection.py [--photos ../shared/data/real_hands] [--frames FOLDER] [--every 20]

It examines every n-th photo, as it is and turned by 90°, 180° and 270°, and the frames of a set's test split if one is
given. A hand counts as found if its joints lie, on average, within a quarter of its size of the labelled ones. A false
alarm is a hand that lies further from every labelled hand than that hand's size; anything in between counts as neither.
The photos' labels come from the same networks, so that their rows are an upper bound. Writes
docs/results/detection.json, and the table of both engines' times from docs/results/detection_engines.json.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from gesturehand.camera import project
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.detection import HandDetector
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.skeleton import SIDES
from gesturehand.text_file import write_json

DOCS = Path(__file__).parent.parent / "docs"
TURNS = (0, 90, 180, 270)
FOUND, FAR = 0.25, 1.0


class Photo(NamedTuple):
    """An image with its labelled hands: joints (21, 2) px and side of each."""

    set: str
    image: np.ndarray
    hands: list[tuple[np.ndarray, str]]


def labelled_photos(folder: Path, every: int) -> Iterator[Photo]:
    """Every n-th photo of each set, with one hand each."""
    for base in (folder, folder / "more"):
        labels = json.loads((base / "labels.json").read_text(encoding="utf-8"))
        for label in sorted(labels, key=lambda label: label["image"])[::every]:
            image = cv2.imread(str(base / label["image"]), cv2.IMREAD_COLOR_RGB)
            name = f"{'more/' if 'set' in label else ''}{label['image'].split('/')[0]}"
            yield Photo(name, image, [(np.array(label["joints_2d"]), label["hand"])])


def frames(root: Path, every: int) -> Iterator[Photo]:
    """Every n-th frame of a set's test split, with one hand or both."""
    for kind in ("single", "interacting"):
        layout = "two_hand" if kind == "interacting" else "per_hand"
        module = InterHandDataModule(str(root), hands=kind, layout=layout, num_workers=0, read_images=False)
        dataset = module.dataset("test")
        index, selection = dataset.index, dataset.selection
        for number in range(0, len(selection), every):
            row = selection.row[number]
            frame, camera = index.frame[row], index.camera[row]
            hands = []
            for hand in selection.hand[number]:
                joints = index.joints_world[frame, hand] @ index.camera_rotation[camera].T
                hands.append(
                    (project(joints + index.camera_translation[camera], index.intrinsics[camera]), SIDES[hand])
                )
            image = cv2.imread(str(dataset.image_file(number)), cv2.IMREAD_COLOR_RGB)
            yield Photo(f"open set, {'two hands' if kind == 'interacting' else 'one hand'}", image, hands)


def turned(photo: Photo, turns: int) -> Photo:
    """The photo turned clockwise by the given number of quarter turns."""
    for _ in range(turns):
        height = photo.image.shape[0]
        hands = [(np.stack([height - 1 - joints[:, 1], joints[:, 0]], -1), side) for joints, side in photo.hands]
        photo = Photo(photo.set, np.ascontiguousarray(np.rot90(photo.image, -1)), hands)
    return photo


def counts(detector: HandDetector, photo: Photo) -> dict[str, int]:
    """For one photo: labelled hands, found ones, those with the correct side, and false alarms."""
    detections = detector(photo.image)
    found = right_side = 0
    distances = np.array(
        [
            [np.linalg.norm(hand.joints_2d - joints, axis=-1).mean() / np.ptp(joints, 0).max() for hand in detections]
            for joints, _ in photo.hands
        ]
    ).reshape(len(photo.hands), len(detections))
    for row, (_, side) in zip(distances, photo.hands, strict=True):
        if len(row) and row.min() < FOUND:
            found += 1
            right_side += detections[int(row.argmin())].side == side
    alarms = int((distances.min(0) > FAR).sum()) if len(detections) else 0
    return {"hands": len(photo.hands), "found": found, "side": right_side, "false_alarms": alarms}


def measure(detector: HandDetector, photos: Iterator[Photo]) -> dict[str, dict[str, dict[str, int]]]:
    """The sums by set and turn."""
    sums: dict[str, dict[str, dict[str, int]]] = {}
    for photo in photos:
        for turn in TURNS:
            entry = sums.setdefault(photo.set, {}).setdefault(str(turn), {})
            for name, number in counts(detector, turned(photo, turn // 90)).items():
                entry[name] = entry.get(name, 0) + number
    return sums


def rows(sets: dict[str, dict[str, dict[str, int]]]) -> list[tuple[str, ...]]:
    """The table: one row per set, and one over all photos."""
    photos: dict[str, dict[str, int]] = {}
    for name, turns in sets.items():
        for turn, entry in turns.items() if not name.startswith("open set") else ():
            total = photos.setdefault(turn, {})
            for key, number in entry.items():
                total[key] = total.get(key, 0) + number
    table = [("set", "hands", "found", "turned by 90°, 180°, 270°", "side right", "false alarms")]
    for name, turns in [*sets.items(), ("**all photos**", photos)]:
        upright, others = turns["0"], [turns[str(turn)] for turn in TURNS[1:]]
        sums: Any = {key: sum(entry[key] for entry in (upright, *others)) for key in upright}
        table.append(
            (
                name,
                f"{upright['hands']:,}",
                _percent(upright["found"], upright["hands"]),
                ", ".join(_percent(entry["found"], entry["hands"]) for entry in others),
                _percent(sums["side"], sums["found"]),
                _percent(sums["false_alarms"], sums["hands"]),
            )
        )
    return table


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/real_hands"))
    parser.add_argument("--frames", type=Path, help="a set in InterHand2.6M's files; its test split is used")
    parser.add_argument("--every", type=int, default=20)
    options = parser.parse_args()
    detector = HandDetector()
    sets = measure(detector, labelled_photos(options.photos, options.every))
    if options.frames is not None:
        sets |= measure(detector, frames(options.frames, 1))
    write_json(DOCS / "results" / "detection.json", {"every": options.every, "sets": sets})
    table = markdown_table(rows(sets))
    print(table)
    write_between_markers(DOCS / "predict.md", table, ("<!-- detection:begin -->", "<!-- detection:end -->"))
    measured = json.loads((DOCS / "results" / "detection_engines.json").read_text(encoding="utf-8"))
    engines = [("processor time of a call, one thread", "ONNX Runtime", "LiteRT")]
    for asset, times in measured.items():
        engines.append((asset, *(f"{times[f'{engine}_ms']:.1f} ms" for engine in ("onnxruntime", "litert"))))
    markers = ("<!-- engines:begin -->", "<!-- engines:end -->")
    write_between_markers(DOCS / "predict.md", markdown_table(engines), markers)


if __name__ == "__main__":
    main()
