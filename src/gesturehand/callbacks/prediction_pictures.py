"""Validation samples drawn with prediction and truth while a regressor trains."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl

from gesturehand.batch import Batch
from gesturehand.callbacks.media import is_due, log_picture, log_table, picture_path
from gesturehand.evaluation.pictures import SpreadPictures, gesture_label
from gesturehand.evaluation.sample_errors import sample_errors_mm

_COLUMNS: Final = ("annotation_id", "crop, truth, prediction, joints", "gesture", "predicted gesture", "mpjpe_mm")


class PredictionPictures(pl.Callback):
    """Every n epochs: ``pictures/predictions-epoch-….png`` in the run's folder, and a table of the samples in W&B.

    The samples are always the same, evenly spread over the first process's share of the validation set. The module's
    ``validation_step`` returns :class:`~gesturehand.trainers.hand_regressor.Evaluated`.

    Args:
        folder: The run's folder.
        samples: Number of samples.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, samples: int = 8, every_n_epochs: int = 2) -> None:
        self.folder = folder
        self.samples = samples
        self.every_n_epochs = every_n_epochs
        self._spread: SpreadPictures | None = None
        self._facts: list[list[Any]] = []
        self._seen = 0

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Chooses the samples."""
        self._spread, self._facts, self._seen = None, [], 0
        if not (trainer.is_global_zero and is_due(trainer, self.every_n_epochs) and self.samples):
            return
        loader, (batches,) = trainer.val_dataloaders, trainer.num_val_batches
        share = min(len(loader.sampler), int(batches) * loader.batch_size)  # type: ignore[union-attr]
        wanted = np.linspace(0, share - 1, min(self.samples, share)).round().astype(int)
        self._spread = SpreadPictures(set(wanted.tolist()))

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draws the chosen samples of a batch."""
        if self._spread is None or outputs is None:
            return
        errors_mm = sample_errors_mm(outputs["hand"]["joints"], outputs["targets"])
        self._spread.update(pl_module, outputs, batch, errors_mm)
        for sample in range(len(batch["image"])):
            if self._seen + sample in self._spread.wanted:
                gesture = outputs["gesture"]
                said = -1 if gesture is None else int(gesture["fine_logits"][sample].argmax())
                error = float(errors_mm[sample])
                self._facts.append(
                    [
                        int(batch["annotation_id"][sample]),
                        gesture_label(pl_module, int(batch["gesture_fine"][sample])),
                        gesture_label(pl_module, said),
                        None if np.isnan(error) else round(error, 2),
                    ]
                )
        self._seen += len(batch["image"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves the picture and hands it to the loggers."""
        if self._spread is None or not self._spread.rows:
            return
        path = picture_path(self.folder, trainer, "predictions")
        self._spread.save(
            path, f"{type(pl_module).__name__}: validation samples after epoch {trainer.current_epoch + 1}"
        )
        log_picture(trainer, "val/predictions", path)
        strips = (np.hstack(row) for row in self._spread.rows)
        rows = [[facts[0], strip, *facts[1:]] for facts, strip in zip(self._facts, strips, strict=True)]
        log_table(trainer, "val/samples", _COLUMNS, rows)
        self._spread = None
