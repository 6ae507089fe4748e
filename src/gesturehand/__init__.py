"""Gesture-aware pretraining and token fusion for 3D hand pose estimation, on PyTorch Lightning.

Everything that users need has a short name here, ``gesturehand.TokenFusionRegressor`` for instance, also as a
``class_path`` in YAML. Modules are imported when a name is first used.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from gesturehand.lazy_names import lazy_names
from gesturehand.moved import find_old_modules

if TYPE_CHECKING:
    from gesturehand import callbacks, metrics
    from gesturehand.data.datamodule import InterHandDataModule
    from gesturehand.errors import UserError
    from gesturehand.hand.layer import HandModel
    from gesturehand.inference import HandPredictor
    from gesturehand.trainers.eanet_regressor import EANetRegressor
    from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
    from gesturehand.trainers.hand_regressor import HandRegressor
    from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

__all__ = [
    "EANetRegressor",
    "GesturePretrainer",
    "HandModel",
    "HandPredictor",
    "HandRegressor",
    "InterHandDataModule",
    "TokenFusionRegressor",
    "UserError",
    "callbacks",
    "metrics",
]

__version__ = version("gesturehand")

find_old_modules()

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "EANetRegressor": "trainers.eanet_regressor",
        "GesturePretrainer": "trainers.gesture_pretrainer",
        "HandModel": "hand.layer",
        "HandPredictor": "inference.predictor",
        "HandRegressor": "trainers.hand_regressor",
        "InterHandDataModule": "data.datamodule",
        "TokenFusionRegressor": "trainers.token_fusion_regressor",
        "UserError": "errors",
    },
    ("callbacks", "metrics"),
)
