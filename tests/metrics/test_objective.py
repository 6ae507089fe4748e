"""Losses of an evaluation, against NumPy over everything at once."""

import numpy as np
import pytorch_lightning as pl
import torch
from trainings import quiet_trainer

from gesturehand.losses import MaskedSum, masked_l1
from gesturehand.metrics.objective import ObjectiveMetrics, StepValue, WeightedLoss


def test_it_is_the_mean_over_all_valid_entries_whatever_the_batches():
    rng = np.random.default_rng(0)
    prediction, valid = rng.normal(size=(23, 5, 3)), rng.uniform(size=(23, 5)) < 0.3
    metrics = ObjectiveMetrics({"pose": 2.0, "shape": 3.0})
    for start in range(0, 23, 4):
        part = slice(start, start + 4)
        sums = masked_l1(*(torch.from_numpy(a[part]) for a in (prediction, np.zeros_like(prediction), valid)))
        metrics.update({"pose": sums, "shape": MaskedSum(sums.total, 2 * sums.count)})
    expected = np.abs(prediction[valid]).mean()
    found = {name: metric.compute().item() for name, metric in metrics.named("val").items()}
    np.testing.assert_allclose(
        [found["val/loss"], found["val/loss_pose"], found["val/loss_shape"]],
        [3.5 * expected, expected, expected / 2],
        rtol=1e-12,
    )


def test_a_term_without_a_valid_entry_adds_nothing():
    metric = WeightedLoss({"pose": 1.0, "shape": 1.0})
    nothing = MaskedSum(torch.zeros(()), torch.zeros(()))
    metric.update({"pose": MaskedSum(torch.tensor(6.0), torch.tensor(3.0)), "shape": nothing})
    assert metric.compute() == 2.0


class Logging(pl.LightningModule):
    """Logs the same number as a tensor and as a step's value."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.kept = StepValue()

    def training_step(self, batch, batch_idx):
        value = torch.tensor(batch_idx + 0.5)
        self.kept.update(value)
        self.log("copied", value)
        self.log("kept", self.kept, on_step=True, on_epoch=False)
        return self.layer(batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Seen(pl.Callback):
    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, *_):
        self.values.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def test_callbacks_see_the_same_as_with_a_tensor():
    seen, module = Seen(), Logging()
    trainer = quiet_trainer(max_epochs=2, callbacks=[seen])
    trainer.fit(module, torch.utils.data.DataLoader(torch.zeros(3, 1)))
    assert [values["kept"] for values in seen.values] == 2 * [0.5, 1.5, 2.5]
    assert all(values["kept"] == values["copied"] for values in seen.values)
    assert trainer.callback_metrics["kept"] == trainer.callback_metrics["copied"] == 2.5
    assert not [name for name in module.state_dict() if "kept" in name]


def test_value_is_the_tensor_itself_and_has_no_gradient():
    value, kept = torch.ones((), requires_grad=True) * 2, StepValue()
    kept.update(value)
    assert kept.value.data_ptr() == value.data_ptr()
    assert not kept.value.requires_grad
    assert kept.device == value.device
