"""Gesture metrics of both levels, from torchmetrics."""

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

from gesturehand.batch import GesturePrediction
from gesturehand.gestures import NO_GESTURE
from gesturehand.metrics.sum_metric import MetricDict


class LabelAccuracy(MulticlassAccuracy):
    """Share (0 … 1) of the labelled samples whose label is among the ``top_k`` best classes; NaN if none is labelled.

    torchmetrics itself returns 0 in that case, which looks like a network that knows nothing.

    Example:
        >>> accuracy = LabelAccuracy(3)
        >>> accuracy.update(torch.eye(3), torch.full((3,), NO_GESTURE))
        >>> accuracy.compute()
        tensor(nan)
        >>> accuracy.update(torch.eye(3), torch.tensor([0, 2, NO_GESTURE]))
        >>> accuracy.compute()
        tensor(0.5000)
    """

    def __init__(self, num_classes: int, top_k: int = 1) -> None:
        super().__init__(num_classes, top_k=top_k, average="micro", ignore_index=NO_GESTURE)

    def compute(self) -> Tensor:
        """The share, a scalar."""
        return _nan_without_labels(self, super().compute())


class LabelF1(MulticlassF1Score):
    """F1 averaged over the classes, 0 … 1; NaN if no sample is labelled."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average="macro", ignore_index=NO_GESTURE)

    def compute(self) -> Tensor:
        """The average, a scalar."""
        return _nan_without_labels(self, super().compute())


def _nan_without_labels(counts: MulticlassAccuracy | MulticlassF1Score, value: Tensor) -> Tensor:
    labelled = torch.as_tensor(counts.tp).sum() + torch.as_tensor(counts.fn).sum()
    return torch.where(labelled > 0, value, torch.nan)


class GestureMetrics(nn.Module):
    """Top-1, top-5, macro-F1 and the confusion matrix of coarse and fine gestures, over labelled samples."""

    def __init__(self, num_coarse: int, num_fine: int) -> None:
        super().__init__()
        classes = {"coarse": num_coarse, "fine": num_fine}
        self.scores: MetricDict[Metric] = MetricDict()
        for level, count in classes.items():
            self.scores[f"{level}_top1"] = LabelAccuracy(count)
            self.scores[f"{level}_top5"] = LabelAccuracy(count, top_k=5)
            self.scores[f"{level}_macro_f1"] = LabelF1(count)
        #: (C, C) counts of each level; the rows are the true classes.
        self.confusion: MetricDict[MulticlassConfusionMatrix] = MetricDict(
            {level: MulticlassConfusionMatrix(count, ignore_index=NO_GESTURE) for level, count in classes.items()}
        )

    def update(self, prediction: GesturePrediction, coarse: Tensor, fine: Tensor) -> None:
        """Add a batch: logits, and labels (B,) int64, -1 for unlabelled samples."""
        for level, logits, labels in (
            ("coarse", prediction["coarse_logits"], coarse),
            ("fine", prediction["fine_logits"], fine),
        ):
            for name, score in self.scores.items():
                if name.startswith(level):
                    score.update(logits, labels)
            self.confusion[level].update(logits, labels)

    def named(self, prefix: str) -> dict[str, Metric]:
        """The scores (0 … 1) by logged name, for Lightning to reduce and reset."""
        return {f"{prefix}/gesture_{name}": score for name, score in self.scores.items()}

    def reset_confusion(self) -> None:
        """Empty the matrices, which Lightning does not log and therefore does not reset."""
        for matrix in self.confusion.values():
            matrix.reset()
