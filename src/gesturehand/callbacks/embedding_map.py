"""A map of the gesture embedding while a network trains."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gesturehand.batch import Batch
from gesturehand.callbacks.media import is_due, log_picture, picture_path
from gesturehand.draw.charts import save_embedding
from gesturehand.evaluation.embedding import principal_components
from gesturehand.gestures import class_names


class EmbeddingMap(pl.Callback):
    """Every n epochs: ``pictures/embedding-epoch-….png``, the embedding's two principal components by coarse gesture.

    It shows the first process's share of the validation set. The module's ``validation_step`` returns
    :class:`~gesturehand.batch.GesturePrediction`, or a dictionary that has it as ``gesture``.

    Args:
        folder: The run's folder.
        samples: Most samples shown.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, samples: int = 2000, every_n_epochs: int = 2) -> None:
        self.folder = folder
        self.samples = samples
        self.every_n_epochs = every_n_epochs
        self._parts: list[tuple[Tensor, Tensor]] = []
        self._kept = 0

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Discards the embeddings of the last validation."""
        self._parts, self._kept = [], 0

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the labelled samples' embeddings."""
        if outputs is None or not trainer.is_global_zero or not is_due(trainer, self.every_n_epochs):
            return
        gesture = outputs.get("gesture", outputs)
        labelled = (batch["gesture_coarse"] >= 0) & batch["counted"]
        if gesture is None or self._kept >= self.samples:
            return
        self._parts.append(
            (gesture["gesture_embedding"][labelled].float().cpu(), batch["gesture_coarse"][labelled].cpu())
        )
        self._kept += int(labelled.sum())

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws the map and hands it to the loggers."""
        # Two components need three points.
        if self._kept < 3:
            return
        embedding, label = (torch.cat(parts)[: self.samples] for parts in zip(*self._parts, strict=True))
        self._parts, self._kept = [], 0
        points, shares = principal_components(embedding, 2)
        path = picture_path(self.folder, trainer, "embedding")
        names = class_names("coarse", pl_module.hparams["gesture_classes"])
        title = f"Gesture embedding, validation, epoch {trainer.current_epoch + 1}, {len(label)} samples"
        save_embedding(path, points.numpy(), label.numpy(), names, shares.tolist(), title)
        log_picture(trainer, "val/embedding", path)
