"""Where the hands of a photo are, and which: MediaPipe's two networks on ONNX Runtime.

>>> from gesturehand.detection import HandDetector  # detections = HandDetector()(image)
"""

from gesturehand.detection.detector import HandDetection, HandDetector

__all__ = ["HandDetection", "HandDetector"]
