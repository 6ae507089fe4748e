"""The losses of an evaluation: of all its samples together, whatever the batches and processes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gesturehand.losses import MaskedSum, mean_of
from gesturehand.metrics.sum_metric import MetricDict, SumMetric


class ObjectiveSums(NamedTuple):
    """State of :class:`WeightedLoss`.

    Attributes:
        total: (T,) float64, each term's sum over valid entries.
        valid: (T,) float64, their numbers.
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
        """Adds a batch: the sums of all terms, as :mod:`gesturehand.losses` gives them."""
        for loss in self.losses.values():
            loss.update(sums)

    def named(self, prefix: str) -> dict[str, Metric]:
        """The losses by logged name, for Lightning to reduce and reset."""
        return {f"{prefix}/{name}": loss for name, loss in self.losses.items()}
