"""An exponential moving average of the weights, which validation, checkpoints and the finished model use."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gesturehand.errors import UserError
from gesturehand.settings import check_range

try:
    from pytorch_lightning.callbacks import WeightAveraging
except ImportError:  # before 2.6
    raise UserError(
        f"WeightAverage needs pytorch-lightning 2.6 and this is {pl.__version__}: upgrade it, or take the callback out "
        "of trainer.callbacks."
    ) from None


class WeightAverage(WeightAveraging):
    """Lightning's averaging with a decay that grows to its value: min(decay, (1 + n) / (10 + n)) after n steps.

    A short training is then not held back by its first weights. A checkpoint's ``state_dict`` is the average, and the
    best checkpoint is chosen by the average's validation; a resume point holds both, so that a resumed training
    continues exactly. Values that are not floats, such as batch norms' counters, are those of the last step.

    Args:
        decay: Decay after many steps, from 0 to below 1.
    """

    def __init__(self, decay: float = 0.999) -> None:
        check_range("WeightAverage", 0, 1, open_ends="high", decay=decay)
        self.decay = decay
        super().__init__(avg_fn=self._averaged)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Moves the average to the model's device: Lightning made it before the model was moved."""
        assert self._average_model is not None
        self._average_model.to(pl_module.device)

    def _averaged(self, average: Tensor, current: Tensor, steps: Tensor | int) -> Any:
        if not average.is_floating_point():
            return current
        steps = torch.as_tensor(steps, dtype=torch.float32, device=average.device)
        decay = ((1 + steps) / (10 + steps)).clamp(max=self.decay)
        return average + (current - average) * (1 - decay).to(average.dtype)
