"""The best size of a crop around a box, and the best 2D joints to place a hand by: the tables of docs/predict.md.

    python benchmarks/prediction_choices.py [--checkpoint latest] [--data FOLDER]

Predicts the single hands of a test split from boxes that are a tenth larger than those of the joints, and writes
docs/results/prediction_choices.json and the two tables.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from gesturehand.camera import normalised_to_px, project, solve_translation, transform_affine
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import read_image
from gesturehand.inference.boxes import BOX_SCALE, HandBox, square_of
from gesturehand.inference.crop import crop_image
from gesturehand.inference.predictor import BATCH_SIZE, HandPredictor
from gesturehand.inference.query import ImageQuery
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.skeleton import SIDES, WRIST
from gesturehand.text_file import write_json

DOCS = Path(__file__).parent.parent / "docs"
SCALES = (1.0, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.2)
WAYS = {"the mesh's, weak perspective": (0.0, 1.0), "the 2.5D joints": (1.0, 0.0), "**the mean of both**": (0.5, 0.5)}


def test_hands(root: str) -> list[tuple[ImageQuery, np.ndarray, np.ndarray]]:
    """Queries, true joints (21, 3) m in the camera's frame, and which of them are known."""
    dataset = InterHandDataModule(root, num_workers=0, read_images=False).dataset("test")
    index, hands = dataset.index, []
    for number, (row, (hand,)) in enumerate(zip(dataset.selection.row, dataset.selection.hand, strict=True)):
        frame, camera = index.frame[row], index.camera[row]
        world, known = index.joints_world[frame, hand], np.asarray(index.joint_valid_frame[frame, hand], bool)
        joints = world @ index.camera_rotation[camera].T + index.camera_translation[camera]
        points = project(joints[known], index.intrinsics[camera])
        low, size = points.min(0), np.ptp(points, 0)
        box = HandBox((*(low - 0.05 * size), *(1.1 * size)), SIDES[hand])
        hands.append((ImageQuery(dataset.image_file(number), (box,), index.intrinsics[camera]), joints, known))
    return hands


def root_errors_mm(predictor: HandPredictor, hands: list[Any]) -> float:
    """Root-relative MPJPE over all known joints."""
    errors = []
    predictions = predictor.predict_many([query for query, _, _ in hands])
    for (hand,), (_, joints, known) in zip(predictions, hands, strict=True):
        difference = (hand.joints - hand.joints[WRIST]) - (joints - joints[WRIST])
        errors.append(1000 * np.linalg.norm(difference[known], axis=-1))
    return float(np.concatenate(errors).mean())


def placing(predictor: HandPredictor, hands: list[Any]) -> dict[str, dict[str, float]]:
    """The depth's relative error and the joints' distance in pixels, for placing by each kind of 2D joints."""
    depth: dict[str, list[float]] = {way: [] for way in WAYS}
    distance: dict[str, list[float]] = {way: [] for way in WAYS}
    for start in range(0, len(hands), BATCH_SIZE):
        part, crops = hands[start : start + BATCH_SIZE], []
        for query, _, _ in part:
            image, (box,) = read_image(query.image), query.hands
            square = square_of(box.box, image.shape[1], image.shape[0], BOX_SCALE)
            mirror = predictor.mirror_left and box.side == "left"
            crops.append((*crop_image(image, square, predictor.image_size, mirror), mirror))
        found = predictor.run_crops(crops, [query.hands[0].side == "right" for query, _, _ in part])
        for place, (query, joints, known) in enumerate(part):
            back = np.linalg.inv(np.vstack([crops[place][1], [0, 0, 1]]))[:2]
            body = found["joints"][place, 0].astype(np.float64)
            for way, (volume, mesh) in WAYS.items():
                seen = volume * found["joints_25d"][place, 0, :, :2] + mesh * found["joints_2d"][place, 0]
                seen_px = transform_affine(normalised_to_px(seen.astype(np.float64), predictor.image_size), back)
                wrist = solve_translation(body - body[WRIST], seen_px, np.asarray(query.intrinsics, np.float64))
                depth[way].append(abs(wrist[2] / joints[WRIST, 2] - 1))
                true_px = project(joints[known], np.asarray(query.intrinsics))
                distance[way].append(float(np.linalg.norm(seen_px[known] - true_px, axis=-1).mean()))
    return {
        way: {
            "depth_error_mean": float(np.nanmean(depth[way])),
            "depth_error_median": float(np.nanmedian(depth[way])),
            "unsolved": int(np.isnan(depth[way]).sum()),
            "error_2d_px": float(np.mean(distance[way])),
        }
        for way in WAYS
    }


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("--data", default="data/openhand", help="its test split is used")
    options = parser.parse_args()
    hands = test_hands(options.data)
    scales = {}
    for scale in SCALES:
        predictor = HandPredictor.from_checkpoint(options.checkpoint, box_scale=scale)
        scales[str(scale)] = root_errors_mm(predictor, hands)
    predictor = HandPredictor.from_checkpoint(options.checkpoint)
    ways = placing(predictor, hands)
    network = {key: predictor.model.hparams[key] for key in ("backbone", "image_size")}
    result = {"hands": len(hands), **network, "mpjpe_mm_by_box_scale": scales, "placing": ways}
    write_json(DOCS / "results" / "prediction_choices.json", result)
    sizes = [("box_scale", *scales), ("MPJPE, root, mm", *(f"{error:.1f}" for error in scales.values()))]
    rows = [("2D joints that are used", "depth error, mean", "median", "2D error, px")]
    for way, found in ways.items():
        mean, median = (f"{100 * found[f'depth_error_{kind}']:.1f} %" for kind in ("mean", "median"))
        rows.append((way, mean, median, f"{found['error_2d_px']:.1f}"))
    for name, table in (("box_scale", sizes), ("placing", rows)):
        text = markdown_table(table)
        print(text)
        write_between_markers(DOCS / "predict.md", text, (f"<!-- {name}:begin -->", f"<!-- {name}:end -->"))


if __name__ == "__main__":
    main()
