"""Reports the metrics of a sweep's trial to the sweep, line by line, while the trial runs."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl

from gesturehand.errors import UserError
from gesturehand.json_files import none_for_nan

#: The environment variable in which a sweep gives a trial the folder to keep everything in.
TRIAL_FOLDER_VARIABLE: Final = "GESTUREHAND_TRIAL_FOLDER"
TRIAL_FILE: Final = "trial.jsonl"


class TrialReport(pl.Callback):
    """Appends every validation's metrics to ``trial.jsonl``: ``{"epoch": …, "val/loss": …, …}``, a line each.

    Args:
        folder: The trial's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / TRIAL_FILE
        self._parent = os.getppid()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends a trial whose sweep was killed; the sweep runs it again when it is resumed."""
        if trainer.is_global_zero and os.getppid() != self._parent:
            raise UserError("The sweep that started this trial has ended: start the sweep again to continue it.")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds a line, on the first process."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        finite = none_for_nan(dict(trainer.callback_metrics))
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": trainer.current_epoch + 1, **finite}) + "\n")


def read_trial(folder: Path) -> list[dict[str, Any]]:
    """The lines that a trial has written so far; one that is being written is left out."""
    try:
        text = (folder / TRIAL_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
