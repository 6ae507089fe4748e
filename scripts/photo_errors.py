"""The errors and pictures of docs/openphoto.md: the shipped weights on photos of people that no training has seen.

    python scripts/photo_errors.py PHOTOS [--checkpoint openphoto] [--every 1]

PHOTOS holds ``labels.json`` and ``more/labels.json``: hands with ``image``, ``hand``, ``joints_2d``, ``split`` and, if
they show one, ``gesture``. Hands of the split ``test`` are predicted with their boxes and sides given, once with the
turn that their joints have and once with the turn that the network finds. Joints are compared with those of the lists,
which come from another network (MediaPipe's): this measures agreement, not error. Pictures show photos of the first
list only, whose licence allows it, evenly spread over it, and the eight that agree least.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from gesturehand.data.crop import upright_turns
from gesturehand.data.image_file import read_image
from gesturehand.draw.hands import DrawnHand, PredictionPainter
from gesturehand.inference.boxes import HandBox, box_around_joints
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.query import ImageQuery
from gesturehand.inference.result import HandResult
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.text_file import read_json, write_json

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
MARKERS: Final = ("<!-- errors:begin -->", "<!-- errors:end -->")
#: Number of photos in each picture, and in a row.
SHOWN, WORST, COLUMNS = 24, 8, 4
JPEG_QUALITY: Final = 80


class Photo(NamedTuple):
    """A labelled hand: its set, its file, and its entry in the list."""

    name: str
    file: Path
    entry: dict[str, Any]

    @property
    def joints(self) -> np.ndarray:
        """(21, 2) px."""
        return np.array(self.entry["joints_2d"], np.float64)

    @property
    def hand(self) -> HandBox:
        """Its box and side, without a turn."""
        return HandBox(box_around_joints(self.joints), self.entry["hand"])


def photos_of(folder: Path, split: str, every: int = 1) -> list[Photo]:
    """Every n-th hand of a split's people in each list."""
    photos = []
    for place in (folder, folder / "more"):
        entries = read_json(place / "labels.json", "The list", "give a folder of labelled photos")
        chosen = [e for e in entries if e.get("split", "train") == split and e.get("joints_2d") is not None][::every]
        photos += [Photo(e.get("set") or e["image"].split("/")[0], place / e["image"], e) for e in chosen]
    return photos


def predicted(predictor: HandPredictor, photos: Sequence[Photo], *, turn_known: bool) -> list[HandResult]:
    """The predicted hand of each photo."""
    queries = []
    for photo in photos:
        box, side = photo.hand.box, photo.hand.side
        turn = float(np.rad2deg(upright_turns(photo.joints))) if turn_known else None
        queries.append(ImageQuery(read_image(photo.file), (HandBox(box, side, turn),)))
    return [hands[0] for hands in predictor.predict_many(queries)]


def disagreement(hand: HandResult, joints: np.ndarray) -> float:
    """Mean distance of the 21 joints over the longer side of their box."""
    return float(np.linalg.norm(hand.joints_2d_image - joints, axis=-1).mean() / np.ptp(joints, 0).max())


def row_of(name: str, photos: Sequence[Photo], ways: Sequence[Sequence[HandResult]]) -> dict[str, Any]:
    """The table's figures for a set."""
    errors = [np.array([disagreement(h, p.joints) for h, p in zip(way, photos, strict=True)]) for way in ways]
    judged = [
        hand.gesture_fine.name == photo.entry["gesture"]
        for hand, photo in zip(ways[0], photos, strict=True)
        if photo.entry.get("gesture") and hand.gesture_fine is not None
    ]
    return {
        "set": name,
        "hands": len(photos),
        "turn_known_mean": float(errors[0].mean()),
        "turn_known_median": float(np.median(errors[0])),
        "own_turn_mean": float(errors[1].mean()),
        "own_turn_median": float(np.median(errors[1])),
        "own_turn_beyond_fifth": int((errors[1] > 0.2).sum()),
        "gestures_judged": len(judged),
        "gestures_right": float(np.mean(judged)) if judged else None,
    }


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """The table in Markdown."""
    head = ["set", "hands", "2D, turn known", "median", "2D, own turn", "median", "> 20 %", "gesture right"]
    lines = [head]
    for row in rows:
        right = (
            "–" if row["gestures_right"] is None else f"{100 * row['gestures_right']:.1f} % of {row['gestures_judged']}"
        )
        shares = [
            f"{100 * row[f'{way}_{kind}']:.1f} %" for way in ("turn_known", "own_turn") for kind in ("mean", "median")
        ]
        lines.append([row["set"], str(row["hands"]), *shares, str(row["own_turn_beyond_fifth"]), right])
    return markdown_table(lines)


def sheet(predictor: HandPredictor, photos: Sequence[Photo], hands: Sequence[HandResult]) -> np.ndarray:
    """Photos with the mesh, the joints, and the mesh from the side, each with its file's name and its disagreement."""
    painter = PredictionPainter(
        np.stack([predictor.model.hand_model.faces[i].cpu().numpy() for i in range(2)]), hands[0].vertices.shape[0]
    )
    cells = []
    for photo, hand in zip(photos, hands, strict=True):
        image = read_image(photo.file)
        label = f"{photo.file.stem}: {100 * disagreement(hand, photo.joints):.1f} %"
        drawn = DrawnHand(hand.vertices, hand.joints_2d_image, None, hand.side, label)
        picture = painter(image, [drawn], hand.intrinsics)
        height = 170
        cells.append(
            cv2.resize(
                picture, (round(picture.shape[1] * height / picture.shape[0]), height), interpolation=cv2.INTER_AREA
            )
        )
    width = max(cell.shape[1] for cell in cells)
    cells = [
        cv2.copyMakeBorder(c, 2, 2, 2, 2 + width - c.shape[1], cv2.BORDER_CONSTANT, value=(255,) * 3) for c in cells
    ]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    return np.vstack([np.hstack(cells[k : k + COLUMNS]) for k in range(0, len(cells), COLUMNS)])


def main() -> None:
    """Measures, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--checkpoint", default="openphoto")
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    predictor = HandPredictor.from_checkpoint(given.checkpoint, "cpu")
    photos = photos_of(given.photos, "test", given.every)
    ways = [predicted(predictor, photos, turn_known=known) for known in (True, False)]
    rows = []
    for name in dict.fromkeys(photo.name for photo in photos):
        own = [i for i, photo in enumerate(photos) if photo.name == name]
        rows.append(row_of(name, [photos[i] for i in own], [[way[i] for i in own] for way in ways]))
    text = table_of(rows)
    print(text)
    write_json(
        DOCS / "results" / "openphoto.json", {"checkpoint": given.checkpoint, "every": given.every, "sets": rows}
    )
    write_between_markers(DOCS / "openphoto.md", text, MARKERS)
    first = [i for i, photo in enumerate(photos) if photo.name == photos[0].name]
    spread = [first[i] for i in np.linspace(0, len(first) - 1, SHOWN).round().astype(int)]
    errors = np.array([disagreement(ways[1][i], photos[i].joints) for i in first])
    worst = [first[i] for i in np.argsort(-errors)[:WORST]]
    for name, chosen in (("photos_digits", spread), ("photos_digits_worst", worst)):
        picture = sheet(predictor, [photos[i] for i in chosen], [ways[1][i] for i in chosen])
        cv2.imwrite(str(DOCS / "images" / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


if __name__ == "__main__":
    main()
