"""A callback that records what a training's process saw, and can stop the process or copy its run in the middle."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytorch_lightning as pl
from torch import nn


class TrainingRecord(pl.Callback):
    """Writes every step's samples and loss to a file for each process, and freezes batch normalisation.

    Environment variables give the folder (``RECORD_FOLDER``), the number of steps after which the run's folder is
    copied into its ``copy``, as a crash would leave it (``RECORD_COPY_AFTER``), and the step at which the process gets
    SLURM's signal that the time is almost over (``RECORD_SIGNAL_AT``).
    """

    def __init__(self) -> None:
        self.folder = Path(os.environ["RECORD_FOLDER"])
        self.copy_after = int(os.environ.get("RECORD_COPY_AFTER", -1))
        self.signal_at = int(os.environ.get("RECORD_SIGNAL_AT", -1))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        # Each process would normalise by its own share of a batch. An epoch that is continued does not start.
        for module in pl_module.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        if trainer.global_step == self.signal_at:
            os.kill(os.getpid(), signal.SIGUSR1)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        entry = {
            "step": trainer.global_step,
            "samples": batch["annotation_id"].tolist(),
            "loss": float(trainer.callback_metrics["train/loss"]),
            "processes": trainer.world_size,
        }
        with (self.folder / f"steps-{trainer.global_rank}.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")
        if trainer.global_step == self.copy_after:
            shutil.copytree(trainer.default_root_dir, self.folder / "copy")
