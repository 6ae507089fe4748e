"""Logs pictures and tables with the loggers that a run has, and imports nothing that they have not imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger


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
