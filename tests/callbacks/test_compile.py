"""A compiled module computes the same, and its checkpoint does not show that it was compiled."""

import pytest
import torch

from gesturehand.callbacks.compile import Compile
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.targets import training_targets
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor


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


@pytest.mark.parametrize(("what", "graphs"), [("head", 2), ("all", 1)])
def test_losses_and_gradients_stay(synthetic_root, what, graphs):
    """From the images, or from the feature map, to the losses, there are no more graphs than necessary."""
    torch._dynamo.reset()
    data = InterHandDataModule(str(synthetic_root), image_size=32, batch_size=2, num_workers=0)
    batch = next(iter(data.train_dataloader()))
    module = TokenFusionRegressor("test_resnet", image_size=32, width=16, depth=1, gesture_dropout=0.0).eval()
    targets = training_targets(batch, module.hand_model)

    def losses_and_gradients():
        losses = {name: term.total for name, term in module.training_losses(batch, targets).items()}
        return losses, torch.autograd.grad(sum(losses.values()), [p for p in module.parameters() if p.requires_grad])

    before, names = losses_and_gradients(), list(module.state_dict())
    compiled = []

    def backend(graph, example_inputs):
        compiled.append(graph)
        return graph.forward

    Compile(what, backend=backend).setup(None, module, "fit")
    torch.testing.assert_close(losses_and_gradients(), before)
    assert len(compiled) == graphs
    assert list(module.state_dict()) == names


def test_modules_that_cannot_be_compiled_are_refused():
    with pytest.raises(UserError, match="give encoder, head or all"):
        Compile("tail")
    with pytest.raises(UserError, match="second stage"):
        Compile("head").setup(None, GesturePretrainer("test_resnet", image_size=32), "fit")
