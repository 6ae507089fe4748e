"""The speed of training, and the share of its time that it waits for data."""

import time
from typing import Any

import pytorch_lightning as pl
import torch


class Throughput(pl.Callback):
    """Logs ``throughput/images_per_s`` (over all processes) and ``throughput/data_wait_share`` (0 … 1).

    Waiting is the time from the end of a step until the next batch is available. On a GPU the device is waited for once
    every ``every_n_steps``, so that measuring costs nothing in between.

    Args:
        every_n_steps: Number of steps over which a logged value is averaged.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = every_n_steps
        self._start = self._waited_since = 0.0
        self._waited, self._images, self._steps = 0.0, 0, 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the count, even if a run continues in the middle of an epoch, whose start is then not announced."""
        self._begin(pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restarts the count, because validation runs between two epochs."""
        self._begin(pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Adds the time spent waiting for the batch."""
        self._waited += time.perf_counter() - self._waited_since
        self._images += len(batch["image"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts the step, and logs the means every few steps."""
        self._steps += 1
        if self._steps >= self.every_n_steps:
            _finish(pl_module.device)
            seconds = time.perf_counter() - self._start
            pl_module.log_dict(
                {
                    "throughput/images_per_s": self._images * trainer.world_size / seconds,
                    "throughput/data_wait_share": self._waited / seconds,
                },
                on_step=True,
                on_epoch=False,
            )
            self._begin(pl_module)
        self._waited_since = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leaves a validation within an epoch out of the time."""
        self._begin(pl_module)

    def _begin(self, module: pl.LightningModule) -> None:
        _finish(module.device)
        self._start = self._waited_since = time.perf_counter()
        self._waited, self._images, self._steps = 0.0, 0, 0


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
