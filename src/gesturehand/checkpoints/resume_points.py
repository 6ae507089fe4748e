"""Points from which a killed run continues, and the stop that a cluster or Ctrl-C asks for.

A point is taken only between two steps of the optimiser, where a run that starts from it does exactly what the
uninterrupted one does. No random state is saved: the generators are seeded again in each step from (seed, step,
process), so it does not matter what happened before, and every process of a distributed run knows its own.
"""

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from gesturehand.checkpoints.checkpoint_io import is_whole
from gesturehand.errors import UserError
from gesturehand.file_writing import remove_parts

#: The signal by which SLURM tells a job that its time is almost over (``#SBATCH --signal``); not on Windows.
REQUEUE_SIGNAL: Final = getattr(signal, "SIGUSR1", None)
#: Number of points that are kept: one may be damaged.
KEPT: Final = 2
#: Number of steps between two exchanges on whether a process was told to stop, at which processes wait for each other.
_STEPS_BETWEEN_QUESTIONS: Final = 10


class Stopped(SIGTERMException):
    """Ends a training that was told to stop, after its point has been written.

    Attributes:
        signal: The signal that asked for it; SIGTERM if another process received it.
    """

    def __init__(self, number: int | None) -> None:
        super().__init__()
        self.signal = number or signal.SIGTERM


def newest_point(folder: Path) -> Path | None:
    """The newest undamaged point in a folder; warns if a newer one is damaged."""
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True):
        if is_whole(path):
            return path
        rank_zero_warn(f"The checkpoint '{path}' is damaged, so the one before it is used.")
    return None


def step_of_point(path: Path) -> int:
    """Steps of the optimiser that were made before a point was taken."""
    return int(path.name.split("-")[1])


def remove_points(folder: Path) -> None:
    """Removes the points of a run that has finished."""
    for path in folder.glob("step-*.ckpt"):
        path.unlink(missing_ok=True)
    remove_parts(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


class ResumePoints(Checkpoint):
    """Writes points that a run can continue from, and stops it cleanly after a SIGTERM or the first Ctrl-C.

    A second Ctrl-C ends it at once.

    Put it behind every other checkpoint callback, whose state it saves. The training loader must be a
    :class:`~gesturehand.data.loading.ResumableLoader`.

    Args:
        folder: The points' folder; it should hold nothing else.
        every_n_steps: Steps of the optimiser between points; there is also one at the end of every epoch.
        every_n_minutes: Also whenever this many minutes have passed, or None.

    Raises:
        UserError: A point was taken with another number of samples in a step, all processes together.
    """

    def __init__(self, folder: str | Path, every_n_steps: int = 500, every_n_minutes: float | None = 10.0) -> None:
        self.folder = Path(folder)
        self.every_n_steps = every_n_steps
        self.every_n_minutes = every_n_minutes
        self.seed = torch.initial_seed()
        self._stop_asked: int | None = None
        self._leaving = False
        self._saved_step = -1
        self._saved_at = time.monotonic()
        self._world_size: int | None = None
        self._batch_size: int | None = None
        self._loader_state: dict[str, int] | None = None

    def state_dict(self) -> dict[str, Any]:
        """The seed, how many processes share an epoch, the size of their batches, and the loader's place in it."""
        return {
            "seed": self.seed,
            "world_size": self._world_size,
            "batch_size": self._batch_size,
            "loader": self._loader_state,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the seed and, when training starts, the place in the epoch."""
        self._loader_state = state_dict["loader"]
        self.seed = state_dict["seed"]
        self._world_size = state_dict["world_size"]
        self._batch_size = state_dict.get("batch_size")  # not in points of the first version

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Removes the remains of a killed process."""
        if trainer.is_global_zero:
            remove_parts(self.folder)

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lightning has set its handlers by now; they end a run between any two batches."""
        self._listen()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes over Lightning's handlers if a resumed run skips the sanity check; restores the loader's position.

        Lightning restores a loader only if nothing, such as a schedule's length, has requested it before.
        """
        self._listen()
        first = trainer.strategy.broadcast(trainer.global_step)
        if first != trainer.global_step:
            raise UserError(
                f"The first process continues from step {first} and process {trainer.global_rank} from step "
                f"{trainer.global_step}: start them again, all from one folder."
            )
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()
        self._check_samples_of_a_step(trainer)
        if self._loader_state is not None:
            trainer.train_dataloader.load_state_dict(self._loader_state)  # type: ignore[union-attr]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends a stopped run once the last step is logged; otherwise seeds the step.

        With accumulated gradients every batch has its own seed.
        """
        if self._leaving:
            rank_zero_info(
                f"Told to stop: step {trainer.global_step} is saved, and the same command continues from it."
            )
            raise Stopped(self._stop_asked)
        place = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes a point if one is due, and stops if the run was told to."""
        between_steps = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        # An epoch's point after its last batch is taken when validation is over; continuing from here would skip it.
        if not between_steps or self._validates_after(trainer, batch_idx):
            return
        stop = self._stops(trainer, batch_idx)
        # A stop during the validation goes back to the last point: let that be the step before it.
        if (
            stop
            or self._is_due(trainer, batch_idx)
            or self._validates_after(trainer, batch_idx + trainer.accumulate_grad_batches)
        ):
            self._save(trainer)
        self._leaving = stop

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stops a validation within training; the last point is from just before it."""
        if self._stops(trainer, batch_idx):
            rank_zero_info("Told to stop during validation: the same command continues from the last point.")
            raise Stopped(self._stop_asked)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes an epoch's point after its validation and the other callbacks."""
        self._save(trainer)
        if self._stops(trainer, 0):
            rank_zero_info(f"Told to stop: epoch {trainer.current_epoch} is saved, and the same command continues.")
            raise Stopped(self._stop_asked)

    def _check_samples_of_a_step(self, trainer: pl.Trainer) -> None:
        """Refuses another size of all processes' batches together: the place in the epoch would be another one.

        All processes together take the samples in the order of a single one, so their number does not matter.
        """
        batch_size = trainer.train_dataloader.batch_size  # type: ignore[union-attr]
        processes = trainer.world_size
        processes_before, batch_size_before = self._world_size or processes, self._batch_size or batch_size
        self._world_size, self._batch_size = processes, batch_size
        if (processes_before, batch_size_before) == (processes, batch_size):
            return
        before = _batches(processes_before, batch_size_before)
        change = f"The run was interrupted with {before} and continues with {_batches(processes, batch_size)}"
        together = processes_before * batch_size_before
        if together == processes * batch_size:
            rank_zero_info(f"{change}: every step sees the samples that it would have seen.")
            return
        fitting = together // processes if together % processes == 0 else None
        remedy = f"set data.batch_size to {fitting}" if fitting else "give it as many devices as before"
        raise UserError(f"{change}: {remedy} and name the run with --resume=FOLDER, or restart with --resume=never.")

    def _listen(self) -> None:
        def stop(signum: int, frame: Any) -> None:
            if self._stop_asked != REQUEUE_SIGNAL:  # later signals from SLURM do not cancel the job
                self._stop_asked = signum
            if signum == signal.SIGINT:
                signal.signal(signal.SIGINT, signal.default_int_handler)

        with suppress(ValueError):  # not the main thread, which nobody signals
            signal.signal(signal.SIGTERM, stop)
            if REQUEUE_SIGNAL is not None and SLURMEnvironment.detect():
                signal.signal(REQUEUE_SIGNAL, stop)
            # A program in the background of a shell must not react to Ctrl-C.
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler and not self._stop_asked:
                signal.signal(signal.SIGINT, stop)

    def _stops(self, trainer: pl.Trainer, batch_idx: int) -> bool:
        """Whether this process or, once in a while, any other was told to stop; the same answer on all of them."""
        if trainer.world_size == 1:
            return self._stop_asked is not None
        if batch_idx % _STEPS_BETWEEN_QUESTIONS:
            return False
        return bool(trainer.strategy.reduce_boolean_decision(self._stop_asked is not None, all=False))

    def _validates_after(self, trainer: pl.Trainer, batch_idx: int) -> bool:
        """Whether an epoch ends or a validation is run after a batch of this epoch."""
        if batch_idx + 1 >= trainer.num_training_batches:
            return True
        every = trainer.val_check_batch
        if every in (None, float("inf")):
            return False
        first = trainer.fit_loop.total_batch_idx - trainer.fit_loop.batch_idx
        number = batch_idx + (first if trainer.check_val_every_n_epoch is None else 0)
        return (number + 1) % every == 0

    def _is_due(self, trainer: pl.Trainer, batch_idx: int) -> bool:
        if trainer.global_step == self._saved_step:
            return False
        # A step's metrics are logged only when this hook is over: a point there would lack them.
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if trainer.global_step - self._saved_step >= self.every_n_steps and (every < 2 or trainer.global_step % every):
            return True
        late = self.every_n_minutes is not None and time.monotonic() - self._saved_at > 60 * self.every_n_minutes
        if trainer.world_size == 1:
            return late
        if batch_idx % _STEPS_BETWEEN_QUESTIONS:
            return False
        return bool(trainer.strategy.broadcast(late))  # the processes' clocks differ

    def _save(self, trainer: pl.Trainer) -> None:
        self._loader_state = trainer.train_dataloader.state_dict()  # type: ignore[union-attr]
        for logger in trainer.loggers:
            logger.save()  # values logged before a point are not logged again after it
        epoch = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        # The number in the name also grows at an epoch's end, as the step before the validation has its own.
        name = f"step-{trainer.global_step:09d}-epoch-{epoch:06d}.ckpt"
        trainer.save_checkpoint(self.folder / name, weights_only=False)
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()
        if trainer.is_global_zero:
            for path in sorted(self.folder.glob("step-*.ckpt"), reverse=True)[KEPT:]:
                path.unlink(missing_ok=True)


def _batches(processes: int, size: int) -> str:
    return f"{processes} process{'es' if processes > 1 else ''} of {size} samples each"
