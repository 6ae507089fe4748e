"""A compiled module computes the same, and its checkpoint does not know."""

import torch

from gesturehand.callbacks.compile import Compile
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer


def test_names_and_numbers_stay():
    module = GesturePretrainer("test_resnet", image_size=32).eval()
    names = list(module.state_dict())
    image = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    before = module(image)
    compiled = []

    def backend(graph, example_inputs):
        compiled.append(graph)
        return graph.forward

    Compile(backend=backend).setup(None, module, "validate")
    module(image)
    assert not compiled
    Compile(backend=backend).setup(None, module, "fit")
    after = module(image)
    assert compiled
    torch.testing.assert_close(after["fine_logits"], before["fine_logits"])
    assert list(module.state_dict()) == names
    assert not any("_orig_mod" in name for name in names)
