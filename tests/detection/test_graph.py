import sys

import numpy as np
import pytest

from gesturehand.detection import HandDetector
from gesturehand.detection.graph import OnnxGraph
from gesturehand.errors import UserError


@pytest.mark.parametrize("asset", ["mediapipe_palm", "mediapipe_hand"])
def test_outputs_are_those_of_litert(reference, asset):
    graph = OnnxGraph(asset)
    first = (graph.size_px - 100) // 2
    image = np.zeros((graph.size_px, graph.size_px, 3), np.uint8)
    image[first : first + 100, first : first + 100] = reference["photo"]
    # More than one batch: every row has to belong to its image.
    images = np.zeros((18, *image.shape), np.uint8)
    images[[0, 17]] = image
    found = graph(images)
    for name, array in found.items():
        wanted = reference[f"{asset}_{name}"]
        for row in (0, 17):
            got = array[row][::7] if len(array[row]) > 1000 else array[row]
            np.testing.assert_allclose(got, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()), rtol=0)
        assert not np.allclose(array[1], array[0])


def test_without_onnx_runtime_a_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"gesturehand\[detect\]"):
        HandDetector()
