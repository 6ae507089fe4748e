"""The limits of the trainer on this machine, metrics it cannot watch, and its known failures, each in a sentence."""

import re
import traceback
from typing import Any, Final

import pytorch_lightning as pl
import torch

from gesturehand.callbacks.training_guard import UNREADABLE_IMAGES
from gesturehand.checkpoints.checkpoint_io import misfit
from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean, nearest
from gesturehand.trainers.training_stage import TrainingStage

#: Names that Lightning itself lets a checkpoint watch, and names logged beside the module's.
_OTHERS: Final = ("epoch", "step", UNREADABLE_IMAGES)
#: Callbacks of these packages log nothing else that can be watched.
_KNOWN_PACKAGES: Final = ("gesturehand", "pytorch_lightning")


def check_machine(trainer: Any) -> None:
    """Refuses settings of the trainer that this machine cannot have, or with which it would hang.

    Args:
        trainer: The configuration's section.

    Raises:
        UserError: There is no such device, or the precision or the accumulation is impossible.
    """
    gpu = torch.cuda.is_available()
    if trainer.accelerator in ("gpu", "cuda") and not gpu:
        raise UserError(
            f"trainer.accelerator is {trainer.accelerator} and PyTorch finds no GPU here: run it where there is "
            "one, or with --trainer.accelerator=cpu --trainer.precision=32."
        )
    if not isinstance(trainer.accumulate_grad_batches, int) or trainer.accumulate_grad_batches < 1:
        raise UserError(
            f"trainer.accumulate_grad_batches is {trainer.accumulate_grad_batches}: give a whole number from 1 upwards."
        )
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not gpu)
    if on_cpu and str(trainer.precision).startswith("16"):
        raise UserError(
            f"trainer.precision is {trainer.precision}, which would take far too long on a CPU: use "
            "--trainer.precision=bf16-mixed or --trainer.precision=32."
        )


def impossible_trainer(error: Exception) -> UserError:
    """The sentence for Lightning's errors about settings that it cannot use."""
    text = " ".join(str(error).split())
    # Lightning names the word as `key='word'`, followed by those that it knows.
    given = re.search(r"='(\w+)'`?(.*)", text)
    near = None if given is None else nearest(given[1], set(re.findall(r"\w+", given[2])) - {given[1]}, 0.7)
    return UserError(
        f"The trainer cannot be set up like this: {text[:200]}" + (f" … did you mean '{near}'?" if near else "")
    )


def known_failure(error: Exception) -> UserError | None:
    """The sentence for errors that have no class in the libraries; None for others."""
    if isinstance(error, RuntimeError) and (problem := misfit(error)) is not None:
        return UserError(
            f"The checkpoint does not fit the model ({problem}): give the configuration that it was trained with."
        )
    # Either the loader notices that a worker died, or the next batch can no longer be fetched from it.
    broken = isinstance(error, ConnectionError | EOFError) and any(
        frame.name == "rebuild_storage_fd" for frame in traceback.extract_tb(error.__traceback__)
    )
    if broken or "DataLoader worker" in str(error):
        return UserError(
            "A worker process of the data loader was killed, perhaps because memory ran out: run the same "
            "command, which continues from the last point, with fewer data.num_workers if it happens again."
        )
    return None


def check_monitors(trainer: pl.Trainer, model: pl.LightningModule) -> None:
    """Refuses callbacks that watch names that a module does not log.

    A user's own module or callback may log anything, so nothing is refused with one of these.

    Args:
        trainer: The trainer, with its callbacks.
        model: The module that is to be trained.

    Raises:
        UserError: A monitored name is not logged; the message names the key.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    packages = {type(callback).__module__.partition(".")[0] for callback in callbacks}
    if not isinstance(model, TrainingStage) or not packages <= set(_KNOWN_PACKAGES):
        return
    known = [*sorted(model.logged_names()), *_OTHERS]
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is None or monitor in known:
            continue
        own = trainer.checkpoint_callback
        key = "checkpoint.monitor" if callback is own else f"The monitor of {type(callback).__name__}"
        main = [name for name in known if name.startswith("val/") and "loss_" not in name]
        meant = did_you_mean(str(monitor), known, f"choose {', '.join(main[:6])} or another that metrics.csv lists.")
        raise UserError(f"{key} is '{monitor}', which {type(model).__name__} does not log: {meant}")
