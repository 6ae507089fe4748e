"""What checkpoints and early stopping watch must be logged: a training finds out before its first step."""

from typing import Final

import pytorch_lightning as pl

from gesturehand.callbacks.training_guard import UNREADABLE_IMAGES
from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean
from gesturehand.trainers.training_stage import TrainingStage

#: What Lightning itself lets a checkpoint watch, and what is logged beside the module.
_OTHERS: Final = ("epoch", "step", UNREADABLE_IMAGES)
#: Callbacks of these packages log nothing else that can be watched.
_KNOWN_PACKAGES: Final = ("gesturehand", "pytorch_lightning")


def check_monitors(trainer: pl.Trainer, model: pl.LightningModule) -> None:
    """Refuses callbacks that watch what a module does not log.

    A module or callback of somebody's own may log anything, so that nothing is refused beside one.

    Args:
        trainer: With its callbacks.
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
