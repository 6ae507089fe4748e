"""The numbers of a run whose loader and steps take a known time by a clock that they set forward."""

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset
from trainings import quiet_trainer

from gesturehand.callbacks import throughput
from gesturehand.callbacks.throughput import Throughput


class Clock:
    """Stands in for the module ``time``."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput, "time", clock)
    return clock


class Slow(Dataset):
    def __init__(self, clock: Clock, wait: float) -> None:
        self.clock, self.wait = clock, wait

    def __len__(self) -> int:
        return 48

    def __getitem__(self, number):
        self.clock.now += self.wait
        return {"image": torch.zeros(3, 2, 2)}


class Module(pl.LightningModule):
    def __init__(self, clock: Clock, wait: float) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.clock, self.wait = clock, wait
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.clock.now += self.wait
        return self.layer(batch["image"][:, 0].flatten(1)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def on_train_epoch_end(self):
        self.seen.append({name: float(value) for name, value in self.trainer.callback_metrics.items()})


@pytest.mark.parametrize(("loading", "stepping"), [(0.01, 0.0), (0.0, 0.03), (0.01, 0.03)])
def test_share_of_waiting_and_rate(tmp_path, clock, loading, stepping):
    """With four samples per batch."""
    module = Module(clock, stepping)
    trainer = quiet_trainer(default_root_dir=tmp_path, max_epochs=2, callbacks=[Throughput(every_n_steps=4)])
    trainer.fit(module, DataLoader(Slow(clock, loading), 4))
    seconds = 4 * loading + stepping
    for metrics in module.seen:
        assert metrics["throughput/data_wait_share"] == pytest.approx(4 * loading / seconds)
        assert metrics["throughput/images_per_s"] == pytest.approx(4 / seconds)
    assert len(module.seen) == 2


def test_continued_epoch_is_counted_from_its_continuation(tmp_path, clock):
    point = tmp_path / "middle.ckpt"
    for steps in (6, 10):
        clock.now = 1000.0 * steps
        trainer = quiet_trainer(default_root_dir=tmp_path, max_steps=steps, callbacks=[Throughput(every_n_steps=4)])
        module = Module(clock, 0.03)
        trainer.fit(module, DataLoader(Slow(clock, 0.0), 4), ckpt_path=point if steps == 10 else None)
        trainer.save_checkpoint(point)
    assert trainer.callback_metrics["throughput/images_per_s"] == pytest.approx(4 / 0.03)
