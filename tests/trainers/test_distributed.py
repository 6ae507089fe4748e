"""Two processes (CPU, gloo) equal one process with twice the batch; and both end when one of them is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from faults import fault
from torch import nn
from trainings import SMALL, experiment, quiet_trainer

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.mixture import AddedSet
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE = 64
SETTINGS = {"backbone": "test_resnet", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 32}
#: With this share of samples without a fit, the processes' counts of valid entries differ.
SAMPLES = 8


class SaveGradients(pl.Callback):
    """Freezes batch normalisation; keeps the first step's gradients and the losses that the first process logs."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_train_epoch_start(self, trainer, pl_module):
        for module in pl_module.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    def on_train_batch_end(self, trainer, pl_module, *_):
        if trainer.is_global_zero and trainer.global_step == 1:
            logged = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
            torch.save(torch.load(self.path) | logged, self.path)

    def on_after_backward(self, trainer, pl_module):
        if trainer.is_global_zero and trainer.global_step == 0:
            gradients = {name: p.grad.clone() for name, p in pl_module.named_parameters() if p.grad is not None}
            torch.save(gradients, self.path)


class PartlyInvalid(InterHandDataModule):
    """Every second sample in an epoch's order, and so every sample of the second process, has nothing valid."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        if self.trainer.world_size == 1:
            counted = torch.arange(len(batch["counted"])) % 2 == 0
        else:
            counted = torch.full_like(batch["counted"], self.trainer.global_rank == 0)
        return {**batch, "counted": batch["counted"] & counted}


def model_of(stage: str, fusion: str = "concat") -> pl.LightningModule:
    torch.manual_seed(1)
    if stage == "pretrain":
        return GesturePretrainer(**SETTINGS, dropout=0.0)
    return TokenFusionRegressor(**SETTINGS, fusion=fusion, width=32, depth=1, gesture_dropout=0.0)


def gradients(tmp_path, root, stage, processes, data_class=InterHandDataModule, fusion="concat", steps=1, **more):
    """Gradients and logged losses of the first step over the same eight samples, shared by the processes."""
    path = tmp_path / f"{stage}-{processes}.pt"
    data = data_class(str(root), image_size=SIZE, batch_size=SAMPLES // processes, num_workers=0, **more)
    trainer = quiet_trainer(
        devices=processes,
        strategy="ddp_spawn" if processes > 1 else "auto",
        max_steps=steps,
        limit_val_batches=0,
        callbacks=[SaveGradients(str(path))],
    )
    trainer.fit(model_of(stage, fusion), data)
    return torch.load(path)


def assert_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    scale = max(float(g.abs().max()) for g in one.values())
    assert scale > 0
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-5 * scale, msg=name)


@pytest.mark.slow
@fault("losses of a test", "train/loss of two processes", "the same as with one process")
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_two_processes_give_gradient_and_losses_of_one_with_twice_the_batch(tmp_path, synthetic_root, stage):
    one = gradients(tmp_path, synthetic_root, stage, 1)
    assert one["train/loss"] > 0
    two = gradients(tmp_path, synthetic_root, stage, 2)
    assert_same(one, two)


@pytest.mark.slow
def test_two_processes_mix_sets_as_one_does(tmp_path, synthetic_root, two_hand_root, flat_root):
    sets = [AddedSet(str(two_hand_root), 0.25, hands="all"), AddedSet(str(flat_root), 0.25)]
    one = gradients(tmp_path, synthetic_root, "finetune", 1, sets=sets)
    assert one["train/loss"] > 0
    assert_same(one, gradients(tmp_path, synthetic_root, "finetune", 2, sets=sets))


@pytest.mark.slow
def test_process_with_nothing_valid_neither_hangs_nor_changes_the_gradient(tmp_path, synthetic_root):
    one = gradients(tmp_path, synthetic_root, "finetune", 1, PartlyInvalid)
    two = gradients(tmp_path, synthetic_root, "finetune", 2, PartlyInvalid)
    assert_same(one, two)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["cross", "none"])
def test_distributed_training_finds_no_unused_parameters(tmp_path, synthetic_root, fusion):
    # DistributedDataParallel raises in the second step if a parameter got no gradient in the first.
    assert gradients(tmp_path, synthetic_root, "finetune", 2, fusion=fusion, steps=3)


@pytest.mark.slow
@fault("losses of a test", "1, 2 and 3 processes", "the same number")
@pytest.mark.parametrize("samples", [1, 7, 32, 33])
def test_any_number_of_processes_tests_every_sample_once(tmp_path, synthetic_root, samples):
    """With 1, 2 and 3 processes; batches of 5 leave incomplete ones, and with one sample some processes have none."""
    everything = InterHandDataModule(str(synthetic_root), num_workers=0).dataset("test")
    subset = tmp_path / "subset.txt"
    rows = everything.selection.row[:samples]
    subset.write_text("\n".join(str(i) for i in everything.index.annotation_id[rows]))
    results = []
    for processes in (1, 2, 3):
        data = InterHandDataModule(
            str(synthetic_root), image_size=SIZE, batch_size=5, num_workers=0, test_subset=str(subset)
        )
        trainer = quiet_trainer(devices=processes, strategy="ddp_spawn" if processes > 1 else "auto")
        results.append(trainer.test(model_of("finetune"), data, verbose=False)[0])
        assert len(data.dataset("test")) == samples
    one, *others = results
    assert one["test/mpjpe_mm"] > 0
    for other in others:
        assert one.keys() == other.keys()
        for name, value in one.items():
            tolerance = {"abs": 1e-3} if name.endswith("_mm") else {"rel": 1e-6}
            assert other[name] == pytest.approx(value, nan_ok=True, **tolerance), name


# Two processes train; when one is killed, the other soon ends with an error; told to stop, both do, and continue later.


#: Seconds within which the survivor must have ended.
PATIENCE = 60


def children(pid: int) -> list[int]:
    """Processes that were started by a process's threads and that train too."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if b"fit" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Pair:
    """A run on two processes, once it has written a new checkpoint."""

    def __init__(self, folder: Path, root: Path) -> None:
        words = [
            "fit", experiment("demo/pretrain"), f"--data.root={root}", *SMALL, "--data.image_size=32",
            "--data.batch_size=2", "--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.max_epochs=1000",
            "--trainer.log_every_n_steps=1", "--resume_every_n_steps=5", "--wandb=false",
        ]  # fmt: skip
        self.log = (folder / "log.txt").open("w+")
        before = set(folder.rglob("step-*.ckpt"))
        self.first = subprocess.Popen(
            [str(Path(sys.executable).parent / "gesturehand"), *words],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        while not set(folder.rglob("step-*.ckpt")) - before:
            assert self.first.poll() is None, self.said()
            time.sleep(0.2)
        (self.second,) = children(self.first.pid)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def ends(self, pid: int) -> None:
        began = time.monotonic()
        while is_alive(pid) and self.first.poll() is None:
            assert time.monotonic() - began < PATIENCE, f"process {pid} hangs: {self.said()}"
            time.sleep(0.2)
        while is_alive(pid):
            assert time.monotonic() - began < PATIENCE, f"process {pid} hangs: {self.said()}"
            time.sleep(0.2)

    def close(self) -> None:
        for pid in (self.first.pid, self.second):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.first.wait()
        self.log.close()


@pytest.fixture
def start(tmp_path, synthetic_root) -> Iterator[Callable[[], Pair]]:
    pairs: list[Pair] = []

    def make() -> Pair:
        pairs.append(Pair(tmp_path, synthetic_root))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.close()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["first", "second"])
def test_survivor_ends_with_an_error(start, victim):
    pair = start()
    killed, survivor = (pair.first.pid, pair.second) if victim == "first" else (pair.second, pair.first.pid)
    os.kill(killed, signal.SIGKILL)
    pair.ends(survivor)
    assert "Error" in pair.said()


@pytest.mark.slow
def test_told_to_stop_both_do_and_continue_later(start):
    """Only the first process gets the signal, as if somebody killed it by hand."""
    pair = start()
    os.kill(pair.first.pid, signal.SIGTERM)
    assert pair.first.wait(timeout=PATIENCE) == 143, pair.said()
    pair.ends(pair.second)
    assert "is saved, and the same command continues from it" in pair.said()
    again = start()
    assert "Resuming" in again.said()
