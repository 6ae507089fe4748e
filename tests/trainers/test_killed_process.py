"""Two processes train; when one is killed the other ends with an error soon, and does not wait for ever."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
#: Seconds within which the survivor must have ended.
PATIENCE = 60


def children(pid: int) -> list[int]:
    """Processes that a process started and that train: its threads' children with the same command line's end."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if b"fit" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["first", "second"])
def test_survivor_ends_with_an_error(tmp_path, synthetic_root, victim):
    words = [
        "fit",
        f"--config={REPOSITORY / 'experiments' / 'demo' / 'pretrain'}.yaml",
        f"--data.root={synthetic_root}",
        "--model.init_args.backbone=test_resnet",
        "--data.image_size=32",
        "--data.batch_size=2",
        "--data.num_workers=0",
        "--trainer.devices=2",
        "--trainer.strategy=ddp",
        "--trainer.max_epochs=1000",
        "--trainer.enable_progress_bar=false",
        "--trainer.log_every_n_steps=1",
        "--resume_every_n_steps=5",
        "--wandb=false",
    ]
    log = (tmp_path / "log.txt").open("w+")
    first = subprocess.Popen(
        [str(Path(sys.executable).parent / "gesturehand"), *words],
        cwd=tmp_path,
        stdout=log,
        stderr=log,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    second = None
    try:
        began = time.monotonic()
        while not list(tmp_path.rglob("step-*.ckpt")):
            log.seek(0)
            assert first.poll() is None, log.read()
            assert time.monotonic() - began < 150, "training does not start"
            time.sleep(0.2)
        (second,) = children(first.pid)
        os.kill(first.pid if victim == "first" else second, signal.SIGKILL)
        killed = time.monotonic()
        if victim == "first":
            while is_alive(second):
                assert time.monotonic() - killed < PATIENCE, "the second process hangs"
                time.sleep(0.2)
        else:
            assert first.wait(timeout=PATIENCE) > 0
        log.seek(0)
        assert "Error" in log.read()
    finally:
        for pid in (first.pid, second):
            if pid is not None and is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        first.wait()
        log.close()
