"""The loggers of a training: CSV, which survives interruptions, W&B, whose failures end nothing, and TensorBoard."""

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only, rank_zero_warn

from gesturehand.errors import UserError, brief
from gesturehand.evaluation.report import code_version
from gesturehand.extras import install
from gesturehand.file_writing import durable_file
from gesturehand.wandb_server import answers, logged_in_to_wandb, wandb_server

#: Seconds within which the server must accept a run.
_INIT_S: Final = 30.0
#: Seconds that a finished run waits for remaining uploads; `wandb sync` uploads the rest.
_FINISH_S: Final = 300.0


class MetricsCsv(CSVLogger):
    """Writes ``metrics.csv`` of a run.

    Args:
        folder: The run's folder.
        resumed_step: Keep the rows of a former process before this step of the optimiser; None for a new run.
    """

    def __init__(self, folder: Path, resumed_step: int | None = None) -> None:
        super().__init__(folder, name="", version="")
        self._resumed_step = resumed_step

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer; on processes other than the first it is Lightning's, which does nothing."""
        first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        if self._experiment is None and self._resumed_step is not None and first:
            self._experiment = _ContinuedFile(self.log_dir, self._resumed_step)
        return super().experiment


class _ContinuedFile(ExperimentWriter):
    def __init__(self, log_dir: str, step: int) -> None:
        super().__init__(log_dir)
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self.metrics_keys = list(reader.fieldnames or [])
                rows = [row for row in reader if _whole(row) and int(row["step"]) < step]
            self._write(rows)

    def _check_log_dir_exists(self) -> None:
        """Keeps the file, which Lightning's version would delete."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with Path(self.metrics_file_path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self._write(rows)

    def _write(self, rows: list[dict[str, str]]) -> None:
        lines = [",".join(self.metrics_keys), *(",".join(row.get(k) or "" for k in self.metrics_keys) for row in rows)]
        with durable_file(self.metrics_file_path) as file:
            file.write("".join(f"{line}\r\n" for line in lines).encode())


def _whole(row: dict[str, str]) -> bool:
    """Whether a killed process wrote a row to its end."""
    return None not in row.values() and str(row.get("step", "")).isdigit()


def _tolerant(log: Callable[..., Any]) -> Callable[..., Any]:
    """A method of Lightning's logger, with a warning in place of an error."""

    @rank_zero_only
    @wraps(log)
    def tolerant(logger: "TolerantWandbLogger", *values: Any, **more: Any) -> None:
        try:
            log(logger, *values, **more)
        except Exception as error:  # W&B raises many kinds of errors, and passes on those of its libraries
            rank_zero_warn(f"W&B has failed ({brief(error)}), so it logs nothing more of this run.")
            logger._give_up()

    return tolerant


class TolerantWandbLogger(WandbLogger):
    """Lightning's logger, but it never ends a training: if W&B fails online, it logs offline, or else not at all.

    Args:
        settings: As :class:`~pytorch_lightning.loggers.WandbLogger` takes them.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(settings={"init_timeout": _INIT_S, "finish_timeout": _FINISH_S}, **settings)
        # Lightning passes on a setting that W&B no longer has, and W&B warns about it.
        self._wandb_init.pop("anonymous", None)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun on first use."""
        if self._experiment is not None:
            return self._experiment
        for offline in (False, True) if not self._offline else (True,):
            self._offline = offline
            if offline:
                self._wandb_init["mode"] = "offline"  # W&B has read the environment, which Lightning sets, before
            try:
                return super().experiment
            except Exception as error:  # as above
                where = "it logs nothing" if offline else "it logs offline"
                rank_zero_warn(f"W&B does not take up the run ({brief(error)}), so {where}.")
        return self._give_up()

    log_hyperparams = _tolerant(WandbLogger.log_hyperparams)
    log_metrics = _tolerant(WandbLogger.log_metrics)
    log_image = _tolerant(WandbLogger.log_image)
    log_table = _tolerant(WandbLogger.log_table)
    finalize = _tolerant(WandbLogger.finalize)

    def _give_up(self) -> Any:
        import wandb

        self._experiment = wandb.init(mode="disabled", reinit="create_new")
        return self._experiment


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
        folder: The run's folder; everything is kept in it.
        name: The run's name in W&B.
        wandb: Log to W&B.
        wandb_project: W&B's project.
        tensorboard: Log to TensorBoard.
        wandb_id: The run's id in W&B, the same when it continues after an interruption; None for a new one.
        resumed_step: The step from which a run continues; None at its beginning.

    Returns:
        The CSV logger first: it decides where Lightning keeps config and checkpoints.

    Raises:
        UserError: W&B is to be online and nobody is logged in, or TensorBoard is not installed.
    """
    loggers: list[Logger] = [MetricsCsv(folder, resumed_step)]
    if wandb:
        # Files to be uploaded later stay with the run, not in the home folder.
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

    If it may but the server does not answer within seconds, a warning says so.

    Raises:
        UserError: ``WANDB_MODE`` is "online" without a login, for which W&B would ask.
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
    """Ends the W&B run that was begun inside, if one was, so that the next in this process is a separate run."""
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
    """Logs configuration and code version in every logger, in addition to Lightning's ``config.yaml``."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Logs them, on the first process."""
        config: dict[str, Any] = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        for logger in trainer.loggers:
            logger.log_hyperparams({"config": config, "code": code_version()})
