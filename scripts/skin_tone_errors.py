"""The errors by skin tone in docs/openphoto.md: for rendered people, and for photos, whose tone is estimated.

    python scripts/skin_tone_errors.py PHOTOS [--checkpoint openphoto] [--people 120] [--pictures 480]

Rendered hands are pictures of openphoto-v1's generator with people of another seed and made-up backgrounds, as
``gesturehand data synth_photo --subjects "[0,0,120]" --frames "[0,0,480]" --seed 9001`` writes them; the tone is that
of the person's skin in full light. Photos are those of scripts/photo_errors.py, test people only; the tone is that of
the pixels between wrist and knuckles (:mod:`gesturehand.evaluation.skin_tone`). Boxes and sides are given, and the
network finds the turn. The table goes between the document's markers, and the numbers go to docs/results.
"""

import argparse
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import torch
from photo_errors import DOCS, disagreement, photos_of, predicted
from tqdm import tqdm

from gesturehand.data.image_file import read_image
from gesturehand.evaluation.skin_tone import TONE_GROUPS, errors_by_tone, palm_angle, typology_angle
from gesturehand.inference.boxes import HandBox, box_around_joints
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.query import ImageQuery
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.metrics.functional import joint_errors_mm
from gesturehand.synthetic.photo.camera_effects import jpeg_quality
from gesturehand.synthetic.photo.picture import draw_photo
from gesturehand.synthetic.photo.plan import PhotoSettings, make_photo_plan
from gesturehand.text_file import none_for_nan, write_json

MARKERS: Final = ("<!-- skin_tone:begin -->", "<!-- skin_tone:end -->")
#: The seed of the rendered people, which no training and no set in the documents uses.
SEED: Final = 9001
#: Hands with fewer joints in the picture are left out.
SEEN_JOINTS: Final = 11
#: The set of photos of many people; the others show one or two each.
MANY_PEOPLE: Final = "digits"


class RenderedHand(NamedTuple):
    """A hand of a rendered picture: the picture, its query, its truth, and its skin."""

    image: np.ndarray
    box: HandBox
    joints_2d: np.ndarray
    joints_3d: np.ndarray
    angle: float
    person: Hashable


def rendered_hands(settings: PhotoSettings) -> Iterator[RenderedHand]:
    """The hands of a set's pictures, as its files would show them."""
    for plan in tqdm(make_photo_plan(settings), desc="draw", unit="picture"):
        photo = draw_photo(plan, settings)
        # The files are JPEG, of the quality that comes next from the picture's random numbers.
        encoded = cv2.imencode(".jpg", photo.image, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality(photo.rng)])[1]
        image = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
        own = photo.skin_bgr[photo.main]
        for place, (hand, inside) in enumerate(zip(photo.frame.hands, photo.frame.joint_valid_image[0], strict=True)):
            if np.count_nonzero(inside) < SEEN_JOINTS:
                continue
            joints_2d = photo.frame.cameras[0].project(hand.joints)
            skin = photo.skin_bgr[place]
            somebody_else = not np.array_equal(skin, own)
            person = (plan.subject, plan.frame_idx) if somebody_else else plan.subject
            yield RenderedHand(
                image, HandBox(box_around_joints(joints_2d), hand.side), joints_2d, hand.joints,
                float(typology_angle(np.clip(skin[::-1], 0, 255))), person,
            )  # fmt: skip


def errors_of_rendered(predictor: HandPredictor, settings: PhotoSettings) -> list[dict[str, Any]]:
    """Rows of the rendered hands: 2D error over the box, and PA-MPJPE in mm."""
    hands = list(rendered_hands(settings))
    found = [one[0] for one in predictor.predict_many([ImageQuery(hand.image, (hand.box,)) for hand in hands])]
    flat = [disagreement(result, hand.joints_2d) for result, hand in zip(found, hands, strict=True)]
    joints, truth = (
        torch.from_numpy(np.stack(given).astype(np.float32))
        for given in ([result.joints for result in found], [hand.joints_3d for hand in hands])
    )
    aligned, _ = joint_errors_mm(joints, truth, torch.ones(truth.shape[:-1], dtype=torch.bool), "procrustes")
    errors = {"error_2d": flat, "pa_mpjpe_mm": aligned.mean(-1).tolist()}
    return errors_by_tone([hand.angle for hand in hands], errors, [hand.person for hand in hands])


def errors_of_photos(predictor: HandPredictor, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of the photos of many people, and of the sets of photos that show one or two people each."""
    photos = photos_of(folder, "test")
    found = predicted(predictor, photos, turn_known=False)
    errors = [disagreement(hand, photo.joints) for hand, photo in zip(found, photos, strict=True)]
    angles = [palm_angle(read_image(photo.file), photo.joints) for photo in photos]
    rows = {}
    for kind, many in (("many_people", True), ("few_people", False)):
        own = [place for place, photo in enumerate(photos) if (photo.name == MANY_PEOPLE) == many]
        # Without names, every hand counts as a different person's: the interval is then one over pictures.
        people = [(photos[k].name, photos[k].entry.get("subject", k)) for k in own]
        rows[kind] = errors_by_tone([angles[k] for k in own], {"error_2d": [errors[k] for k in own]}, people)
    return rows


def table_of(rendered: Sequence[dict[str, Any]], many: Sequence[dict[str, Any]], few: Sequence[dict[str, Any]]) -> str:
    """All three in one Markdown table with a row for each group."""
    bounds = list(TONE_GROUPS.values())
    above = [f"> {bound:g}°" for bound in bounds[:-1]]
    titles = {name: f"{name}, {end}" for name, end in zip(TONE_GROUPS, [*above, f"≤ {bounds[-2]:g}°"], strict=True)}
    lines = [
        [
            "skin tone (ITA)", "rendered: hands, people", "PA-MPJPE, mm", "2D", "digits: hands, people", "2D",
            "other photos: hands", "2D",
        ]
    ]  # fmt: skip
    for name, title in {**titles, None: "not known"}.items():
        cells = [title]
        for rows, kinds in ((rendered, ("pa_mpjpe_mm", "error_2d")), (many, ("error_2d",)), (few, ("error_2d",))):
            row = next((row for row in rows if row["group"] == name), None)
            if row is None:
                cells += ["–"] * (1 + len(kinds))
                continue
            cells.append(f"{row['hands']}" if rows is few else f"{row['hands']}, {row['people']}")
            cells += [cell(row[kind], 1 if kind == "pa_mpjpe_mm" else 100, kind) for kind in kinds]
        if any(entry != "–" for entry in cells[1:]):
            lines.append(cells)
    return markdown_table(lines)


def cell(mean: Sequence[float], factor: float, kind: str) -> str:
    """A mean and its interval."""
    unit = "" if kind == "pa_mpjpe_mm" else " %"
    middle, low, high = (factor * value for value in mean)
    return f"{middle:.1f}{unit}" + ("" if np.isnan(low) else f" [{low:.1f}, {high:.1f}]")


def spread_of(title: str, rows: Sequence[dict[str, Any]], kind: str, factor: float, unit: str) -> str:
    """A sentence about the groups with the least and the largest mean, and whether all intervals overlap."""
    known = [(row["group"], [factor * value for value in row[kind]]) for row in rows if row["group"] is not None]
    (best, (low, *_)), (worst, (high, *_)) = (choose(known, key=lambda row: row[1][0]) for choose in (min, max))
    lows, highs = ([mean[end] for _, mean in known if not np.isnan(mean[end])] for end in (1, 2))  # none for one person
    overlap = max(lows) <= min(highs)
    intervals = "the intervals of all groups overlap" if overlap else "not all groups' intervals overlap"
    return f"{title} range from {low:.1f}{unit} ({best}) to {high:.1f}{unit} ({worst}), and {intervals}."


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--checkpoint", default="openphoto")
    parser.add_argument("--people", type=int, default=120)
    parser.add_argument("--pictures", type=int, default=480)
    given = parser.parse_args()
    predictor = HandPredictor.from_checkpoint(given.checkpoint, "cpu", joints="model")
    settings = PhotoSettings(subjects=(0, 0, given.people), frames=(0, 0, given.pictures), seed=SEED)
    rendered = errors_of_rendered(predictor, settings)
    photos = errors_of_photos(predictor, given.photos)
    text = (
        f"{table_of(rendered, photos['many_people'], photos['few_people'])}\n"
        f"{spread_of('The means of rendered hands', rendered, 'pa_mpjpe_mm', 1, ' mm')} "
        f"{spread_of(f'Those of `{MANY_PEOPLE}`', photos['many_people'], 'error_2d', 100, ' %')}\n"
    )
    print(text)
    about = {"checkpoint": given.checkpoint, "people": given.people, "pictures": given.pictures, "seed": SEED}
    write_json(DOCS / "results" / "skin_tone.json", none_for_nan({**about, "rendered": rendered, **photos}))
    write_between_markers(DOCS / "openphoto.md", text, MARKERS)


if __name__ == "__main__":
    main()
