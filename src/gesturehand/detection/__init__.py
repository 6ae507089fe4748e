"""Finds the hands in a photo and their sides, with MediaPipe's two networks on ONNX Runtime.

>>> from gesturehand.detection import HandDetector  # detections = HandDetector()(image)
"""

from gesturehand.detection.detector import HandDetection, HandDetector

__all__ = ["HandDetection", "HandDetector"]
