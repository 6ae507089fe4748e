"""The project's sweep files, and arguments that make one of their trials tiny."""

from pathlib import Path

import pytest
from trainings import REPOSITORY, SHORT

SWEEPS = sorted((REPOSITORY / "experiments" / "sweeps").glob("*.yaml"))
TINY = [
    *SHORT, "--model.init_args.imagenet_weights=false", "--data.batch_size=2", "--trainer.accelerator=cpu",
    "--trainer.strategy=auto", "--trainer.devices=1", "--trainer.limit_train_batches=1",
]  # fmt: skip


@pytest.fixture
def workplace(logged_out, tmp_path, monkeypatch) -> Path:
    """A folder to run in, with the project's experiments."""
    (tmp_path / "experiments").symlink_to(REPOSITORY / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    return tmp_path
