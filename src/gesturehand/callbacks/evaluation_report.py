"""Writes the results of a test to its run folder: numbers with their origin, charts, drawn samples, predictions."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch

from gesturehand.batch import Batch
from gesturehand.draw.charts import save_confusion
from gesturehand.evaluation.pictures import SpreadPictures, WorstPictures
from gesturehand.evaluation.predictions import PredictionWriter
from gesturehand.evaluation.report import (
    NUM_WORST,
    data_fingerprint,
    file_origin,
    gestures_only,
    hand_model_origin,
    measured,
    software_origin,
    write_report,
)
from gesturehand.evaluation.sample_errors import SampleErrors, sample_errors_mm
from gesturehand.gestures import class_names
from gesturehand.text_file import none_for_nan

PREDICTIONS_FILE: Final = "predictions.npz"


class TestReport(pl.Callback):
    """Writes the results of a test to a folder.

    ``report.json`` and ``report.md``, the charts ``per_joint.png``, ``per_gesture.png`` and ``pck.png``, the drawn
    samples ``predictions.png`` and ``worst.png`` (the worst of all processes), ``confusion_{coarse,fine}.png``, and
    ``predictions.npz`` if asked for. For a first stage, which predicts no hands, only the gesture metrics and the
    confusion matrices are written.

    Args:
        folder: The folder to write to.
        pictures: Samples to draw, evenly spread over the first process's share of the test set.
        save_predictions: Write ``predictions.npz`` (:mod:`gesturehand.evaluation.predictions`).
    """

    __test__ = False  # tells pytest that this is not a test

    def __init__(self, folder: Path, pictures: int = 16, save_predictions: bool = False) -> None:
        self.folder = folder
        self.pictures = pictures
        self.save_predictions = save_predictions

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Chooses the samples to draw."""
        total = len(trainer.datamodule.dataset("test"))  # type: ignore[attr-defined]
        share = total // trainer.world_size if total >= trainer.world_size else total
        number = min(self.pictures, share) if trainer.is_global_zero else 0
        self._spread = SpreadPictures(set(np.linspace(0, share - 1, number).round().astype(int).tolist()))
        self._worst = WorstPictures(NUM_WORST)
        self._samples = SampleErrors()
        self._writer = PredictionWriter(self.folder / PREDICTIONS_FILE) if self.save_predictions else None
        self._measured: dict[str, Any] = {}
        self._counted = 0

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Notes the errors of a batch and keeps what will be drawn or saved."""
        self._counted += int(batch["counted"].sum())
        if outputs is None:
            return
        errors_mm = sample_errors_mm(outputs["hand"]["joints"], outputs["targets"])
        self._samples.update(errors_mm, batch)
        self._worst.update(pl_module, outputs, batch, errors_mm)
        self._spread.update(pl_module, outputs, batch, errors_mm)
        if self._writer is not None:
            self._writer.update(outputs["hand"], batch)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gathers what all processes have measured; draws the confusion matrices on the first."""
        classes = pl_module.hparams["gesture_classes"]
        hand_metrics: Any = getattr(pl_module, "hand_metrics", None)
        if hand_metrics is None:
            counted = torch.tensor(float(self._counted), device=pl_module.device)
            self._measured = gestures_only(int(trainer.strategy.reduce(counted, reduce_op="sum")))
        else:
            self._measured = measured(hand_metrics["test"], self._samples, classes)
            self._worst.gather()
        if self._writer is not None:
            self._writer.write_share(trainer.global_rank)
            trainer.strategy.barrier()
            if trainer.is_global_zero:
                self._writer.merge_shares(trainer.world_size)
        gesture_metrics: Any = pl_module.gesture_metrics
        confusion = gesture_metrics["test"].confusion if "test" in gesture_metrics else {}
        for level, matrix in confusion.items():
            counts = matrix.compute().cpu().numpy()
            if trainer.is_global_zero and counts.sum():
                title = f"{level} gestures, test, {int(counts.sum())} samples"
                save_confusion(self.folder / f"confusion_{level}.png", counts, class_names(level, classes), title)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the report and the pictures."""
        if not trainer.is_global_zero:
            return
        prefix = "test/"
        logged = {
            name.removeprefix(prefix): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(prefix)
        }
        hand_model: Any = getattr(pl_module, "hand_model", None)
        report = {
            **self._measured,
            "metrics": {**none_for_nan(logged), **self._measured["metrics"]},
            "data": data_fingerprint(trainer.datamodule),  # type: ignore[attr-defined]
            "checkpoint": file_origin(trainer.ckpt_path),
            "hand_model": None if hand_model is None else hand_model_origin(hand_model),
            **software_origin(),
        }
        write_report(self.folder, report)
        if not hasattr(pl_module, "hand_metrics"):
            return
        name = type(pl_module).__name__
        self._spread.save(self.folder / "predictions.png", f"{name}: test samples")
        drawn = min(NUM_WORST, report["tested_samples"])
        title = f"{name}: the worst {drawn} of {report['tested_samples']} test samples by wrist-relative MPJPE"
        self._worst.save(self.folder / "worst.png", title)
