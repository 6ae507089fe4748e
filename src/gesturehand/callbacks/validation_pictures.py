"""Pictures of the validation while a network trains: predictions, gesture confusion, a map of the embedding."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor

from gesturehand.batch import Batch
from gesturehand.draw.charts import save_confusion, save_embedding
from gesturehand.evaluation.pictures import SpreadPictures, gesture_label
from gesturehand.evaluation.sample_errors import sample_errors_mm
from gesturehand.gestures import class_names

_COLUMNS: Final = ("annotation_id", "crop, truth, prediction, joints", "gesture", "predicted gesture", "mpjpe_mm")


def is_due(trainer: pl.Trainer, every_n_epochs: int) -> bool:
    """Whether this validation follows a training epoch whose number (from 1) is a multiple of ``every_n_epochs``."""
    training = trainer.state.fn == "fit" and not trainer.sanity_checking
    return training and every_n_epochs > 0 and (trainer.current_epoch + 1) % every_n_epochs == 0


def picture_path(folder: Path, trainer: pl.Trainer, name: str) -> Path:
    """``<folder>/pictures/<name>-epoch-003.png``; epochs are counted from 1."""
    return folder / "pictures" / f"{name}-epoch-{trainer.current_epoch + 1:03d}.png"


def log_picture(trainer: pl.Trainer, name: str, path: Path) -> None:
    """Logs a saved picture to W&B and TensorBoard, if the run uses them."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(path)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            logger.experiment.add_image(name, picture, trainer.global_step, dataformats="HWC")


def log_table(trainer: pl.Trainer, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Logs a table to W&B, if the run uses it.

    Args:
        trainer: Its loggers are used.
        name: For example ``val/samples``.
        columns: Their names.
        rows: Rows of numbers, strings and pictures (H, W, 3) uint8 RGB.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            cells = [[wandb.Image(cell) if hasattr(cell, "ndim") else cell for cell in row] for row in rows]
            logger.log_table(name, columns=list(columns), data=cells, step=trainer.global_step)


def principal_components(embedding: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Projects points onto the directions along which they spread most.

    The sign of a direction is chosen so that its entry of largest size is positive: the same points give the same map.

    Args:
        embedding: (N, E) float.
        number: D directions, at most min(N, E).

    Returns:
        The points (N, D), centred, and each direction's share of the variance (D,).

    Example:
        >>> points, shares = principal_components(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]), 1)
        >>> points.flatten().tolist(), shares.tolist()
        ([-2.0, 0.0, 2.0], [1.0])
    """
    centred = embedding.double() - embedding.double().mean(0)
    _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
    directions = directions[:number]
    largest = directions.abs().argmax(1, keepdim=True)
    directions = directions * directions.gather(1, largest).sign()
    variance = sizes.square()
    return (centred @ directions.T).float(), (variance[:number] / variance.sum().clamp_min(1e-12)).float()


class ValidationPictures(pl.Callback):
    """Draws a picture every n epochs from what :meth:`keep` has kept of the validation's batches.

    Args:
        folder: The run's folder.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, every_n_epochs: int = 2) -> None:
        self.folder = folder
        self.every_n_epochs = every_n_epochs

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the needed parts of a batch that has outputs."""
        if outputs is not None:
            self.keep(trainer, pl_module, outputs, batch)

    def keep(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch) -> None:
        """Keeps the parts of a batch that the picture needs; nothing unless a subclass overrides it."""


class EmbeddingMap(ValidationPictures):
    """Every n epochs: ``pictures/embedding-epoch-….png``, the embedding's two principal components by coarse gesture.

    It shows the first process's share of the validation set. The module's ``validation_step`` returns
    :class:`~gesturehand.batch.GesturePrediction`, or a dictionary that has it as ``gesture``.

    Args:
        folder: The run's folder.
        samples: Most samples shown.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, samples: int = 2000, every_n_epochs: int = 2) -> None:
        super().__init__(folder, every_n_epochs)
        self.samples = samples
        self._parts: list[tuple[Tensor, Tensor]] = []
        self._kept = 0

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Discards the embeddings of the last validation."""
        self._parts, self._kept = [], 0

    def keep(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch) -> None:
        """Keeps the labelled samples' embeddings."""
        if not trainer.is_global_zero or not is_due(trainer, self.every_n_epochs):
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


class GestureConfusion(ValidationPictures):
    """Every n epochs: ``pictures/confusion_fine-epoch-….png`` and ``…_coarse-…`` in the run's folder and the loggers.

    Args:
        folder: The run's folder.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Brings all processes' counts together and draws them on the first."""
        metrics: Any = pl_module.gesture_metrics
        if not is_due(trainer, self.every_n_epochs) or "val" not in metrics:
            return
        for level, matrix in metrics["val"].confusion.items():
            counts = matrix.compute().cpu().numpy()
            if trainer.is_global_zero and counts.sum():
                path = picture_path(self.folder, trainer, f"confusion_{level}")
                title = f"{level} gestures, validation, epoch {trainer.current_epoch + 1}, {int(counts.sum())} samples"
                save_confusion(path, counts, class_names(level, pl_module.hparams["gesture_classes"]), title)
                log_picture(trainer, f"val/confusion_{level}", path)


class PredictionPictures(ValidationPictures):
    """Every n epochs: ``pictures/predictions-epoch-….png`` in the run's folder, and a table of the samples in W&B.

    The samples are always the same, evenly spread over the first process's share of the validation set. The module's
    ``validation_step`` returns :class:`~gesturehand.trainers.hand_regressor.Evaluated`.

    Args:
        folder: The run's folder.
        samples: Number of samples.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, samples: int = 8, every_n_epochs: int = 2) -> None:
        super().__init__(folder, every_n_epochs)
        self.samples = samples
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

    def keep(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch) -> None:
        """Draws the chosen samples of a batch."""
        if self._spread is None:
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
