"""The moving average against a plain loop over the weights of every step, and the content of checkpoints."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset
from trainings import quiet_trainer

from gesturehand.callbacks import WeightAverage
from gesturehand.errors import UserError

STEPS, DECAY = 14, 0.5


class Small(pl.LightningModule):
    """A norm and a layer, and the weights after every step."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
        self.steps, self.validated = [], []

    def training_step(self, batch, batch_idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(copied(self))
        self.log("loss", self.net(batch[0]).square().mean())

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.steps.append(copied(self))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    pl.seed_everything(0, verbose=False)
    model, folder = Small(), tmp_path_factory.mktemp("average")
    loader = DataLoader(TensorDataset(torch.randn(8 * STEPS // 2, 3)), 8)
    best = pl.callbacks.ModelCheckpoint(folder, "best", monitor="loss", save_last=True)
    trainer = quiet_trainer(
        max_epochs=2, callbacks=[WeightAverage(DECAY), best], enable_checkpointing=True, num_sanity_val_steps=0
    )
    trainer.fit(model, loader, loader)
    return model, folder


def average(steps):
    """The average by its formula, in double precision; counters are those of the last step."""
    mean = {name: value.double() for name, value in steps[0].items()}
    for number, step in enumerate(steps[1:], 1):
        decay = min(DECAY, (1 + number) / (10 + number))
        for name, value in step.items():
            mean[name] = decay * mean[name] + (1 - decay) * value if value.is_floating_point() else value.double()
    return mean


def assert_close(state, wanted):
    assert state.keys() == wanted.keys()
    for name, value in state.items():
        torch.testing.assert_close(value.double(), wanted[name], rtol=1e-5, atol=1e-6)


def test_finished_model_is_the_average(trained):
    model, _ = trained
    assert len(model.steps) == STEPS
    assert_close(model.state_dict(), average(model.steps))


def test_validation_sees_the_average(trained):
    model, _ = trained
    batches = STEPS // 2
    assert_close(model.validated[0], average(model.steps[:batches]))
    assert_close(model.validated[-1], average(model.steps))


def test_checkpoint_holds_the_average_and_the_weights(trained):
    model, folder = trained
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    assert_close(checkpoint["state_dict"], average(model.steps))
    assert_close(checkpoint["current_model_state"], {name: x.double() for name, x in model.steps[-1].items()})


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_impossible_decay_is_named(decay):
    with pytest.raises(UserError, match=r"WeightAverage.decay"):
        WeightAverage(decay)
