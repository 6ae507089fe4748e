"""The losses as they are logged: those of one step, and those of an evaluation over all batches and processes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import Module
from torchmetrics import Metric

from gesturehand.losses import MaskedSum, mean_of
from gesturehand.metrics.sum_metric import MetricDict, SumMetric


class ObjectiveSums(NamedTuple):
    """State of :class:`WeightedLoss`.

    Attributes:
        total: (T,) float64, each term's sum over valid entries.
        valid: (T,) float64, the number of those entries.
    """

    total: Tensor
    valid: Tensor


class WeightedLoss(SumMetric):
    """The weighted sum of loss terms, each the mean over the valid entries of everything seen.

    A term without any valid entry adds nothing, as in training. ``compute`` gives a float64 scalar.

    Args:
        weights: Weights of the terms, by name.
        **kwargs: Arguments of torchmetrics.Metric.

    Example:
        >>> import torch
        >>> metric = WeightedLoss({"pose": 0.5})
        >>> metric.update({"pose": MaskedSum(torch.tensor(6.0), torch.tensor(2.0))})
        >>> metric.update({"pose": MaskedSum(torch.tensor(1.0), torch.tensor(5.0))})
        >>> metric.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = False

    def __init__(self, weights: Mapping[str, float], **kwargs: Any) -> None:
        zeros = torch.zeros(len(weights), dtype=torch.float64)
        super().__init__(ObjectiveSums(zeros, zeros.clone()), **kwargs)
        self.weights = dict(weights)

    def update(self, sums: Mapping[str, MaskedSum]) -> None:
        """Add a batch: sums of all terms; those without a weight here are ignored."""
        totals, counts = zip(*(sums[name] for name in self.weights), strict=True)
        self.add_sums(ObjectiveSums(torch.stack(totals).detach(), torch.stack(counts)))

    def compute(self) -> Tensor:
        """Scalar, float64."""
        means = mean_of(MaskedSum(*self.sums(ObjectiveSums)))
        return (means * means.new_tensor(list(self.weights.values()))).sum()


class ObjectiveMetrics(nn.Module):
    """The objective and each of its terms."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        losses = {"loss": WeightedLoss(weights), **{f"loss_{name}": WeightedLoss({name: 1.0}) for name in weights}}
        self.losses: MetricDict[WeightedLoss] = MetricDict(losses)

    def update(self, sums: Mapping[str, MaskedSum]) -> None:
        """Add a batch: the sums of all terms, as :mod:`gesturehand.losses` gives them."""
        for loss in self.losses.values():
            loss.update(sums)

    def named(self, prefix: str) -> dict[str, Metric]:
        """The losses by logged name, for Lightning to reduce and reset."""
        return {f"{prefix}/{name}": loss for name, loss in self.losses.items()}


class StepValue(Metric):
    """Keeps the newest value that it was given, on the device where that value is.

    When a tensor is logged, Lightning copies it twice, each time as a separate operation on the GPU, in every step and
    not only in those that a logger writes. When a metric is logged, it only keeps the value of the last step.

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
        """Replace the value, (), which must not be changed afterwards."""
        self.value = value.detach()
        self._forward_cache = self.value  # type: ignore[assignment]

    def compute(self) -> Tensor | None:
        """The value that was given last."""
        return self.value

    @property
    def device(self) -> torch.device:
        """The device of the value."""
        return super().device if self.value is None else self.value.device

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Module:
        """Moves nothing, as there is no state; torchmetrics would run an operation to ask for the device's name."""
        return self
