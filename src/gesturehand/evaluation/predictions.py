"""Saved predictions: one ``.npz`` that any project can write, scored without its model.

Keys, for N annotations of the dataset in any order:

- ``ids``: (N,) int, annotation ids of ``data.json``, each once.
- ``joints``: (N, H, 21, 3) m, the papers' joint order.
- ``vertices``: (N, H, V, 3) m, optional; without them the mesh metrics are left out.
- ``joints_2d``: (N, H, 21, 2) px of the original image, optional: where the joints are seen; they determine the hand's
  position.
- ``rotations``: (N, H, 16, 3, 3), optional, the joint rotations of MANO's order, the mean pose included; only the
  global one is used, and only beside ``vertices``.

The frame is the camera's of the *original* image: x right, y down, z forward; not cropped, turned or mirrored, a left
hand is a left hand. The origin, camera or wrist, does not matter for a hand's errors, but joints and vertices of a hand
must share it. With H = 1 the hand is the annotation's only one; with H = 2 they are right and left, and the entry of a
hand that the annotation does not have is ignored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gesturehand.batch import Batch, HandPrediction
from gesturehand.camera import frame_of_affine, normalised_to_px
from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file
from gesturehand.hand.layer import mirror_x

#: Shape of one hand by key; -1 for any length.
_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "joints": (21, 3),
    "vertices": (-1, 3),
    "rotations": (16, 3, 3),
    "joints_2d": (21, 2),
}


@dataclass(frozen=True)
class SavedPredictions:
    """The contents of a file of predictions.

    Attributes:
        ids: (N,) int64.
        joints: (N, H, 21, 3) float32 m.
        vertices: (N, H, V, 3) float32 m, or None.
        rotations: (N, H, 16, 3, 3) float32, or None.
        joints_2d: (N, H, 21, 2) float32 px, or None.
    """

    ids: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray | None = None
    rotations: np.ndarray | None = None
    joints_2d: np.ndarray | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Those of ``joints``, ``vertices``, ``rotations`` and ``joints_2d`` that the file has."""
        named = {name: getattr(self, name) for name in _SHAPES}
        return {name: array for name, array in named.items() if array is not None}


def write_predictions(path: Path, predictions: SavedPredictions) -> None:
    """Writes the file."""
    with durable_file(path) as file:
        np.savez(file, ids=predictions.ids, **predictions.arrays())  # type: ignore[arg-type]


def read_predictions(path: str | Path) -> SavedPredictions:
    """Reads and checks the file.

    Raises:
        UserError: It is missing, of another kind or lacks a key, or an array has another shape or type.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("ids", *_SHAPES) if name in file}
    except OSError as error:
        raise UserError(
            f"The predictions '{path}' cannot be read ({error.strerror or error}): check the path."
        ) from None
    except Exception:  # a damaged archive can fail in any way
        raise UserError(
            f"'{path}' is not an .npz of plain arrays: write it with numpy.savez(path, ids=…, joints=…)."
        ) from None
    for name in ("ids", "joints"):
        if name not in found:
            raise UserError(f"The predictions '{path}' lack the key '{name}': give ids (N,) and joints (N, H, 21, 3).")
    ids = found.pop("ids")
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise UserError(f"'ids' of '{path}' is {_kind(ids)}: give annotation ids as integers of shape (N,).")
    num_hands = found["joints"].shape[1] if found["joints"].ndim > 1 else 0
    for name, array in found.items():
        shape = _SHAPES[name]
        fits = array.ndim == 2 + len(shape) and array.shape[:2] == (len(ids), num_hands) and num_hands in (1, 2)
        fits = fits and all(want in (-1, have) for want, have in zip(shape, array.shape[2:], strict=True))
        if not fits or not np.issubdtype(array.dtype, np.floating):
            wanted = ", ".join("V" if n == -1 else str(n) for n in shape)
            raise UserError(
                f"'{name}' of '{path}' is {_kind(array)}: give floating-point numbers of shape (N, H, {wanted}) with "
                f"N = {len(ids)} as 'ids' and H = 1 or 2 as 'joints'."
            )
    return SavedPredictions(ids.astype(np.int64), **{name: np.asarray(a, np.float32) for name, a in found.items()})


def _kind(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"


def rows_of_ids(predictions: SavedPredictions, wanted: np.ndarray, path: str | Path) -> np.ndarray:
    """The row of every wanted id.

    Args:
        predictions: The predictions whose ids are searched.
        wanted: (M,) int64, annotation ids of the evaluated data; an id repeats if each hand is a sample.
        path: For messages.

    Returns:
        (M,) int64.

    Raises:
        UserError: An id is missing, occurs twice, or is not evaluated.
    """
    ids, count = np.unique(predictions.ids, return_counts=True)
    problems = (
        (ids[count > 1], "has {} ids more than once", "write each annotation once"),
        (np.setdiff1d(wanted, ids), "lacks {} of the annotations", "predict all of them or name a subset"),
        (np.setdiff1d(ids, wanted), "has {} ids that are not evaluated", "check split, hands and subset"),
    )
    for found, words, remedy in problems:
        if len(found):
            number = words.format(len(found))
            raise UserError(f"The predictions file '{path}' {number} (the first: {found[0]}): {remedy}.")
    order = np.argsort(predictions.ids)
    return order[np.searchsorted(predictions.ids, wanted, sorter=order)]


def to_camera_frame(prediction: HandPrediction, crop_affine: Tensor) -> dict[str, Tensor]:
    """Predicted hands as the original image shows them: the crop's rotation and mirroring undone.

    Args:
        prediction: Prediction in the crop's frame.
        crop_affine: (B, 2, 3), px of the original image → px of the crop.

    Returns:
        ``joints`` (B, H, 21, 3) and ``vertices`` (B, H, V, 3), m, and ``rotations`` (B, H, 16, 3, 3), float32, in the
        camera's frame of the original image. The origin is the predicted wrist, or the right one for both hands if
        their relative translation is predicted.
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


def without_image(joints: Tensor, vertices: Tensor, rotations: Tensor, betas: Tensor) -> HandPrediction:
    """Hands in the form that a network returns, without any prediction about an image.

    Args:
        joints: (B, H, 21, 3).
        vertices: (B, H, V, 3).
        rotations: (B, H, 16, 3, 3).
        betas: (B, H, 10).
    """
    nowhere = torch.zeros_like(joints)
    return HandPrediction(
        joints_25d=nowhere,
        rotations=rotations,
        betas=betas,
        camera=torch.ones_like(joints[..., 0, :]),
        vertices=vertices,
        joints=joints,
        joints_2d=nowhere[..., :2],
    )


def joints_in_image(prediction: HandPrediction, batch: Batch) -> Tensor:
    """(B, H, 21, 2) px of the original image: the places at which the predicted joints are seen."""
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
    # A mirroring frame is Q' diag(-1, 1, 1): first Q' is undone, which rotates only the root, then the mirroring.
    turn = torch.cat([frame[:, None, :, :1] * sign, frame[:, None, :, 1:]], -1)
    root = turn.mT @ rotations[..., 0, :, :]
    turned = torch.cat([root[..., None, :, :], rotations[..., 1:, :, :]], -3)
    return torch.where(mirrored[..., None], mirror_x(turned, turned[..., 0, 0, :])[0], turned)


class PredictionWriter:
    """Collects the predictions of all counted samples in memory (10 kB per hand) and writes one file.

    Processes pass on their share through files beside the result, so they must share a file system.
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
    """One row for each annotation, whose two hands may be two samples.

    Args:
        samples: ``ids`` (M,), ``is_left`` and ``present`` (M, H) bool, and arrays (M, H, …).

    Returns:
        One hand per row (H = 1) if no annotation has two; otherwise right and left, zeros for an absent hand.
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
