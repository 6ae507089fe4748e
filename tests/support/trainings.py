"""Helpers for tests of trainings: a quiet trainer, and command lines of small trainings."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gesturehand.cli.main import main

if TYPE_CHECKING:
    import pytorch_lightning as pl

REPOSITORY = Path(__file__).parents[2]
#: A training of any length with timm's smallest network, in this process alone.
SMALL = [
    "--model.init_args.backbone=test_resnet", "--data.num_workers=0", "--trainer.enable_progress_bar=false",
]  # fmt: skip
#: A training of two steps and one batch of validation, logged only to its folder.
SHORT = [
    *SMALL, "--data.image_size=64", "--data.batch_size=4", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=1", "--wandb=false",
]  # fmt: skip


def experiment(name: str) -> str:
    """The option that names an experiment of the repository, such as ``demo/pretrain``."""
    return f"--config={REPOSITORY / 'experiments' / name}.yaml"


def exit_code(words: Iterable[str]) -> int:
    """A command's exit code, whether the command returns it or its parser exits with it."""
    try:
        return main(list(words))
    except SystemExit as left:
        return int(left.code or 0)


def quiet_trainer(**settings: Any) -> "pl.Trainer":
    """A trainer on the CPU without logs, checkpoints, bars and summaries, unless ``settings`` ask for them."""
    import pytorch_lightning as pl

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(**{"accelerator": "cpu", **quiet, **settings})


def free_port() -> int:
    """A port of this machine which, like the next one, nobody uses; processes of a test meet there."""
    from gesturehand.cli.training import process

    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
        try:
            with socket.create_server(("127.0.0.1", process._aside(port))):
                return port
        except OSError:
            continue
