"""What a run is logged to: always CSV, W&B and TensorBoard by a setting; nothing here ever asks for a login."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_warn

from gesturehand.cli.training.metrics_csv import MetricsCsv
from gesturehand.cli.training.wandb_logger import TolerantWandbLogger
from gesturehand.errors import UserError
from gesturehand.evaluation.origin import code_version
from gesturehand.extras import install
from gesturehand.wandb_server import answers, logged_in_to_wandb, wandb_server


def make_loggers(
    folder: Path,
    *,
    name: str,
    wandb: bool,
    wandb_project: str,
    tensorboard: bool,
    wandb_id: str | None = None,
    resumed_step: int | None = None,
) -> list[Logger]:
    """The loggers of a run.

    Args:
        folder: The run's; everything is kept in it.
        name: The run's name in W&B.
        wandb: Log to W&B.
        wandb_project: W&B's project.
        tensorboard: Log to TensorBoard.
        wandb_id: The run's in W&B, the same when it goes on after an interruption; None for a new one.
        resumed_step: The step that a run continues from; None at its beginning.

    Returns:
        The CSV logger first: it decides where Lightning keeps config and checkpoints.

    Raises:
        UserError: W&B is to be online and nobody is logged in, or TensorBoard is not installed.
    """
    loggers: list[Logger] = [MetricsCsv(folder, resumed_step)]
    if wandb:
        # What is to be uploaded later stays with the run, not in the home folder.
        os.environ.setdefault("WANDB_DATA_DIR", str(folder.resolve() / "wandb"))
        offline = not wandb_is_online()
        loggers.append(
            TolerantWandbLogger(project=wandb_project, name=name, save_dir=str(folder), id=wandb_id, offline=offline)
        )
    if tensorboard:
        try:
            loggers.append(TensorBoardLogger(folder, name="", version="tensorboard"))
        except ModuleNotFoundError:
            raise UserError(
                f"TensorBoard is not installed: {install('tensorboard')}, or leave out --tensorboard=true."
            ) from None
    return loggers


def wandb_is_online() -> bool:
    """Whether W&B can talk to its server and may: somebody is logged in and ``WANDB_MODE`` does not say otherwise.

    Where it may and the server does not answer within seconds, a warning says so.

    Raises:
        UserError: ``WANDB_MODE`` is "online" without a login, where W&B would ask for one.
    """
    mode = os.environ.get("WANDB_MODE")
    logged_in = logged_in_to_wandb()
    if mode == "online" and not logged_in:
        raise UserError(
            "WANDB_MODE is online but nobody is logged in to W&B: `wandb login` first, or unset it to log offline."
        )
    if not logged_in or mode not in (None, "online", "shared"):
        return False
    url = wandb_server()
    if answers(url):
        return True
    rank_zero_warn(f"W&B's server {url} does not answer, so this run is logged offline: `wandb sync` uploads it later.")
    return False


@contextmanager
def wandb_run_finished() -> Iterator[None]:
    """Ends the W&B run that was begun inside, if one was, so that the next in this process is a run of its own."""
    failed = True
    try:
        yield
        failed = False
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            try:
                wandb.finish(exit_code=int(failed))
            except Exception as error:  # W&B passes on whatever its libraries raise
                rank_zero_warn(f"W&B could not finish its run ({type(error).__name__}): the training is unharmed.")


class RunConfig(SaveConfigCallback):
    """Beside Lightning's ``config.yaml``: configuration and code version in every logger."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Logs them, on the first process."""
        config: dict[str, Any] = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        for logger in trainer.loggers:
            logger.log_hyperparams({"config": config, "code": code_version()})
