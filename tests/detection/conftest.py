"""A photo of a right hand that came with MediaPipe's reference outputs, and the detector."""

from pathlib import Path

import numpy as np
import pytest

from gesturehand.detection import HandDetector

pytest.importorskip("onnxruntime", reason="the detector runs on ONNX Runtime")


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    """``photo`` (100, 100, 3) uint8 and LiteRT's outputs for it in the middle of a black square."""
    with np.load(Path(__file__).parent / "mediapipe_reference.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def detector() -> HandDetector:
    return HandDetector()
