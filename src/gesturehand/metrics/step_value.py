"""A value of one training step, as Lightning logs it without copying it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torchmetrics import Metric


class StepValue(Metric):
    """Keeps the newest value that it was given, where it is.

    Lightning copies a tensor twice when it is logged, each time as an operation of its own on the GPU, in every step
    and not only in those that a logger writes. Of a metric it keeps what its last step gave.

    Args:
        **kwargs: Arguments of torchmetrics.Metric.

    Example:
        >>> value = StepValue()
        >>> value.update(torch.tensor(2.0))
        >>> value.compute()
        tensor(2.)
    """

    full_state_update = False
    value: Tensor | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def update(self, value: Tensor) -> None:
        """Replaces the value, (), which must not be changed afterwards."""
        self.value = value.detach()
        self._forward_cache = self.value  # type: ignore[assignment]

    def compute(self) -> Tensor | None:
        """The value that was given last."""
        return self.value

    @property
    def device(self) -> torch.device:
        """Where the value is."""
        return super().device if self.value is None else self.value.device

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Module:
        """There is no state to move; torchmetrics would ask the device for its name with an operation."""
        return self
