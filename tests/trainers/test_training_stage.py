"""What both stages share: the losses of a test, whatever the batches."""

import pytest
import pytorch_lightning as pl
import torch
from trainings import quiet_trainer

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.losses import mean_of
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": 64, "embedding_dim": 32}


def result_of(model: pl.LightningModule, root, batch_size: int) -> dict[str, float]:
    """What a test logs."""
    trainer = quiet_trainer()
    data = InterHandDataModule(str(root), image_size=64, batch_size=batch_size, num_workers=0)
    (result,) = trainer.test(model, data, verbose=False)
    return result


def losses_of_the_whole_set(model: pl.LightningModule, root) -> dict[str, float]:
    """Each term over the test set as one batch."""
    data = InterHandDataModule(str(root), image_size=64, batch_size=1000, num_workers=0)
    data.setup("test")
    (batch,) = data.test_dataloader()
    sums = {}
    model.training_objective = lambda terms: sums.update(terms) or torch.zeros(())
    with torch.no_grad():
        model.eval().training_step(batch, 0)
    del model.training_objective
    return {name: float(mean_of(term)) for name, term in sums.items()}


@pytest.mark.fault(kind="losses of a test", variant="batches of 1, 5 and 16", outcome="the same number")
@pytest.mark.parametrize(
    ("stage", "settings"),
    [(GesturePretrainer, {"label_smoothing": 0.0}), (TokenFusionRegressor, {"width": 16, "depth": 1})],
)
def test_losses_of_a_test_are_means_over_its_samples(synthetic_root, stage, settings):
    """A tenth of the frames has no fit, so that batches differ in their numbers of valid entries."""
    torch.manual_seed(0)
    model = stage(**SETTINGS, **settings)
    expected = losses_of_the_whole_set(model, synthetic_root)
    assert expected.keys() == model.weights.keys()
    whole = sum(weight * expected[name] for name, weight in model.weights.items())
    for batch_size in (1, 5, 16):
        found = result_of(model, synthetic_root, batch_size)
        assert found["test/loss"] == pytest.approx(whole, rel=1e-5)
        for name, mean in expected.items():
            assert found[f"test/loss_{name}"] == pytest.approx(mean, rel=1e-5), name
