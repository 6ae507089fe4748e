"""Counts of a dataset, and a measure of how much a gesture tells about a hand's pose.

Two guesses made without an image are compared with the true joints, in the canonical frame (right hand, wrist at the
origin, global rotation removed) and after procrustes: the mean pose of the training split, and the mean pose of the
gesture's class, which an oracle knows.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import roma
import torch
from torch import Tensor

from gesturehand.data.formats.registry import format_of
from gesturehand.data.index import HAND_TYPES, InterHandIndex, read_index
from gesturehand.data.remote import local_folder
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, class_names
from gesturehand.hand.layer import HandModel, mirror_x
from gesturehand.markdown import markdown_table
from gesturehand.metrics.alignment import align_procrustes
from gesturehand.runs import CONFIG_FILE, REPORT_FILE, newest_test, run_config
from gesturehand.splits import SPLITS
from gesturehand.text_file import read_json

#: The method by which rotations are averaged.
AVERAGING: Final = "chordal mean: each joint's mean rotation matrix, projected onto the rotations (roma)"


def set_statistics(root: str | Path, hand_model: HandModel, set_format: str | None = None) -> dict[str, Any]:
    """Counts of every existing split, and the errors of both guesses.

    Args:
        root: The set's folder.
        hand_model: The hand model of the fits.
        set_format: Name of the set's format; None: it is recognised.

    Returns:
        ``splits`` with counts and ``poses`` with errors in mm, None if the set has no labelled fits in the training or
        the tested split (the test split, or val if there is none).

    Raises:
        UserError: the folder has no split, or a split's files are broken.
    """
    folder = local_folder(root)
    known = format_of(folder, set_format)
    there = [split for split in known.splits(folder) if split in SPLITS]
    if not there:
        raise UserError(f"'{root}' has no annotations of train, val or test: give InterHand2.6M's folder or a set's.")
    indices = {split: read_index(root, split, set_format=known.name) for split in there}
    tested = next((split for split in ("test", "val") if split in indices), None)
    poses = None
    if "train" in indices and tested is not None:
        train, test = (_labelled_hands(indices[split], hand_model) for split in ("train", tested))
        if len(train.gesture) and len(test.gesture):
            poses = {"split": tested, "averaging": AVERAGING, **_guesses(train, test, hand_model)}
    return {"splits": {split: _counts(index) for split, index in indices.items()}, "poses": poses}


def _counts(index: InterHandIndex) -> dict[str, Any]:
    """Captured frames by gesture and subject, images by camera and kind."""
    _, first = np.unique(index.frame, return_index=True)
    fine = index.gesture[first, 1]
    names = np.array([*class_names("fine"), "none"])
    cameras = Counter(index.camera_name.astype(str).tolist())
    types = Counter(index.hand_type.tolist())
    return {
        "images": len(index),
        "captured_frames": len(first),
        "labelled_frames": int((fine != NO_GESTURE).sum()),
        "frames_with_fit": int(index.mano_valid.any(1).sum()),
        "images_by_hand_type": {name: types[bits] for name, bits in HAND_TYPES.items()},
        "frames_by_gesture": dict(sorted(Counter(names[fine].tolist()).items())),
        "hands_with_a_box_only": int((_shown_hands(index) & ~index.joint_valid_frame[index.frame].any(-1)).sum()),
        "hands_by_own_label": {
            ": ".join(filter(None, index.own_label_names[k])): count
            for k, count in sorted(Counter(index.own_label[index.own_label >= 0].tolist()).items())
        },
        "frames_by_subject": {str(k): v for k, v in sorted(Counter(index.subject[first].tolist()).items())},
        "images_by_camera": dict(sorted(cameras.items())),
        "joints_where_validity_flags_differ": int(
            (index.joint_valid_image != index.joint_valid_frame[index.frame]).sum()
        ),
    }


def _shown_hands(index: InterHandIndex) -> np.ndarray:
    """(N, 2) bool, whether an image's annotation is of a right and of a left hand."""
    return np.asarray(index.hand_type[:, None] & np.array([1, 2], np.uint8) > 0)


class _Hands:
    """Labelled hands with a fit, as right hands without global rotation: (N, 16, 3, 3), (N, 10) and (N,)."""

    def __init__(self, rotations: Tensor, betas: Tensor, gesture: Tensor) -> None:
        self.rotations, self.betas, self.gesture = rotations, betas, gesture


def _labelled_hands(index: InterHandIndex, hand_model: HandModel) -> _Hands:
    _, first = np.unique(index.frame, return_index=True)
    fine = np.full(len(index.mano_valid), NO_GESTURE)
    fine[index.frame[first]] = index.gesture[first, 1]
    rotations, betas, gesture = [], [], []
    for side in range(2):
        rows = np.flatnonzero(index.mano_valid[:, side] & (fine != NO_GESTURE))
        pose = torch.from_numpy(index.mano_pose[rows, side])
        pose[:, :3] = 0
        is_right = torch.full((len(rows),), side == 0)
        form = torch.full((len(rows),), index.set_format.pose_form.value)
        matrices = hand_model.rotations_from_file_pose(pose, is_right, form).double()
        rotations.append(matrices if side == 0 else mirror_x(matrices, torch.zeros(len(rows), 3).double())[0])
        betas.append(torch.from_numpy(index.mano_betas[rows, side]).double())
        gesture.append(torch.from_numpy(fine[rows]))
    return _Hands(torch.cat(rotations), torch.cat(betas), torch.cat(gesture))


def _guesses(train: _Hands, test: _Hands, hand_model: HandModel) -> dict[str, Any]:
    truth = _joints(test.rotations, test.betas, hand_model)
    betas = train.betas.mean(0).expand_as(test.betas)
    mean = roma.special_procrustes(train.rotations.mean(0)).expand_as(test.rotations)
    oracle = mean.clone()
    for gesture in train.gesture.unique():
        of_class = roma.special_procrustes(train.rotations[train.gesture == gesture].mean(0))
        oracle[test.gesture == gesture] = of_class
    rows = {"mean_pose": mean, "gesture_oracle": oracle}
    errors: dict[str, Any] = {"hands": len(truth)}
    for name, rotations in rows.items():
        guess = _joints(rotations, betas, hand_model)
        aligned = align_procrustes(guess, truth)
        errors[name] = {"canonical_mm": _error_mm(guess, truth), "procrustes_mm": _error_mm(aligned, truth)}
    ratio = errors["gesture_oracle"]["procrustes_mm"] / errors["mean_pose"]["procrustes_mm"]
    return {**errors, "oracle_over_mean_pose_procrustes": ratio}


def _joints(rotations: Tensor, betas: Tensor, hand_model: HandModel) -> Tensor:
    """(N, 21, 3) m, relative to the wrist; a bounded number at a time."""
    parts = []
    for part, shape in zip(rotations.float().split(2048), betas.float().split(2048), strict=True):
        right = torch.ones(len(part), 1, dtype=torch.bool)
        parts.append(hand_model.about_wrist(part[:, None], shape[:, None], right)[1][:, 0])
    return torch.cat(parts).double()


def _error_mm(guess: Tensor, truth: Tensor) -> float:
    return float((guess - truth).norm(dim=-1).mean() * 1000)


def model_row(run: str | Path) -> dict[str, Any]:
    """The errors of a tested run and how it was trained.

    Raises:
        UserError: the run was not tested.
    """
    tested = newest_test(Path(run))
    metrics = read_json(tested / REPORT_FILE, "The report", "test the run again")["metrics"]
    try:
        config = run_config(Path(run))
    except FileNotFoundError:
        raise UserError(f"'{run}' has no {CONFIG_FILE}: give the folder of a run.") from None
    settings = config["model"]["init_args"]
    return {
        "name": config["name"],
        "data": config["data"]["root"],
        "backbone": settings["backbone"],
        "image_size": config["data"]["image_size"],
        "pretrained": bool(settings["pretrained"]),
        "max_epochs": config["trainer"]["max_epochs"],
        "max_time": config["trainer"].get("max_time"),
        "canonical_mm": metrics["mpjpe_true_rotation_mm"],
        "procrustes_mm": metrics["pa_mpjpe_mm"],
        "mpjpe_mm": metrics["mpjpe_mm"],
        "gesture_fine_top1": metrics.get("gesture_fine_top1"),
    }


def statistics_markdown(statistics: dict[str, Any]) -> str:
    """Two tables: errors of guesses and models, and labelled frames by gesture and split, with hands by own label.

    Args:
        statistics: as written to JSON: ``splits``, ``poses`` and ``models``.
    """
    splits, poses = statistics["splits"], statistics["poses"]
    text = ""
    if poses is not None:
        rows = [["error in mm", "canonical frame", "after procrustes"]]
        for name, label in (("mean_pose", "mean pose"), ("gesture_oracle", "oracle that knows the gesture")):
            rows.append([label, *(f"{poses[name][key]:.1f}" for key in ("canonical_mm", "procrustes_mm"))])
        for model in statistics["models"]:
            epochs = f"{model['max_epochs']} epochs"
            label = f"model: {model['backbone']}, {model['image_size']} px, {epochs} ({model['name']}, {model['data']})"
            rows.append([label, *(f"{model[key]:.1f}" for key in ("canonical_mm", "procrustes_mm"))])
        text += markdown_table(rows) + "\n"
    gestures = sorted({name for counts in splits.values() for name in counts["frames_by_gesture"]})
    rows = [["captured frames", *splits]]
    rows += [
        [name, *(str(counts["frames_by_gesture"].get(name, 0)) for counts in splits.values())] for name in gestures
    ]
    for key, label in (("captured_frames", "**all**"), ("images", "images"), ("frames_with_fit", "with a MANO fit")):
        rows.append([label, *(str(counts[key]) for counts in splits.values())])
    if any(counts.get("hands_with_a_box_only") for counts in splits.values()):
        rows.append(["hands with a box only", *(str(counts["hands_with_a_box_only"]) for counts in splits.values())])
    labels = sorted({name for counts in splits.values() for name in counts.get("hands_by_own_label", ())})
    if labels:
        rows.append(["**hands with a label**", *("" for _ in splits)])
    rows += [[name, *(str(counts["hands_by_own_label"].get(name, 0)) for counts in splits.values())] for name in labels]
    return text + markdown_table(rows)
