"""The project's sweep files, and words that make one of their trials tiny."""

from pathlib import Path

import pytest
from trainings import REPOSITORY, SHORT

SWEEPS = sorted((REPOSITORY / "experiments" / "sweeps").glob("*.yaml"))
TINY = [
    *SHORT, "--model.init_args.imagenet_weights=false", "--data.batch_size=2", "--trainer.accelerator=cpu",
    "--trainer.strategy=auto", "--trainer.devices=1", "--trainer.limit_train_batches=1",
]  # fmt: skip


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder to run in, with the project's experiments."""
    (tmp_path / "experiments").symlink_to(REPOSITORY / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path
