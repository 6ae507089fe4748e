"""Measures where joints are marked in photographs, and writes the offsets into the JSON of weights.

    python scripts/joint_offsets.py PHOTOS [--weights openphoto.safetensors] [--hands 2600] [--check FOLDER]
        [--document]

PHOTOS is as for ``photo_errors.py``. The hands of its training people are predicted with their boxes, sides and turns
given. The hand model's joints are then moved, in directions that turn with their bones, so that seen along the line of
sight they come nearest to the marked ones (least squares with Huber's weights, and without the worst quarter of the
hands). ``--check`` names a set in InterHand2.6M's files whose joints are annotated in 3D and had no part in this;
``--document`` puts the tables into docs/openphoto.md. The package's weights are measured unless others are named.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from build_openphoto import ASSETS
from photo_errors import DOCS, Photo, photos_of, predicted

from gesturehand.camera import project
from gesturehand.data.crop import upright_turns
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.hand.joint_offsets import ALONG_ONLY, joint_directions, moved_joints
from gesturehand.inference.boxes import HandBox, box_around_joints
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.query import ImageQuery
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.metrics.functional import align_procrustes
from gesturehand.skeleton import JOINT_NAMES, NUM_JOINTS, SIDES
from gesturehand.text_file import read_json, write_json

MARKERS: Final = ("<!-- offsets:begin -->", "<!-- offsets:end -->")
#: Share of the measured offsets that is applied. Data sets differ in what they call a joint, and the labels of
#: photographs are only one definition; half of the offsets gives most of the gain on other people's annotations.
SHARE: Final = 0.5
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Residuals beyond this count less, mm.
HUBER_MM: Final = 4.0
#: Share of the hands that fit best.
KEPT: Final = 0.75
#: Pulls offsets that the photographs do not determine to zero.
RIDGE: Final = 0.02
ROUNDS: Final = 6
#: Fewer hands do not show where joints are marked.
FEWEST_HANDS: Final = 200


def is_whole(photo: Photo) -> bool:
    """Whether a photo's side and all its joints are known; an unknown joint would spoil the offsets of all."""
    joints = photo.joints
    return photo.entry.get("hand") in SIDES and joints.shape == (NUM_JOINTS, 2) and bool(np.isfinite(joints).all())


def fitted_offsets(joints: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Offsets that bring joints nearest to marked ones, up to each hand's place, size and turn in the image.

    Args:
        joints: (N, 21, 3) m, camera axes, right hands.
        marked: (N, 21, 2) px.

    Returns:
        (21, 3) mm in the directions of :func:`~gesturehand.hand.joint_offsets.joint_directions`.
    """
    count = len(joints)
    seen, marks = (_as_complex(points - points.mean(1, keepdims=True)) for points in (1000 * joints[..., :2], marked))
    directions = np.stack(joint_directions(joints, np.ones(count, bool)), -1)[:, :, :2]
    directions[:, ALONG_ONLY, :, 0] = directions[:, ALONG_ONLY, :, 2] = 0
    # The effect of an offset of each joint on all joints about their mean: (N, 42, 63).
    effects = np.einsum("njci,jk->njcki", directions, np.eye(NUM_JOINTS)).reshape(count, NUM_JOINTS, 2, -1)
    effects = (effects - effects.mean(1, keepdims=True)).reshape(count, 2 * NUM_JOINTS, -1)
    offsets = np.zeros(3 * NUM_JOINTS)
    for _ in range(ROUNDS):
        moved = seen + _as_complex((effects @ offsets).reshape(count, NUM_JOINTS, 2))
        to_marks = (moved.conj() * marks).sum(1) / (np.abs(moved) ** 2).sum(1)
        goal = marks / to_marks[:, None]
        distance = np.abs(goal - moved).mean(1)
        kept = distance <= np.quantile(distance, KEPT)
        residual = goal[kept] - seen[kept]
        wanted = np.stack([residual.real, residual.imag], -1).reshape(-1)
        rows = effects[kept].reshape(len(wanted), -1)
        weights = 1 / np.maximum(1, np.abs(wanted - rows @ offsets) / HUBER_MM)
        normal = rows.T @ (rows * weights[:, None]) + RIDGE * kept.sum() * np.eye(rows.shape[1])
        offsets = np.linalg.solve(normal, rows.T @ (wanted * weights))
    return np.asarray(offsets.reshape(NUM_JOINTS, 3))


def _as_complex(points: np.ndarray) -> np.ndarray:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def annotated_hands(root: Path) -> tuple[list[ImageQuery], np.ndarray]:
    """Hands of a test split all of whose joints are known: queries with box, side and turn, and joints (N, 21, 3) m."""
    data = InterHandDataModule(str(root), num_workers=0, read_images=False, mano_fits=False, hands="all")
    dataset = data.dataset("test")
    index, queries, joints = dataset.index, [], []
    for number, row in enumerate(dataset.selection.row):
        frame, camera = index.frame[row], index.camera[row]
        for side in dataset.selection.hand[number]:
            if side < 0 or not np.asarray(index.joint_valid_frame[frame, side], bool).all():
                continue
            own = index.joints_world[frame, side] @ index.camera_rotation[camera].T + index.camera_translation[camera]
            points = project(own, index.intrinsics[camera])
            turn = float(np.rad2deg(upright_turns(points)))
            box = HandBox(box_around_joints(points), SIDES[side], turn)
            queries.append(ImageQuery(dataset.image_file(number), (box,), index.intrinsics[camera]))
            joints.append(own)
    return queries, np.array(joints)


def pa_mpjpe_mm(joints: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean over hands (N, 21, 3) m."""
    return float(1000 * (align_procrustes(joints, truth) - truth).norm(dim=-1).mean())


def check_table(predictor: HandPredictor, root: Path, offsets_mm: np.ndarray) -> str:
    """Errors on annotated hands with different shares of the offsets."""
    queries, truth = annotated_hands(root)
    hands = [found[0] for found in predictor.predict_many(queries)]
    joints = torch.from_numpy(np.array([hand.joints for hand in hands], np.float64))
    right = torch.tensor([hand.side == "right" for hand in hands])
    offsets, target = torch.from_numpy(offsets_mm / 1000), torch.from_numpy(truth)
    errors = [pa_mpjpe_mm(moved_joints(joints, right, share * offsets), target) for share in SHARES]
    head = ["share of the offsets", *(f"{100 * share:.0f} %" for share in SHARES)]
    title = f"PA-MPJPE of {len(hands)} annotated hands, mm"
    return markdown_table([head, [title, *(f"{error:.2f}" for error in errors)]])


def offsets_table(offsets_mm: np.ndarray) -> str:
    """The offsets by joint."""
    lines = [["joint", "towards the index finger, mm", "along the bone, mm", "out of the palm, mm"]]
    rounded = offsets_mm.round(1) + 0.0  # no negative zero
    lines += [[name, *(f"{value:+.1f}" for value in row)] for name, row in zip(JOINT_NAMES, rounded, strict=True)]
    return markdown_table(lines)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--hands", type=int, default=2600, help="hands to measure with")
    parser.add_argument("--check", type=Path, help="set in InterHand2.6M's files, annotated in 3D")
    parser.add_argument("--weights", type=Path, default=ASSETS / "openphoto.safetensors")
    parser.add_argument("--document", action="store_true")
    given = parser.parse_args()
    photos = [photo for photo in photos_of(given.photos, "train") if is_whole(photo)]
    if len(photos) < FEWEST_HANDS:
        print(f"{len(photos)} hands of training people are too few to say where joints are marked: no offsets.")
        return
    predictor = HandPredictor.from_checkpoint(given.weights, "cpu", joints="model")
    chosen = [photos[i] for i in np.random.default_rng(0).permutation(len(photos))[: given.hands]]
    hands = predicted(predictor, chosen, turn_known=True)
    joints = np.array([hand.joints for hand in hands], np.float64)
    marked = np.array([photo.joints for photo in chosen])
    left = np.array([hand.side == "left" for hand in hands])
    joints[left, :, 0] *= -1
    marked[left, :, 0] *= -1
    measured = fitted_offsets(joints, marked)
    text = offsets_table(measured)
    if given.check is not None:
        text = check_table(predictor, given.check, measured) + "\n" + text
    print(text)
    path = given.weights.with_suffix(".json")
    about = read_json(path, "The settings of the weights", "write them with build_openphoto.py")
    write_json(path, {**about, "joint_offsets_mm": (SHARE * measured).round(1).tolist()})
    if given.document:
        write_between_markers(DOCS / "openphoto.md", text, MARKERS)


if __name__ == "__main__":
    main()
