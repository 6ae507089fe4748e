"""Two processes train; when one is killed the other ends with an error soon; told to stop, both do, and go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trainings import SMALL, experiment

#: Seconds within which the survivor must have ended.
PATIENCE = 60


def children(pid: int) -> list[int]:
    """Processes that a process's threads started and that train too."""
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
    """A run on two processes, from when it has written a new checkpoint."""

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
def test_told_to_stop_both_do_and_go_on(start):
    """Only the first process hears of it, as when somebody kills it by hand."""
    pair = start()
    os.kill(pair.first.pid, signal.SIGTERM)
    assert pair.first.wait(timeout=PATIENCE) == 143, pair.said()
    pair.ends(pair.second)
    assert "is saved, and the same command continues from it" in pair.said()
    again = start()
    assert "Resuming" in again.said()
