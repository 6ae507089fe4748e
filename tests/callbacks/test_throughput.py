"""The numbers of a run whose loader and steps take a known time."""

import time

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset
from trainings import quiet_trainer

from gesturehand.callbacks.throughput import Throughput


class Slow(Dataset):
    def __init__(self, wait: float) -> None:
        self.wait = wait

    def __len__(self) -> int:
        return 48

    def __getitem__(self, number):
        time.sleep(self.wait)
        return {"image": torch.zeros(3, 2, 2)}


class Module(pl.LightningModule):
    def __init__(self, wait: float) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.wait = wait
        self.seen = []

    def training_step(self, batch, batch_idx):
        time.sleep(self.wait)
        return self.layer(batch["image"][:, 0].flatten(1)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def on_train_epoch_end(self):
        self.seen.append({name: float(value) for name, value in self.trainer.callback_metrics.items()})


@pytest.mark.parametrize(("loading", "stepping", "low", "high"), [(0.01, 0.0, 0.6, 1), (0.0, 0.03, 0, 0.4)])
def test_share_of_waiting_and_rate(tmp_path, loading, stepping, low, high):
    """A bound only: 4 samples a batch, so that a step takes at least 40 ms of loading or 30 ms of computing."""
    module = Module(stepping)
    trainer = quiet_trainer(default_root_dir=tmp_path, max_epochs=2, callbacks=[Throughput(every_n_steps=4)])
    trainer.fit(module, DataLoader(Slow(loading), 4))
    for metrics in module.seen:
        assert low <= metrics["throughput/data_wait_share"] <= high
        assert 0 < metrics["throughput/images_per_s"] <= 4 / (4 * loading + stepping)
    assert len(module.seen) == 2


class Starts(pl.Callback):
    """Notes from when on the throughput counts."""

    def __init__(self, throughput: Throughput) -> None:
        self.throughput, self.seen = throughput, []

    def on_train_batch_start(self, *_):
        self.seen.append(self.throughput._start)


def test_epoch_that_goes_on_is_counted_from_its_continuation(tmp_path):
    point = tmp_path / "middle.ckpt"
    for steps in (6, 10):
        began = time.perf_counter()
        throughput = Throughput(every_n_steps=4)
        starts = Starts(throughput)
        trainer = pl.Trainer(
            default_root_dir=tmp_path, max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[throughput, starts],
        )  # fmt: skip
        trainer.fit(Module(0.0), DataLoader(Slow(0.0), 4), ckpt_path=point if steps == 10 else None)
        trainer.save_checkpoint(point)
    assert len(starts.seen) == 4
    assert all(start >= began for start in starts.seen)
