"""Reports the metrics of a sweep's trial to the sweep, line by line, while the trial runs."""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl

from gesturehand.errors import UserError
from gesturehand.text_file import none_for_nan

#: The environment variable in which a sweep gives a trial the folder to keep everything in.
TRIAL_FOLDER_VARIABLE: Final = "GESTUREHAND_TRIAL_FOLDER"
#: The environment variable in which it says which process waits for the trial.
SWEEP_PROCESS_VARIABLE: Final = "GESTUREHAND_SWEEP_PROCESS"
TRIAL_FILE: Final = "trial.jsonl"
_ENDED: Final = "The sweep that started this trial has ended: start the sweep again to continue it."


class TrialReport(pl.Callback):
    """Appends every validation's metrics to ``trial.jsonl``: ``{"epoch": …, "step": …, "val/loss": …}``, a line each.

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
            raise UserError(_ENDED)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Adds a line, on the first process."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        finite = none_for_nan(dict(trainer.callback_metrics))
        with self.file.open("a", encoding="utf-8") as file:
            place = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
            file.write(json.dumps({**place, **finite}) + "\n")


def check_sweep_goes_on() -> None:
    """To be called before a trial touches its folder, which may have been given to another process by now.

    Raises:
        UserError: The process that started this trial has ended.
    """
    process = os.environ.get(SWEEP_PROCESS_VARIABLE)
    if process is None or sys.platform == "win32":
        return
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        raise UserError(_ENDED) from None


def read_trial(folder: Path) -> list[dict[str, Any]]:
    """The lines that a trial has written so far; one that is being written is left out.

    The same holds for lines written before an interruption whose steps were then trained again.
    """
    try:
        text = (folder / TRIAL_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines: list[dict[str, Any]] = []
    for written in text.splitlines(keepends=True):
        if written.endswith("\n"):
            line = json.loads(written)
            while lines and lines[-1].get("step", -1) >= line.get("step", 0):
                lines.pop()
            lines.append(line)
    return lines
