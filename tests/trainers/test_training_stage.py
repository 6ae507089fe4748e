"""Both stages: the losses of a test, which do not depend on the batches, and that they can learn samples by heart."""

import pytest
import pytorch_lightning as pl
import torch
from faults import fault
from torch.utils.data import DataLoader, Dataset
from trainings import quiet_trainer

from gesturehand.batch import Batch
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.losses import mean_of
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": 64, "embedding_dim": 32}


def result_of(model: pl.LightningModule, root, batch_size: int) -> dict[str, float]:
    """The metrics that a test logs."""
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


@fault("losses of a test", "batches of 1, 5 and 16", "the same number")
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


# Both stages can learn 8 samples by heart: a network that cannot overfit has a broken gradient somewhere.


SIZE = 64
BACKBONE = {"backbone": "test_resnet", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 64}


class EightSamples(Dataset[Batch]):
    """Eight labelled samples of several gestures, both hands, all with a fit, the same in every epoch."""

    def __init__(self, root) -> None:
        data = InterHandDataModule(str(root), image_size=SIZE, augment=False, labelled_only=True)
        dataset = data.dataset("train")
        fitted = [sample for sample in map(dataset.__getitem__, range(len(dataset))) if sample["mano_valid"].all()]
        # Spread evenly over the set, so that all its gestures are among them.
        self.samples = fitted[:: len(fitted) // 8][:8]
        assert len({int(sample["gesture_fine"]) for sample in self.samples}) > 2

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Batch:
        return self.samples[number]


def overfit(model: pl.LightningModule, samples: EightSamples, steps: int) -> dict[str, float]:
    """Trains on one batch repeatedly; returns the model's metrics on it, in evaluation mode."""
    loader = DataLoader(samples, batch_size=8)
    trainer = quiet_trainer(max_epochs=steps, gradient_clip_val=1.0, limit_val_batches=0)
    trainer.fit(model, loader)
    trainer.test(model, loader, verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


@pytest.fixture(scope="module")
def eight_samples(synthetic_root):
    return EightSamples(synthetic_root)


def test_gesture_pretrainer_overfits(eight_samples):
    pl.seed_everything(0)
    model = GesturePretrainer(**BACKBONE, dropout=0.0, learning_rate=3e-3, label_smoothing=0.0)
    metrics = overfit(model, eight_samples, steps=120)
    assert metrics["test/gesture_fine_top1"] == 1.0
    assert metrics["test/gesture_coarse_top1"] == 1.0


SLOW = pytest.mark.slow


@pytest.mark.parametrize("fusion", ["concat", pytest.param("cross", marks=SLOW), pytest.param("none", marks=SLOW)])
def test_token_fusion_regressor_overfits(eight_samples, fusion):
    torch.manual_seed(0)
    model = TokenFusionRegressor(
        **BACKBONE, fusion=fusion, width=64, depth=2, gesture_dropout=0.0, learning_rate=4e-3, weight_decay=0.0
    )
    metrics = overfit(model, eight_samples, steps=400)
    assert metrics["test/mpjpe_mm"] < 2.0
    assert metrics["test/gesture_fine_top1"] == 1.0
