"""A callback that records what a training's process saw, and can stop it or copy its run in the middle."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytorch_lightning as pl
from torch import nn


class TrainingRecord(pl.Callback):
    """Writes every step's samples and loss to a file of the process, and freezes batch normalisation.

    The environment says where (``RECORD_FOLDER``), after how many steps the run's folder is copied, as a crash would
    leave it, to ``copy`` there (``RECORD_COPY_AFTER``), and at which step the process gets SLURM's signal that the
    time is almost over (``RECORD_SIGNAL_AT``).
    """

    def __init__(self) -> None:
        self.folder = Path(os.environ["RECORD_FOLDER"])
        self.copy_after = int(os.environ.get("RECORD_COPY_AFTER", -1))
        self.signal_at = int(os.environ.get("RECORD_SIGNAL_AT", -1))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        # Each process would normalise by its own share of a batch. An epoch that goes on does not start.
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
