"""The validation's gesture confusion matrices while a network trains."""

from pathlib import Path

import pytorch_lightning as pl

from gesturehand.callbacks.media import is_due, log_picture, picture_path
from gesturehand.draw.charts import save_confusion
from gesturehand.gestures import class_names


class GestureConfusion(pl.Callback):
    """Every n epochs: ``pictures/confusion_fine-epoch-….png`` and ``…_coarse-…`` in the run's folder and the loggers.

    Args:
        folder: The run's folder.
        every_n_epochs: Epochs between pictures; 0 for none.
    """

    def __init__(self, folder: Path, every_n_epochs: int = 2) -> None:
        self.folder = folder
        self.every_n_epochs = every_n_epochs

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Brings all processes' counts together and draws them on the first."""
        metrics = pl_module.gesture_metrics
        if not is_due(trainer, self.every_n_epochs) or "val" not in metrics:  # type: ignore[operator]
            return
        for level, matrix in metrics["val"].confusion.items():  # type: ignore[index, union-attr]
            counts = matrix.compute().cpu().numpy()
            if trainer.is_global_zero and counts.sum():
                path = picture_path(self.folder, trainer, f"confusion_{level}")
                title = f"{level} gestures, validation, epoch {trainer.current_epoch + 1}, {int(counts.sum())} samples"
                save_confusion(path, counts, class_names(level, pl_module.hparams["gesture_classes"]), title)
                log_picture(trainer, f"val/confusion_{level}", path)
