"""Keeps a test's predictions and saves them in the camera's frame, for :mod:`gesturehand.evaluation.predictions`."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gesturehand.batch import Batch, HandPrediction
from gesturehand.camera import frame_of_affine, normalised_to_px
from gesturehand.evaluation.predictions import SavedPredictions, write_predictions
from gesturehand.file_writing import durable_file
from gesturehand.hand.transform import mirror_x


def to_camera_frame(prediction: HandPrediction, crop_affine: Tensor) -> dict[str, Tensor]:
    """Predicted hands as the original image shows them: the crop's rotation and mirroring undone.

    Args:
        prediction: In the crop's frame.
        crop_affine: (B, 2, 3), px of the original image → px of the crop.

    Returns:
        ``joints`` (B, H, 21, 3) and ``vertices`` (B, H, V, 3), m, relative to the predicted wrist, or to the right one
        where the way between the two is predicted, and ``rotations`` (B, H, 16, 3, 3), float32, in the camera's frame
        of the original image.
    """
    frame = frame_of_affine(crop_affine.float())
    rotations = camera_rotations(prediction["rotations"].float(), frame)
    frame = frame[:, None]
    joints, vertices = prediction["joints"].float(), prediction["vertices"].float()
    if "relative_translation" in prediction:
        way = prediction["relative_translation"].float()
        origin = torch.stack([torch.zeros_like(way), way], 1)[:, :, None]
        joints, vertices = joints + origin, vertices + origin
    return {
        "joints": joints @ frame,
        "vertices": vertices @ frame,
        "rotations": rotations,
    }


def joints_in_image(prediction: HandPrediction, batch: Batch) -> Tensor:
    """(B, H, 21, 2) px of the original image, where the predicted joints are seen."""
    affine = batch["crop_affine"].float()[:, None]
    points = normalised_to_px(prediction["joints_2d"].float(), batch["image"].shape[-1]) - affine[..., None, :, 2]
    return torch.linalg.solve(affine[..., :2], points.mT).mT


def camera_rotations(rotations: Tensor, frame: Tensor) -> Tensor:
    """Predicted rotations as the original image shows the hands.

    Args:
        rotations: (B, H, 16, 3, 3), crop frame.
        frame: (B, 3, 3), :func:`~gesturehand.camera.frame_of_affine` of each crop's map.

    Returns:
        (B, H, 16, 3, 3), the camera's frame of the original image; a mirrored hand's are those of the other side.
    """
    mirrored = (torch.linalg.det(frame) < 0)[:, None, None, None]
    sign = torch.where(mirrored, -1.0, 1.0)
    # A mirroring frame is Q' diag(-1, 1, 1): Q' is taken back first, which turns the root alone, then the mirror.
    turn = torch.cat([frame[:, None, :, :1] * sign, frame[:, None, :, 1:]], -1)
    root = turn.mT @ rotations[..., 0, :, :]
    turned = torch.cat([root[..., None, :, :], rotations[..., 1:, :, :]], -3)
    return torch.where(mirrored[..., None], mirror_x(turned, turned[..., 0, 0, :])[0], turned)


class PredictionWriter:
    """Collects the predictions of all counted samples in memory (10 kB a hand) and writes one file.

    Processes hand their share over through files beside the result, so they must see one file system.

    Args:
        path: The ``.npz`` to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._batches: list[dict[str, np.ndarray]] = []

    def update(self, prediction: HandPrediction, batch: Batch) -> None:
        """Adds a batch."""
        mirrored = torch.linalg.det(batch["crop_affine"][..., :2]) < 0
        tensors = to_camera_frame(prediction, batch["crop_affine"])
        tensors["joints_2d"] = joints_in_image(prediction, batch)
        tensors |= {
            "ids": batch["annotation_id"],
            "is_left": ~(batch["is_right"] ^ mirrored[:, None]),
            "present": batch["hand_present"],
        }
        counted = batch["counted"].cpu()
        self._batches.append({name: tensor.cpu()[counted].numpy() for name, tensor in tensors.items()})

    def write_share(self, rank: int) -> None:
        """Writes this process's samples."""
        share = {name: np.concatenate([batch[name] for batch in self._batches]) for name in self._batches[0]}
        self._batches = []
        with durable_file(self._share(rank)) as file:
            np.savez(file, **share)  # type: ignore[arg-type]

    def merge_shares(self, processes: int) -> None:
        """Joins the shares of all processes, each of which has written its own, and removes them."""
        parts = []
        for rank in range(processes):
            with np.load(self._share(rank)) as file:
                parts.append(dict(file))
            self._share(rank).unlink()
        write_predictions(self.path, by_annotation({n: np.concatenate([p[n] for p in parts]) for n in parts[0]}))

    def _share(self, rank: int) -> Path:
        return self.path.with_name(f".{self.path.stem}-{rank}.npz")


def by_annotation(samples: dict[str, np.ndarray]) -> SavedPredictions:
    """One row for each annotation, whose two hands may have been two samples.

    Args:
        samples: ``ids`` (M,), ``is_left`` and ``present`` (M, H) bool, and arrays (M, H, …).

    Returns:
        One hand a row (H = 1) if no annotation has two; else right and left, zeros for a hand that is not there.
    """
    ids, row = np.unique(samples["ids"], return_inverse=True)
    sample, slot = np.nonzero(samples["present"])
    hand = samples["is_left"][sample, slot].astype(np.int64)
    single = len(sample) == len(ids) == len(np.unique(row[sample]))
    arrays = {}
    for name in ("joints", "vertices", "rotations", "joints_2d"):
        values = samples[name]
        result = np.zeros((len(ids), 1 if single else 2, *values.shape[2:]), np.float32)
        result[row[sample], 0 if single else hand] = values[sample, slot]
        arrays[name] = result
    return SavedPredictions(ids.astype(np.int64), **arrays)
