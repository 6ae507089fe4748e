"""A trained network on anybody's images: prediction, its files, and export.

>>> from gesturehand.inference import HandPredictor  # predictor = HandPredictor.from_checkpoint("latest")
"""

from typing import TYPE_CHECKING

from gesturehand.lazy_names import lazy_names

if TYPE_CHECKING:
    from gesturehand.inference.boxes import HandBox
    from gesturehand.inference.predictor import HandPredictor
    from gesturehand.inference.query import ImageQuery
    from gesturehand.inference.result import GestureResult, HandResult

__all__ = ["GestureResult", "HandBox", "HandPredictor", "HandResult", "ImageQuery"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GestureResult": "result",
        "HandBox": "boxes",
        "HandPredictor": "predictor",
        "HandResult": "result",
        "ImageQuery": "query",
    },
)
