"""Notes validation metrics over steps and the speed of training while a training runs."""

import time
from typing import Any, Final

import pytorch_lightning as pl
from pytorch_lightning.trainer.states import TrainerFn

#: Steps at the start that are not timed: buffers are still being allocated.
_WARM_UP_STEPS: Final = 5
#: Metrics that a point of the curve holds, as far as they are logged.
_NOTED: Final = ("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_true_rotation_mm", "gesture_fine_top1")


class Curve(pl.Callback):
    """Validation metrics by step, and images a second of training, loading included and validation not.

    Attributes:
        points: ``step`` and the metrics of every validation.
    """

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self._last: float | None = None
        self._seconds = 0.0
        self._images = 0

    @property
    def images_per_s(self) -> float | None:
        """Training images a second; None if too few steps were made to tell."""
        return self._images / self._seconds if self._seconds else None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Times a step: from the end of the one before, unless a validation came between."""
        now = time.perf_counter()
        if self._last is not None and trainer.global_step > _WARM_UP_STEPS:
            self._seconds += now - self._last
            self._images += len(batch["image"])
        self._last = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes a point of the curve."""
        self._last = None
        if trainer.state.fn != TrainerFn.FITTING:
            return
        values = {name: trainer.callback_metrics.get(f"val/{name}") for name in _NOTED}
        known = {name: float(value) for name, value in values.items() if value is not None}
        self.points.append({"step": trainer.global_step, **known})
