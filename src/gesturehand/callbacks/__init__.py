"""Callbacks of a training or test: pictures, speed, guards, artifacts, reports, compilation."""

from typing import TYPE_CHECKING

from gesturehand.lazy_names import lazy_names

if TYPE_CHECKING:
    from gesturehand.callbacks.checkpoint_artifact import CheckpointArtifact
    from gesturehand.callbacks.compile import Compile
    from gesturehand.callbacks.evaluation_report import TestReport
    from gesturehand.callbacks.throughput import Throughput
    from gesturehand.callbacks.training_guard import TrainingGuard
    from gesturehand.callbacks.trial_report import TrialReport
    from gesturehand.callbacks.validation_pictures import EmbeddingMap, GestureConfusion, PredictionPictures
    from gesturehand.callbacks.weight_average import WeightAverage

__all__ = [
    "CheckpointArtifact",
    "Compile",
    "EmbeddingMap",
    "GestureConfusion",
    "PredictionPictures",
    "TestReport",
    "Throughput",
    "TrainingGuard",
    "TrialReport",
    "WeightAverage",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CheckpointArtifact": "checkpoint_artifact",
        "Compile": "compile",
        "EmbeddingMap": "validation_pictures",
        "GestureConfusion": "validation_pictures",
        "PredictionPictures": "validation_pictures",
        "TestReport": "evaluation_report",
        "Throughput": "throughput",
        "TrainingGuard": "training_guard",
        "TrialReport": "trial_report",
        "WeightAverage": "weight_average",
    },
)
