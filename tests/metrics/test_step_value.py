"""A step's values reach Lightning's logs uncopied and under their names."""

import pytorch_lightning as pl
import torch

from gesturehand.metrics.step_value import StepValue


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


def test_callbacks_see_what_they_see_of_a_tensor():
    seen, module = Seen(), Logging()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, callbacks=[seen], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
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
