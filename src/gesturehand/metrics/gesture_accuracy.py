"""Gesture metrics of both levels, from torchmetrics."""

from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

from gesturehand.batch import GesturePrediction
from gesturehand.gestures import NO_GESTURE
from gesturehand.metrics.sum_metric import MetricDict


class GestureMetrics(nn.Module):
    """Top-1, top-5, macro-F1 and the confusion matrix of coarse and fine gestures, over labelled samples."""

    def __init__(self, num_coarse: int, num_fine: int) -> None:
        super().__init__()
        classes = {"coarse": num_coarse, "fine": num_fine}
        self.scores: MetricDict[Metric] = MetricDict()
        for level, count in classes.items():
            self.scores[f"{level}_top1"] = MulticlassAccuracy(count, average="micro", ignore_index=NO_GESTURE)
            self.scores[f"{level}_top5"] = MulticlassAccuracy(count, average="micro", top_k=5, ignore_index=NO_GESTURE)
            self.scores[f"{level}_macro_f1"] = MulticlassF1Score(count, average="macro", ignore_index=NO_GESTURE)
        #: (C, C) counts of each level, rows the truth.
        self.confusion: MetricDict[MulticlassConfusionMatrix] = MetricDict(
            {level: MulticlassConfusionMatrix(count, ignore_index=NO_GESTURE) for level, count in classes.items()}
        )

    def update(self, prediction: GesturePrediction, coarse: Tensor, fine: Tensor) -> None:
        """Adds a batch: logits and labels (B,) int64, -1 for none."""
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
        """Empties the matrices, which Lightning does not log and so does not reset."""
        for matrix in self.confusion.values():
            matrix.reset()
