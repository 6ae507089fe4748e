"""Draws samples with prediction and truth: some from the first process's share, and the worst over all processes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from gesturehand.batch import Batch
from gesturehand.camera import normalised_to_px
from gesturehand.draw.charts import save_panels
from gesturehand.draw.hands import draw_mesh, draw_skeleton, place_in_camera
from gesturehand.evaluation.sample_errors import gather
from gesturehand.gestures import NO_GESTURE, class_names
from gesturehand.trainers.hand_regressor import Evaluated


class SpreadPictures:
    """Draws samples evenly spread over one process's share of the test set: crop, meshes, joints.

    Args:
        wanted: Numbers of the samples to draw within the share.

    Attributes:
        rows: The pictures of each drawn sample: crop, true mesh, predicted mesh, predicted joints.
        captions: A line for each drawn sample.
    """

    def __init__(self, wanted: set[int]) -> None:
        self.wanted = wanted
        self._seen = 0
        self.rows: list[list[np.ndarray]] = []
        self.captions: list[str] = []

    def update(self, pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, errors_mm: Tensor) -> None:
        """Draws the wanted samples of a batch."""
        for sample in range(len(batch["image"])):
            if self._seen + sample in self.wanted:
                self.rows.append(_draw(pl_module, outputs, batch, sample))
                self.captions.append(_caption(pl_module, outputs, batch, sample, float(errors_mm[sample])))
        self._seen += len(batch["image"])

    def save(self, path: Path, title: str) -> None:
        """Writes the picture, if there is anything to show."""
        if self.rows:
            columns = ("crop", "true mesh", "predicted mesh", "predicted joints")
            save_panels(path, self.rows, columns=columns, captions=self.captions, title=title)


class WorstSample(NamedTuple):
    """A sample with a large error, with everything needed to draw it."""

    error_mm: float
    annotation_id: int
    caption: str
    image: np.ndarray
    true_px: np.ndarray
    predicted_px: np.ndarray
    valid: np.ndarray
    present: np.ndarray


class WorstPictures:
    """Keeps the samples with the largest errors of all processes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._kept: list[WorstSample] = []

    def update(self, pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, errors_mm: Tensor) -> None:
        """Keeps the worst samples so far."""
        for sample in torch.nonzero(batch["counted"].cpu() & ~errors_mm.isnan())[:, 0].tolist():
            error = float(errors_mm[sample])
            if len(self._kept) < self.number or error >= self._kept[-1].error_mm:
                self._kept = _largest([*self._kept, _worst(pl_module, outputs, batch, sample, error)], self.number)

    def gather(self) -> None:
        """Keeps the worst of all processes, on each; every process must call it."""
        self._kept = _largest([sample for share in gather(self._kept) for sample in share], self.number)

    def save(self, path: Path, title: str) -> None:
        """Writes the picture, if there is anything to show."""
        rows = []
        for sample in self._kept:
            true, predicted = sample.image, sample.image
            for hand in np.flatnonzero(sample.present):
                true = draw_skeleton(true, sample.true_px[hand], sample.valid[hand])
                predicted = draw_skeleton(predicted, sample.predicted_px[hand])
            rows.append([true, predicted])
        if rows:
            captions = [sample.caption for sample in self._kept]
            across = min(4, len(rows))
            save_panels(
                path, rows, columns=("truth", "prediction"), captions=captions, samples_per_row=across, title=title
            )


def _largest(samples: list[WorstSample], number: int) -> list[WorstSample]:
    """The largest errors, sorted so that equal ones come in the same order whatever the number of processes."""
    return sorted(samples, key=lambda sample: (-sample.error_mm, sample.annotation_id))[:number]


def _worst(
    pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, sample: int, error_mm: float
) -> WorstSample:
    size = batch["image"].shape[-1]
    targets = outputs["targets"]
    label = gesture_label(pl_module, int(batch["gesture_fine"][sample]))
    identity = int(batch["annotation_id"][sample])
    return WorstSample(
        error_mm=error_mm,
        annotation_id=identity,
        caption=f"{identity}: {label}, {error_mm:.0f} mm",
        image=_image(batch, sample),
        true_px=normalised_to_px(targets["joints_2d"][sample].cpu().numpy(), size),
        predicted_px=normalised_to_px(outputs["hand"]["joints_2d"][sample].cpu().numpy(), size),
        valid=targets["joint_valid_eval"][sample].cpu().numpy(),
        present=batch["hand_present"][sample].cpu().numpy(),
    )


def _image(batch: Batch, sample: int) -> np.ndarray:
    return batch["image"][sample].permute(1, 2, 0).cpu().numpy()


def _draw(pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, sample: int) -> list[np.ndarray]:
    hand, targets = outputs["hand"], outputs["targets"]
    size = batch["image"].shape[-1]
    image = _image(batch, sample)
    intrinsics = targets["crop_intrinsics"][sample].cpu()
    true_mesh, predicted_mesh, joints = image, image, image
    # The order would matter only if two predicted hands overlap.
    for h in torch.nonzero(batch["hand_present"][sample])[:, 0].tolist():
        faces = pl_module.hand_model.faces[int(not batch["is_right"][sample, h])].cpu().numpy()  # type: ignore[union-attr, index]
        if targets["mano_valid"][sample, h]:
            true = targets["vertices"][sample, h].cpu().numpy()
            true_mesh = draw_mesh(true_mesh, true, faces, intrinsics.numpy())[0]
        wrist = place_in_camera(hand["camera"][sample, h].cpu(), intrinsics, size)
        placed = hand["vertices"][sample, h].cpu() + wrist
        predicted_mesh = draw_mesh(predicted_mesh, placed.numpy(), faces, intrinsics.numpy())[0]
        points = normalised_to_px(hand["joints_2d"][sample, h].cpu().numpy(), size)
        joints = draw_skeleton(joints, points)
    return [image, true_mesh, predicted_mesh, joints]


def gesture_label(pl_module: pl.LightningModule, label: int) -> str:
    """Name of a fine class, or "no label"."""
    if label == NO_GESTURE:
        return "no label"
    return class_names("fine", pl_module.hparams["gesture_classes"])[label]


def _caption(pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, sample: int, error_mm: float) -> str:
    truth = gesture_label(pl_module, int(batch["gesture_fine"][sample]))
    text, gesture = truth, outputs["gesture"]
    if gesture is not None:
        guess = gesture_label(pl_module, int(gesture["fine_logits"][sample].argmax()))
        text = f"{truth} (said {guess})" if guess != truth else truth
    return text if np.isnan(error_mm) else f"{text}, {error_mm:.0f} mm"
