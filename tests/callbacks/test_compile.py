"""A compiled module computes the same, and its checkpoint does not know."""

import torch

from gesturehand.callbacks.compile import Compile, encoders_of
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer


def test_names_and_numbers_stay():
    module = GesturePretrainer("test_resnet", image_size=32).eval()
    names = list(module.state_dict())
    image = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    before = module(image)
    Compile(backend="eager").setup(None, module, "validate")
    assert all(encoder._compiled_call_impl is None for encoder in encoders_of(module))
    Compile(backend="eager").setup(None, module, "fit")
    (encoder,) = encoders_of(module)
    assert encoder._compiled_call_impl is not None
    after = module(image)
    torch.testing.assert_close(after["fine_logits"], before["fine_logits"])
    assert list(module.state_dict()) == names
    assert not any("_orig_mod" in name for name in names)
